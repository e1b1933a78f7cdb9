"""Files (`files`), and where the bytes of a chunk come from (`source`)."""
