"""Stores of N5 data: what they hold is shown as a Zarr v2 hierarchy."""

from __future__ import annotations

import os
import re
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zchunk.errors import MetadataError
from zchunk.metadata.n5 import N5_FORMAT, array_from_n5, array_to_n5, n5_keywords, user_attributes
from zchunk.metadata.v2 import parse_json, render_json
from zchunk.runtime.callers import caller_level
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.spec.keys import ARRAY_KEY, ATTRS_KEY, GROUP_KEY, N5_KEY, check_key, is_key, join, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.checks import DimensionSeparator, as_bytes
from zchunk.storage.fsspec.store import FSStore
from zchunk.storage.local.directory import Durability, NestedDirectoryStore
from zchunk.storage.marks import remove_left

if TYPE_CHECKING:
    from zchunk.spec.keys import ChunkKeyEncoding
    from zchunk.typing import Bytes

n5_attrs_key = N5_KEY

_METADATA_KEYS = (ARRAY_KEY, GROUP_KEY, ATTRS_KEY)
_CHUNK_KEY = re.compile(r"[0-9]+(\.[0-9]+)+")
_COORDINATE = re.compile(r"[0-9]+")


class _N5(Store):
    """What shows the N5 values of the store class that comes after this one as those of Zarr.

    ``.zarray``, ``.zgroup`` and ``.zattrs`` are made of ``attributes.json``, and chunks are in folders named
    by the coordinates, the last axis first. Other keys are as they are.
    """

    # Of Zarr: what can be N5 data.
    zarr_formats = (2,)

    def _attributes(self, path: str) -> dict[str, Any] | None:
        """Return the object in ``attributes.json`` of a node, None if there is none."""
        key = join(path, n5_attrs_key)
        try:
            raw = super().__getitem__(key)
        except KeyError:
            return None
        return parse_json(raw, f"{key!r} in {self!r:.80}")

    def _metadata(self, path: str, name: str) -> dict[str, Any] | None:
        """Return the object in one of Zarr's metadata keys of a node, None if there is none."""
        attributes = self._attributes(path)
        if attributes is None:
            return None
        if name == ATTRS_KEY:
            return user_attributes(attributes) or None
        if ("dimensions" in attributes) != (name == ARRAY_KEY):
            return None
        if name == GROUP_KEY:
            return {"zarr_format": 2}
        return array_from_n5(attributes, f"{join(path, n5_attrs_key)!r} in {self!r:.80}")

    def __getitem__(self, key: str) -> bytes:
        path, name = _split(key)
        if name not in _METADATA_KEYS:
            return super().__getitem__(_block_key(key))
        found = self._metadata(path, name)
        if found is None:
            raise KeyError(key)
        return render_json(found)

    def __setitem__(self, key: str, value: Bytes) -> None:
        path, name = _split(key)
        if name not in _METADATA_KEYS:
            super().__setitem__(_block_key(key), value)
            return
        with metadata_lock(self, key, of_value=True):
            attributes = _with(self._attributes(path) or {}, key, value)
            super().__setitem__(join(path, n5_attrs_key), render_json(attributes))

    def set_new(self, key: str, value: Bytes) -> bool:
        if _split(key)[1] in _METADATA_KEYS:
            return self.set_new_many({key: value})
        return self._new_file(_block_key(key), value)

    def set_new_many(self, items: Mapping[str, Bytes]) -> bool:
        # All metadata of a node are one file, which is new or not.
        metadata: dict[str, dict[str, Any]] = {}
        for key, value in items.items():
            path, name = _split(key)
            if name not in _METADATA_KEYS:
                return super().set_new_many(items)
            metadata[path] = _with(metadata.get(path, {}), key, value)
        return all(
            self._new_file(join(path, n5_attrs_key), render_json(attributes))
            for path, attributes in metadata.items()
        )

    @abstractmethod
    def _new_file(self, key: str, value: Any) -> bool:
        """Set the value of a key of N5 that has none; return False if it has one."""

    def as_read(self, key: str, value: bytes) -> bytes | None:
        cls = type(self)
        own = cls.__getitem__ is _N5.__getitem__ and cls.__setitem__ is _N5.__setitem__
        if not own or _split(key)[1] != ARRAY_KEY:
            return None
        return render_json(array_from_n5(array_to_n5(parse_json(value, key), key, told=True), key))

    def _without_metadata(self, encoding: ChunkKeyEncoding) -> ChunkKeyEncoding:
        # Blocks, which are shown as they are.
        return encoding._replace(separator="/")

    def __delitem__(self, key: str) -> None:
        path, name = _split(key)
        if name not in _METADATA_KEYS:
            super().__delitem__(_block_key(key))
            return
        with metadata_lock(self, key, of_value=True):
            attributes = self._attributes(path)
            if attributes is None:
                raise KeyError(key)
            own = {name: value for name, value in attributes.items() if name in n5_keywords}
            if name == ATTRS_KEY and own:
                if own == attributes:
                    raise KeyError(key)
                super().__setitem__(join(path, n5_attrs_key), render_json(own))
            else:
                super().__delitem__(join(path, n5_attrs_key))

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        path, name = _split(key)
        if name not in _METADATA_KEYS:
            return super().__contains__(_block_key(check_key(key)))
        attributes = self._attributes(path)
        if attributes is None:
            return False
        if name == ATTRS_KEY:
            return bool(user_attributes(attributes))
        return ("dimensions" in attributes) == (name == ARRAY_KEY)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        blocks, values = {}, {}
        for key in keys:
            if _split(key)[1] not in _METADATA_KEYS:
                blocks[key] = _block_key(key)
            elif (value := self.get(key)) is not None:
                values[key] = value
        found = super().get_many(set(blocks.values()))
        return values | {key: found[block] for key, block in blocks.items() if block in found}

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        blocks = {}
        for key, value in items.items():
            if _split(key)[1] in _METADATA_KEYS:
                self[key] = value
            else:
                blocks[_block_key(key)] = value
        super().set_many(blocks)

    def erase_many(self, keys: Iterable[str]) -> None:
        blocks = []
        for key in keys:
            if _split(key)[1] in _METADATA_KEYS:
                if key in self:
                    del self[key]
            else:
                blocks.append(_block_key(key))
        super().erase_many(blocks)

    def sync(self, keys: str | Iterable[str] = "") -> None:
        super().sync([_stored_key(key) for key in ([keys] if isinstance(keys, str) else keys)])

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        if _split(key)[1] in _METADATA_KEYS:
            return Store.get_range(self, key, start, stop)
        return super().get_range(_block_key(key), start, stop)

    def size(self, key: str) -> int:
        return len(self[key]) if _split(key)[1] in _METADATA_KEYS else super().size(_block_key(key))

    def getsize(self, path: str | None = None) -> int:
        # Of the keys that are shown; blocks are in folders further below.
        return Store.getsize(self, path)

    def list_dir(self, path: str = "") -> list[str]:
        names = super().list_dir(path)
        if n5_attrs_key not in names:
            return names
        names.remove(n5_attrs_key)
        attributes = self._attributes(path) or {}
        ndim = _ndim(attributes)
        if ndim is not None:
            names = [key for name in names for key in self._blocks_below(path, name, ndim)]
        return sorted(names + _metadata_names(attributes))

    def _blocks_below(self, path: str, name: str, ndim: int) -> Iterator[str]:
        """Yield the chunk keys of an array of so many axes in its folder `name`; else that itself."""
        keys = [name]
        for _ in range(ndim - 1):
            above, keys = keys, []
            for key in above:
                if _COORDINATE.fullmatch(key.partition(".")[0]):
                    folder = join(path, _block_key(key))
                    keys += [f"{child}.{key}" for child in super().list_dir(folder)]
        yield from keys or [name]

    def __iter__(self) -> Iterator[str]:
        ndims: dict[str, int | None] = {}
        for key in super().__iter__():
            path, name = _split(key)
            if name == n5_attrs_key:
                yield from (join(path, name) for name in self._shown(path))
            else:
                yield self._key_of_block(key, ndims)

    def _shown(self, path: str) -> list[str]:
        """Return the names of Zarr's metadata keys of a node; N5's own where it cannot be understood."""
        try:
            return _metadata_names(self._attributes(path) or {})
        except MetadataError:
            return [n5_attrs_key]

    def _axes(self, path: str) -> int | None:
        """Return the number of axes of the array at a path; None if there is none that can be understood."""
        try:
            return _ndim(self._attributes(path) or {})
        except MetadataError:
            return None

    def _key_of_block(self, block: str, ndims: dict[str, int | None]) -> str:
        """Return Zarr's key of an N5 key. The axes of the arrays that were met are kept in `ndims`."""
        path, coordinates = block, ""
        while path:
            path, name = _split(path)
            if not _COORDINATE.fullmatch(name):
                break
            coordinates = f"{coordinates}.{name}" if coordinates else name
            if path not in ndims:
                ndims[path] = self._axes(path)
            if ndims[path] == coordinates.count(".") + 1:
                return join(path, coordinates)
        return block

    def rename(self, src_path: str, dst_path: str) -> None:
        super().rename(_block_key(normalize_path(src_path)), _block_key(normalize_path(dst_path)))


