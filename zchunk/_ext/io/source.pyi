"""The stored bytes of a chunk, in memory or in a file; for other extension modules only."""
