"""One module per library. Each defines ``Adapter``, a subclass of `benchmarks.adapters.base.Adapter`."""

from __future__ import annotations

from importlib import import_module

from benchmarks.adapters.base import Adapter

NAMES = ("zchunk", "zarr3", "tensorstore")


def load_adapter(name: str, threads: int) -> Adapter:
    """Import the module of a library, and only that one, and return its adapter."""
    adapter: Adapter = import_module(f"benchmarks.adapters.{name}").Adapter(threads)
    return adapter
