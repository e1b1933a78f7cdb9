"""Group: the hierarchy of arrays and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zchunk.array import Array
from zchunk.attributes import Attributes
from zchunk.creation import init_array, init_group, make_metadata
from zchunk.display import InfoReporter, Items, class_name
from zchunk.errors import ContainsArrayError, GroupNotFoundError, ReadOnlyError
from zchunk.keys import ATTRS_KEY, GROUP_KEY, join, normalize_path
from zchunk.metadata.v2 import parse_group
from zchunk.storage.base import Store, as_store, contains_array, contains_group


class Group:
    """A group of arrays and groups in a store.

    Made by `zchunk.group`, `zchunk.open_group` and the like. ``g["a/b"]`` is the member at a path below the
    group, ``g["/a/b"]`` the one at a path from the root, ``g.a`` an array or group of that name. A group
    holds no open files: it pickles, survives a fork, and may be shared between threads.

    Parameters
    ----------
    store : MutableMapping
        Holds the metadata and, unless `chunk_store` is given, the chunks.
    path : str, optional
        Of the group in the store.
    read_only : bool, optional
        Refuse changes.
    chunk_store : MutableMapping, optional
        Holds the chunks.
    cache_attrs : bool, optional
        Read the user attributes once, and again only on ``attrs.refresh()``.
    synchronizer : mapping of keys to locks, optional
        Held by key while a chunk or the attributes change.

    Raises
    ------
    GroupNotFoundError
        There is no group at `path`.
    ContainsArrayError
        An array is there.
    """

    def __init__(
        self,
        store: Any,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: Any = None,
        cache_attrs: bool = True,
        synchronizer: Any = None,
    ) -> None:
        self._store = as_store(store)
        self._chunk_store = None if chunk_store is None else as_store(chunk_store)
        self._path = normalize_path(path)
        self._read_only = bool(read_only)
        self._synchronizer = synchronizer
        if contains_array(self._store, self._path):
            raise ContainsArrayError(f"an array, not a group, is at {'/' + self._path!r} in {self._store!r}")
        key = join(self._path, GROUP_KEY)
        try:
            parse_group(self._store[key], key)
        except KeyError:
            raise GroupNotFoundError(f"no group at path {'/' + self._path!r} in {self._store!r}") from None
        self._attrs = Attributes(self._store, join(self._path, ATTRS_KEY), self._read_only, cache_attrs, synchronizer)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self._store,
            self._path,
            self._read_only,
            self._chunk_store,
            self._attrs.cache,
            self._synchronizer,
        )

    # ---- what it is

    @property
    def store(self) -> Store:
        """The store that holds the metadata."""
        return self._store

    @property
    def chunk_store(self) -> Store:
        """The store that holds the chunks."""
        return self._store if self._chunk_store is None else self._chunk_store

    @property
    def path(self) -> str:
        """Path in the store, ``""`` for the root."""
        return self._path

    @property
    def name(self) -> str:
        """Path with a leading slash, as in h5py."""
        return "/" + self._path

    @property
    def basename(self) -> str:
        """Last part of the name."""
        return self._path.rpartition("/")[2]

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._read_only

    @property
    def synchronizer(self) -> Any:
        """What hands out locks by key, or None."""
        return self._synchronizer

    @property
    def attrs(self) -> Attributes:
        """User attributes, a mapping that writes through to the store."""
        return self._attrs

    @property
    def info(self) -> InfoReporter:
        """Table of the group's properties, as text and HTML."""
        return InfoReporter(self.info_items)

    def info_items(self) -> Items:
        """Return the rows of `info`."""
        items = [("Name", self.name), ("Type", class_name(self)), ("Read-only", str(self._read_only))]
        if self._synchronizer is not None:
            items.append(("Synchronizer type", class_name(self._synchronizer)))
        items.append(("Store type", class_name(self._store)))
        if self._chunk_store is not None:
            items.append(("Chunk store type", class_name(self._chunk_store)))
        arrays, groups = list(self.array_keys()), list(self.group_keys())
        items += [
            ("No. members", str(len(arrays) + len(groups))),
            ("No. arrays", str(len(arrays))),
            ("No. groups", str(len(groups))),
        ]
        if arrays:
            items.append(("Arrays", ", ".join(arrays)))
        if groups:
            items.append(("Groups", ", ".join(groups)))
        return items

    def __repr__(self) -> str:
        only = " read-only" if self._read_only else ""
        return f"<{class_name(self)} {self.name!r}{only}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Group)
            and self.store == other.store
            and self.path == other.path
            and self.read_only == other.read_only
        )

    __hash__ = None  # type: ignore[assignment]

    # ---- members

    def _member_path(self, name: str) -> str:
        """Return the path in the store that `name` means: from the root if it begins with a slash."""
        if isinstance(name, str) and name.startswith("/"):
            return normalize_path(name)
        return join(self._path, normalize_path(name)) if normalize_path(name) else self._path

    def _array(self, path: str) -> Array:
        return Array(
            self._store,
            path,
            self._read_only,
            self._chunk_store,
            self._synchronizer,
            cache_attrs=self._attrs.cache,
        )

    def _group(self, path: str) -> Group:
        return Group(self._store, path, self._read_only, self._chunk_store, self._attrs.cache, self._synchronizer)

    def __getitem__(self, name: str) -> Any:
        path = self._member_path(name)
        if contains_array(self._store, path):
            return self._array(path)
        if contains_group(self._store, path):
            return self._group(path)
        raise KeyError(name)

    def __getattr__(self, name: str) -> Any:
        # Also asked for what pickle and IPython look up before there is a store.
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"group {self.name!r} has neither an attribute nor a member {name!r}") from None

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *(name for name in self if name.isidentifier())])

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        path = self._member_path(name)
        return contains_array(self._store, path) or contains_group(self._store, path)

    def __iter__(self) -> Iterator[str]:
        for name in self._store.list_dir(self._path):
            path = join(self._path, name)
            if contains_array(self._store, path) or contains_group(self._store, path):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _names(self, contains: Callable[[Any, str], bool]) -> Iterator[str]:
        for name in self._store.list_dir(self._path):
            if contains(self._store, join(self._path, name)):
                yield name

    def array_keys(self) -> Iterator[str]:
        """Yield the names of the arrays directly below."""
        return self._names(contains_array)

    def group_keys(self) -> Iterator[str]:
        """Yield the names of the groups directly below."""
        return self._names(contains_group)

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield name and array of the arrays directly below."""
        for name in self.array_keys():
            yield name, self._array(join(self._path, name))

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Yield name and group of the groups directly below."""
        for name in self.group_keys():
            yield name, self._group(join(self._path, name))

    def __delitem__(self, name: str) -> None:
        self._check_writable()
        if name not in self:
            raise KeyError(name)
        path = self._member_path(name)
        self._store.erase_prefix(path)
        if self._chunk_store is not None:
            self._chunk_store.erase_prefix(path)

    def __setitem__(self, name: str, value: Any) -> None:
        self.array(name, value, overwrite=True)

    # ---- making members

    def _check_writable(self) -> None:
        if self._read_only:
            raise ReadOnlyError(f"group {self.name!r} is read-only; open it with mode 'r+' or 'a'")

    def create_group(self, name: str, overwrite: bool = False) -> Group:
        """Make a group, and the groups above it.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.
        overwrite : bool, optional
            Replace what is there.

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            Something is there.
        """
        self._check_writable()
        path = self._member_path(name)
        init_group(self._store, path, overwrite, self._chunk_store)
        return self._group(path)

    def require_group(self, name: str, overwrite: bool = False) -> Group:
        """Return the group `name`, made if it is not there."""
        path = self._member_path(name)
        if overwrite or not contains_group(self._store, path):
            return self.create_group(name, overwrite)
        return self._group(path)

    def create(self, name: str, *, overwrite: bool = False, write_empty_chunks: bool = True, **kwargs: Any) -> Array:
        """Make an array, and the groups above it.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.
        overwrite : bool, optional
            Replace what is there.
        write_empty_chunks : bool, optional
            Store chunks that hold nothing but the fill value.
        **kwargs
            `shape`, `chunks`, `dtype`, `compressor`, `fill_value`, `order`, `filters` and
            `dimension_separator` of `zchunk.create`.
        """
        self._check_writable()
        path = self._member_path(name)
        kwargs.setdefault("dimension_separator", getattr(self._store, "_dimension_separator", None))
        init_array(self._store, path, make_metadata(**kwargs), overwrite, self._chunk_store)
        return Array(
            self._store,
            path,
            chunk_store=self._chunk_store,
            synchronizer=self._synchronizer,
            cache_attrs=self._attrs.cache,
            write_empty_chunks=write_empty_chunks,
        )

    def array(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Make an array of `data`; other parameters are those of `create`."""
        if not hasattr(data, "shape") or not hasattr(data, "dtype"):
            data = np.asanyarray(data)
        kwargs.setdefault("shape", data.shape)
        kwargs.setdefault("dtype", data.dtype)
        array = self.create(name, **kwargs)
        array[...] = data
        return array
