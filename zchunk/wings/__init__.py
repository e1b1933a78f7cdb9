"""What is built on the library, each wing by itself: checkpoints, rechunking, verification, profiling, dask,
xarray, a pipeline for zarr-python, zarr 2's names, the command line. Nothing below imports one.

Users reach them by `zchunk.checkpoint`, `zchunk.rechunk`, `zchunk.verify`, `zchunk.profile`, `zchunk.dask`,
`zchunk.xarray` and `zchunk.zarr_pipeline`; each wing needs its package only when it is imported. `zarr2` is
reached by `zchunk.util`, `zchunk.meta` and the like, the command line by `zchunk` in a shell.
"""
