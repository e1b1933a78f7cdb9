"""Threads that wait outside the GIL (`crew`), and the locks of chunks (`locks`)."""
