"""Groups: the hierarchy of arrays, and what users call to open and create it, as in zarr 2.18."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from zchunk.core.access import Access, access_to
from zchunk.core.info import InfoReporter, Items, class_name, group_items
from zchunk.creation.nodes import format_for, init_group
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.errors import GroupNotFoundError
from zchunk.hierarchy.member_creation import MemberCreation
from zchunk.hierarchy.members import find_group
from zchunk.hierarchy.tree import TreeViewer
from zchunk.storage.base import Mode


class Group(MemberCreation):
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
        Version of the format; found by itself if not given. What is in the group is of the same.
    meta_array : numpy.ndarray or None, optional
        Items are read into NumPy arrays.
    cache_bytes : int, optional
        Keep so many bytes of decoded chunks, of all arrays that are opened through the group together.

    Raises
    ------
    GroupNotFoundError
        There is no group at `path`.
    ContainsArrayError
        An array is there.
    MixedFormatsError
        Nodes of both formats are at `path`, and no version is given.
    """

    # Where users have it from, as in zarr 2: `info` and pickles name it.
    __module__ = "zchunk.hierarchy"

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
        zarr_format: int | None = None,
        meta_array: Any = None,
        cache_bytes: int | ChunkCache | None = None,
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
            zarr_version=zarr_version,
            zarr_format=zarr_format,
            meta_array=meta_array,
        )
        self._become(find_group(access), None)

    def __reduce__(self) -> tuple[Any, ...]:
        return reopen, (type(self), self._access)

    # ---- what it is

    @property
    def basename(self) -> str:
        """Last part of the name."""
        return self.path.rpartition("/")[2]

    @property
    def info(self) -> InfoReporter:
        """Table of the group's properties, as text and HTML."""
        return InfoReporter(self.info_items)

    def info_items(self) -> Items:
        """Return the rows of `info`."""
        return group_items(self, self._access)

    def __repr__(self) -> str:
        only = " read-only" if self.read_only else ""
        return f"<{class_name(self)} {self.name!r}{only}>"

    def tree(self, expand: bool | int = False, level: int | None = None) -> TreeViewer:
        """Return what shows the hierarchy, as text and as HTML.

        Parameters
        ----------
        expand : bool or int, optional
            In HTML: unfold everything, or so many levels.
        level : int, optional
            Show only so many levels.

        Returns
        -------
        TreeViewer
        """
        return TreeViewer(self, expand, level)

    def _repr_none(self, **kwargs: Any) -> None:
        return None

    # Asked for by IPython, which shows the `repr` then. Members may have such names, so that they would be
    # looked up in the store.
    _repr_html_ = _repr_markdown_ = _repr_latex_ = _repr_json_ = _repr_javascript_ = _repr_none
    _repr_svg_ = _repr_png_ = _repr_jpeg_ = _repr_pdf_ = _repr_mimebundle_ = _repr_none

    # ---- its stores

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.store.close()
        if self._access.chunk_store is not None:
            self._access.chunk_store.close()


_G = TypeVar("_G", bound=Group)


def reopen(kind: type[_G], access: Access) -> _G:
    """Return the group that is accessed in this way: what a pickle is of."""
    return kind._of(find_group(access))


# ---- what users call


def make_group(access: Access, overwrite: bool, attributes: Mapping[str, Any] | None) -> Group:
    """Make a group, with the groups above it, and return it: what all functions that make one end in."""
    fmt = format_for(access.store, access.path, access.version)
    init_group(access.store, access.path, overwrite, access.chunk_store, fmt, attributes)
    return Group._of(access.at(access.path, fmt.version))


def find_or_make_group(access: Access, mode: Mode, attributes: Mapping[str, Any] | None) -> Group:
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
                raise GroupNotFoundError(f"{err}; mode 'a' would create it") from None
    return make_group(access, mode == "w", attributes)


def group(
    store: Any = None,
    overwrite: bool = False,
    chunk_store: Any = None,
    cache_attrs: bool = True,
    synchronizer: Any = None,
    path: str | None = None,
    *,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    meta_array: Any = None,
    cache_bytes: int | ChunkCache | None = None,
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
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a group of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    attributes : mapping, optional
        User attributes of a group that is created.
    meta_array : optional
        zarr's. A NumPy array is what there is.

    Returns
    -------
    Group

    Raises
    ------
    ContainsArrayError
        An array is there, or above, and `overwrite` is false.
    InvalidKeyError
        No group can be at `path`.
    """
    access = access_to(
        store,
        path,
        chunk_store=chunk_store,
        synchronizer=synchronizer,
        cache_attrs=cache_attrs,
        cache_bytes=cache_bytes,
        zarr_version=zarr_version,
        zarr_format=zarr_format,
        meta_array=meta_array,
    )
    if not overwrite:
        try:
            return Group._of(find_group(access))
        except GroupNotFoundError:
            pass
    return make_group(access, overwrite, attributes)


def open_group(
    store: Any = None,
    mode: Mode = "a",
    cache_attrs: bool = True,
    synchronizer: Any = None,
    path: str | None = None,
    chunk_store: Any = None,
    storage_options: Any = None,
    *,
    zarr_version: int | None = None,
    zarr_format: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    meta_array: Any = None,
    cache_bytes: int | ChunkCache | None = None,
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
    storage_options : dict, optional
        As for `open_array`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a group of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    attributes : mapping, optional
        User attributes of a group that is created.
    meta_array : optional
        zarr's. A NumPy array is what there is.

    Returns
    -------
    Group

    Raises
    ------
    GroupNotFoundError
        There is no group and `mode` does not create one.
    ContainsArrayError, ContainsGroupError
        Something else is there.
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
        zarr_version=zarr_version,
        zarr_format=zarr_format,
        meta_array=meta_array,
    )
    return find_or_make_group(access, mode, attributes)


def create_group(
    store: Any = None,
    *,
    path: str | None = None,
    zarr_format: int | None = None,
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
    storage_options: Any = None,
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
    """
    return open_group(
        store,
        "w" if overwrite else "w-",
        path=path,
        storage_options=storage_options,
        zarr_format=zarr_format,
        attributes=attributes,
    )