class N5Store(_N5, NestedDirectoryStore):
    """N5 data in a folder, as a Zarr hierarchy.

    Groups and arrays are those that zarr 2.18 sees: folders with an ``attributes.json``, which is that of an
    array if it says ``dimensions``. Axes are reversed, blocks are `zchunk.codecs.N5ChunkWrapper`'s.

    Parameters
    ----------
    path : str or path-like
        The folder.
    normalize_keys : bool, default False
        Turn keys to lower case.
    dimension_separator : {"/"}, optional
        What N5 has between the coordinates of a block.
    durability : {"atomic", "fsync", "none"}, optional
        As for `DirectoryStore`.

    Raises
    ------
    TypeError, ValueError
        When an array is made: N5 has real numbers only, no fill value but 0, no order but "C", no filters.

    Notes
    -----
    As safe to use from many threads and processes as a `DirectoryStore`, except that metadata and attributes
    of a node share a file: processes that change both at the same time may lose a change.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> z = zchunk.array(np.ones((4, 4)), chunks=2, store=zchunk.N5Store("run.n5"), path="z")
    >>> sorted(zchunk.DirectoryStore("run.n5"))
    ['attributes.json', 'z/0/0', 'z/0/1', 'z/1/0', 'z/1/1', 'z/attributes.json']
    >>> zchunk.open_array("run.n5", mode="r", path="z")[0, 0]
    np.float64(1.0)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        normalize_keys: bool = False,
        dimension_separator: DimensionSeparator | None = "/",
        durability: Durability | None = None,
    ) -> None:
        super().__init__(path, normalize_keys, dimension_separator, durability)
        # That of the keys which are shown. None, so that either may be asked for.
        self._dimension_separator = None

    def _new_file(self, key: str, value: Any) -> bool:
        return self._link_new(key, value)

    def remove_leftovers(self, path: str | None = None) -> list[str]:
        # For files alone a node is where metadata of Zarr are.
        return [*super().remove_leftovers(path), *remove_left(self, path)]

    def size(self, key: str) -> int:
        if _split(key)[1] in _METADATA_KEYS:
            return super().size(key)
        # Asked for without reading the block.
        status = self._stat(_block_key(key))
        if status is None:
            raise KeyError(key)
        return status.st_size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, N5Store) and self.path == other.path


class N5FSStore(_N5, FSStore):
    """N5 data in any file system that fsspec knows, as a Zarr hierarchy: see `N5Store`.

    Parameters
    ----------
    url : str
        Where the data are.
    *args, **kwargs
        Those of `FSStore`, but for `dimension_separator`, which is ignored.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> store = zchunk.N5FSStore("memory://run.n5")
    >>> z = zchunk.array(np.ones((4, 4)), chunks=2, store=store, path="z")
    >>> z[0, 0]
    np.float64(1.0)
    >>> store.clear()
    """

    def __init__(self, url: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        if "dimension_separator" in kwargs:
            del kwargs["dimension_separator"]
            warnings.warn("dimension_separator is ignored: N5 has its own", UserWarning, stacklevel=2)
        super().__init__(url, *args, **kwargs)

    def _new_file(self, key: str, value: Any) -> bool:
        self._check_writable()
        return self._files.set_new(self._key(key), value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, N5FSStore) and super().__eq__(other)


def _with(attributes: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return the object in ``attributes.json`` with what one of Zarr's metadata keys says."""
    (path, name), obj = _split(key), parse_json(as_bytes(value), key)
    if name == ARRAY_KEY:
        attributes = attributes | array_to_n5(obj, key)
    elif name == ATTRS_KEY:
        own = {name: value for name, value in attributes.items() if name in n5_keywords}
        attributes = _writable(obj) | own
    if name == GROUP_KEY or (name == ARRAY_KEY and not path):
        attributes = attributes | {"n5": N5_FORMAT}
    return attributes


