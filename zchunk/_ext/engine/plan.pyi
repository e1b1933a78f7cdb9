"""A selection of a chunked array as the kernels see it; for other extension modules only."""
