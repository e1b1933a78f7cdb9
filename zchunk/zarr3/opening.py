"""Opening arrays and groups, with zarr 3's signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Unpack, cast

from zchunk.convenience import consolidation, opening, saving
from zchunk.core.array import Array
from zchunk.creation import opening as of_arrays
from zchunk.creation.likeness import parameters_like
from zchunk.errors import ArrayNotFoundError, ConsolidatedMetadataNotFoundError, PathNotFoundError
from zchunk.hierarchy import groups
from zchunk.hierarchy.groups import Group
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.keys import CONSOLIDATED_KEY
from zchunk.storage import open_store
from zchunk.zarr3.creation import translated
from zchunk.zarr3.defaults import config as settings
from zchunk.zarr3.nodes import Group as OwnGroup
from zchunk.zarr3.nodes import configuration, without_consolidated
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
    from zchunk.zarr3.trees import Tree


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
    <Array file://a.zarr shape=(4, 4) dtype=int32>
    """
    consolidated = kwargs.pop("use_consolidated", None)
    own = {"store": store, "path": path, "zarr_format": zarr_format, "config": config}
    given = translated({**kwargs, **own})
    if not {"shape", "order"} & kwargs.keys():
        # It is of new arrays only, and a group has none.
        given.pop("order", None)
    place = given.pop("store")
    mode = mode or _mode(place, "a")
    of_array = config is not None and "shape" not in kwargs
    if of_array and mode in ("w", "w-"):
        _refuse_config(place)
    try:
        # With a configuration, no group is made.
        how: Mode = "r+" if of_array and mode == "a" else mode
        found = opening.open(place, how, storage_options=storage_options, **given)
    except PathNotFoundError:
        if how != mode:
            _refuse_config(place)
        raise
    if not isinstance(found, Array) and config is not None:
        _refuse_config(place)
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


def _refuse_config(place: object) -> NoReturn:
    raise TypeError(
        f"config is that of an array, and a group is, or would be made, in {place!r:.200}; open_group takes "
        "one for the arrays in a group"
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


def open_like(
    a: TemplateLike,
    path: StoreLike,
    *,
    zarr_format: ZarrFormat | None = None,
    store: StoreLike = None,
    mode: Mode | None = None,
    **kwargs: Unpack[OpenedLikeOfZarr3],
) -> Array:
    """Open an array, of either format if none is given, or create one like `a`, in the default format.

    Parameters
    ----------
    a : array-like
        Gives what other parameters do not say of a new array.
    path : str
        The path in the store; the place itself if no store is given.
    zarr_format, store, mode
        As for `open_array`. The default mode is ``"a"``.
    **kwargs
        Other parameters of `open_array`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.open_like(zarr.ones((4, 4), chunks=2), "a.zarr").chunks
    (2, 2)
    """
    where: dict[str, Any] = {"store": path} if store is None else {"store": store, "path": path}
    mode = mode or "a"
    if mode in ("r", "r+", "a"):
        try:
            there: Mode = "r+" if mode == "a" else mode
            return open_array(mode=there, zarr_format=zarr_format, **where, **kwargs)
        except ArrayNotFoundError:
            if mode != "a":
                raise
    version = zarr_format or settings.get("default_zarr_format")
    like = {"fill_value": a.fill_value} if isinstance(a, Array) else {}
    given = parameters_like(a, translated({**like, **kwargs, **where, "zarr_format": version}))
    return of_arrays.open_array(given.pop("store"), mode, **given)


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
    group = groups.open_group(place, mode, storage_options=storage_options, attributes=attributes, **access)
    return without_consolidated(group) if use_consolidated is False else group


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
    return groups.open_group(place, "r+", path=path, zarr_format=zarr_format, config=configuration())


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


@says_near_names
def tree(grp: StoreLike | Group, expand: bool | None = None, level: int | None = None) -> Tree:
    """Return what shows the hierarchy in a group, or in a store, as text and as HTML.

    Returns
    -------
    Tree

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.open_group("a.zarr").create_array("b", shape=3, dtype="i4")
    >>> print(zarr.tree("a.zarr"), end="")
    /
    └── b (3,) int32
    """
    group = grp if isinstance(grp, Group) else open_group(grp, mode="r")
    return OwnGroup.tree(cast("OwnGroup", group), expand, level)
