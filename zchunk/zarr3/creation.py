"""Making arrays, groups and hierarchies, with zarr 3's signatures; saving NumPy arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Unpack

from zchunk.codecs.v3 import ARRAY_ARRAY, ARRAY_BYTES, kind_of, kind_of_text
from zchunk.convenience import copying, saving
from zchunk.core.access import access_to
from zchunk.core.array import Array
from zchunk.creation import arrays
from zchunk.creation.drafts import started
from zchunk.creation.parameters_v3 import json_of
from zchunk.hierarchy import groups
from zchunk.hierarchy.groups import Group
from zchunk.hierarchy.zarr3_names import make_nodes
from zchunk.runtime.callers import caller_level
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.versions import asked_format
from zchunk.storage import open_store
from zchunk.zarr3.defaults import config as settings
from zchunk.zarr3.errors import ZarrRuntimeWarning
from zchunk.zarr3.nodes import configuration
from zchunk.zarr3.storage import as_place

if TYPE_CHECKING:
    from zchunk.creation.keywords import (
        ArrayLike,
        FilledArrayLike,
        FilledArrayOfZarr3,
        KeptOfZarr3,
        NewArrayOfZarr3,
        OtherOfZarr3,
        SavedArray,
    )
    from zchunk.typing import (
        AccessMode,
        ArrayConfigLike,
        AttributesLike,
        ChunkKeyEncodingLike,
        ChunksLike,
        CompressorsLike,
        DataLike,
        DimensionNames,
        DTypeLike,
        FillValue,
        FiltersLike,
        MemoryOrder,
        SerializerLike,
        ShapeLike,
        ShardsLike,
        StorageOptions,
        StoreLike,
        TemplateLike,
        ZarrFormat,
    )

# Parameters that zarr 3 takes, warns of, and does not use.
_UNUSED = ("synchronizer", "chunk_store", "cache_metadata", "cache_attrs", "meta_array", "object_codec")


# Parameters of `create` that are of format 2, and what format 3 has for them.
_OF_FORMAT_2 = {"dimension_separator": "chunk_key_encoding", "filters": "codecs", "compressor": "codecs"}


def translated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of `zchunk.create` for those of zarr 3's functions, with zarr 3's defaults.

    Examples
    --------
    >>> translated({"chunk_shape": (2,), "fill_value": None})["chunks"]
    (2,)
    """
    found = {name: value for name, value in given.items() if value is not None or name not in _UNUSED}
    config = configuration(found.pop("config", None))
    order = found.pop("order", None)
    version = asked_format(found.get("zarr_version"), found.get("zarr_format"))
    if (version or config.new_nodes.zarr_format) == 2:
        found["order"] = order = order or config.order
        config = config._replace(order=order)
    elif order is not None:
        warnings.warn(
            "order says nothing of arrays of format 3; config={'order': ...} says how items lie in memory",
            ZarrRuntimeWarning,
            stacklevel=caller_level(),
        )
    found["config"] = config
    for other, name in (("chunk_shape", "chunks"), ("codecs", None)):
        value = found.pop(other, None)
        if value is not None:
            found |= {name: value} if name else _pipeline(value)
    for name in ("chunks", "write_empty_chunks", "read_only"):
        if found.get(name, True) is None:
            del found[name]
    if found.get("compressor", "auto") in ("auto", None) and "compressor" in found:
        value = found.pop("compressor")
        found |= {} if value == "auto" else {"compressors": None}
    if found.get("fill_value", 0) is None and version != 2:
        # In format 3 there is always one: that of the data type.
        found["fill_value"] = 0
    name = "name" if "name" in found else "path"
    found["store"], path = as_place(found.get("store"), found.get(name))
    if path is not None:
        found[name] = path
    return found


