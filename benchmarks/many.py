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
        return self.scratch

    def make(self) -> None:
        """Create the array and write its chunks, each with one byte."""
        self.adapter.close(self.adapter.create(self.scratch, self.layout))
        for number, value in enumerate(self.data.tobytes()):
            fd = os.open(f"{self.scratch}/{number}", os.O_CREAT | os.O_WRONLY)
            os.write(fd, bytes([value]))
            os.close(fd)

    def require(self, holds: bool) -> None:
        """Raise Mismatch unless the library did what it was asked for."""
        if not holds:
            raise Mismatch(f"{self.case.name}: the library has not found, or done, all of it")


class ListKeys(Many):
    """Go through all keys of the store."""

    def prepare(self) -> dict[str, Any]:
        self.make()
        count = self.layout.chunk_count
        self.require(count <= self.adapter.list_keys(self.scratch) <= count + _OTHERS)
        return {}

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.list_keys(self.scratch))


class CountChunks(Many):
    """Open the array and count the chunks that are stored."""

    def prepare(self) -> dict[str, Any]:
        self.make()
        os.remove(f"{self.scratch}/{self.layout.chunk_count - 1}")
        self.require(self.adapter.count_chunks(self.scratch, self.layout) == self.layout.chunk_count - 1)
        return {}

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.count_chunks(self.scratch, self.layout))


class Delete(Many):
    """Delete all that is in the store."""

    def prepare(self) -> dict[str, Any]:
        self.run()
        self.require(not files_below(self.scratch))
        return {}

    def run(self) -> float:
        remove(self.scratch)
        self.make()
        return self.repeated(1, lambda: self.adapter.delete(self.scratch))


class CopyStore(Many):
    """Copy all keys and values to another store."""

    def prepare(self) -> dict[str, Any]:
        self.make()
        self.run()
        self.require(_contents(self.scratch) == _contents(self.copy))
        return {}

    @property
    def copy(self) -> str:
        """Path of the other store."""
        return f"{self.scratch}-copy"

    def run(self) -> float:
        remove(self.copy)
        return self.repeated(1, lambda: self.adapter.copy_store(self.scratch, self.copy))


def _contents(folder: str) -> dict[str, bytes]:
    return {os.path.relpath(path, folder): Path(path).read_bytes() for path in files_below(folder)}


class Consolidate(Many):
    """Collect the metadata of a group of many arrays."""

    def prepare(self) -> dict[str, Any]:
        self.make()
        self.run()
        want = dict.fromkeys(self.names, self.layout.shape)
        self.require(self.adapter.open_group(self.scratch, self.layout, consolidated=True) == want)
        return {}

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return [f"array{number:05d}" for number in range(MANY_ARRAYS[self.bench.size])]

    def make(self) -> None:
        self.adapter.create_group(self.scratch, self.layout, self.names, consolidated=False)

    def run(self) -> float:
        return self.repeated(1, lambda: self.adapter.consolidate(self.scratch))


class Memory(FreshProcess):
    """The largest memory use of an operation in a process of its own, beyond what was there before."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.operation = OPERATIONS[self.case.action.removesuffix("-memory")](self.case, self.bench)

    def prepare(self) -> dict[str, Any]:
        bench = self.bench
        self.operation.prepare()
        self.arguments = (bench.name, str(bench.threads), bench.size, self.case.stored, self.scratch)
        return {}

    def run(self) -> float:
        if isinstance(self.operation, Delete):
            self.operation.make()
        remove(f"{self.scratch}-copy")
        return super().run()


OPERATIONS: dict[str, type[Many]] = {
    "list": ListKeys,
    "count": CountChunks,
    "delete": Delete,
    "copy": CopyStore,
    "consolidate": Consolidate,
}
ACTIONS: dict[str, type[Action]] = OPERATIONS | {f"{name}-memory": Memory for name in OPERATIONS}
