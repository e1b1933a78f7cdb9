"""What the Zarr specification defines of an array, and no more: keys, data types, fill values, chunk grids.

`keys` checks names of nodes and encodes names of chunks; `regular_grid` and `rectilinear_grid` lay chunks
out; `versions` says which format is meant. Pure functions, no store, no I/O.
"""
