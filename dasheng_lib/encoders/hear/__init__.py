"""Encoders that follow the HEAR API."""
