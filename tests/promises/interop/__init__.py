"""Random arrays and groups, written by one implementation of Zarr and read by another: `make interop`.

`cases` draws what is stored, `implementations` says what there is beside zchunk and what each of them does
not have, `adapters` holds one small program per implementation that runs in an environment of its own, and
`run` lets zchunk and them write for each other and prints how often they agreed.
"""
