"""Opening arrays and groups, with zarr 3's signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from zchunk.convenience import consolidation, opening, saving
from zchunk.core.array import Array
from zchunk.creation import opening as of_arrays
from zchunk.errors import ConsolidatedMetadataNotFoundError
from zchunk.hierarchy import groups
from zchunk.hierarchy.groups import Group
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.keys import CONSOLIDATED_KEY
from zchunk.storage import open_store
from zchunk.zarr3.creation import translated, translated_like
from zchunk.zarr3.defaults import configuration
from zchunk.zarr3.storage import as_place

if TYPE_CHECKING:
    from zchunk.convenience.saving import LazyLoader
    from zchunk.creation.keywords import (
        OpenedArrayOfZarr3,
        OpenedGroupOfZarr3,
        OpenedLikeOfZarr3,
        OpenedOfZarr3,
    )
    from zchunk.engine.chunk_cache import ChunkCache
    from zchunk.storage.base import Mode
    from zchunk.typing import (
        ArrayConfigLike,
        AttributesLike,
        MetaArray,
        Missing,
        StorageOptions,
        StoreLike,
        Synchronizer,
        TemplateLike,
        ZarrFormat,
    )


def _mode(store: Any, default: Mode) -> Mode:
    """Return the mode for a store where none is said."""
    return "r" if getattr(store, "read_only", False) else default


def open(
    store: StoreLike = None,
    *,
    mode: Mode | None = None,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    storage_options: StorageOptions | None = None,
    config: ArrayConfigLike = None,
    **kwargs: Unpack[OpenedOfZarr3],
) -> Array | Group:
    """Open the array or group that is there, or create one: `zchunk.open` with zarr 3's defaults.

    Of a group, consolidated metadata are used as by `open_group`, which has the parameter `use_consolidated`.

    Returns
    -------
    Array or Group

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.open("a.zarr", mode="w", shape=(4, 4), dtype="i4").zarr_format
    3
    >>> zarr.open("a.zarr")
    <zchunk.core.Array (4, 4) int32>
    """
    consolidated = kwargs.pop("use_consolidated", None)
    own = {"store": store, "path": path, "zarr_format": zarr_format, "config": config}
    given = translated({**kwargs, **own})
    if not {"shape", "order"} & kwargs.keys():
        # It is of new arrays only, and a group has none.
        given.pop("order", None)
    place = given.pop("store")
    mode = mode or _mode(place, "a")
    found = opening.open(place, mode, storage_options=storage_options, **given)
    if isinstance(found, Array) or not (consolidated or (consolidated is None and mode == "r")):
        return found
    # It is a group that is there.
    return open_group(
        found.store,
        mode="r" if mode == "r" else "r+",
        path=found.path,
        zarr_format=found.zarr_format,
        use_consolidated=consolidated,
        config=found._access.config,
    )


def open_array(
    store: StoreLike = None,
    *,
    mode: Mode | None = None,
    zarr_format: ZarrFormat | None = None,
    path: str = "",
    storage_options: StorageOptions | None = None,
    config: ArrayConfigLike = None,
    **kwargs: Unpack[OpenedArrayOfZarr3],
) -> Array:
    """Open an array, or create one if a mode says so: `zchunk.open_array` with zarr 3's defaults.

    Without a mode the array that is there is opened, to read and change it.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.create_array("a.zarr", shape=3, dtype="i4")
    >>> zarr.open_array("a.zarr", mode="r")[:]
    array([0, 0, 0], dtype=int32)
    """
    own = {"store": store, "path": path, "zarr_format": zarr_format, "config": config}
    given = translated({**kwargs, **own})
    place = given.pop("store")
    default: Mode = "a" if "shape" in given else "r+"
    mode = mode or _mode(place, default)
    return of_arrays.open_array(place, mode, storage_options=storage_options, **given)


def open_like(a: TemplateLike, path: StoreLike, **kwargs: Unpack[OpenedLikeOfZarr3]) -> Array:
    """Open an array, or create one like `a`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.open_like(zarr.ones((4, 4), chunks=2), "a.zarr").chunks
    (2, 2)
    """
    given = translated_like(kwargs)
    del given["store"]
    return of_arrays.open_like(a, as_place(path)[0], **given)


@says_near_names
def group(
    store: StoreLike = None,
    *,
    overwrite: bool = False,
    chunk_store: StoreLike = None,
    cache_attrs: bool | None = None,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
    meta_array: MetaArray = None,
    attributes: AttributesLike | None = None,
    storage_options: StorageOptions | None = None,
    cache_bytes: int | ChunkCache | None = None,
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
) -> Group:
    """Create a group, or open the one that is there.

    Parameters
    ----------
    overwrite : bool, optional
        Replace what is there.
    store, chunk_store, cache_attrs, synchronizer, path, zarr_format, meta_array, attributes, storage_options
        As for `open_group`, as are the others.

    Returns
    -------
    Group

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.group().zarr_format
    3
    """
    return open_group(
        store,
        mode="w" if overwrite else "a",
        cache_attrs=cache_attrs,
        synchronizer=synchronizer,
        path=path,
        chunk_store=chunk_store,
        storage_options=storage_options,
        zarr_format=zarr_format,
        meta_array=meta_array,
        attributes=attributes,
        cache_bytes=cache_bytes,
        missing=missing,
        config=config,
    )


@says_near_names
def open_group(
    store: StoreLike = None,
    *,
    mode: Mode = "a",
    cache_attrs: bool | None = None,
    synchronizer: Synchronizer | None = None,
    path: str | None = None,
    chunk_store: StoreLike = None,
    storage_options: StorageOptions | None = None,
    zarr_format: ZarrFormat | None = None,
    meta_array: MetaArray = None,
    attributes: AttributesLike | None = None,
    use_consolidated: bool | str | None = None,
    cache_bytes: int | ChunkCache | None = None,
    missing: Missing | None = None,
    config: ArrayConfigLike = None,
) -> Group:
    """Open a group, or create one: `zchunk.open_group` with zarr 3's defaults.

    Parameters
    ----------
    use_consolidated : bool or str, optional
        True, or the key of the consolidated metadata of format 2: find members by them, or fail if there are
        none. By default they are used where a group is opened to be read; False: never.
    store, mode, path, storage_options, zarr_format, attributes
        As for `zchunk.open_group`, as are the others. A store that is read-only is read whatever the mode.

    Returns
    -------
    Group

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> g = zarr.open_group("a.zarr", mode="w")
    >>> z = g.create_array("b", shape=3, dtype="i4")
    >>> z.zarr_format, z.write_empty_chunks
    (3, False)
    """
    place, path = as_place(store, path)
    mode = _mode(place, mode)
    access: dict[str, Any] = {
        "cache_attrs": cache_attrs is None or cache_attrs,
        "synchronizer": synchronizer,
        "chunk_store": chunk_store,
        "meta_array": meta_array,
        "cache_bytes": cache_bytes,
        "missing": missing,
        "config": configuration(config),
        "path": path,
        "zarr_format": zarr_format,
    }
    if use_consolidated or (use_consolidated is None and mode == "r"):
        target = open_store(place, mode, storage_options)
        key = use_consolidated if isinstance(use_consolidated, str) else CONSOLIDATED_KEY
        try:
            found = consolidation.open_consolidated(target, key, "r" if mode == "r" else "r+", **access)
        except ConsolidatedMetadataNotFoundError:
            if use_consolidated:
                raise
        else:
            if isinstance(found, Group):
                return found
    return groups.open_group(place, mode, storage_options=storage_options, attributes=attributes, **access)


def open_consolidated(
    store: StoreLike = None,
    *,
    use_consolidated: bool | str = True,
    **kwargs: Unpack[OpenedGroupOfZarr3],
) -> Group:
    """Open a group by its consolidated metadata; other parameters are those of `open_group`.

    Returns
    -------
    Group

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.open_group("a.zarr").create_array("b", shape=3, dtype="i4")
    >>> g = zarr.consolidate_metadata("a.zarr")
    >>> sorted(zarr.open_consolidated("a.zarr"))
    ['b']
    """
    if not use_consolidated:
        raise TypeError("open_consolidated uses consolidated metadata; open_group can leave them alone")
    return open_group(store, use_consolidated=use_consolidated, **kwargs)


@says_near_names
def consolidate_metadata(
    store: StoreLike, path: str | None = None, zarr_format: ZarrFormat | None = None
) -> Group:
    """Collect the metadata of all that is in a group, so that opening it is one read.

    Parameters
    ----------
    store, path
        The group.
    zarr_format : {2, 3}, optional
        Version of the format.

    Returns
    -------
    Group
        The group, opened to read and change it.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.open_group("a.zarr").create_array("b", shape=3, dtype="i4")
    >>> list(zarr.consolidate_metadata("a.zarr").metadata.consolidated_metadata.metadata)
    ['b']
    """
    place, path = as_place(store, path)
    found = consolidation.consolidate_metadata(place, path=path or "", zarr_format=zarr_format)
    if not isinstance(found, Group):
        raise TypeError(f"an array, not a group, is at {'/' + found.path!r}: nothing to consolidate")
    return open_group(place, mode="r+", path=path, zarr_format=zarr_format, use_consolidated=False)


@says_near_names
def load(
    store: StoreLike,
    path: str | None = None,
    zarr_format: ZarrFormat | None = None,
) -> Any | LazyLoader:
    """Load an array as a NumPy array, or a group as a mapping that loads its arrays when asked for.

    Returns
    -------
    numpy.ndarray or mapping

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.save("a.zarr", x=[1, 2])
    >>> zarr.load("a.zarr")["x"]
    array([1, 2])
    """
    store, path = as_place(store, path)
    return saving.loaded(opening.open(store, "r", path=path, zarr_format=zarr_format, config=configuration()))
