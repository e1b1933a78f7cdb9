"""Compiled kernels. Nothing here imports from the rest of zchunk.

From the ground up: `memory` and `threads`, `io`, `selection`, `codecs`, and `engine`, which works on chunks.
Each `.pyx` has kernels without the GIL, and a boundary that checks what they are given and raises.
"""
