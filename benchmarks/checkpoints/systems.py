"""All systems by name, and the environments that they live in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from benchmarks.checkpoints.base import System
from benchmarks.environments import Environment


@dataclass(frozen=True)
class Entry:
    """A system: its class, the environment that it lives in, and what the tables say of it.

    Parameters
    ----------
    where : str
        ``module.Class``, in this package.
    environment : str
        One of `ENVIRONMENTS`.
    title : str
        In the tables.
    synced : str
        What is on the disk when it is done: "all", "files" without the names of their folders, or "no".
    commit : bool
        Whether a step is there as a whole or not at all, when a process is killed.
    """

    where: str
    environment: str
    title: str
    synced: str
    commit: bool


SYSTEMS = {
    "raw-sync": Entry("plain.RawSync", "checkpoints", "raw write + fsync: the limit", "all", False),
    "raw-direct": Entry("plain.RawDirect", "checkpoints", "the same, past the system's cache", "all", False),
    "raw": Entry("plain.Raw", "checkpoints", "raw write", "no", False),
    "numpy": Entry("plain.NumPy", "checkpoints", "`numpy.save`", "no", False),
    "h5py": Entry("plain.H5py", "checkpoints", "h5py, gathered", "no", False),
    "zarr3": Entry("plain.Zarr3Array", "checkpoints", "zarr-python 3, a shard per rank", "no", False),
    "zchunk-array": Entry("plain.ZchunkArray", "checkpoints", "zchunk, a shard per rank", "no", False),
    "orbax": Entry("managers.Orbax", "orbax", "Orbax (JAX)", "no", True),
    "dcp": Entry("managers.Dcp", "torch", "DCP (PyTorch)", "files", True),
    "zchunk": Entry("managers.ZchunkManager", "checkpoints", "**zchunk.checkpoint**", "all", True),
    "zchunk-async": Entry("managers.ZchunkAsync", "checkpoints", "**the same, async**", "all", True),
    "zchunk-lz4": Entry("managers.ZchunkLz4", "checkpoints", "**the same, LZ4**", "all", True),
    "zchunk-lz4-async": Entry("managers.ZchunkLz4Async", "checkpoints", "**LZ4, async**", "all", True),
    "raw-thread": Entry("plain.RawThread", "checkpoints", "raw write + fsync in a thread", "all", False),
    "direct-thread": Entry("plain.DirectThread", "checkpoints", "past the cache in a thread", "all", False),
}
# What a save is measured by, and what is measured
LIMIT, SUBJECT = "raw-sync", "zchunk"
THREADS = ("direct-thread", "raw-thread")
SAVED = [name for name in SYSTEMS if name not in THREADS]

ENVIRONMENTS = {
    "checkpoints": Environment(True, ("numpy",), {"zchunk": (), "h5py": ("h5py",), "zarr3": ("zarr>=3",)}),
    "orbax": Environment(True, ("numpy",), {"orbax": ("jax[cpu]", "orbax-checkpoint")}),
    # Wheels for the newest Python are not always there.
    "torch": Environment(False, ("numpy",), {"torch": ("torch",)}),
}


def load(entry: Entry) -> type[System]:
    """Return the class of a system."""
    module, name = entry.where.split(".")
    return cast(type[System], getattr(import_module(f"benchmarks.checkpoints.{module}"), name))
