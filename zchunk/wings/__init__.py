"""What is built on the library, each wing by itself: checkpoints, rechunking, dask, xarray. Nothing below
imports one.

Users reach them by `zchunk.checkpoint`, `zchunk.rechunk`, `zchunk.dask` and `zchunk.xarray`; each wing needs
its package only when it is imported.
"""
