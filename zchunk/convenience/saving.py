"""Saving and loading whole arrays, with the names of zarr 2.18."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from zchunk.codecs.objects import is_string_dtype, object_dtype, object_filters
from zchunk.convenience.opening import open
from zchunk.core.array import Array
from zchunk.creation.arrays import array
from zchunk.creation.likeness import chunks_of, codecs_of
from zchunk.creation.nodes import new_path
from zchunk.hierarchy.groups import Group, group
from zchunk.indexing.values import check_data, ragged
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.dtypes import encode_dtype
from zchunk.spec.keys import parents
from zchunk.spec.versions import asked_format
from zchunk.storage import Store, open_store

if TYPE_CHECKING:
    import numpy.typing as npt

    from zchunk.creation.keywords import SavedArray
    from zchunk.typing import ArrayConfigLike, DataLike, StoreLike, ZarrFormat


def save_array(
    store: StoreLike,
    arr: DataLike,
    *,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    **kwargs: Unpack[SavedArray],
) -> None:
    """Save an array, replacing what is there.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`; a file ``*.zip`` is closed at the end.
    arr : array-like
        May be what is replaced.
    zarr_format : {None, 2, 3}, optional
        Version of the format, as for `create`. `zarr_version` means the same.
    path : str, optional
        Of the array in the store.
    **kwargs
        Parameters of `array`.

    Raises
    ------
    ValueError
        The dtype cannot be stored.
    InvalidKeyError
        No array can have such a path.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> zchunk.save_array(store, [1, 2, 3], chunks=2)
    >>> zchunk.open_array(store).chunks
    (2,)
    """
    given: dict[str, Any] = {**kwargs, "zarr_format": asked_format(zarr_version, zarr_format)}
    path, parameters = new_path(path), _parameters(arr, given)
    items = _read(arr, parameters)
    with _replaced(store) as target:
        array(items, **parameters, store=target, path=path, overwrite=True)


def save_group(
    store: StoreLike,
    *args: DataLike,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    **kwargs: DataLike,
) -> None:
    """Save arrays into a group, replacing what is there.

    All arrays are read before anything is replaced, so that they may be what is replaced.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`; a file ``*.zip`` is closed at the end.
    *args : array-like
        Saved as ``arr_0``, ``arr_1``, …
    zarr_format : {None, 2, 3}, optional
        Version of the format, as for `create`. `zarr_version` means the same.
    path : str, optional
        Of the group in the store.
    **kwargs : array-like
        Saved by these names.

    Raises
    ------
    ValueError
        There is nothing to save, two arrays would have one name, or a dtype cannot be stored.
    InvalidKeyError
        No node can have such a path or name.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> zchunk.save_group(store, [1, 2, 3], b=[4.5])
    >>> sorted(zchunk.load(store))
    ['arr_0', 'b']
    """
    save_members(store, args, kwargs, path, asked_format(zarr_version, zarr_format))


def save_members(
    store: StoreLike,
    args: Iterable[DataLike],
    kwargs: Mapping[str, DataLike],
    path: str | None,
    version: ZarrFormat | None,
    config: ArrayConfigLike = None,
) -> None:
    """Save arrays into a group; what is not stored of them comes from `config`."""
    if not args and not kwargs:
        raise ValueError("nothing to save: give at least one array")
    path = new_path(path)
    members = {f"arr_{i}": data for i, data in enumerate(args)}
    if clash := members.keys() & kwargs.keys():
        raise ValueError(f"two arrays would have the name {min(clash)!r}")
    members.update(kwargs)
    places = _places(members)
    parameters = {name: _parameters(data, {}) for name, data in members.items()}
    items = {name: _read(data, parameters[name]) for name, data in members.items()}
    with _replaced(store) as target:
        parent = group(target, overwrite=True, path=path, zarr_format=version, config=config)
        for name in members:
            parent.array(places[name], items[name], **parameters[name])


def save(
    store: StoreLike,
    *args: DataLike,
    zarr_version: ZarrFormat | None = None,
    zarr_format: ZarrFormat | None = None,
    path: str | None = None,
    **kwargs: DataLike,
) -> None:
    """Save one array as `save_array` does, or several as `save_group` does.

    Parameters
    ----------
    store : path or MutableMapping
        As for `create`; a file ``*.zip`` is closed at the end.
    *args : array-like
        One array is saved as it is; several as ``arr_0``, ``arr_1``, …
    zarr_format : {None, 2, 3}, optional
        Version of the format, as for `create`. `zarr_version` means the same.
    path : str, optional
        Of the array or group in the store.
    **kwargs : array-like
        Saved by these names.

    Raises
    ------
    ValueError
        There is nothing to save, two arrays would have one name, or a dtype cannot be stored.
    InvalidKeyError
        No node can have such a path or name.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> zchunk.save(store, [1, 2, 3])
    >>> zchunk.load(store)
    array([1, 2, 3])
    >>> zchunk.save(store, a=[1, 2, 3], b=[4.5])
    >>> zchunk.load(store)["b"]
    array([4.5])
    """
    if len(args) == 1 and not kwargs:
        save_array(store, args[0], zarr_version=zarr_version, zarr_format=zarr_format, path=path)
    else:
        save_group(store, *args, zarr_version=zarr_version, zarr_format=zarr_format, path=path, **kwargs)


@contextmanager
def _replaced(store: StoreLike) -> Iterator[Store]:
    """Give the store to write to; close it at the end if it was made here."""
    target = open_store(store, "w")
    yield target
    # After a failure the store is left to the garbage collector, which replaces no archive by an empty one.
    if target is not store:
        target.close()


def _places(names: Iterable[str]) -> dict[str, str]:
    """Return the paths below their group of arrays by name, `ValueError` if it cannot have all of them."""
    taken = {""}
    paths = {name: new_path(name) for name in names}
    for path in paths.values():
        taken.update(parents(path))
    for name, path in paths.items():
        if path in taken:
            raise ValueError(f"no array can have the name {name!r} beside the others: {sorted(paths)}")
        taken.add(path)
    return paths


def _parameters(data: object, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of `array`, with what is not given and must be taken from the data."""
    found = {"chunks": chunks_of(data)}
    if isinstance(data, Array) and data.dtype.hasobject and not kwargs.keys() & {"dtype", "filters"}:
        found["object_codec"] = codecs_of(data)["object_codec"]
    return found | kwargs


