"""`copy`, `copy_all`, `from_array`: arrays and groups to another place, from and to h5py's too."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

from zchunk.codecs.objects import is_string_dtype
from zchunk.convenience.copy_report import Report, reporting
from zchunk.convenience.opening import open
from zchunk.convenience.overlap import check_apart, is_below, places
from zchunk.core.array import Array
from zchunk.core.lazy_views import LazyItems
from zchunk.core.node import Node
from zchunk.creation.conversion import attributes_of, chunks_are_alike, merged, parameters_of
from zchunk.creation.drafts import started
from zchunk.creation.likeness import chunks_of, is_array, parameters_like
from zchunk.engine import chunk_cache
from zchunk.errors import CopyError
from zchunk.hierarchy.groups import Group, open_group
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.progress import Advance, reporting_progress
from zchunk.spec.keys import normalize_path
from zchunk.spec.regular_grid import normalize_chunks
from zchunk.storage import open_store
from zchunk.storage.resolve import using_store

if TYPE_CHECKING:
    from zchunk.convenience.copy_report import LogLike
    from zchunk.creation.keywords import KeptOfZarr3, MemberOfData
    from zchunk.typing import (
        DataLike,
        H5pyGroup,
        H5pyNode,
        PathLike,
        ProgressLike,
        StorageOptions,
        StoreLike,
    )

# A node of h5py has been given.
h5py: Any = LazyModule("h5py")

IfExists: TypeAlias = Literal["raise", "replace", "skip", "skip_initialized"]

# What to copy, the group to copy it to, and its name there.
_Step = tuple[Any, Any, str]
# Bytes of items that are copied at once, if a chunk is not larger.
_PIECE = 64 << 20


def copy(
    source: Array | LazyItems | Group | PathLike | H5pyNode,
    dest: Group | PathLike | H5pyGroup,
    name: str | None = None,
    shallow: bool = False,
    without_attrs: bool = False,
    log: LogLike = None,
    if_exists: IfExists = "raise",
    dry_run: bool = False,
    *,
    progress: ProgressLike = None,
    **create_kws: Unpack[MemberOfData],
) -> tuple[int, int, int]:
    """Copy an array or group into a group, piece by piece.

    Both may be zchunk's or h5py's. Groups that are in the destination stay, and get what is copied.

    Parameters
    ----------
    source : Array, LazyView, Group, h5py.Dataset, h5py.Group or path
        What to copy. Of a view the items, into an array with the properties of the view's.
    dest : Group, h5py.Group or path
        Where to; the group at a path is made if it is not there. What is copied into a group of another Zarr
        format gets that, with the codecs that both have. Names of axes are `dimension_names` in format 3, and
        xarray's attribute ``_ARRAY_DIMENSIONS`` in format 2.
    name : str, optional
        Name in `dest`, by default that of the source.
    shallow : bool, optional
        Of a group copy the arrays directly in it only.
    without_attrs : bool, optional
        Leave out the user attributes.
    log : callable, path or file, optional
        Gets a line of text for each array and group, and a summary.
    if_exists : {"raise", "replace", "skip", "skip_initialized"}, optional
        What to do if something is already at the place of an array. ``"skip_initialized"`` skips arrays whose
        chunks are all stored, and replaces others; h5py does not have it.
    dry_run : bool, optional
        Only log what would be copied.
    progress : bool or callable, optional
        True: show a bar, by tqdm if that is installed. A function gets how many bytes of items are done, and
        how many there are.
    **create_kws
        Parameters for the arrays that are made, as for `Group.create_dataset` or h5py's. By default dtype and
        chunks, and from zchunk to zchunk shards, codecs, order and fill value, are those of the source.

    Returns
    -------
    n_copied, n_skipped, n_bytes_copied : int
        Bytes are those of the items, uncompressed.

    Raises
    ------
    CopyError
        Something is already at the place of the copy, or the copy would be in or instead of its source.
    ValueError, TypeError
        The parameters make no sense, or the source has no name and none is given.

    Examples
    --------
    >>> import zchunk
    >>> source, dest = zchunk.group(), zchunk.group(zarr_format=3)
    >>> source["a"] = [1, 2, 3]
    >>> zchunk.copy(source["a"], dest, log=print)
    copy /a (3,) int64
    all done: 1 copied, 0 skipped, 24 bytes copied
    (1, 0, 24)
    """
    with _opened(source, dest) as (old, new), reporting(log, dry_run) as report:
        copier = _Copier(report, new, shallow, without_attrs, if_exists, {**create_kws})
        name = _name_of(old) if name is None else name
        with reporting_progress(progress, lambda: copier.total([old]), "B") as copier.advance:
            copier.copy(old, new, name)
        return report.counts()


@says_near_names
def copy_all(
    source: Group | PathLike | H5pyGroup,
    dest: Group | PathLike | H5pyGroup,
    shallow: bool = False,
    without_attrs: bool = False,
    log: LogLike = None,
    if_exists: IfExists = "raise",
    dry_run: bool = False,
    *,
    progress: ProgressLike = None,
    **create_kws: Unpack[MemberOfData],
) -> tuple[int, int, int]:
    """Copy all members of a group, and its attributes, into another group.

    Parameters
    ----------
    source : Group or h5py.Group
        Whose members to copy.
    dest, shallow, without_attrs, log, if_exists, dry_run, progress, **create_kws
        As for `copy`.

    Returns
    -------
    n_copied, n_skipped, n_bytes_copied : int
        As for `copy`.

    Raises
    ------
    CopyError, ValueError
        As for `copy`.

    Examples
    --------
    >>> import zchunk
    >>> source, dest = zchunk.group(), zchunk.group()
    >>> source["a"] = source["g/b"] = [1, 2, 3]
    >>> zchunk.copy_all(source, dest)
    (3, 0, 48)
    >>> sorted(dest)
    ['a', 'g']
    """
    with _opened(source, dest) as (old, new), reporting(log, dry_run) as report:
        copier = _Copier(report, new, shallow, without_attrs, if_exists, {**create_kws})
        members = (member for member, _, _ in copier.members(old, new))
        with reporting_progress(progress, lambda: copier.total(members), "B") as copier.advance:
            copier.copy_members(old, new)
        if not dry_run:
            copier.copy_attrs(old, new)
        return report.counts()


@contextmanager
def _opened(source: Any, dest: Any) -> Iterator[tuple[Any, Any]]:
    """Give what is copied, and the group it goes to, which may be named by their paths."""
    with ExitStack() as opened:
        if isinstance(source, str | os.PathLike):
            source = open(opened.enter_context(using_store(source, "r")), "r")
        if not hasattr(source, "name"):
            raise TypeError(
                f"source is of type {type(source).__name__}, no array or group of zchunk or h5py; items in "
                "memory are stored by group[name] = items, or by zchunk.save_array(path, items)"
            )
        if isinstance(dest, str | os.PathLike):
            dest = open_group(opened.enter_context(using_store(dest, "a")), "a")
        yield source, dest


def _name_of(node: Any) -> str:
    name: str = (node.name or "").rpartition("/")[2]
    if not name:
        raise TypeError(f"{node!r} has no name; give the copy a name with `name`")
    return name


class _Copier:
    """What is the same for all that one call copies."""

    def __init__(
        self,
        report: Report,
        dest: Any,
        shallow: bool,
        without_attrs: bool,
        if_exists: str,
        create_kws: dict[str, Any],
    ) -> None:
        if not hasattr(dest, "create_dataset"):
            raise ValueError(f"dest is {dest!r}, not a group")
        if if_exists not in ("raise", "replace", "skip", "skip_initialized"):
            raise ValueError(
                f"if_exists is {if_exists!r}, not 'raise', 'replace', 'skip' or 'skip_initialized'"
            )
        if if_exists == "skip_initialized" and _is_h5py(dest):
            raise ValueError("if_exists='skip_initialized' is not possible when copying to h5py")
        self.report = report
        self.shallow = shallow
        self.without_attrs = without_attrs
        self.if_exists = if_exists
        self.create_kws = create_kws
        self.advance: Advance = lambda amount: None

    def total(self, nodes: Iterable[Any]) -> int:
        """Return the bytes of all items in arrays and groups."""
        nbytes, levels = 0, [iter(nodes)]
        while levels:
            node = next(levels[-1], None)
            if node is None:
                levels.pop()
            elif is_array(node):
                nbytes += node.size * node.dtype.itemsize
            else:
                levels.append(member for member, _, _ in self.members(node, None))
        return nbytes

    def copy(self, source: Any, dest: Any, name: str) -> None:
        """Copy an array or group. In a dry run `dest` is None where there would be a group."""
        self._copy_each(iter([(source, dest, name)]))

    def copy_members(self, source: Any, dest: Any) -> None:
        """Copy what is in a group."""
        self._copy_each(self.members(source, dest))

    def _copy_each(self, steps: Iterator[_Step]) -> None:
        # No recursion: there may be more levels than Python has.
        levels = [steps]
        while levels:
            step = next(levels[-1], None)
            if step is None:
                levels.pop()
            elif is_array(step[0]):
                self._copy_array(*step)
            else:
                levels.append(self._copy_group(*step))

    def members(self, source: Any, dest: Any) -> Iterator[_Step]:
        """Yield the steps to copy what is in a group."""
        for name in source:
            member = source[name]
            if not self.shallow or is_array(member):
                yield member, dest, name

    def copy_attrs(self, source: Any, target: Any) -> None:
        """Copy the user attributes of an array or group, unless the caller leaves them out."""
        if self.without_attrs:
            return
        if isinstance(source, LazyItems):
            attrs = attributes_of(source, getattr(target, "zarr_format", 2))
        else:
            between = isinstance(source, Array) and isinstance(target, Array)
            attrs = attributes_of(source, target.zarr_format) if between else dict(source.attrs)
        if attrs:
            target.attrs.update(attrs)

    def _copy_group(self, source: Any, dest: Any, name: str) -> Iterator[_Step]:
        """Copy a group without its members, and return what to copy of these."""
        old = None if dest is None else dest.get(name)
        in_the_way = is_array(old)
        if in_the_way and self.if_exists == "raise":
            raise CopyError(f"an array {name!r} is in group {dest.name!r} of the destination already")
        if in_the_way and self.if_exists == "skip":
            self.report.skip(source.name)
            return iter(())
        if dest is not None and _is_at_or_below(dest, name, source):
            raise CopyError(f"a copy of {source.name!r} to {name!r} in {dest.name!r} would be in itself")
        self.report.copy(source.name)
        if self.report.dry_run:
            return self.members(source, None if in_the_way else old)
        if in_the_way:
            del dest[name]
        target = dest.require_group(name)
        self.copy_attrs(source, target)
        return self.members(source, target)

    def _copy_array(self, source: Any, dest: Any, name: str) -> None:
        what = f"{source.name or '/'} {source.shape} {source.dtype}"
        old = None if dest is None else dest.get(name)
        if old is not None:
            if self.if_exists == "raise":
                raise CopyError(f"{name!r} is in group {dest.name!r} of the destination already")
            if self.if_exists == "skip" or (self.if_exists == "skip_initialized" and _is_initialized(old)):
                self.report.skip(what)
                self.advance(source.size * source.dtype.itemsize)
                return
            sources = source.arrays if isinstance(source, LazyItems) else (source,)
            if any(_is_at_or_below(each, "", old) for each in sources):
                raise CopyError(f"the copy of {source.name!r} would replace {old.name!r}, and so its source")
        self.report.copy(what)
        if self.report.dry_run:
            return
        if old is not None:
            del dest[name]
        kwargs = merged({"dtype": source.dtype} | _parameters(source, dest), self.create_kws)
        if isinstance(dest, Group):
            self._copy_to_zchunk(source, dest, name, kwargs)
        else:
            target = dest.create_dataset(name, shape=source.shape, **kwargs)
            _copy_items(source, target, self.advance)
            self.copy_attrs(source, target)
            if isinstance(source, Array):
                for axis, label in enumerate(source.dimension_names or ()):
                    target.dims[axis].label = label or ""
        self.report.nbytes += source.size * source.dtype.itemsize

    def _copy_to_zchunk(self, source: Any, dest: Group, name: str, kwargs: dict[str, Any]) -> None:
        """Copy an array, its metadata last: what a copy that is killed leaves must not look complete."""
        attributes = {**kwargs.pop("attributes", {})}
        if not self.without_attrs:
            known = isinstance(source, Array | LazyItems)
            attributes |= attributes_of(source, dest.zarr_format) if known else dict(source.attrs)
        new = dest._make(started, name, shape=source.shape, attributes=attributes, **kwargs)
        try:
            _copy_items(source, new.array, self.advance)
        except BaseException:
            new.discard()
            raise
        new.publish()


# ---- arrays of arrays


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
    """Create an array like `data`, which may be an array of zchunk, with what it holds (zarr 3's name).

    Parameters
    ----------
    store, name, overwrite, storage_options
        As for `create_array`.
    data : array-like
        Gives what is not given else: shape, dtype, chunks, shards, codecs, attributes. An array of zchunk is
        copied piece by piece.
    write_data : bool, optional
        If not, nothing is copied but those.
    **kwargs
        Other parameters of `create_array`; ``"keep"`` means that of the data.

    Returns
    -------
    Array

    Raises
    ------
    CopyError
        The new array would replace the data, or what they are in.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.array([1, 2, 3], chunks=2)
    >>> new = zchunk.from_array({}, data=z)
    >>> new.chunks, new[:]
    ((2,), array([1, 2, 3]))
    """
    own = {"store": store, "path": name, "overwrite": overwrite, "storage_options": storage_options}
    return made_from(data, {**what_is_given(kwargs), **own}, write_data)


def what_is_given(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that are not to be those of the data. Only None as the fill value is one, too.

    Examples
    --------
    >>> what_is_given({"chunks": "keep", "shards": None, "fill_value": None})
    {'fill_value': None}
    """
    found = {k: v for k, v in kwargs.items() if not (isinstance(v, str) and v == "keep")}
    return {k: v for k, v in found.items() if v is not None or k == "fill_value"}


def made_from(data: Any, given: dict[str, Any], write_data: bool) -> Array:
    """Return a new array like `data`, with these parameters of `create`, and with its items if asked."""
    if isinstance(data, Array):
        given = {"fill_value": data.fill_value, "attributes": data.attrs.asdict(), **given}
        if given.get("zarr_format") is None:
            given["zarr_format"] = data.zarr_format
        if given["zarr_format"] == data.zarr_format == 2 and "dimension_separator" not in given:
            # `parameters_like` leaves it to the store, as the functions of zarr 2 do.
            given.setdefault("chunk_key_encoding", tuple(data._metadata.chunk_key_encoding))
        if write_data and given.get("overwrite"):
            given["store"] = open_store(given["store"], "a", given.pop("storage_options", None))
            check_apart([data], given["store"], normalize_path(given.get("path")), "; give data=array[...]")
    new = started(**parameters_like(data, given))
    try:
        if write_data and isinstance(data, Array):
            _copy_items(data, new.array, lambda nbytes: None)
        elif write_data:
            new.array[...] = data
    except BaseException:
        new.discard()
        raise
    return new.publish()


# ---- parts of both


def _is_h5py(node: Any) -> bool:
    return type(node).__module__.partition(".")[0] == "h5py"


def _is_initialized(node: Any) -> bool:
    return isinstance(node, Array) and node.nshards_initialized == node.metadata.grid.nchunks


def _is_at_or_below(node: Any, name: str, other: Any) -> bool:
    """Whether `name` from a node is, as far as can be told, at or below another node, however opened."""
    base = "" if name.startswith("/") else node.name or ""
    path, top = normalize_path(f"{base}/{name}"), normalize_path(other.name)
    if isinstance(node, Node) and isinstance(other, Node):
        # Metadata and chunks may be in different stores: one that both use is enough.
        inner, outer = places(node, path), places(other, top)
        return any(is_below(place, above) for place in inner for above in outer)
    return _is_h5py(node) and _is_h5py(other) and node.file == other.file and is_below(path, top)


def _parameters(source: Any, dest: Any) -> dict[str, Any]:
    """Return the parameters that give a copy of the array `source` in the group `dest` its properties."""
    from_h5py, to_h5py = _is_h5py(source), _is_h5py(dest)
    if from_h5py and to_h5py:
        names = ("chunks", "compression", "compression_opts", "shuffle", "fletcher32", "fillvalue")
        return _taken(source, *names)
    # Fill values of objects: bytes in HDF5, what their codec takes here.
    objects = source.dtype == object or is_string_dtype(source.dtype)
    if from_h5py:
        return {"chunks": source.chunks} | ({} if objects else {"fill_value": source.fillvalue})
    if not to_h5py:
        return parameters_of(source, dest.zarr_format)
    if isinstance(source, Array) and source._metadata.object_codec == "vlen-utf8":
        # h5py takes an empty text to be the fill value of these.
        fill: dict[str, Any] = {"dtype": h5py.string_dtype()}
    else:
        fill = {} if objects or isinstance(source, LazyItems) else {"fillvalue": source.fill_value}
    if 0 in source.shape or not source.shape:
        # h5py has no chunks of these; nor chunks that are longer than the array.
        return fill
    chunks = tuple(map(min, chunks_of(source), source.shape))
    return {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": False, **fill}


def _taken(source: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _copy_items(source: Any, target: Any, advance: Advance) -> None:
    if isinstance(source, Array) and isinstance(target, Array) and _are_alike(source, target):
        _copy_chunks(source, target, advance)
        return
    for selection in _pieces(source, target):
        target[selection] = source[selection]
        advance(math.prod(s.stop - s.start for s in selection) * source.dtype.itemsize)


def _are_alike(source: Array, target: Array) -> bool:
    """Whether the stored chunks of one array can be those of the other."""
    return target.write_empty_chunks and chunks_are_alike(source._metadata, target._metadata)


def _copy_chunks(source: Array, target: Array, advance: Advance) -> None:
    """Copy the stored chunks as they are."""
    old, new = source._current, target._current
    left, nbytes = source.nbytes, source.metadata.chunk_nbytes
    # Each is asked for: not every store can list its keys.
    for coords in itertools.product(*map(range, source.metadata.grid.cdata_shape)):
        # Chunks at the edges hold fewer items; the last one makes up for it.
        advance(min(nbytes, left))
        left -= min(nbytes, left)
        key = old.key(coords)
        old.store.refuse_larger(key, old.most_stored)
        try:
            value = old.store[key]
        except KeyError:
            continue
        new.store[new.key(coords)] = value
    chunk_cache.forget(new.store, new.path)
    advance(left)


def _stored_shape(a: Any) -> Any:
    """Return the shape of what is stored as one: of a shard, or a chunk, and of the largest."""
    if isinstance(a, LazyItems):
        return chunks_of(a)
    return a.metadata.grid.largest if isinstance(a, Array) else a.chunks


def _pieces(source: Any, target: Any) -> Iterator[tuple[slice, ...]]:
    """Yield selections that together are the whole array: whole chunks of the target, and if they do not get
    too large, of the source too."""
    if isinstance(target, Array) and target._metadata.edges is not None:
        yield from target.iter_chunks()
        return
    shape = source.shape
    old, new = _stored_shape(source), _stored_shape(target)
    chunks = new or old or normalize_chunks(True, shape, source.dtype.itemsize)
    steps = [c * math.ceil(max(c, s) / c) for c, s in zip(chunks, old or chunks, strict=True)]
    if math.prod(map(min, steps, shape)) * source.dtype.itemsize > _PIECE:
        steps = list(chunks)
    starts = [range(0, length, step) for length, step in zip(shape, steps, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(slice(a, min(a + step, n)) for a, step, n in zip(corner, steps, shape, strict=True))
