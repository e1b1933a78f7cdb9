"""Group: the hierarchy of arrays and groups."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from zchunk.array import Array
from zchunk.creation import array, create
from zchunk.display import Items, class_name, group_items
from zchunk.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    GroupNotFoundError,
    InvalidKeyError,
    ReadOnlyError,
)
from zchunk.keys import GROUP_KEY, join, normalize_path
from zchunk.metadata.v2 import parse_group
from zchunk.node import Node
from zchunk.nodes import erase, init_group
from zchunk.storage.functions import contains_array, contains_group


class Group(Node, MutableMapping[str, Any]):
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
    zarr_version : {None, 2}, optional
        Version of the format.
    meta_array : numpy.ndarray or None, optional
        Items are read into NumPy arrays.

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
        zarr_version: int | None = None,
        *,
        meta_array: Any = None,
    ) -> None:
        super().__init__(
            store, path, read_only, chunk_store, synchronizer, cache_attrs, zarr_version, meta_array
        )
        if contains_array(self._store, self._path):
            raise ContainsArrayError(f"an array, not a group, is at {'/' + self._path!r} in {self._store!r}")
        key = join(self._path, GROUP_KEY)
        try:
            parse_group(self._store.metadata(key), f"{key!r} in {self._store!r}")
        except KeyError:
            raise GroupNotFoundError(f"no group at path {'/' + self._path!r} in {self._store!r}") from None

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
    def name(self) -> str:
        """Path with a leading slash, as in h5py."""
        return "/" + self._path

    @property
    def basename(self) -> str:
        """Last part of the name."""
        return self._path.rpartition("/")[2]

    def info_items(self) -> Items:
        """Return the rows of `info`."""
        return group_items(self, self._store, self._chunk_store)

    def __repr__(self) -> str:
        only = " read-only" if self._read_only else ""
        return f"<{class_name(self)} {self.name!r}{only}>"

    # ---- members

    def _member_path(self, name: str) -> str:
        """Return the path in the store that `name` means: from the root if it begins with a slash."""
        path = normalize_path(name)
        if str(name).startswith("/"):
            return path
        return join(self._path, path) if path else self._path

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
        return Group(
            self._store, path, self._read_only, self._chunk_store, self._attrs.cache, self._synchronizer
        )

    def __getitem__(self, name: str) -> Any:
        path = self._member_path(name)
        # Opened at once: looking what is there would be one access more.
        try:
            return self._array(path)
        except ArrayNotFoundError:
            pass
        try:
            return self._group(path)
        except GroupNotFoundError:
            raise KeyError(name) from None

    def __getattr__(self, name: str) -> Any:
        # Also asked for what pickle and IPython look up before there is a store.
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except (KeyError, InvalidKeyError):
            raise AttributeError(
                f"group {self.name!r} has neither an attribute nor a member {name!r}"
            ) from None

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

    def array_keys(self, recurse: bool = False) -> Iterator[str]:
        """Yield the names of the arrays below.

        Parameters
        ----------
        recurse : bool, optional
            Those in the groups below too, each under its own name without that of its groups.

        Returns
        -------
        iterator of str
        """
        for name in self._store.list_dir(self._path):
            path = join(self._path, name)
            if contains_array(self._store, path):
                yield name
            elif recurse and contains_group(self._store, path):
                yield from self._group(path).array_keys(recurse)

    def arrays(self, recurse: bool = False) -> Iterator[tuple[str, Array]]:
        """Yield name and array of the arrays that `array_keys` names."""
        for name in self._store.list_dir(self._path):
            path = join(self._path, name)
            try:
                array = self._array(path)
            except ArrayNotFoundError:
                if recurse and contains_group(self._store, path):
                    yield from self._group(path).arrays(recurse)
            else:
                yield name, array

    def group_keys(self) -> Iterator[str]:
        """Yield the names of the groups directly below."""
        for name in self._store.list_dir(self._path):
            if contains_group(self._store, join(self._path, name)):
                yield name

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Yield name and group of the groups directly below."""
        for name in self.group_keys():
            yield name, self._group(join(self._path, name))

    def __delitem__(self, name: str) -> None:
        self._check_writable()
        if name not in self:
            raise KeyError(name)
        path = self._member_path(name)
        if path == self._path:
            raise ValueError(f"{name!r} names group {self.name!r} itself, not a member to delete")
        erase(self._store, path, self._chunk_store)

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

        Returns
        -------
        Group

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            Something is there.
        InvalidKeyError
            There can be no such name.
        ReadOnlyError
            The group was opened for reading.
        """
        self._check_writable()
        path = self._member_path(name)
        init_group(self._store, path, overwrite, self._chunk_store)
        return self._group(path)

    def require_group(self, name: str, overwrite: bool = False) -> Group:
        """Return the group `name`, made if it is not there.

        Parameters
        ----------
        name : str
            As for `create_group`.
        overwrite : bool, optional
            Replace an array that is there; a group stays.

        Returns
        -------
        Group

        Raises
        ------
        ContainsArrayError
            An array is there and `overwrite` is false.
        """
        path = self._member_path(name)
        if contains_group(self._store, path):
            return self._group(path)
        return self.create_group(name, overwrite)

    def create(self, name: str, **kwargs: Any) -> Array:
        """Make an array, and the groups above it.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.
        **kwargs
            Parameters of `zchunk.create`, without those that say where.

        Returns
        -------
        Array

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            Something is there and `overwrite` is false.
        InvalidKeyError
            There can be no such name.
        MetadataError
            There can be no such array.
        ReadOnlyError
            The group was opened for reading.
        """
        self._check_writable()
        return create(**self._place(name), **kwargs)

    def array(self, name: str, data: Any, **kwargs: Any) -> Array:
        """Make an array that holds `data`.

        Parameters
        ----------
        name : str
            As for `create`.
        data : array-like
            May be the array that is replaced.
        **kwargs
            Parameters of `zchunk.array`, without those that say where.

        Returns
        -------
        Array

        Raises
        ------
        ValueError, TypeError
            As `zchunk.array` and `create`. Nothing was overwritten then.
        """
        self._check_writable()
        return array(data, **self._place(name), **kwargs)

    def _place(self, name: str) -> dict[str, Any]:
        return {
            "store": self._store,
            "path": self._member_path(name),
            "chunk_store": self._chunk_store,
            "synchronizer": self._synchronizer,
            "cache_attrs": self._attrs.cache,
        }
