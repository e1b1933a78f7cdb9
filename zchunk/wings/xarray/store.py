"""A group as a data store that xarray reads: the variables and attributes that are in the group."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Self

from xarray import Variable

from zchunk.convenience import consolidation
from zchunk.core.array import Array
from zchunk.core.tokens import dask_token
from zchunk.errors import (
    ConsolidatedMetadataNotFoundError,
    GroupNotFoundError,
    PathNotFoundError,
    ReadOnlyError,
)
from zchunk.hierarchy import groups
from zchunk.hierarchy.groups import Group
from zchunk.spec.keys import join, normalize_path
from zchunk.wings.xarray import arrays
from zchunk.wings.xarray.xarray_internals import AbstractWritableDataStore, indexing

if TYPE_CHECKING:
    from zchunk.typing import AccessMode, StorageOptions, StoreLike, Synchronizer, ZarrFormat


def open_group(
    store: StoreLike | Group,
    mode: AccessMode = "r",
    group: str | None = None,
    consolidated: bool | None = None,
    storage_options: StorageOptions | None = None,
    zarr_format: ZarrFormat | None = None,
    synchronizer: Synchronizer | None = None,
) -> Group:
    """Open the group that a user of xarray names; with the modes that create one, make it if need be.

    Parameters
    ----------
    store : path, URL, MutableMapping, Store or Group
        As for `zchunk.open_group`; or an open group, and then `group` is a path below that one.
    mode : str, optional
        As for `zchunk.open_group`.
    group : str, optional
        Path below the root.
    consolidated : bool, optional
        Use consolidated metadata. None uses them if there are some, and only with ``r`` and ``r+``.
    storage_options, zarr_format, synchronizer : optional
        As for `zchunk.open_group`.

    Raises
    ------
    PathNotFoundError
        There is no such group.
    """
    if isinstance(store, Group) and mode != "r":
        if store.read_only:
            raise ReadOnlyError(f"group {store.name!r} is read-only; open it with mode 'r+' or 'a'")
        path = join(store.path, normalize_path(group))
        chunks = store.chunk_store
        return groups.open_group(store.store, mode, True, synchronizer, path, chunks, zarr_format=zarr_format)
    if isinstance(store, Group):
        found = store if group in (None, "", "/") else store[str(group).strip("/")]
        if not isinstance(found, Group):
            raise PathNotFoundError(f"an array, not a group, is at {group!r} in {store!r}")
        return found
    options: dict[str, Any] = {
        "path": group,
        "storage_options": storage_options,
        "zarr_format": zarr_format,
        "synchronizer": synchronizer,
    }
    if consolidated or (consolidated is None and mode in ("r", "r+")):
        try:
            found = consolidation.open_consolidated(store, mode=mode, **options)  # type: ignore[arg-type]
        except ConsolidatedMetadataNotFoundError:
            if consolidated:
                raise
        else:
            if not isinstance(found, Group):
                raise PathNotFoundError(f"an array, not a group, is at {group!r} in {store!r:.200}")
            return found
    try:
        return groups.open_group(store, mode, **options)
    except GroupNotFoundError:
        raise GroupNotFoundError(
            f"the group {'/' + normalize_path(group)!r} does not exist in {store!r:.200}"
        ) from None


class ZchunkStore(AbstractWritableDataStore):
    """A group as a data store that xarray reads.

    Parameters
    ----------
    group : Group
        The group.
    mask : bool, optional
        Whether fill values of the arrays stand for missing items, as ``_FillValue`` does in netCDF. By
        default they do so in format 2 only, which is xarray's rule for Zarr.
    close_group : bool, optional
        Close the stores of the group when this is closed.
    drop_variables : str or collection of str, optional
        Names of arrays that the store leaves out.

    Examples
    --------
    >>> import zchunk
    >>> import zchunk.xarray
    >>> group = zchunk.group()
    >>> _ = group.create("a", shape=3, attributes={"_ARRAY_DIMENSIONS": ["t"]})
    >>> store = zchunk.xarray.ZchunkStore(group)
    >>> store.get_variables()["a"].sizes["t"]
    3
    """

    def __init__(
        self,
        group: Group,
        mask: bool | None = None,
        close_group: bool = False,
        drop_variables: str | Collection[str] | None = None,
    ) -> None:
        self.group = group
        self.mask = group.zarr_format == 2 if mask is None else mask
        self._close_group = close_group
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        self._dropped = frozenset(dropped)

    def child(self, name: str) -> Self:
        """Return the store of a group below this one.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> _ = group.create_group("ocean")
        >>> zchunk.xarray.ZchunkStore(group).child("ocean").group.name
        '/ocean'
        """
        found = self.group[name]
        assert isinstance(found, Group)
        return type(self)(found, self.mask, drop_variables=self._dropped)

    def __dask_tokenize__(self) -> Any:
        return dask_token(self.group), self.mask, sorted(self._dropped)

    # ---- what is there

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Return an iterator over the names and arrays; arrays that are dropped need not be readable.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> _ = group.zeros("a", shape=3), group.zeros("b", shape=4)
        >>> store = zchunk.xarray.ZchunkStore(group, drop_variables="b")
        >>> [(name, array.shape) for name, array in store.arrays()]
        [('a', (3,))]
        """
        if not self._dropped:
            return self.group.arrays()
        names = (name for name in self.group.array_keys() if name not in self._dropped)
        return ((name, found) for name in names if isinstance(found := self.group[name], Array))

    def variable(self, array: Array) -> Variable:
        """Return an array as a lazy variable, not decoded.

        Raises
        ------
        KeyError
            Its axes have no names.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> z = group.create("a", shape=3, attributes={"_ARRAY_DIMENSIONS": ["t"]})
        >>> zchunk.xarray.ZchunkStore(group).variable(z).dims
        ('t',)
        """
        dims = arrays.dimensions(array)
        return Variable(
            dims,
            indexing.LazilyIndexedArray(arrays.LazyArray(array)),
            arrays.attributes(array, self.mask),
            arrays.encoding(array, dims, self.mask),
        )

    def get_variables(self) -> dict[str, Variable]:
        """Return the variables by name, not decoded. xarray calls this to open a data set.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> _ = group.create("a", shape=3, attributes={"_ARRAY_DIMENSIONS": ["t"]})
        >>> list(zchunk.xarray.ZchunkStore(group).get_variables())
        ['a']
        """
        return {name: self.variable(array) for name, array in self.arrays()}

    def get_attrs(self) -> dict[str, Any]:
        """Return the attributes of the group, without those that netCDF's library keeps for itself.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> group.attrs.update(title="run", _NCProperties="version=2")
        >>> zchunk.xarray.ZchunkStore(group).get_attrs()
        {'title': 'run'}
        """
        attrs = self.group.attrs.asdict()
        return {name: value for name, value in attrs.items() if not name.lower().startswith("_nc")}

    def get_dimensions(self) -> dict[str, int]:
        """Return the lengths of the axes by their names.

        Raises
        ------
        ValueError
            Two arrays give an axis different lengths.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> _ = group.create("a", shape=3, attributes={"_ARRAY_DIMENSIONS": ["t"]})
        >>> zchunk.xarray.ZchunkStore(group).get_dimensions()
        {'t': 3}
        """
        found: dict[str, int] = {}
        for _, array in self.arrays():
            for name, length in zip(arrays.dimensions(array), array.shape, strict=True):
                if found.setdefault(name, length) != length:
                    raise ValueError(
                        f"the axis {name!r} has the lengths {found[name]} and {length} in {self.group!r}"
                    )
        return found

    def get_encoding(self) -> dict[str, Any]:
        """Return an empty dictionary: groups have no encoding.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> zchunk.xarray.ZchunkStore(zchunk.group()).get_encoding()
        {}
        """
        return {}

    def close(self) -> None:
        """Close the stores of the group if `close_group` is true. xarray calls this to close a data set.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.group()
        >>> zchunk.xarray.ZchunkStore(group).close()
        >>> list(group.array_keys())  # the group was opened elsewhere, and stays open
        []
        """
        if self._close_group:
            self.group.__exit__(None, None, None)
