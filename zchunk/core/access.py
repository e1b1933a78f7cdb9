"""Access: the record of how an array or group is reached, and what may be done to it.

What a caller says of it is checked and brought to its one form here, once. From then on the record travels as
a whole: from the functions that users call to the node, from a group to its members, and into pickles.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from zchunk.core.array_config import ArrayConfig, NewNodes, as_config
from zchunk.engine.chunk_cache import ChunkCache, as_cache
from zchunk.errors import PathNotFoundError, ZchunkError
from zchunk.metadata.formats import FORMATS, get_format
from zchunk.runtime.near_names import near
from zchunk.spec.keys import normalize_path
from zchunk.spec.versions import asked_format, check_unsupported
from zchunk.storage import open_store
from zchunk.storage.base import Mode, Store
from zchunk.storage.consolidated import ConsolidatedMetadataStore
from zchunk.storage.mapping import as_store
from zchunk.storage.store_path import with_path

if TYPE_CHECKING:
    from zchunk.typing import ArrayConfigLike, MemoryOrder, MetaArray, Missing, Synchronizer

# So many files are looked at for an error.
_MOST_NAMES = 1000


class Access(NamedTuple):
    """How a node is accessed. It is a tuple, which is made fast, and pickles.

    Parameters
    ----------
    store : Store
        Holds the metadata.
    path : str
        Of the node in the store, normalised.
    version : int or None
        Version of the format; None if it is to be found. A node knows it.
    read_only : bool
        Refuse changes.
    chunk_store : Store or None
        Holds the chunks, if the store does not.
    synchronizer : mapping of keys to locks, or None
        Held by key during a change.
    cache_metadata, cache_attrs : bool
        Read metadata and attributes once, not before every operation.
    cache : ChunkCache or None
        Keeps decoded chunks.
    write_empty_chunks : bool
        Store chunks that hold nothing but the fill value.
    trusted : frozenset of str
        Codecs that the caller handed over, which run code from the data; see `zchunk.codecs.registry`.
    missing : {"fill", "error"}
        What chunks that are not stored are read as.
    fortran : bool
        Whether what is read has the layout ``"F"`` in memory, where the format leaves that open.
    new_nodes : NewNodes
        What nodes are that are made in a group.
    strings : bool
        Whether text of any length is read as NumPy's `StringDType`, and not as objects.
    """

    store: Store
    path: str = ""
    version: int | None = None
    read_only: bool = False
    chunk_store: Store | None = None
    synchronizer: Synchronizer | None = None
    cache_metadata: bool = True
    cache_attrs: bool = True
    cache: ChunkCache | None = None
    write_empty_chunks: bool = True
    trusted: frozenset[str] = frozenset()
    missing: Missing = "fill"
    # No text: of equal ones a pickle names one or two, and dask makes tokens of pickles.
    fortran: bool = False
    new_nodes: NewNodes = NewNodes()
    strings: bool = False

    @property
    def config(self) -> ArrayConfig:
        """What of it is called the configuration."""
        order: MemoryOrder = "F" if self.fortran else "C"
        fills = self.missing == "fill"
        return ArrayConfig(order, self.write_empty_chunks, fills, self.new_nodes, self.strings)

    def configured(self, config: ArrayConfig) -> Access:
        """Return the same access with another configuration."""
        return self._replace(
            write_empty_chunks=config.write_empty_chunks,
            missing=config.missing,
            fortran=config.order == "F",
            new_nodes=config.new_nodes,
            strings=config.strings,
        )

    def at(self, path: str, version: int, trusted: frozenset[str] | None = None) -> Access:
        """Return how a node at another path, or of a version that was found, is accessed in the same way."""
        # As `_replace`, in half the time.
        if trusted is None:
            return Access(self.store, path, version, *self[3:])
        return Access(self.store, path, version, *self[3:10], trusted, *self[11:])


def _mapped(store: object, mode: Mode) -> Store:
    """Return the store of a mapping, or of a path, which the constructors take too."""
    return open_store(store, mode) if isinstance(store, str | os.PathLike) else as_store(store)


def access_to(
    store: Any,
    path: str | bytes | None = None,
    *,
    mode: Mode = "a",
    is_open: bool = False,
    storage_options: dict[str, Any] | None = None,
    read_only: bool = False,
    chunk_store: Any = None,
    synchronizer: Synchronizer | None = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    cache_bytes: int | ChunkCache | None = None,
    write_empty_chunks: bool | None = None,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    meta_array: MetaArray = None,
    trusted: frozenset[str] = frozenset(),
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
) -> Access:
    """Return the record of what a caller says of access, by the names of the public functions.

    `mode` is how the stores are opened; if `is_open`, they are mappings already. Stores are opened last, when
    all else is known to be valid.

    Raises
    ------
    InvalidKeyError
        No node can be at `path`.
    ValueError
        There is no such version of the format, `meta_array` is of another library, or what is said of the
        configuration is not valid.
    """
    used = as_config(config, write_empty_chunks, missing)
    store, path = with_path(store, path)
    check_unsupported(meta_array)
    version = asked_format(zarr_version, zarr_format)
    path = normalize_path(path)
    cache = as_cache(cache_bytes)
    if is_open:
        own: Mode = "r" if read_only else "r+"
        target, chunks = _mapped(store, own), None if chunk_store is None else _mapped(chunk_store, own)
    else:
        target = open_store(store, mode, storage_options)
        chunks = None if chunk_store is None else open_store(chunk_store, mode, storage_options)
    return Access(
        target,
        path,
        version,
        bool(read_only) or bool(getattr(target, "read_only", False)),
        chunks,
        synchronizer,
        bool(cache_metadata),
        bool(cache_attrs),
        cache,
        used.write_empty_chunks,
        trusted,
        used.missing,
        used.order == "F",
        used.new_nodes,
        used.strings,
    )


def check_metadata(access: Access) -> None:
    """Raise `PathNotFoundError` if the metadata of a node are gone from its store."""
    store, version = access.store, access.version
    assert version is not None
    if isinstance(store, ConsolidatedMetadataStore):
        # It holds what it has read once.
        there = store.metadata_key in store.store
    else:
        there = get_format(version).contains(store, access.path)
    if not there:
        raise PathNotFoundError(
            f"the array or group at {'/' + access.path!r} in {store!r:.200} is gone: it was deleted or "
            "moved, or its file system is not mounted"
        )


def absence(access: Access, advice: str) -> str:
    """Return what an error adds where no node is at a path, or none of a kind: what is there, what to do.

    Stores are asked that answer without a request.
    """
    store, path = access.store, access.path
    if store.root is None and not getattr(store, "quick_lookups", False):
        return f"; {advice}"
    for fmt in FORMATS:
        with suppress(ZchunkError):
            kind = fmt.node_type(store, path)
            if kind is not None:
                what = f"{'an' if kind == 'array' else 'a'} {kind} of format {fmt.version}"
                return f": {what} is there; open it with open_{kind}"
    return f"{'' if store.root is None else _in_folder(f'{store.root}/{path}'.rstrip('/'))}; {advice}"


def _in_folder(folder: str) -> str:
    """Return what an error says of a folder without a node."""
    if not os.path.isdir(folder):
        parent, name = os.path.split(folder)
        return f": there is no such folder{near(name, _names_in(parent))}"
    names = _names_in(folder)
    found = f"has {', '.join(map(repr, names[:3]))}{', …' if names[3:] else ''}" if names else "is empty"
    return f": the folder is there, without Zarr metadata in it; it {found}"


def _names_in(folder: str) -> list[str]:
    """Return the names of what is in a folder, the first of them if there are many."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, _MOST_NAMES))
    except OSError:
        return []


def check_folder(access: Access) -> None:
    """Raise `PathNotFoundError` if a node whose metadata are files is gone."""
    if access.store.lost(access.path):
        check_metadata(access)
