"""Blosc 1 frames as C-Blosc 1.21 would make them; for other extension modules only."""
