"""Data sets of ARCH and HARES in their official folders: one reader a set, ``read(folder)``."""
