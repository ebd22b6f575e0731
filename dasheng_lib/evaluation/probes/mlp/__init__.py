"""HEAR's probe: a grid of small networks, trained side by side."""
