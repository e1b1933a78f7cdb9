"""Manifests: a digest and the size of every value of a store, to find what is missing or changed later.

A checksum in a chunk tells whether its bytes are damaged. A manifest, which is kept elsewhere, also tells of
a chunk that is gone, or that was replaced by another valid one.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from zchunk._ext.codecs.crc32c import checksum
from zchunk.errors import MetadataError
from zchunk.metadata.v2 import parse_json
from zchunk.runtime import requests, threads
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.progress import reporting_progress
from zchunk.storage.base import Store
from zchunk.storage.local.files import sync_file
from zchunk.wings.verification.places import Place, keys_of, placed
from zchunk.wings.verification.report import Report

if TYPE_CHECKING:
    from zchunk.core.array import Array
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import ProgressLike, StorageOptions, StoreLike

Algorithm: TypeAlias = Literal["sha256", "crc32c"]

_VERSION = 1
# A larger value is read in pieces, for algorithms that take them.
_PIECE = 16 << 20
# Nanoseconds in which a file may change twice and have the same time.
_MOMENT = 2_000_000_000


class Entry(NamedTuple):
    """What a manifest says of a value.

    Parameters
    ----------
    digest : str
        Hexadecimal digits.
    size : int
        Bytes.
    mtime : int or None
        When the file was changed last, in nanoseconds, where values are files.
    """

    digest: str
    size: int
    mtime: int | None = None


class Difference(NamedTuple):
    """What differs between two manifests: keys, sorted.

    Parameters
    ----------
    missing : list of str
        Only the first has them.
    changed : list of str
        Both have them, with other values.
    added : list of str
        Only the second has them.
    """

    missing: list[str]
    changed: list[str]
    added: list[str]

    def __bool__(self) -> bool:
        return any(self)


class Manifest:
    """Digests and sizes of the values of a store, by key; the keys are relative to a node.

    Parameters
    ----------
    algorithm : {"sha256", "crc32c"}
        Of the digests.
    entries : dict of str to Entry
        By key.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> before = zchunk.manifest(store)
    >>> z[0] = 7
    >>> before.compare(zchunk.manifest(store))
    Difference(missing=[], changed=['0'], added=[])
    """

    def __init__(self, algorithm: Algorithm, entries: Mapping[str, Entry]) -> None:
        if algorithm not in _ALGORITHMS:
            raise ValueError(f"algorithm is {algorithm!r:.80}, not one of {', '.join(_ALGORITHMS)}")
        self.algorithm: Algorithm = algorithm
        self.entries = dict(sorted(entries.items()))

    def compare(self, other: Manifest) -> Difference:
        """Return what `other`, a later manifest of the same, or of a copy, has otherwise.

        Raises
        ------
        ValueError
            The digests are of different algorithms.
        """
        if self.algorithm != other.algorithm:
            raise ValueError(f"one manifest has {self.algorithm}, the other {other.algorithm}; make one anew")
        mine, theirs = self.entries, other.entries
        return Difference(
            [key for key in mine if key not in theirs],
            [key for key, entry in mine.items() if key in theirs and entry[:2] != theirs[key][:2]],
            [key for key in theirs if key not in mine],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON: an object that `json.dumps` takes.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.manifest({"key": b"value"}, algorithm="crc32c").to_json()["values"]
        {'key': ['6f6c5dd1', 5]}
        """
        values = {
            key: [entry.digest, entry.size, *([] if entry.mtime is None else [entry.mtime])]
            for key, entry in self.entries.items()
        }
        return {"zchunk_manifest": _VERSION, "algorithm": self.algorithm, "values": values}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Manifest:
        """Return the manifest that `to_json` made a document of.

        Raises
        ------
        MetadataError
            It is no manifest.

        Examples
        --------
        >>> import zchunk
        >>> made = zchunk.manifest({"key": b"value"})
        >>> made == type(made).from_json(made.to_json())
        True
        """
        try:
            if document["zchunk_manifest"] != _VERSION:
                raise ValueError(f"it has version {document['zchunk_manifest']!r:.20}")
            return cls(document["algorithm"], {k: _entry(*e) for k, e in document["values"].items()})
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            raise MetadataError(f"no manifest that this zchunk reads: {err!r:.200}") from err

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest to a file of JSON, which replaces what is there in one step."""
        draft = f"{os.fspath(path)}.new"
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(self.to_json(), file, indent=1)
            file.flush()
            sync_file(file.fileno())
        os.replace(draft, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Manifest:
        """Return the manifest in a file that `save` wrote.

        Raises
        ------
        MetadataError
            It holds no manifest.
        """
        with open(path, "rb") as file:
            return cls.from_json(parse_json(file.read(), os.fspath(path)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Manifest):
            return NotImplemented
        return self.algorithm == other.algorithm and not self.compare(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Manifest of {len(self.entries)} values, {self.algorithm}>"


ManifestLike: TypeAlias = Manifest | Mapping[str, Any] | str | os.PathLike[str]


def as_manifest(given: ManifestLike) -> Manifest:
    """Return a manifest that is given as one, as its JSON, or by the path of its file."""
    if isinstance(given, Manifest):
        return given
    if isinstance(given, str | os.PathLike):
        return Manifest.load(given)
    return Manifest.from_json(given)


def _entry(digest: Any, size: Any, mtime: Any = None) -> Entry:
    numbers = (size,) if mtime is None else (size, mtime)
    if not isinstance(digest, str) or any(type(number) is not int for number in numbers):
        raise ValueError(f"a value is {(digest, size, mtime)!r:.80}")
    return Entry(digest, size, mtime)


@says_near_names
def manifest(
    store: StoreLike | Array | Group,
    path: str = "",
    *,
    algorithm: Algorithm = "sha256",
    previous: ManifestLike | None = None,
    progress: ProgressLike = None,
    storage_options: StorageOptions | None = None,
) -> Manifest:
    """Return digest and size of every value of a store: metadata, chunks, and whatever else is there.

    Kept elsewhere, it is what `verify` holds the store against later.

    Parameters
    ----------
    store : path, MutableMapping, Array or Group
        As for `open`; or a node, which stands for its store and path.
    path : str, optional
        Of the node; the whole store by default. Keys are relative to it.
    algorithm : {"sha256", "crc32c"}, optional
        Of the digests. ``"crc32c"`` finds damage, but not a value that is forged; it is faster.
    previous : Manifest, mapping or path, optional
        An earlier one of the same store. Of files whose size and time are as in it, the digest is taken from
        it: only new and changed ones are read. Elsewhere it means nothing.
    progress : bool or callable, optional
        As for `copy`; counts values.
    storage_options : dict, optional
        Options of the store, for a URL.

    Returns
    -------
    Manifest

    Raises
    ------
    MetadataError
        `previous` is no manifest.
    ValueError
        There is no such algorithm.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store="a.zarr")
    >>> first = zchunk.manifest("a.zarr")
    >>> list(first.entries)
    ['.zarray', '0', '1']
    >>> first.save("a.manifest")
    >>> second = zchunk.manifest("a.zarr", previous="a.manifest")
    >>> bool(first.compare(second))
    False
    """
    with placed(store, path, storage_options) as place:
        return digests(place, algorithm, previous, progress)[0]


def digests(
    place: Place,
    algorithm: Algorithm,
    previous: ManifestLike | None = None,
    progress: ProgressLike = None,
    report: Report | None = None,
) -> tuple[Manifest, set[str]]:
    """Return the manifest of a place, and the keys that cannot be read, which raise if there is no report."""
    made, path = Manifest(algorithm, {}), place.path
    known = {} if previous is None else _known(as_manifest(previous), algorithm)
    sources = {key: store for store in reversed(place.stores) for key in keys_of(store, path)}
    start, unreadable, lock = len(path) + 1 if path else 0, set[str](), threading.Lock()

    with reporting_progress(progress, lambda: len(sources), "values") as advance:

        def work(key: str) -> None:
            try:
                found = _of_value(sources[key], key, made.algorithm, known.get(key[start:]))
            except (KeyError, FileNotFoundError):
                # Another process has deleted it.
                found = None
            except Exception as err:
                if report is None:
                    raise
                report.add(key, "unreadable", err)
                unreadable.add(key)
                found = None
            with lock:
                if found is not None:
                    made.entries[key[start:]] = found
                advance(1)

        if place.chunks.concurrency > 1:
            requests.each(work, sources, place.chunks.batch_size(_PIECE))
        elif sources:
            threads.each(iter(sources), len(sources), work)
    made.entries = dict(sorted(made.entries.items()))
    return made, unreadable


def _known(previous: Manifest, algorithm: str) -> dict[str, Entry]:
    return previous.entries if previous.algorithm == algorithm else {}


def _of_value(store: Store, key: str, algorithm: Algorithm, known: Entry | None) -> Entry:
    mtime = None
    if store.root is not None:
        status = os.stat(f"{store.root}/{key}")
        mtime = status.st_mtime_ns
        if known is not None and known.mtime == mtime and known.size == status.st_size:
            return known
        # A file that has just changed may change again at the same time.
        if time.time_ns() - mtime < _MOMENT:
            mtime = None
    digest, size = _ALGORITHMS[algorithm](store, key)
    return Entry(digest, size, mtime)


def _sha256(store: Store, key: str) -> tuple[str, int]:
    made, size = hashlib.sha256(), 0
    if not store.ranged or store.size(key) <= _PIECE:
        value = store[key]
        made.update(value)
        return made.hexdigest(), len(value)
    while piece := store.get_range(key, size, size + _PIECE):
        made.update(piece)
        size += len(piece)
    return made.hexdigest(), size


def _crc32c(store: Store, key: str) -> tuple[str, int]:
    value = store[key]
    return f"{checksum(value):08x}", len(value)


_ALGORITHMS: dict[str, Callable[[Store, str], tuple[str, int]]] = {"sha256": _sha256, "crc32c": _crc32c}