def _read(data: object, parameters: dict[str, Any]) -> Any:
    """Return array-like data as a NumPy array that can be stored with these parameters of `array`."""
    check_data(data)
    dtype, codec = object_dtype(parameters.get("dtype"), parameters.get("object_codec"))
    items = ragged(data) if codec is not None and codec.codec_id == "vlen-array" else np.asanyarray(data)
    if dtype is None and is_string_dtype(items.dtype):
        return items
    dtype = np.dtype(items.dtype if dtype is None else dtype)
    encode_dtype(dtype)
    if dtype.hasobject and codec is None and not parameters.get("filters"):
        # For the error.
        object_filters(dtype, None, ())
    return items


class LazyLoader(Mapping[str, np.ndarray[Any, Any]]):
    """The arrays of a group by name, each read when it is first asked for.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> zchunk.save(store, a=[1, 2], b=[3])
    >>> arrays = zchunk.load(store)
    >>> arrays["a"]
    array([1, 2])
    >>> arrays
    <LazyLoader: a, b>
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._loaded: dict[str, npt.NDArray[Any]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self._loaded:
            node = self._group[name]
            if not isinstance(node, Array):
                raise KeyError(name)
            self._loaded[name] = node[...]
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return self._group.array_keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and isinstance(self._group.get(name), Array)

    def __repr__(self) -> str:
        return f"<LazyLoader: {', '.join(self)}>"


@says_near_names
def load(
    store: StoreLike,
    zarr_version: ZarrFormat | None = None,
    path: str | None = None,
    *,
    zarr_format: ZarrFormat | None = None,
) -> npt.NDArray[Any] | LazyLoader | Any:
    """Load an array as a NumPy array, or a group as a mapping that loads its arrays when asked for.

    Parameters
    ----------
    store, path
        As for `create`.
    zarr_format : {None, 2, 3}, optional
        Version of the format, as for `create`. `zarr_version` means the same.

    Returns
    -------
    numpy.ndarray or LazyLoader

    Raises
    ------
    PathNotFoundError
        Nothing is there.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> zchunk.save(store, [1, 2, 3])
    >>> zchunk.load(store)
    array([1, 2, 3])
    """
    return loaded(open(store, "r", zarr_version=zarr_version, zarr_format=zarr_format, path=path))


def loaded(node: Array | Group) -> npt.NDArray[Any] | LazyLoader | Any:
    """Return the items of an array, or a mapping that loads the arrays of a group when asked for.

    Returns
    -------
    numpy.ndarray or LazyLoader

    Examples
    --------
    >>> import zchunk
    >>> loaded(zchunk.array([1, 2, 3]))
    array([1, 2, 3])
    """
    return node[...] if isinstance(node, Array) else LazyLoader(node)
