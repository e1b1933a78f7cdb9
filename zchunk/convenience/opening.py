"""`open`: an array or a group, whichever is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from zchunk.core.access import absence, access_to
from zchunk.core.array import Array
from zchunk.core.properties import find_array
from zchunk.creation.opening import open_array, trusted_by
from zchunk.creation.recipe import ArrayRecipe
from zchunk.errors import ArrayNotFoundError, GroupNotFoundError, PathNotFoundError
from zchunk.runtime.lazy import LazyModule
from zchunk.storage.base import Mode

if TYPE_CHECKING:
    from zchunk.creation import h5py_names
    from zchunk.creation.keywords import OpenedByKeyword, OpenedGroup, OpenedNode
    from zchunk.hierarchy import groups
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import ShapeLike, StoreLike, ZarrFormat
else:
    # A program that opens an array to read it needs none of them.
    h5py_names = LazyModule("zchunk.creation.h5py_names")
    groups = LazyModule("zchunk.hierarchy.groups")

# Parameters that are about access, and about codecs.
_ACCESS = (
    "chunk_store",
    "synchronizer",
    "cache_metadata",
    "cache_attrs",
    "cache_bytes",
    "missing",
    "config",
    "write_empty_chunks",
    "storage_options",
    "meta_array",
)
_CODECS = ("object_codec", "compressor", "filters", "compressors")


@overload
def open(
    store: StoreLike = None,
    mode: Literal["a", "w", "w-", "x"] = "a",
    *,
    shape: ShapeLike,
    **kwargs: Unpack[OpenedNode],
) -> Array: ...
@overload
def open(
    store: StoreLike = None, mode: Literal["w", "w-", "x"] = ..., **kwargs: Unpack[OpenedGroup]
) -> Group: ...
@overload
def open(
    store: StoreLike = None, mode: Mode = "a", *, shape: ShapeLike = ..., **kwargs: Unpack[OpenedNode]
) -> Array | Group: ...
def open(
    store: StoreLike = None,
    mode: Mode = "a",
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    **kwargs: Unpack[OpenedByKeyword],
) -> Array | Group:
    """Open the array or group that is there, or create one: an array if `shape` is given, else a group.

    Parameters
    ----------
    store, path
        As for `create`.
    mode : {"r", "r+", "a", "w", "w-", "x"}, optional
        As for `open_array`.
    zarr_format : {None, 2, 3}, optional
        Version of the format: only a node of this one is opened or created. By default it is found, first
        format 2, and created as by `create`. `zarr_version` means the same.
    **kwargs
        Parameters of `open_array` or `open_group`.

    Returns
    -------
    Array or Group

    Raises
    ------
    MixedFormatsError
        Nodes of both formats are there, and no version is given.
    PathNotFoundError
        Nothing is there and `mode` does not create it.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.open("a.zarr", mode="w", shape=(4, 4), chunks=2, dtype="i4")
    >>> zchunk.open("a.zarr", mode="r")
    <zchunk.core.Array (4, 4) int32 read-only>
    >>> zchunk.open("b.zarr", mode="a")
    <zchunk.hierarchy.Group '/'>
    """
    if "shape" in kwargs and mode not in ("r", "r+"):
        return open_array(
            store, mode, path=path, zarr_version=zarr_version, zarr_format=zarr_format, **kwargs
        )
    rest: dict[str, Any] = {**kwargs}
    given = _take_access(rest) if rest else {}
    access = access_to(
        store,
        path,
        mode=mode,
        read_only=mode == "r",
        zarr_version=zarr_version,
        zarr_format=zarr_format,
        **given,
    )
    if mode in ("r", "r+", "a"):
        try:
            # Looking whether it is there first would be one access more.
            return Array._of(*find_array(access))
        except ArrayNotFoundError:
            pass
    attributes = rest.pop("attributes", None)
    if rest:
        raise TypeError(f"a group has no {min(rest)}; give the shape of the array to create it")
    try:
        return groups.find_or_make_group(access, mode, attributes)
    except GroupNotFoundError:
        advice = absence(access, "mode 'a' or 'w' would create it")
        raise PathNotFoundError(
            f"nothing at path {'/' + access.path!r} in {access.store!r}{advice}"
        ) from None


def _take_access(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of `access_to` among those of `open_array`, and leave in `kwargs` what is not.

    Raises
    ------
    TypeError
        A parameter is unknown.
    """
    found = {name: kwargs.pop(name) for name in _ACCESS if name in kwargs}
    found["trusted"] = trusted_by(**{name: kwargs[name] for name in _CODECS if name in kwargs})
    kwargs.pop("partial_decompress", None)
    if others := {name: value for name, value in kwargs.items() if name not in ArrayRecipe._fields}:
        h5py_names.translate(kwargs.get("compressor", "default"), 0, others)
    return found
