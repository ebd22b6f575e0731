"""Scores of predictions, and intervals for them."""
