"""Whether a step is whole: its record of all files, the quick check against it, and the full one.

The record has a constant size, whatever the number of files: per array their count, their bytes, and a
checksum of names and sizes. The document that holds it has a checksum of itself. So the quick check costs the
listing of some folders, and finds a file that is missing, short or too many. The full check reads every
chunk, each of which has a checksum of its own, and so finds a flipped bit.
"""

from __future__ import annotations

import json
import math
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.core.properties import find_array
from zchunk.errors import CheckpointError, ZchunkError
from zchunk.metadata.v2 import parse_json
from zchunk.spec.keys import NODE_KEY
from zchunk.storage.consolidated import ConsolidatedMetadataStore
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.local.trees import is_absence
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.boxes import cell, cells, whole

# The attribute of a step's group that says what is in it; and the version of what it says.
RECORD = "zchunk_checkpoint"
VERSION = 1

# Bytes that are read at a time to check them: a shard may be as large as the memory of a process.
_AT_A_TIME = 64 << 20
# Nanoseconds in which a file system may give two files the same time.
_MOMENT = 2_000_000_000


class NewerVersionError(CheckpointError):
    """A step is of a version that this zchunk does not read: it may be whole."""


class Files(NamedTuple):
    """What is recorded of the files of an array: how many, their bytes, and a checksum of names and sizes."""

    files: int
    nbytes: int
    crc: int

    @classmethod
    def of(cls, sizes: Iterable[tuple[str, int]]) -> Files:
        """Return the record of files by their names and sizes."""
        found = sorted(sizes)
        crc = 0
        for name, size in found:
            crc = zlib.crc32(f"{name} {size}\n".encode(), crc)
        return cls(len(found), sum(size for _, size in found), crc)


def files_in(folder: str, start: str = "") -> Iterator[tuple[str, int]]:
    """Yield names, relative to the folder of an array, and sizes of its files, but for the metadata.

    Hidden files are of the system, or of other programs: no chunk has such a name.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from files_in(entry.path, f"{start}{entry.name}/")
            elif start or entry.name != NODE_KEY:
                yield start + entry.name, entry.stat().st_size


def _batch(array: Array) -> tuple[int, ...]:
    """Return the lengths of boxes of whole chunks, of a shard at most, to read an array in."""
    lengths, most = list(array.chunks), array.metadata.grid.chunk_shape
    for axis in reversed(range(array.ndim)):
        room = max(_AT_A_TIME // (math.prod(lengths) * array.dtype.itemsize), 1)
        lengths[axis] = min(lengths[axis] * room, most[axis])
    return tuple(lengths)


def checksum(document: Mapping[str, Any]) -> int:
    """Return the checksum of a group's document, without the checksum that is in it."""
    attributes = dict(document["attributes"])
    record = {name: value for name, value in attributes[RECORD].items() if name != "crc"}
    said = {"attributes": attributes | {RECORD: record}, "nodes": document.get("consolidated_metadata")}
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


class _Document(ConsolidatedMetadataStore):
    """The document of a step as a store of all its metadata, as long as the step is there.

    The number of a step may be given to another one: after `delete`, or by a run that was set back.
    """

    def __init__(self, step: int, store: DirectoryStore, raw: bytes) -> None:
        super().__init__({NODE_KEY: raw}, NODE_KEY)
        # An array whose files are gone looks whether its metadata are, in the folder.
        self.store = store
        self._step, self._folder = step, store.path
        self._digest = sha256(raw).digest()
        # Numbers of the file that was found to have this content.
        self._seen: tuple[int, ...] | None = None

    def check_there(self) -> None:
        """Raise `CheckpointError` if the step is gone, or there is another one in its place."""
        try:
            now = os.stat(os.path.join(self._folder, NODE_KEY))
        except OSError as error:
            if not is_absence(error):
                raise
            raise self._gone("was deleted while it was read") from None
        seen = now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
        if seen == self._seen:
            return
        if sha256(self.store.get(NODE_KEY, b"")).digest() != self._digest:
            raise self._gone("was replaced by another step")
        # The next file may get the number of this one, and its time too if that is of this moment.
        if abs(time.time_ns() - now.st_ctime_ns) > _MOMENT:
            self._seen = seen

    def _gone(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"step {self._step} in {self._folder!r} {what}, so its values are not to be had any more; "
            "restore a step that is there"
        )

    def __getitem__(self, key: str) -> bytes:
        self.check_there()
        return super().__getitem__(key)

    def metadata(self, key: str) -> dict[str, Any]:
        self.check_there()
        return super().metadata(key)


