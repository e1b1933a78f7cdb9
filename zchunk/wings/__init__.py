"""What is built on the library, each wing by itself: rechunking, dask, xarray. Nothing below imports a wing.

Users reach them by `zchunk.rechunk`, `zchunk.dask` and `zchunk.xarray`; each wing needs its package only when
it is imported.
"""
