"""Stores in folders: `directory` has `DirectoryStore` and the nested one, `temporary` has `TempStore`."""
