"""The cases of many small files: to list, count, delete and copy them, and to consolidate metadata.

The files are written without the libraries, which would take longer than all that is measured.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.actions import Action, FreshProcess, Mismatch
from benchmarks.datasets import MANY_ARRAYS
from benchmarks.files import files_below, remove

# A listing may have the metadata, and folders, beside the chunks.
_OTHERS = 3


class Many(Action):
    """An operation on an array of many chunks."""

    @property
    def read_path(self) -> str:
        return self.path

    def stored(self) -> tuple[str, Any]:
        """Return the path of the array, written at the first call: all cases have one, for files are few."""
        if self.path not in self.bench.stored:
            self.make(self.path)
            self.bench.stored[self.path] = None
        return self.path, None

    def make(self, path: str) -> None:
        """Create the array and write its chunks, each with one byte.

        Those of a million have none: they would take 4 GB.
        """
        remove(path)
        self.adapter.close(self.adapter.create(path, self.layout))
        for number, value in enumerate(self.data.tobytes()):
            fd = os.open(f"{path}/{number}", os.O_CREAT | os.O_WRONLY)
            if self.case.stored != "million":
                os.write(fd, bytes([value]))
            os.close(fd)

    def require(self, holds: bool) -> None:
        """Raise Mismatch unless the library did what it was asked for."""
        if not holds:
            raise Mismatch(f"{self.case.name}: the library has not found, or done, all of it")


class ListKeys(Many):
    """Go through all keys of the store."""

    def prepare(self) -> dict[str, Any]:
        path, count = self.stored()[0], self.layout.chunk_count
        self.require(count <= self.adapter.list_keys(path) <= count + _OTHERS)
        return {}

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.list_keys(self.path))


class CountChunks(Many):
    """Open the array and count the chunks that are stored."""

    def prepare(self) -> dict[str, Any]:
        path, _ = self.stored()
        self.require(self.adapter.count_chunks(path, self.layout) == self.layout.chunk_count)
        return {}

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.count_chunks(self.path, self.layout))


class Delete(Many):
    """Delete all that is in the store."""

    def prepare(self) -> dict[str, Any]:
        self.run()
        self.require(not files_below(self.scratch))
        return {}

    def run(self) -> float:
        self.make(self.scratch)
        return self.repeated(1, lambda: self.adapter.delete(self.scratch))


class CopyStore(Many):
    """Copy all keys and values to another store."""

    def prepare(self) -> dict[str, Any]:
        path, _ = self.stored()
        self.adapter.copy_store(path, self.scratch)
        self.require(_contents(path) == _contents(self.scratch))
        remove(self.scratch)
        return {}

    def run(self) -> float:
        seconds = self.repeated(1, lambda: self.adapter.copy_store(self.path, self.scratch))
        remove(self.scratch)
        return seconds


def _contents(folder: str) -> dict[str, bytes]:
    return {os.path.relpath(path, folder): Path(path).read_bytes() for path in files_below(folder)}


class Consolidate(Many):
    """Collect the metadata of a group of many arrays."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.path = self.bench.path("many-arrays", self.layout.container)
        self.names = [f"array{number:05d}" for number in range(MANY_ARRAYS[self.bench.size])]

    def prepare(self) -> dict[str, Any]:
        path, _ = self.stored()
        self.adapter.consolidate(path)
        want = dict.fromkeys(self.names, self.layout.shape)
        self.require(self.adapter.open_group(path, self.layout, consolidated=True) == want)
        return {}

    def make(self, path: str) -> None:
        remove(path)
        self.adapter.create_group(path, self.layout, self.names, consolidated=False)

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.consolidate(self.path))


class Memory(FreshProcess):
    """The largest memory use of an operation in a process of its own, beyond what was there before."""

    def prepare(self) -> dict[str, Any]:
        bench = self.bench
        self.operation = OPERATIONS[self.case.action.removesuffix("-memory")](self.case, bench)
        self.operation.prepare()
        path = self.scratch if isinstance(self.operation, Delete) else self.operation.path
        stored = self.case.stored
        self.arguments = (bench.name, str(bench.threads), bench.size, stored, path, self.scratch)
        return {}

    def run(self) -> float:
        if isinstance(self.operation, Delete):
            self.operation.make(self.scratch)
        nbytes = super().run()
        remove(self.scratch)
        return nbytes


OPERATIONS: dict[str, type[Many]] = {
    "list": ListKeys,
    "count": CountChunks,
    "delete": Delete,
    "copy": CopyStore,
    "consolidate": Consolidate,
}
ACTIONS: dict[str, type[Action]] = OPERATIONS | {f"{name}-memory": Memory for name in OPERATIONS}
