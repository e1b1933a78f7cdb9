"""Codecs: the C libraries, Blosc frames, checksums, and the dispatch between them."""
