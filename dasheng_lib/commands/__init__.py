"""Verbs of the command line that have no module of their own."""
