"""Compiled kernels. Nothing here imports from the rest of zchunk."""
