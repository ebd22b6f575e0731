"""HEAR's tasks: read, checked, fetched."""
