"""What a system is: something that saves the part that one process has of an array, with the other processes.

A process imports nothing but its own library, since every library may live in an environment of its own.
Processes that have to wait for each other outside of their library do so by files in memory.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.float64]

# Items of a row, and rows of a chunk in a shard: 1 MiB
ROW_ITEMS = 1024
CHUNK_ROWS = 128
# Far more than a save takes
PATIENCE = 300


@dataclass(frozen=True)
class Part:
    """What one process of `size` has: some rows of an array of shape (`rows`, ROW_ITEMS).

    Parameters
    ----------
    rank, size : int
        Number of the process, and of how many.
    rows : int
        Of the whole array.
    source : str
        The ``.npy`` file of the whole array, in memory.
    meeting : str
        An empty folder for this group of processes.
    """

    rank: int
    size: int
    rows: int
    source: str
    meeting: str

    @property
    def slices(self) -> tuple[int, int]:
        """First and last row of the part."""
        return self.rows * self.rank // self.size, self.rows * (self.rank + 1) // self.size

    @property
    def shape(self) -> tuple[int, int]:
        """Of the whole array."""
        return self.rows, ROW_ITEMS

    def load(self) -> Items:
        """Return the values of the part, where they are."""
        values: Items = np.load(self.source, mmap_mode="r")[slice(*self.slices)]
        return np.asarray(values)

    def barrier(self, name: str) -> None:
        """Wait until all processes are here; a name is used once."""
        Path(self.meeting, f"{name}.{self.rank}").touch()
        end = time.monotonic() + PATIENCE
        for other in range(self.size):
            while not os.path.exists(os.path.join(self.meeting, f"{name}.{other}")):
                if time.monotonic() > end:
                    raise TimeoutError(f"rank {self.rank} waits for rank {other} at {name}")
                time.sleep(0.0002)


class Gate:
    """Where all ranks wait for each other by messages: what one exchange of processes takes at least.

    Parameters
    ----------
    part : Part
        What the process has.
    """

    def __init__(self, part: Part) -> None:
        address = os.path.join(part.meeting, "gate")
        if part.rank == 0:
            with Listener(address, "AF_UNIX", backlog=part.size) as listener:
                part.barrier("gate is there")
                self._links = [listener.accept() for _ in range(part.size - 1)]
        else:
            part.barrier("gate is there")
            self._links = [Client(address, "AF_UNIX")]
        self._first = part.rank == 0

    def wait(self) -> None:
        """Return when all have come."""
        if self._first:
            for link in self._links:
                link.recv_bytes()
        for link in self._links:
            link.send_bytes(b"here")
        if not self._first:
            self._links[0].recv_bytes()


class System(ABC):
    """One process of a system. All its processes call the same methods in the same order.

    Parameters
    ----------
    part : Part
        What the process has.
    folder : str
        For all steps.
    """

    def __init__(self, part: Part, folder: str) -> None:
        self.part, self.folder = part, folder
        self.values = part.load()

    def path(self, step: int) -> str:
        """Return where a step is, a file or a folder."""
        return os.path.join(self.folder, f"{step:08d}")

    @abstractmethod
    def save(self, step: int) -> None:
        """Save a step, and return when that is done, or as soon as the values may change."""

    def wait(self) -> None:  # noqa: B027
        """Wait until what was saved is there."""

    def restore(self, step: int) -> Items:
        """Read the part of this process, whatever the number of processes was."""
        raise NotImplementedError

    def busy(self) -> Callable[[], bool]:
        """Return a function that tells whether a save is on its way."""
        raise NotImplementedError

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the library."""

    def close(self) -> None:  # noqa: B027
        """Give back what the library has."""


def write_file(path: str, data: Any, sync: bool) -> None:
    """Write a new file, with nothing but the system's own calls."""
    view = memoryview(data).cast("B")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        done = 0
        while done < len(view):
            done += os.write(fd, view[done:])
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    if sync:
        sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Wait until the names in a folder are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
