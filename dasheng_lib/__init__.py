"""Library of the companion book."""
