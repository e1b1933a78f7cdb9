"""Read one chunk; for other extension modules only."""
