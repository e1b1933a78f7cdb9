"""Where random programs work: kinds of stores, whether other processes see them, and how their calls fail."""

from __future__ import annotations

import atexit
import enum
import functools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.faults.places import PLACES, SHARDS, Place
from tests.servers.s3 import FastS3Server, fast_server
from zchunk.storage import DBMStore, DirectoryStore, KVStore, LRUStoreCache, MemoryStore, ObjectStore


class Processes(enum.Enum):
    """Which processes may work with a store besides the one that has it."""

    MANY = "many"
    IN_TURNS = "many, and the store is closed meanwhile"
    SPAWNED = "many, but no forked ones"
    NONE = "none"


class Faults(enum.Enum):
    """What can be made to fail."""

    CALLS = "calls of the system"
    VALUES = "calls of a mapping"
    REQUESTS = "requests"
    NONE = "nothing"


class Failing(dict[str, bytes]):
    """A mapping of somebody's own, one of whose calls fails: the last of so many that are `left`."""

    left = 0

    def _call(self) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise OSError(5, "the mapping has failed")

    def __setitem__(self, key: str, value: bytes) -> None:
        self._call()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._call()
        super().__delitem__(key)

    def __getitem__(self, key: str) -> bytes:
        if key in self:
            self._call()
        return super().__getitem__(key)


@dataclass(frozen=True)
class Home:
    """A kind of stores.

    Parameters
    ----------
    place : Place
        How a store is opened in a folder, and what its arrays are like.
    processes : Processes
        Which other processes may work with it.
    faults : Faults
        What can fail.
    make : callable, optional
        Makes what a program keeps as long as it runs, if that is no folder.
    over : callable, optional
        Opens a store over it.
    """

    place: Place
    processes: Processes = Processes.MANY
    faults: Faults = Faults.CALLS
    make: Callable[[], Any] = lambda: None
    over: Callable[[Any], Any] | None = None

    @property
    def name(self) -> str:
        return self.place.name

    def for_program(self, kept: Any) -> Place:
        """Return the place for a program that keeps this."""
        over = self.over
        return self.place if over is None else replace(self.place, make=lambda path, durability: over(kept))


def _no_folder(path: Path, durability: Any) -> Any:
    raise NotImplementedError("this store is in no folder")


def _of_both_formats(name: str, *rest: Any) -> list[Home]:
    formats: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("v2", 2, {}),
        ("v3", 3, {}),
        ("shards", 3, SHARDS),
    )
    return [
        Home(Place(f"{name}-{ending}", _no_folder, version, options, None, False), *rest)
        for ending, version, options in formats
    ]


def _cached(path: Path, durability: Any) -> Any:
    return LRUStoreCache(DirectoryStore(path), 1 << 20)


def _dbm(path: Path, durability: Any) -> Any:
    return DBMStore(f"{path}.dbm")


def _obstore() -> Any:
    import obstore

    return obstore.store.MemoryStore()


@functools.cache
def server() -> FastS3Server:
    """Return a server of S3 that runs as long as this process does."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(fast_server())


def _bucket() -> Any:
    return server().new()


def _in_bucket(bucket: Any) -> Any:
    """A store that asks once, so that a program sees what fails."""
    return ObjectStore.from_url(
        bucket.url, **bucket.options, pickle_credentials=True, retry_config={"max_retries": 0}
    )


HOMES = {
    home.name: home
    for home in (
        *(Home(PLACES[name]) for name in ("shards", "v2", "nested", "v3", "v2-fsync", "sqlite")),
        Home(PLACES["zip"], Processes.IN_TURNS),
        *(Home(PLACES[name]) for name in ("n5", "fsspec")),
        Home(PLACES["lmdb"], Processes.IN_TURNS, Faults.NONE),
        Home(Place("dbm", _dbm, 2, {}, None, False), Processes.NONE, Faults.NONE),
        Home(Place("lru", _cached, 3, {}, None), Processes.NONE),
        *_of_both_formats("memory", Processes.NONE, Faults.NONE, MemoryStore, lambda kept: kept),
        *_of_both_formats("mapping", Processes.NONE, Faults.VALUES, Failing, KVStore),
        *_of_both_formats("object", Processes.NONE, Faults.NONE, _obstore, ObjectStore),
        *_of_both_formats("bucket", Processes.SPAWNED, Faults.REQUESTS, _bucket, _in_bucket),
    )
}
