"""Stores in folders: `directory` has `DirectoryStore` and the nested one, `temporary` has `TempStore`.

`files` and `trees` ask the file system. `new_folders` puts nodes in their place, `removal` takes them away,
`mark_files` locks marks, and `leftovers` finds what killed writers have left.
"""
