"""Write one chunk; for other extension modules only."""
