"""Member creation: making, requiring and moving the members of a group."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

import numpy as np

from zchunk.codecs.objects import object_dtype
from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.core.array_config import as_config
from zchunk.core.properties import find_array
from zchunk.creation.arrays import (
    array,
    create,
    create_array,
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from zchunk.creation.likeness import trusted_codecs
from zchunk.creation.nodes import check_absent, init_group, new_path, require_parents
from zchunk.engine import chunk_cache
from zchunk.engine.chunk_cache import as_cache
from zchunk.errors import ArrayNotFoundError, PathNotFoundError
from zchunk.hierarchy.members import Members, look_for_group
from zchunk.hierarchy.moving import check_free, finish_moving, move_apart
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.keys import check_rename
from zchunk.spec.regular_grid import normalize_shape
from zchunk.storage.marks import patiently

if TYPE_CHECKING:
    from zchunk.creation.keywords import (
        FilledMemberLike,
        MemberLike,
        MemberOfData,
        MemberOfZarr3,
        NewMember,
        RequiredMember,
    )
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import AttributesLike, DataLike, DTypeLike, FillValue, ShapeLike, TemplateLike

_Made = TypeVar("_Made")


class MemberCreation(Members):
    """A group whose members are made, required and moved."""

    # ---- groups

    @says_near_names
    def create_group(
        self, name: str, overwrite: bool = False, *, attributes: AttributesLike | None = None
    ) -> Group:
        """Make a group, and the groups above it.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.
        overwrite : bool, optional
            Replace what is there.
        attributes : mapping, optional
            Its user attributes.

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

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.create_group("a/b", attributes={"units": "m"})
        <zchunk.hierarchy.Group '/a/b'>
        >>> list(g)
        ['a']
        """
        path = self._member_path(name)
        with self._changing():
            init_group(self.store, path, overwrite, self._access.chunk_store, self._format, attributes)
        return cast("Group", self._of(self._access_to(path)))

    @says_near_names
    def create_groups(self, *names: str, overwrite: bool = False) -> tuple[Group, ...]:
        """Make several groups, each as `create_group` does.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> a, b = g.create_groups("a", "b")
        >>> a.name, b.name
        ('/a', '/b')
        """
        return tuple(self.create_group(name, overwrite) for name in names)

    @says_near_names
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

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.require_group("a") == g.require_group("a")
        True
        """
        access = self._access_to(self._member_path(name))
        look = partial(look_for_group, self._of, access)
        found = look()
        if found is None:
            found = patiently(partial(self.create_group, name, overwrite), look, access)
        return cast("Group", found)

    def require_groups(self, *names: str) -> tuple[Group, ...]:
        """Return several groups, each as `require_group` does.

        Examples
        --------
        >>> import zchunk
        >>> a, b = zchunk.group().require_groups("a", "b")
        >>> a.name, b.name
        ('/a', '/b')
        """
        return tuple(self.require_group(name) for name in names)

    # ---- arrays

    def _make(self, function: Callable[..., _Made], name: str, /, *args: Any, **kwargs: Any) -> _Made:
        access = self._access
        own = {
            "synchronizer": access.synchronizer,
            "cache_attrs": access.cache_attrs,
            "cache_bytes": access.cache,
            "config": access.config,
        }
        if "config" in kwargs:
            kwargs["config"] = as_config(kwargs["config"], base=access.config)
        if kwargs.get("zarr_version") is None and kwargs.get("zarr_format") is None:
            kwargs["zarr_format"] = self._format.version
        path = self._member_path(name)
        with self._changing():
            return function(
                *args, store=access.store, path=path, chunk_store=access.chunk_store, **(own | kwargs)
            )

    def create_dataset(
        self, name: str, *, data: DataLike | None = None, **kwargs: Unpack[FilledMemberLike]
    ) -> Array:
        """Make an array, and the groups above it, with the parameters of h5py's method.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.
        data : array-like, optional
            What the array holds. Shape and dtype are taken from it.
        **kwargs
            Parameters of `zchunk.create`, without those that say where, such as the `shape`. Of h5py's,
            ``compression``, ``compression_opts`` and ``fillvalue`` count; others are ignored with a warning.

        Returns
        -------
        Array

        Raises
        ------
        ContainsArrayError, ContainsGroupError, InvalidKeyError, MetadataError, ReadOnlyError
            As `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.create_dataset("a", shape=(4, 4), chunks=2, dtype="i4", compression="gzip")
        >>> z.compressor
        GZip(level=1)
        >>> g.create_dataset("b", data=[1, 2, 3])[:]
        array([1, 2, 3])
        """
        return self.create(name, data=data, **kwargs)

    def require_dataset(
        self,
        name: str,
        shape: ShapeLike,
        dtype: DTypeLike = None,
        exact: bool = False,
        **kwargs: Unpack[RequiredMember],
    ) -> Array:
        """Return the array `name`, made if it is not there.

        Parameters
        ----------
        name : str
            As for `create_dataset`.
        shape : int or sequence of int
            Of the array, whether it is there or made.
        dtype : dtype-like, optional
            Items of this type can be stored in the array that is there, or are those of the one made.
        exact : bool, optional
            `dtype` must be that of the array that is there.
        **kwargs
            Parameters of `create_dataset` for an array that is made.

        Returns
        -------
        Array

        Raises
        ------
        TypeError
            The array that is there has another shape, or a `dtype` that does not do.
        ContainsGroupError
            A group is there.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.require_dataset("a", shape=(4, 4), dtype="i4")
        >>> g.require_dataset("a", shape=(4, 4), dtype="i2") == z
        True
        """
        given: dict[str, Any] = {**kwargs}
        path = self._member_path(name)

        def look() -> Array | None:
            try:
                return self._alike(path, shape, dtype, exact, given)
            except ArrayNotFoundError:
                return None

        found = look()
        if found is None:
            make = partial(self.create_dataset, name, shape=shape, dtype=dtype, **given)
            found = patiently(make, look, self._access_to(path))
        return found

    def _alike(
        self, path: str, shape: ShapeLike, dtype: DTypeLike, exact: bool, given: dict[str, Any]
    ) -> Array:
        """Return the array at a path. `TypeError` if it is not as `require_dataset` is asked for."""
        found = Array._of(*find_array(self._access_with(path, given)))
        wanted = np.dtype(object_dtype(dtype, given.get("object_codec"))[0])
        if normalize_shape(shape) != found.shape:
            raise TypeError(f"array {found.name!r} has the shape {found.shape}, not {shape}")
        # Texts are objects here, whatever is read of them.
        kept = found._metadata.dtype
        if exact and wanted != kept:
            raise TypeError(f"array {found.name!r} has the dtype {found.dtype}, not exactly {wanted}")
        if not np.can_cast(wanted, kept):
            raise TypeError(f"array {found.name!r} has the dtype {found.dtype}, which cannot hold {wanted}")
        return found

    def _access_with(self, path: str, given: dict[str, Any]) -> Access:
        """Return how a member is accessed where parameters of `create` are given."""
        names = ("synchronizer", "cache_metadata", "cache_attrs")
        changes = {name: given[name] for name in names if name in given}
        if "cache_bytes" in given:
            changes["cache"] = as_cache(given["cache_bytes"])
        codecs = {name: given.get(name) for name in ("object_codec", "compressor", "filters", "compressors")}
        access = self._access_to(path)
        config = as_config(
            given.get("config"), given.get("write_empty_chunks"), given.get("missing"), access.config
        )
        return access.configured(config)._replace(trusted=trusted_codecs(**codecs), **changes)

    def create(self, name: str, *, data: DataLike | None = None, **kwargs: Unpack[FilledMemberLike]) -> Array:
        """Make an array, and the groups above it.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.
        data : array-like, optional
            What the array holds. Shape and dtype are taken from it.
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

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.create("a/b", shape=(4, 4), chunks=2, dtype="i4")
        <zchunk.core.Array '/a/b' (4, 4) int32>
        >>> g.create("c", data=[1, 2, 3])[:]
        array([1, 2, 3])
        """
        given: dict[str, Any] = {**kwargs}
        return self._make(create, name, **given) if data is None else self.array(name, data, **given)

    def create_array(self, name: str, **kwargs: Unpack[MemberOfZarr3]) -> Array:
        """Make an array with the parameters of `zchunk.create_array`, without those that say where.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group(zarr_format=3)
        >>> g.create_array("a", shape=(4, 4), chunks=(1, 1), shards=(2, 2), dtype="i4").nchunks
        16
        """
        return self._make(create_array, name, **kwargs)

    def array(self, name: str, data: DataLike, **kwargs: Unpack[MemberOfData]) -> Array:
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

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.array("a", [[1, 2], [3, 4]])[1]
        array([3, 4])
        """
        return self._make(array, name, data, **kwargs)

    # A group can be read from here, but not be put here.
    def __setitem__(self, name: str, value: DataLike) -> None:  # type: ignore[override]
        """Make an array that holds `value`, in the place of what is there.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g["a/b"] = [1, 2, 3]
        >>> g["a/b"][:]
        array([1, 2, 3])
        """
        self.array(name, value, overwrite=True)

    def empty(self, name: str, **kwargs: Unpack[NewMember]) -> Array:
        """Make an array without a fill value. Parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.empty("a", shape=3).fill_value is None
        True
        """
        return self._make(empty, name, **kwargs)

    def zeros(self, name: str, **kwargs: Unpack[NewMember]) -> Array:
        """Make an array with the fill value 0. Parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.zeros("a", shape=3)[:]
        array([0., 0., 0.])
        """
        return self._make(zeros, name, **kwargs)

    def ones(self, name: str, **kwargs: Unpack[NewMember]) -> Array:
        """Make an array with the fill value 1. Parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.ones("a", shape=3, dtype="i4")[:]
        array([1, 1, 1], dtype=int32)
        """
        return self._make(ones, name, **kwargs)

    def full(self, name: str, fill_value: FillValue, **kwargs: Unpack[NewMember]) -> Array:
        """Make an array with the fill value `fill_value`. Other parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> g.full("a", 7.5, shape=2)[:]
        array([7.5, 7.5])
        """
        return self._make(full, name, fill_value=fill_value, **kwargs)

    def empty_like(self, name: str, data: TemplateLike, **kwargs: Unpack[MemberLike]) -> Array:
        """Make an array like `data`, without a fill value. Parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.full("a", 5, shape=2, dtype="i4")
        >>> g.empty_like("b", z).shape
        (2,)
        """
        return self._make(empty_like, name, data, **kwargs)

    def zeros_like(self, name: str, data: TemplateLike, **kwargs: Unpack[MemberLike]) -> Array:
        """Make an array like `data`, with the fill value 0. Parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.full("a", 5, shape=2, dtype="i4")
        >>> g.zeros_like("b", z)[:]
        array([0, 0], dtype=int32)
        """
        return self._make(zeros_like, name, data, **kwargs)

    def ones_like(self, name: str, data: TemplateLike, **kwargs: Unpack[MemberLike]) -> Array:
        """Make an array like `data`, with the fill value 1. Parameters are those of `create`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.full("a", 5, shape=2, dtype="i4")
        >>> g.ones_like("b", z)[:]
        array([1, 1], dtype=int32)
        """
        return self._make(ones_like, name, data, **kwargs)

    def full_like(self, name: str, data: TemplateLike, **kwargs: Unpack[FilledMemberLike]) -> Array:
        """Make an array like `data`, with its fill value if none is given.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.full("a", 5, shape=2, dtype="i4")
        >>> g.full_like("b", z)[:]
        array([5, 5], dtype=int32)
        """
        return self._make(full_like, name, data, **kwargs)

    # ---- moving

    @says_near_names
    def move(self, source: str, dest: str) -> None:
        """Move an array or group, with all that is below it. Groups above `dest` are made.

        Where chunks are in a store of their own, a process that is killed meanwhile may leave the node at
        neither path; the same call then finishes the move.

        Parameters
        ----------
        source, dest : str
            Paths below this group, or from the root if they begin with a slash.

        Raises
        ------
        PathNotFoundError
            Nothing is at `source`.
        ContainsArrayError, ContainsGroupError
            Something is at `dest`, or an array above it.
        InvalidKeyError
            One is the root or lies inside the other, or nothing can be at `dest`.
        ReadOnlyError
            The group was opened for reading.
        StoreError
            The chunk store, if there is one, holds something at `dest`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a", shape=3)
        >>> g.move("a", "b/c")
        >>> g["b/c"]
        <zchunk.core.Array '/b/c' (3,) float64>
        """
        wanted = new_path(self._member_path(dest), self._format.version)
        old, new = check_rename(self._member_path(source), wanted)
        store, chunk_store = self.store, self._access.chunk_store
        if chunk_store is not None and chunk_store.lock_identity == store.lock_identity:
            chunk_store = None
        with self._changing():
            if chunk_store is not None and finish_moving(store, chunk_store, old, new):
                return
            if not self._format.contains(store, old):
                raise PathNotFoundError(f"nothing to move at {'/' + old!r} in {store!r}")
            check_absent(store, new, f"{'/' + old!r} cannot be moved there")
            if chunk_store is not None:
                check_free(chunk_store, new)
            require_parents(store, new, self._format)
            if chunk_store is not None and not chunk_store.is_empty(old):
                move_apart(store, chunk_store, old, new)
            else:
                store.rename(old, new)
            for path in (old, new):
                chunk_cache.forget(self.chunk_store, path)