def _split(key: object) -> tuple[str, str]:
    """Return the path and the name of a key."""
    path, _, name = check_key(key).rpartition("/")
    return path, name


def _block_key(key: str) -> str:
    """Return N5's key of a chunk's key; other keys as they are."""
    path, name = _split(key)
    return join(path, "/".join(name.split(".")[::-1])) if _CHUNK_KEY.fullmatch(name) else key


def _stored_key(key: str) -> str:
    """Return N5's key of any key; the path of a node, which may be ``""``, as it is."""
    if not key:
        return key
    path, name = _split(key)
    return join(path, n5_attrs_key) if name in _METADATA_KEYS else _block_key(key)


def _ndim(attributes: dict[str, Any]) -> int | None:
    """Return the number of axes of the array with these attributes, None if it is no array."""
    dimensions = attributes.get("dimensions")
    return len(dimensions) if isinstance(dimensions, list) else None


def _metadata_names(attributes: dict[str, Any]) -> list[str]:
    """Return the names of Zarr's metadata keys of the node with these attributes."""
    names = [ARRAY_KEY if "dimensions" in attributes else GROUP_KEY]
    return [*names, ATTRS_KEY] if user_attributes(attributes) else names


def _writable(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a user's attributes without those that are N5's own, of which there is a warning."""
    for name in attributes:
        if name in n5_keywords:
            warnings.warn(
                f"attribute {name!r} is a reserved N5 keyword, and is not stored",
                UserWarning,
                stacklevel=caller_level(),
            )
    return user_attributes(attributes)