class Step:
    """A committed step, as it is on the disk. Its document is read once and holds all metadata.

    Parameters
    ----------
    root : str
        The folder of all steps.
    step : int
        Its number.

    Raises
    ------
    CheckpointError
        Its document is not there, or is not what was written.
    """

    def __init__(self, root: str, step: int) -> None:
        self.step = step
        self.path = layout.step_path(root, step)
        self.store = DirectoryStore(self.path)
        try:
            raw = self.store[NODE_KEY]
            document = parse_json(raw, NODE_KEY)
            self.attributes: dict[str, Any] = document["attributes"]
            self.record: dict[str, Any] = self.attributes[RECORD]
            version, right = self.record["version"], self.record["crc"] == checksum(document)
        except (KeyError, TypeError, ZchunkError) as error:
            raise CheckpointError(
                f"step {step} in {self.path!r} has no document of a checkpoint: {error}"
            ) from error
        if version != VERSION:
            newer = isinstance(version, int) and version > VERSION
            raise (NewerVersionError if newer else CheckpointError)(
                f"step {step} in {self.path!r} is of version {version!r:.20}; this zchunk reads {VERSION}"
            )
        if not right:
            raise CheckpointError(f"step {step} in {self.path!r}: {NODE_KEY} is not what was written")
        self._metadata = _Document(step, self.store, raw)
        self.names: list[str] = sorted(self.record["arrays"])

    def array(self, name: str) -> Array:
        """Return an array, for reading at once, inside `reading`. A chunk that is missing is an error: all
        were written."""
        access = Access(self._metadata, name, 3, read_only=True, chunk_store=self.store, missing="error")
        return Array._of(*find_array(access))

    def array_for_later(self, name: str) -> Array:
        """Return an array that may be read when the step is gone: that is an error then.

        It is looked for before everything that is read of it.
        """
        access = Access(
            self._metadata,
            name,
            3,
            read_only=True,
            chunk_store=self.store,
            cache_metadata=False,
            missing="error",
        )
        return Array._of(*find_array(access))

    def check_there(self) -> None:
        """Raise `CheckpointError` if the step is gone: what was read meanwhile may be fill values."""
        self._metadata.check_there()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raise `CheckpointError` if the step is gone when something of it was read, or could not be."""
        try:
            yield
        except Exception:
            self.check_there()
            raise
        self.check_there()

    def recorded(self, name: str) -> Files:
        """Return the record of an array's files."""
        return Files(*self.record["arrays"][name])

    def files(self, name: str) -> list[tuple[str, int]]:
        """Return names and sizes of the files that an array has, in order."""
        try:
            return sorted(files_in(os.path.join(self.path, name)))
        except FileNotFoundError:
            return []

    def check_quickly(self) -> None:
        """Raise `CheckpointError` unless all files are there, with the sizes that they had."""
        for name in self.names:
            want, found = self.recorded(name), Files.of(self.files(name))
            if found != want:
                raise CheckpointError(
                    f"step {self.step} in {self.path!r} is not whole: array {name!r} has {found.files} "
                    f"files of {found.nbytes} bytes; {want.files} of {want.nbytes} were written"
                )

    def check_fully(self, rank: int = 0, size: int = 1) -> None:
        """Read what falls to this process of all chunks, each of which has a checksum."""
        number = 0
        for name in self.names:
            array = self.array(name)
            shape = array.shape
            lengths = _batch(array)
            for coords in cells(whole(shape), lengths):
                if number % size == rank:
                    try:
                        array[cell(coords, lengths, shape).slices]
                    except (ZchunkError, ValueError) as error:
                        raise CheckpointError(
                            f"step {self.step} in {self.path!r} is not whole: array {name!r}: {error}"
                        ) from error
                number += 1
        self.check_there()
