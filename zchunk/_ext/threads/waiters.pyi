"""Threads that wait for the storage, beside those that compute; for other extension modules only."""
