"""Copies of runs of bytes, the memory of results, and the status that kernels return."""
