"""One module per library. Each defines ``Adapter``, a subclass of `benchmarks.adapters.base.Adapter`."""

from __future__ import annotations

from importlib import import_module

from benchmarks.adapters.base import Adapter

# The libraries that read and write the Zarr format, and the others; zarr-python with zchunk in it is no peer.
WITH_ZCHUNK = ("zarr3_zchunk", "zarr3_engine")
ZARR = ("zchunk", "zarr2", "zarr3", "zarr3_fused", "zarrs", *WITH_ZCHUNK, "tensorstore")
NAMES = (*ZARR, "h5py", "blosc2", "numpy")


def load_adapter(name: str, threads: int) -> Adapter:
    """Import the module of a library, and only that one, and return its adapter."""
    adapter: Adapter = import_module(f"benchmarks.adapters.{name}").Adapter(threads)
    return adapter
