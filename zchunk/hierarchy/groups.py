"""Groups: `Group`, and the functions that users call to open and create one, with zarr 2.18's names.

A group is a chain of classes, each whole by itself and read in this order: `Node` (where it is), `Members`
(the mapping of names to arrays and groups), `MemberCreation`, `Zarr3Names`, and here `Group`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from zchunk.core.access import Access, absence, access_to
from zchunk.core.info import InfoReporter, Items, class_name, group_items
from zchunk.creation.nodes import by_mode, check_above, format_for, init_group
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import ContainsNodeError, GroupNotFoundError
from zchunk.hierarchy.members import find_group, look_for_group
from zchunk.hierarchy.tree import TreeViewer, group_html
from zchunk.hierarchy.zarr3_names import NodeLike, Zarr3Names, make_nodes
from zchunk.runtime.near_names import says_near_names
from zchunk.storage.base import Mode
from zchunk.storage.marks import patiently

if TYPE_CHECKING:
    from zchunk.core.array import Array
    from zchunk.typing import (
        ArrayConfigLike,
        AttributesLike,
        MetaArray,
        Missing,
        StorageOptions,
        StoreLike,
        Synchronizer,
        ZarrFormat,
    )


class Group(Zarr3Names):
    """A group of arrays and groups in a store.

    Made by `zchunk.group`, `zchunk.open_group` and the like. ``g["a/b"]`` is the member at a path below the
    group, ``g["/a/b"]`` the one at a path from the root, ``g.a`` an array or group of that name. A group
    holds no open files: it pickles, survives a fork, and may be shared between threads. At the end of a
    ``with`` statement its stores are closed.

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
        Held by key while a chunk, the attributes or the members change.
    zarr_version, zarr_format : {None, 2, 3}, optional
        Version of the format; zchunk finds it if none is given. All that is in the group has the same.
    meta_array : numpy.ndarray or None, optional
        zarr's. zchunk takes a NumPy array only.
    cache_bytes : int, optional
        Keep so many bytes of decoded chunks, of all arrays that are opened through the group together.
    missing : {"fill", "error"}, optional
        What chunks that are not stored are read as, in all arrays that are opened through the group: fill
        values, or a `ChunkNotFoundError`.
    config : mapping, optional
        As for `zchunk.create`, for all arrays that are made or opened through the group.

    Raises
    ------
    GroupNotFoundError
        There is no group at `path`.
    ContainsArrayError
        An array is there.
    MixedFormatsError
        Nodes of both formats are at `path`, and no version is given.

    Examples
    --------
    >>> import zchunk
    >>> g = zchunk.group()
    >>> z = g.zeros("a/b", shape=(4, 4), chunks=2)
    >>> g["a/b"] == g.a.b == z
    True
    >>> list(g), list(g["a"])
    (['a'], ['b'])
    """

    # Where users have it from, as in zarr 2: `info` and pickles name it.
    __module__ = "zchunk.hierarchy"

    _instead: ClassVar = (
        'g["{name}"] = ... makes a member, g.attrs["{name}"] = ... sets an attribute',
        'del g["{name}"] deletes a member, del g.attrs["{name}"] an attribute',
    )

    def __init__(
        self,
        store: MutableMapping[str, Any],
        path: str | None = None,
        read_only: bool = False,
        chunk_store: MutableMapping[str, Any] | None = None,
        cache_attrs: bool = True,
        synchronizer: Synchronizer | None = None,
        zarr_version: ZarrFormat | None = None,
        *,
        zarr_format: ZarrFormat | None = None,
        meta_array: MetaArray = None,
        cache_bytes: int | ChunkCache | None = None,
        missing: Missing | None = None,
        config: ArrayConfigLike = None,
    ) -> None:
        access = access_to(
            store,
            path,
            is_open=True,
            read_only=read_only,
            chunk_store=chunk_store,
            synchronizer=synchronizer,
            cache_attrs=cache_attrs,
            cache_bytes=cache_bytes,
            missing=missing,
            config=config,
            zarr_version=zarr_version,
            zarr_format=zarr_format,
            meta_array=meta_array,
        )
        self._become(find_group(access), None)

    _opening = __init__

    _arguments = ("store", "path", "read_only", "chunk_store", "cache_attrs", "synchronizer", "version")

    def __reduce__(self) -> tuple[Any, ...]:
        return reopen, (type(self), self._access)

    # ---- what it is

    @property
    def basename(self) -> str:
        """Last part of the name."""
        return self.path.rpartition("/")[2]

    @property
    def info(self) -> InfoReporter:
        """Table of the group's properties, as text and HTML.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.group().info
        Name        : /
        Type        : zchunk.hierarchy.Group
        Read-only   : False
        Store type  : zchunk.storage.memory.MemoryStore
        No. members : 0
        No. arrays  : 0
        No. groups  : 0
        <BLANKLINE>
        """
        return InfoReporter(self.info_items)

    def info_complete(self) -> InfoReporter:
        """Return `info`, which counts all there is (zarr 3's name).

        Examples
        --------
        >>> import zchunk
        >>> "No. members : 0" in repr(zchunk.group().info_complete())
        True
        """
        return self.info

    def info_items(self) -> Items:
        """Return the rows of `info`.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.group().info_items()[0]
        ('Name', '/')
        """
        return group_items(self, self._access)

    def __repr__(self) -> str:
        only = " read-only" if self.read_only else ""
        return f"<{class_name(self)} {self.name!r}{only}>"

    @says_near_names
    def tree(
        self,
        expand: bool | int = False,
        level: int | None = None,
        *,
        max_nodes: int | None = None,
        plain: bool = True,
    ) -> TreeViewer:
        """Return what shows the hierarchy, as text and as HTML.

        Parameters
        ----------
        expand : bool or int, optional
            In HTML: unfold everything, or so many levels.
        level : int, optional
            Show only so many levels.
        max_nodes : int, optional
            Show only so many nodes below the group.
        plain : bool, optional
            zarr 3's, ignored: the text is plain in any case.

        Returns
        -------
        TreeViewer

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3), g.zeros("c", shape=2)
        >>> g.tree()
        /
         ├── a
         │   └── b (3,) float64
         └── c (2,) float64
        """
        return TreeViewer(self, expand, level, max_nodes)

    def _repr_html_(self) -> str | None:
        return group_html(self)

    def _repr_none(self, **kwargs: Any) -> None:
        return None

    # IPython asks for them, and shows the `repr` then. Without them it would look in the store for members
    # of these names.
    _repr_markdown_ = _repr_latex_ = _repr_json_ = _repr_javascript_ = _repr_none
    _repr_svg_ = _repr_png_ = _repr_jpeg_ = _repr_pdf_ = _repr_mimebundle_ = _repr_none

    # ---- opening, by zarr 3's names

    @classmethod
    def open(cls, store: StoreLike, zarr_format: ZarrFormat | None = None) -> Self:
        """Open the group in a store, to read and change it.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group("data.zarr")
        >>> zchunk.Group.open("data.zarr") == g
        True
        """
        config = cls._configuration()
        return cls._of(find_group(access_to(store, mode="r+", zarr_format=zarr_format, config=config)))

    @classmethod
    @says_near_names
    def from_store(
        cls,
        store: StoreLike,
        *,
        attributes: AttributesLike | None = None,
        zarr_format: ZarrFormat | None = None,
        overwrite: bool = False,
    ) -> Group:
        """Make a group in a store: zarr 3's other name for `zchunk.create_group`.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.Group.from_store({}, attributes={"title": "tides"})
        <zchunk.hierarchy.Group '/'>
        """
        mode: Mode = "w" if overwrite else "w-"
        access = access_to(store, mode=mode, zarr_format=zarr_format, config=cls._configuration())
        return make_group(access, overwrite, attributes)

    # ---- its stores

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    # ---- h5py's names

    @property
    def parent(self) -> Self:
        """The group above this one; of the group at the root, itself."""
        if not self.path:
            return self
        return self._of(find_group(self._access_to(self.path.rpartition("/")[0])))

    def flush(self) -> None:
        """Write what the stores still hold back, as `ZipStore` and the databases do.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.group().flush()
        """
        for store in (self.store, self._access.chunk_store):
            flush = getattr(store, "flush", None)
            if flush is not None:
                flush()

    def close(self) -> None:
        """Close the stores, as the end of a ``with`` statement does.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.open_group("a.zip", mode="w")
        >>> g.create("x", data=[1, 2])
        <zchunk.core.Array '/x' (2,) int64>
        >>> g.close()
        """
        self.store.close()
        if self._access.chunk_store is not None:
            self._access.chunk_store.close()


_G = TypeVar("_G", bound=Group)


def reopen(kind: type[_G], access: Access) -> _G:
    """Return the group that is accessed in this way: what a pickle is of."""
    return kind._of(find_group(access))


# ---- what users call


def make_group(access: Access, overwrite: bool, attributes: AttributesLike | None) -> Group:
    """Make a group, with the groups above it, and return it: all functions that make one end here."""
    fmt = format_for(access.store, access.path, access.version, access.new_nodes.zarr_format)
    if overwrite and access.new_nodes.keep_arrays_above:
        check_above(access.store, access.path, fmt)
    init_group(access.store, access.path, overwrite, access.chunk_store, fmt, attributes)
    return Group._of(access.at(access.path, fmt.version))


def find_or_make_group(access: Access, mode: Mode, attributes: AttributesLike | None) -> Group:
    """Return the group that is there, or a new one, as the mode says.

    Raises
    ------
    GroupNotFoundError
        There is no group and `mode` does not create one.
    """
    if mode in ("r", "r+", "a"):
        try:
            return Group._of(find_group(access))
        except GroupNotFoundError as err:
            if mode != "a":
                advice = absence(access, "mode 'a' would create it")
                raise GroupNotFoundError(f"{err}{advice}") from None
    try:
        if mode == "a":
            look = partial(look_for_group, Group._of, access)
            return patiently(partial(make_group, access, False, attributes), look, access)
        return make_group(access, mode == "w", attributes)
    except ContainsNodeError as err:
        raise by_mode(err) from None


@says_near_names
def group(
    store: StoreLike = None,
    overwrite: bool = False,
    chunk_store: StoreLike = None,
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    attributes: AttributesLike | None = None,
    meta_array: MetaArray = None,
    cache_bytes: int | ChunkCache | None = None,
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
) -> Group:
    """Create a group, or open the one that is there.

    Parameters
    ----------
    store, chunk_store, cache_attrs, synchronizer, path
        As for `create`.
    overwrite : bool, optional
        Replace what is there.
    cache_bytes : int, optional
        As for `create`, for all arrays that are opened through the group together.
    missing : {"fill", "error"}, optional
        As for `create`, for all arrays that are opened through the group.
    config : mapping, optional
        As for `create`, for all arrays that are made or opened through the group.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a group of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    attributes : mapping, optional
        User attributes of a group that is created.
    meta_array : optional
        zarr's. zchunk takes a NumPy array only.

    Returns
    -------
    Group

    Raises
    ------
    ContainsArrayError
        An array is there, or above, and `overwrite` is false.
    InvalidKeyError
        No group can be at `path`.

    Examples
    --------
    >>> import zchunk
    >>> g = zchunk.group("data.zarr", attributes={"title": "tides"})
    >>> z = g.zeros("a", shape=3)
    >>> zchunk.group("data.zarr")["a"] == z
    True
    """
    access = access_to(
        store,
        path,
        chunk_store=chunk_store,
        synchronizer=synchronizer,
        cache_attrs=cache_attrs,
        cache_bytes=cache_bytes,
        missing=missing,
        config=config,
        zarr_version=zarr_version,
        zarr_format=zarr_format,
        meta_array=meta_array,
    )
    return find_or_make_group(access, "w" if overwrite else "a", attributes)


@says_near_names
def open_group(
    store: StoreLike = None,
    mode: Mode = "a",
    cache_attrs: bool = True,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    chunk_store: StoreLike = None,
    storage_options: StorageOptions | None = None,
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    attributes: AttributesLike | None = None,
    meta_array: MetaArray = None,
    cache_bytes: int | ChunkCache | None = None,
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
) -> Group:
    """Open a group, or create one.

    Parameters
    ----------
    store, cache_attrs, synchronizer, path, chunk_store
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    cache_bytes : int, optional
        As for `create`, for all arrays that are opened through the group together.
    missing : {"fill", "error"}, optional
        As for `create`, for all arrays that are opened through the group.
    config : mapping, optional
        As for `create`, for all arrays that are made or opened through the group.
    storage_options : dict, optional
        As for `open_array`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a group of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    attributes : mapping, optional
        User attributes of a group that is created.
    meta_array : optional
        zarr's. zchunk takes a NumPy array only.

    Returns
    -------
    Group

    Raises
    ------
    GroupNotFoundError
        There is no group and `mode` does not create one.
    ContainsArrayError, ContainsGroupError
        Something else is there.

    Examples
    --------
    >>> import zchunk
    >>> g = zchunk.open_group("data.zarr", mode="w")
    >>> g["a"] = [1, 2, 3]
    >>> zchunk.open_group("data.zarr", mode="r")["a"][:]
    array([1, 2, 3])
    """
    access = access_to(
        store,
        path,
        mode=mode,
        storage_options=storage_options,
        read_only=mode == "r",
        chunk_store=chunk_store,
        synchronizer=synchronizer,
        cache_attrs=cache_attrs,
        cache_bytes=cache_bytes,
        missing=missing,
        config=config,
        zarr_version=zarr_version,
        zarr_format=zarr_format,
        meta_array=meta_array,
    )
    return find_or_make_group(access, mode, attributes)


@says_near_names
def create_group(
    store: StoreLike = None,
    *,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    overwrite: bool = False,
    attributes: AttributesLike | None = None,
    storage_options: StorageOptions | None = None,
) -> Group:
    """Create a group; zarr 3's name for `open_group` with the mode ``"w-"``, or ``"w"`` if `overwrite`.

    Parameters
    ----------
    store, path, zarr_format, attributes, storage_options
        As for `open_group`.
    overwrite : bool, optional
        Replace what is there.

    Returns
    -------
    Group

    Examples
    --------
    >>> import zchunk
    >>> zchunk.create_group("data.zarr", path="a", zarr_format=3)
    <zchunk.hierarchy.Group '/a'>
    """
    return open_group(
        store,
        "w" if overwrite else "w-",
        path=path,
        storage_options=storage_options,
        zarr_format=zarr_format,
        attributes=attributes,
    )


@says_near_names
def create_hierarchy(
    *, store: StoreLike, nodes: Mapping[str, NodeLike], overwrite: bool = False
) -> Iterator[tuple[str, Array | Group]]:
    """Make arrays and groups of metadata, as `Group.create_hierarchy` does, in a store (zarr 3's name).

    Yields
    ------
    tuple of (str, Array or Group)

    Examples
    --------
    >>> import zchunk
    >>> nodes = {"a/b": zchunk.zeros(3)}
    >>> [path for path, _ in zchunk.create_hierarchy(store={}, nodes=nodes)]
    ['a', 'a/b']
    """
    return make_nodes(access_to(store), nodes, overwrite, Group)
