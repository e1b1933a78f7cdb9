"""Read and write one chunk; for other extension modules only."""
