"""Group: the hierarchy of arrays and groups."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Any, Self

from zchunk.chunk_cache import ChunkCache
from zchunk.compat import asked_format
from zchunk.display import Items, class_name, group_items
from zchunk.errors import GroupNotFoundError
from zchunk.making import Making
from zchunk.metadata.formats import Format, check_group
from zchunk.tree import TreeViewer


class Group(Making):
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
        version = asked_format(zarr_version, zarr_format)
        super().__init__(
            store, path, read_only, chunk_store, synchronizer, cache_attrs, meta_array, cache_bytes
        )
        self._of_format(self._find(version))

    def _find(self, version: int | None) -> Format:
        try:
            return check_group(self._store, self._path, version)
        except KeyError:
            which = "" if version is None else f" of format {version}"
            raise GroupNotFoundError(
                f"no group{which} at path {'/' + self._path!r} in {self._store!r}"
            ) from None

    def __reduce__(self) -> tuple[Any, ...]:
        make = type(self) if self._cache is None else partial(type(self), cache_bytes=self._cache)
        return make, (
            self._store,
            self._path,
            self._read_only,
            self._chunk_store,
            self._attrs.cache,
            self._synchronizer,
            self._format.version,
        )

    # ---- what it is

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

    def _group(self, path: str) -> Self:
        return type(self)(
            self._store,
            path,
            self._read_only,
            self._chunk_store,
            self._attrs.cache,
            self._synchronizer,
            self._format.version,
            cache_bytes=self._cache,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._store.close()
        if self._chunk_store is not None:
            self._chunk_store.close()
