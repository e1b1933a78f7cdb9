"""Frames that several threads encode together; for other extension modules only."""