def translated_create(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for zarr 3's `create` and what is made by it: formats do not share all of these.

    Raises
    ------
    ValueError
        A parameter is of arrays of the other format, or two say the same.

    Examples
    --------
    >>> translated_create({"chunk_shape": (2,)})["chunks"]
    (2,)
    """
    if given.get("chunks") is not None and given.get("chunk_shape") is not None:
        raise ValueError("chunks and chunk_shape are given, which mean the same; give one")
    version = asked_format(given.get("zarr_version"), given.get("zarr_format"))
    if (version or settings.get("default_zarr_format")) == 3:
        for name, other in _OF_FORMAT_2.items():
            value = given.get(name)
            if value is not None and not (isinstance(value, str) and value == "auto"):
                raise ValueError(f"{name} is of arrays of format 2; in format 3, {other} says it")
    return translated(given)


def _pipeline(codecs: Any) -> dict[str, Any]:
    """Return filters, serializer and compressors of a list of all codecs."""
    found: dict[str, Any] = {"filters": [], "compressors": []}
    for codec in codecs:
        kind = kind_of_text(codec) if isinstance(codec, str) else kind_of(json_of(codec)["name"])
        if kind == ARRAY_BYTES:
            found["serializer"] = codec
        else:
            found["filters" if kind == ARRAY_ARRAY else "compressors"].append(codec)
    return found


@says_near_names
def create_array(
    store: StoreLike = None,
    *,
    name: str | None = None,
    shape: ShapeLike | None = None,
    dtype: DTypeLike = None,
    data: DataLike | None = None,
    chunks: ChunksLike = "auto",
    shards: ShardsLike = None,
    filters: FiltersLike = "auto",
    compressors: CompressorsLike = "auto",
    serializer: SerializerLike = "auto",
    fill_value: FillValue = 0,
    order: MemoryOrder | None = None,
    zarr_format: ZarrFormat | None = None,
    attributes: AttributesLike | None = None,
    chunk_key_encoding: ChunkKeyEncodingLike = None,
    dimension_names: DimensionNames = None,
    storage_options: StorageOptions | None = None,
    overwrite: bool = False,
    config: ArrayConfigLike = None,
    write_data: bool = True,
) -> Array:
    """Create an array: `zchunk.create_array` with zarr 3's defaults.

    Parameters
    ----------
    store, name, shape, dtype, data, write_data, chunks, shards, filters, compressors, serializer
        As for `zchunk.create_array`. The default compressor is ``ZstdCodec(level=0)``.
    fill_value, attributes, chunk_key_encoding, dimension_names, storage_options, overwrite, config
        As for `zchunk.create_array`. Chunks that hold nothing but the fill value are not stored by default.
    order : {"C", "F"}, optional
        Format 2: layout of the items in a chunk. For format 3, a warning: say ``config={"order": ...}``.
    zarr_format : {2, 3}, optional
        By default that of the groups above, or else 3.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.create_array({}, shape=(6, 4), chunks=(3, 2), dtype="u1")
    >>> z.zarr_format, z.compressors
    (3, (Zstd(level=0, checksum=False),))
    """
    given = dict(locals())
    return arrays.create_array(**translated(given))


def create(
    shape: ShapeLike,
    *,
    chunks: ChunksLike = None,
    dtype: DTypeLike = None,
    fill_value: FillValue = 0,
    store: StoreLike = None,
    overwrite: bool = False,
    path: str | None = None,
    mode: Literal["r", "r+", "a", "w", "w-"] | None = None,
    **kwargs: Unpack[OtherOfZarr3],
) -> Array:
    """Create an array: `zchunk.create` with zarr 3's defaults.

    Parameters
    ----------
    shape, chunks, dtype, fill_value, store, overwrite, path
        As for `zchunk.create`.
    mode : {"r", "r+", "a", "w", "w-"}, optional
        ``"w"`` replaces what is there, ``"r"`` is an error.
    **kwargs
        Other parameters of `zchunk.create`, and zarr 3's: ``chunk_shape`` and ``codecs``, the list of all
        codecs; ``data``, what the array holds.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.create((4, 4), chunk_shape=(2, 2)).chunks
    (2, 2)
    """
    if mode not in (None, "r+", "a", "w", "w-"):
        wrong = "makes no array; open_array opens the one that is there" if mode == "r" else "is none"
        raise ValueError(f"mode {mode!r} {wrong}")
    own = {
        "chunks": chunks, "dtype": dtype, "fill_value": fill_value, "store": store, "path": path,
        "overwrite": (overwrite and mode != "w-") or mode == "w",
    }  # fmt: skip
    given = translated_create({**own, **kwargs})
    data = given.pop("data", None)
    if data is None:
        return arrays.create(shape, **given)
    # They are converted to the dtype, which is not theirs where none is given.
    new = started(shape=shape, **given)
    try:
        new.array[...] = data
    except BaseException:
        new.discard()
        raise
    return new.publish()


def array(data: DataLike, **kwargs: Unpack[FilledArrayOfZarr3]) -> Array:
    """Create an array that holds `data`; other parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.array([1, 2, 3])[:]
    array([1, 2, 3])
    """
    return arrays.array(data, **translated_create(kwargs))


def from_array(
    store: StoreLike = None,
    *,
    data: DataLike,
    write_data: bool = True,
    name: str | None = None,
    overwrite: bool = False,
    storage_options: StorageOptions | None = None,
    **kwargs: Unpack[KeptOfZarr3],
) -> Array:
    """Create an array like `data`, with what it holds: `zchunk.from_array` with zarr 3's defaults.

    Parameters
    ----------
    store, data, write_data, name, overwrite, storage_options
        As for `zchunk.from_array`.
    **kwargs
        Other parameters of `create_array`; ``"keep"`` means that of the data.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.create_array({}, data=[1, 2, 3], chunks=2)
    >>> new = zarr.from_array({}, data=z)
    >>> new.chunks, new[:]
    ((2,), array([1, 2, 3]))
    """
    own: dict[str, Any] = {"store": store, "path": name, "overwrite": overwrite}
    own |= {"storage_options": storage_options}
    given = copying.what_is_given(kwargs)
    if isinstance(data, Array):
        given.setdefault("zarr_format", data.zarr_format)
        if given["zarr_format"] == data.zarr_format == 2:
            given.setdefault("order", data.order)
    return copying.made_from(data, translated({**given, **own}), write_data)


def zeros(shape: ShapeLike, **kwargs: Unpack[NewArrayOfZarr3]) -> Array:
    """Create an array with the fill value 0; other parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.zeros(3, dtype="i4")[:]
    array([0, 0, 0], dtype=int32)
    """
    return arrays.zeros(shape, **translated_create(kwargs))


def ones(shape: ShapeLike, **kwargs: Unpack[NewArrayOfZarr3]) -> Array:
    """Create an array with the fill value 1; other parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.ones(3, dtype="i4")[:]
    array([1, 1, 1], dtype=int32)
    """
    return arrays.ones(shape, **translated_create(kwargs))


def empty(shape: ShapeLike, **kwargs: Unpack[NewArrayOfZarr3]) -> Array:
    """Do what `zeros` does: in zarr 3, too, items that were never written read as zeros.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.empty(3, dtype="i4")[:]
    array([0, 0, 0], dtype=int32)
    """
    return zeros(shape, **kwargs)


def full(shape: ShapeLike, fill_value: FillValue, **kwargs: Unpack[NewArrayOfZarr3]) -> Array:
    """Create an array with the fill value `fill_value`; other parameters are those of `create`.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.full(2, 7.5)[:]
    array([7.5, 7.5])
    """
    return arrays.full(shape, fill_value, **translated(kwargs))


def zeros_like(a: TemplateLike, **kwargs: Unpack[ArrayLike]) -> Array:
    """Create an array like `a` with the fill value 0.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.zeros_like(zarr.ones((4, 4), chunks=2)).chunks
    (2, 2)
    """
    return arrays.zeros_like(a, **translated_like(kwargs))


def ones_like(a: TemplateLike, **kwargs: Unpack[ArrayLike]) -> Array:
    """Create an array like `a` with the fill value 1.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.ones_like(zarr.zeros(2))[:]
    array([1., 1.])
    """
    return arrays.ones_like(a, **translated_like(kwargs))


def empty_like(a: TemplateLike, **kwargs: Unpack[ArrayLike]) -> Array:
    """Create an array like `a`, with the fill value of an array, and 0 if it has none.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.empty_like(zarr.ones((4, 4), chunks=2)).chunks
    (2, 2)
    """
    return full_like(a, **kwargs) if isinstance(a, Array) else zeros_like(a, **kwargs)


def full_like(a: TemplateLike, **kwargs: Unpack[FilledArrayLike]) -> Array:
    """Create an array like `a`, with its fill value if none is given.

    Returns
    -------
    Array

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.full_like(zarr.zeros(2), fill_value=5)[:]
    array([5., 5.])
    """
    return arrays.full_like(a, **translated_like(kwargs))


def translated_like(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of the `*_like` functions of zchunk; the format is that of the template by default.

    Examples
    --------
    >>> "zarr_format" in translated_like({"zarr_format": None})
    False
    """
    given = translated(kwargs)
    if given.get("zarr_format", 3) is None:
        del given["zarr_format"]
    return given


# ---- groups


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
    """Create a group: `zchunk.create_group` with zarr 3's defaults.

    Returns
    -------
    Group

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.create_group({}, attributes={"title": "tides"}).zarr_format
    3
    """
    store, path = as_place(store, path)
    return groups.open_group(
        store,
        "w" if overwrite else "w-",
        path=path,
        zarr_format=zarr_format,
        attributes=attributes,
        storage_options=storage_options,
        config=configuration(),
    )


@says_near_names
def create_hierarchy(
    *, store: StoreLike, nodes: Mapping[str, Any], overwrite: bool = False
) -> Iterator[tuple[str, Array | Group]]:
    """Make arrays and groups of metadata, as `Group.create_hierarchy` does, in a store.

    Yields
    ------
    tuple of (str, Array or Group)

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> from zchunk.zarr3.metadata import GroupMetadata
    >>> [path for path, _ in zarr.create_hierarchy(store={}, nodes={"a/b": GroupMetadata()})]
    ['a', 'a/b']
    """
    access = access_to(store, config=configuration())
    return make_nodes(access, nodes, overwrite, Group)


# ---- saving


def save_array(
    store: StoreLike,
    arr: DataLike,
    *,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    storage_options: StorageOptions | None = None,
    mode: AccessMode | None = None,
    **kwargs: Unpack[SavedArray],
) -> None:
    """Save an array, replacing what is there. Other parameters are those of `create`.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.save_array("a.zarr", [1, 2, 3])
    >>> zarr.load("a.zarr")
    array([1, 2, 3])
    """
    target = _to_save(store, storage_options)
    given = translated({**kwargs, "store": target, "path": path, "zarr_format": zarr_format})
    saving.save_array(given.pop("store"), arr, **given)


def save_group(
    store: StoreLike,
    *args: DataLike,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    storage_options: StorageOptions | None = None,
    **kwargs: DataLike,
) -> None:
    """Save arrays into a group, replacing what is there.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.save_group("a.zarr", [1, 2], b=[3])
    >>> sorted(zarr.load("a.zarr"))
    ['arr_0', 'b']
    """
    for name, value in kwargs.items():
        if isinstance(value, str | bytes):
            raise TypeError(f"{name}={value!r:.80} is no array, and no other parameter")
    target, path = as_place(_to_save(store, storage_options), path)
    saving.save_members(target, args, kwargs, path, zarr_format, configuration())


def save(
    store: StoreLike,
    *args: DataLike,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    storage_options: StorageOptions | None = None,
    **kwargs: DataLike,
) -> None:
    """Save one array as `save_array` does, or several as `save_group` does.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.save("a.zarr", [1, 2, 3])
    >>> zarr.open("a.zarr").zarr_format
    3
    """
    how: dict[str, Any] = {"zarr_format": zarr_format, "path": path, "storage_options": storage_options}
    if len(args) == 1 and not kwargs:
        save_array(store, args[0], **how)
    else:
        save_group(store, *args, **{**how, **kwargs})


def _to_save(store: StoreLike, storage_options: StorageOptions | None) -> Any:
    return open_store(store, "w", storage_options) if storage_options else store
