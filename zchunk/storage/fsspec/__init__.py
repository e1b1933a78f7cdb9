"""Stores in what fsspec reaches: `store` has `FSStore`, `files` its calls."""
