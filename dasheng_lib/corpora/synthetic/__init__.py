"""A small corpus that the library itself generates."""
