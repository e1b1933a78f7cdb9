"""Threads that wait outside the GIL (`crew`), the locks of chunks (`locks`), and what needs none (`late`)."""
