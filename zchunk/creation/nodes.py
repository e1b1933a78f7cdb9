"""Nodes in a store: storing the metadata of arrays and groups, with the groups above them, and erasing."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from zchunk.core.attributes import with_string_keys
from zchunk.creation.parameters import parsed_again
from zchunk.engine import chunk_cache
from zchunk.errors import (
    BeingMadeError,
    ContainsArrayError,
    ContainsGroupError,
    ContainsNodeError,
    ForeignFilesError,
    InvalidKeyError,
    MixedFormatsError,
)
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import FORMAT2, FORMATS, Format, find, get_format
from zchunk.runtime.settings import config
from zchunk.spec.keys import (
    ARRAY_KEY,
    ATTRS_KEY,
    CONSOLIDATED_KEY,
    GROUP_KEY,
    METADATA_KEYS,
    NODE_FILES,
    NODE_KEY,
    UNFINISHED_KEY,
    ChunkKeyEncoding,
    join,
    normalize_path,
    parents,
)
from zchunk.storage.base import Store
from zchunk.storage.local.trees import is_link
from zchunk.storage.marks import (
    Mark,
    being_made,
    clear_left,
    insist,
    is_marked_here,
    marks_are_keys,
    set_mark,
    surely_marked,
    wait_for_maker,
)

# What to do about a node that is there: as most functions have it, and those that open.
_REPLACE, REPLACE_BY_MODE = "use overwrite=True", "use mode 'w'"
# Keys of chunks of any array, relative to it.
_CHUNKS = re.compile(r"c|(c[./])?\d+([./]\d+)*", re.ASCII)
_RESERVED = {ARRAY_KEY, GROUP_KEY, ATTRS_KEY, CONSOLIDATED_KEY, NODE_KEY}


def new_path(path: str | bytes | None, version: int = 2) -> str:
    """Return the normal form of the path of a new node, of a version of the format.

    Raises
    ------
    InvalidKeyError
        It could leave the store, or stores use a name in it for something else.
    """
    path = normalize_path(path)
    _check_new(path, version)
    return path


def _check_new(path: str, version: int = 2) -> None:
    for name in path.split("/"):
        # Names of xarray's own, such as `__xarray_dataarray_variable__`, are in many stores.
        reserved = name.startswith("__") and not (name.endswith("__") and len(name) > 4)
        if version == 3 and name and (reserved or not name.strip(".")):
            raise InvalidKeyError(
                f"path {path!r} has the name {name!r}; in Zarr format 3 no name begins with '__', "
                "or is nothing but periods"
            )
        if name in _RESERVED or name.endswith(".partial"):
            raise InvalidKeyError(
                f"path {path!r} has the name {name!r}, which is kept for the store's own use"
            )


def format_for(store: Store, path: str, version: int | None, default: int | None = None) -> Format:
    """Return the format of a new node at the normalised `path`, where the caller asks for `version`.

    If that is None, it is the format of the groups above; if there are none, `default`, or what
    `zchunk.config` says.
    """
    if version is not None:
        return get_format(version)
    for parent in parents(path):
        for fmt in FORMATS:
            if fmt.contains(store, parent):
                return fmt
    return get_format(config.get("default_zarr_format") if default is None else default)


def init_array(
    store: Store,
    path: str,
    metadata: ArrayMetadata,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> ArrayMetadata | None:
    """Put an array without chunks at the normalised `path`.

    Returns its metadata as a reader will have them; None if that depends on the store.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        Something is there, or an array is above, and `overwrite` is false.
    InvalidKeyError
        No node can be at `path`.
    MixedFormatsError
        A group above is of the other format.
    ForeignFilesError
        What `overwrite` would replace is no node.
    """
    new = new_array(store, path, metadata, attributes)
    new.put(overwrite, chunk_store)
    return new.metadata


class Placement(NamedTuple):
    """An array or group that is to be put at a path: `prepare` makes the place, `publish` shows the node.

    Chunks that are written in between are those of an array which nobody sees before it is complete.
    """

    store: Store
    path: str
    items: dict[str, bytes]
    fmt: Format
    # How the chunks of an array are named, and how many axes they have.
    keys: tuple[ChunkKeyEncoding, int] | None
    # As they will be read; None if that depends on the store. The same as it is stored. Of arrays.
    metadata: ArrayMetadata | None = None
    document: bytes = b""

    def put(self, overwrite: bool = False, chunk_store: Store | None = None) -> None:
        """Put the node, without chunks, in its place. Raises as `init_array` does."""
        _put_node(self, overwrite, chunk_store)

    def prepare(
        self,
        overwrite: bool = False,
        chunk_store: Store | None = None,
        filled: bool = False,
        content: bytes = b"",
    ) -> Mark | None:
        """Make the groups above, and erase what is there. Raises as `init_array` does.

        If it is to be `filled` before it is shown, or something had to be erased, returned is the mark that
        keeps other makers away until it is removed, with some content.
        """
        return _prepare(self, overwrite, chunk_store, filled, content, _is_vacant(self, chunk_store))

    def discard(self, mark: Mark | None, chunk_store: Store | None = None) -> None:
        """Erase its chunks, unless another process has published an array, or a group, in its place."""
        try:
            # Metadata that depend on the store are there before the chunks.
            if self.metadata is None or find(self.store, self.path) is None:
                if mark is not None and not mark.is_there():
                    # All was erased meanwhile. What came after that goes, too, if nobody has begun anew.
                    mark.forget()
                    mark = set_mark(mark.store, self.path)
                store = self.store if chunk_store is None else chunk_store
                assert self.keys is not None
                _erase_keys(store, self.path, left_chunks(store, self.path, *self.keys))
            elif mark is not None and mark.is_there():
                # The metadata may be those of a maker without a mark, which is to give way.
                mark.abandon()
            if mark is not None:
                mark.give_up()
        except BeingMadeError:
            return
        finally:
            if mark is not None:
                # If the store fails, too, a later call of this process goes on.
                mark.forget()

    def publish(self, new: bool = False, mark: Mark | None = None, chunk_store: Store | None = None) -> bool:
        """Put the metadata in their place; of a `new` node, not over those that others have put there.

        Without a mark, return False, with nothing put there, if another process has set one.
        """
        chunks = self.store if chunk_store is None else chunk_store
        keys = [join(self.path, name) for name in self.items]

        def put() -> bool:
            return _put(self.store, self.path, self.items, new)

        if not put() and (mark is None or not insist(mark, put)):
            # Another process was faster, or was and has erased it again.
            check_absent(self.store, self.path)
            _put(self.store, self.path, self.items, False)
        key = join(self.path, UNFINISHED_KEY)
        if mark is None and (chunks.existing([key]) or is_marked_here(chunks, self.path)):
            if self._is_own(keys[-1]):
                self.store.erase_many(reversed(keys))
            return False
        return True

    def _is_own(self, key: str) -> bool:
        """Whether the metadata that are there may be these: the one with the mark may have replaced them."""
        as_read = self.store.as_read(key, self.items[key.rpartition("/")[2]])
        return as_read is None or self.store.get(key) == as_read


def new_array(
    store: Store, path: str, metadata: ArrayMetadata, attributes: Mapping[str, Any] | None = None
) -> Placement:
    """Return what puts an array at the normalised `path`. All that can fail does before anything is erased.

    Raises
    ------
    InvalidKeyError
        No node can be at `path`.
    """
    fmt = get_format(metadata.zarr_format)
    _check_new(path, fmt.version)
    items = fmt.array_items(metadata, None if attributes is None else with_string_keys(attributes))
    document = items[fmt.array_key]
    as_read = store.as_read(join(path, fmt.array_key), document)
    parsed = parsed_again(metadata, document if as_read is None else as_read)
    encoding, ndim = parsed.chunk_key_encoding, parsed.ndim
    if as_read is None:
        return Placement(store, path, items, fmt, (encoding, ndim), None, document)
    return Placement(store, path, items, fmt, (store._without_metadata(encoding), ndim), parsed, as_read)


def left_chunks(
    store: Store, path: str, encoding: ChunkKeyEncoding | None = None, ndim: int = 0
) -> list[str]:
    """Return the keys at a path that would be chunks of an array there; without an encoding, of any array.

    A folder that holds anything else is somebody's, whatever its name: no key in it is among them.
    """
    first = "c" if encoding is None else encoding.encode([0] * ndim).partition("/")[0]
    numbers = encoding is None or first.isdecimal()
    decode: Callable[[str], object] = _CHUNKS.fullmatch if encoding is None else encoding.decoder(ndim)
    start = len(join(path, ""))
    names = [
        name
        for name in store.list_dir(path)
        if name == first or (numbers and name.isdecimal()) or decode(name) is not None
    ]
    found = store.existing([join(path, name) for name in names if decode(name) is not None])
    left = sorted(found)
    for folder in [join(path, name) for name in names]:
        below = [] if folder in found else store._keys_below(folder)
        if all(decode(key[start:]) is not None for key in below) and not _has_links(store, path, below):
            left += below
    return left


def _has_links(store: Store, path: str, keys: list[str]) -> bool:
    """Whether a folder between a path and keys below it is a link: what it leads to may have other users."""
    root = store.root
    return root is not None and any(is_link(f"{root}/{name}") for name in _folders(path, keys))


def _folders(path: str, keys: list[str]) -> set[str]:
    start = len(path)
    return {above for key in keys for above in parents(key) if len(above) > start}


def _erase_keys(store: Store, path: str, keys: list[str]) -> None:
    """Erase keys below a path, and the folders that are empty then."""
    store.erase_many(keys)
    if store.root is not None:
        for folder in sorted(_folders(path, keys), key=len, reverse=True):
            with suppress(OSError):
                os.rmdir(f"{store.root}/{folder}")


def init_group(
    store: Store,
    path: str,
    overwrite: bool = False,
    chunk_store: Store | None = None,
    fmt: Format = FORMAT2,
    attributes: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Put a group without members at the normalised `path`. Raises as `init_array` does.

    `more` are members of its document that need no understanding, in format 3.
    """
    _check_new(path, fmt.version)
    items = fmt.group_items(None if attributes is None else with_string_keys(attributes), more)
    _put_node(Placement(store, path, items, fmt, None), overwrite, chunk_store)


def _put_node(new: Placement, overwrite: bool, chunk_store: Store | None) -> None:
    """Put a node in its place: in one step, if there is one, or else with a mark."""
    at_once = new.path != "" and chunk_store is None and new.store._puts_new
    while True:
        vacant = _is_vacant(new, chunk_store)
        at_once = at_once and vacant
        # What makes it comes after its attributes: they must not be those of another maker.
        mark = _prepare(new, overwrite, chunk_store, len(new.items) > 1 and not at_once, b"", vacant)
        if at_once:
            if new.store._put_new(new.path, new.items):
                return
            # Another process was faster, or the file system cannot do it.
            at_once = False
            continue
        try:
            published = new.publish(True, mark, chunk_store)
        except BaseException as error:
            if mark is not None:
                mark.give_up()
            elif overwrite and isinstance(error, ContainsNodeError):
                # Made since it was seen that nothing is there; now it is to be replaced.
                continue
            raise
        if mark is not None:
            mark.remove()
        if published:
            return
        if not wait_for_maker(new.store, chunk_store, new.path):
            raise being_made(new.store, new.path)


def _put(store: Store, path: str, items: dict[str, bytes], new: bool) -> bool:
    """Store the metadata of a node; of a `new` one only if there are none, else return False.

    What makes the node comes last, so that there is none without its attributes.
    """
    values = {join(path, name): value for name, value in items.items()}
    if new:
        return store.set_new_many(values)
    for key, value in values.items():
        store[key] = value
    return True


def require_parents(
    store: Store, path: str, fmt: Format, overwrite: bool = False, chunk_store: Store | None = None
) -> None:
    """Make the groups above `path` that are missing."""
    _make_groups(store, fmt, _missing_groups(store, path, fmt, overwrite), chunk_store)


def check_above(store: Store, path: str, fmt: Format) -> None:
    """Raise `ContainsArrayError` if an array is above `path`, which `overwrite` would replace, too."""
    _missing_groups(store, path, fmt, False)


def _missing_groups(store: Store, path: str, fmt: Format, overwrite: bool) -> list[tuple[str, bool]]:
    """Return the paths above `path` without a group, and whether an array is there. Changes nothing."""
    missing = []
    for parent in parents(path):
        kind = fmt.node_type(store, parent)
        if kind == "group":
            continue
        _refuse_other(store, parent, path, fmt)
        if kind == "array" and not overwrite:
            raise ContainsArrayError(f"{'/' + path!r} cannot be made: an array is at {'/' + parent!r}")
        missing.append((parent, kind == "array"))
    return missing


def _make_groups(
    store: Store, fmt: Format, missing: list[tuple[str, bool]], chunk_store: Store | None
) -> None:
    for path, is_array in missing:
        if is_array:
            erase(store, path, chunk_store)
        # If another process makes the group meanwhile, it may have got attributes already.
        _put(store, path, fmt.group_items(), True)


def _refuse_other(store: Store, parent: str, path: str, fmt: Format) -> None:
    """Raise `MixedFormatsError` if a node of another format than `fmt` is at `parent`, above `path`."""
    for other in FORMATS:
        if other is not fmt and other.contains(store, parent):
            raise MixedFormatsError(
                f"{'/' + path!r} cannot be of Zarr format {fmt.version}: the node {'/' + parent!r} above it, "
                f"in {store!r}, is of format {other.version}; use zarr_format={other.version}"
            )


def by_mode(error: ContainsNodeError) -> ContainsNodeError:
    """Return an error of those that make nodes for a caller that says by a mode what may be replaced."""
    return type(error)(str(error).replace(_REPLACE, REPLACE_BY_MODE))


def check_absent(store: Store, path: str, else_: str = f"{_REPLACE} to replace it") -> None:
    """Raise `ContainsArrayError` or `ContainsGroupError` if something is at `path`; `else_` is the advice."""
    # One access for all keys: mostly none is there.
    keys = [join(path, name) for name in (ARRAY_KEY, GROUP_KEY, NODE_KEY)]
    found = find(store, path) if store.existing(keys) else None
    if found is None:
        return
    fmt, kind = found
    what = "an array" if kind == "array" else "a group"
    version = "" if fmt is FORMAT2 else f" of format {fmt.version}"
    error = ContainsArrayError if kind == "array" else ContainsGroupError
    raise error(f"{what}{version} is at {'/' + path!r} in {store!r}; {else_}")


def refuse_foreign(store: Store, path: str, chunk_store: Store | None = None) -> None:
    """Raise `ForeignFilesError` if what would be replaced is no node but files of other programs."""
    where, names = store, store.foreign(path)
    if not names and chunk_store is not None and not store.existing(join(path, key) for key in METADATA_KEYS):
        where, names = chunk_store, chunk_store.foreign(path)
    if names:
        raise _foreign(where, path, names, "replacing it would delete what is not zchunk's")


def _foreign(store: Store, path: str, names: list[str], why: str) -> ForeignFilesError:
    at = f"{'/' + path!r} in " if path else ""
    return ForeignFilesError(
        f"{at}{store!r} holds {', '.join(map(repr, names[:3]))}{' and more' if names[3:] else ''} but no "
        f"Zarr metadata: {why}. Give another path, or delete the files first; "
        f"zchunk.storage.rmdir(store, {path!r}) deletes all that is there"
    )


def _is_vacant(new: Placement, chunk_store: Store | None) -> bool:
    """Whether no folder is where a node is to be: then there is nothing else to look for."""
    return new.store.is_vacant(new.path) and (chunk_store is None or chunk_store.is_vacant(new.path))


def _prepare(
    new: Placement, overwrite: bool, chunk_store: Store | None, filled: bool, content: bytes, vacant: bool
) -> Mark | None:
    """Make the place of a node; see `Placement.prepare`."""
    store, path = new.store, new.path
    if new.fmt.version not in getattr(store, "zarr_formats", (2, 3)):
        raise ValueError(f"{store!r} cannot hold nodes of Zarr format {new.fmt.version}")
    chunks = store if chunk_store is None else chunk_store
    remains = not overwrite and not vacant and _has_remains(new, chunks)
    missing = _missing_groups(store, path, new.fmt, overwrite)
    replaces = overwrite and not vacant
    if replaces:
        if surely_marked(chunks, path):
            raise being_made(chunks, path)
        refuse_foreign(store, path, chunk_store)
        replaces = not _is_free(store, path) or (chunks is not store and not _is_free(chunks, path))
    if any(is_array for _, is_array in missing):
        # Replaced by a group; all below the array goes with it.
        _make_groups(store, new.fmt, missing, chunk_store)
        replaces, missing = False, []
    # Of one that lives there is a node afterwards, or an error.
    left = remains and marks_are_keys(chunks) and join(path, UNFINISHED_KEY) in chunks
    mark = _replace(store, path, chunk_store, content) if replaces else None
    try:
        if mark is None and (filled or remains):
            mark = set_mark(chunks, path, content, overwrite)
        if mark is not None:
            check_absent(store, path)
        if remains:
            _clear_remains(new, chunks, left)
        _make_groups(store, new.fmt, missing, chunk_store)
        # Another array may have been here before it was moved away.
        chunk_cache.forget(chunks, path)
        return mark
    except BaseException as error:
        if mark is None:
            raise
        mark.remove()
        if not overwrite or not isinstance(error, ContainsNodeError):
            raise
    # Made since it was seen that nothing is there, or by a maker without a mark, which gives way.
    return _prepare(new, overwrite, chunk_store, filled, content, _is_vacant(new, chunk_store))


def _is_free(store: Store, path: str) -> bool:
    """Whether nothing is at a path: of folders, which may hold temporary files, that is not asked."""
    try:
        return store._mark_file(path) is None and store.is_empty(path)
    except NotImplementedError:
        return False


def _has_remains(new: Placement, chunks: Store) -> bool:
    """Whether a killed process has left something where a node is to be. Nothing is touched.

    Raises
    ------
    ContainsArrayError, ContainsGroupError
        A node is there.
    ForeignFilesError
        There are files that the array would take for its chunks, and nothing says that they are chunks.
    """
    store, path = new.store, new.path
    nodes = [join(path, name) for name in (ARRAY_KEY, GROUP_KEY, NODE_KEY)]
    traces = [join(path, name) for name in chunks._trace_names]
    # One access for all keys: mostly none is there.
    found = chunks.existing(nodes + traces)
    if not found.isdisjoint(traces) and not found.isdisjoint(nodes):
        clear_left(chunks, path)
    if chunks is not store or not found.isdisjoint(nodes):
        check_absent(store, path)
    marked = not found.isdisjoint(traces) or is_marked_here(chunks, path)
    if marked or store.unfinished(path) or chunks.unfinished(path):
        return True
    # Elsewhere it takes a request.
    if new.keys is None or chunks.root is None or not (left := left_chunks(chunks, path, *new.keys)):
        return False
    # Listed before it is known that there is no array: what other processes write to a new one stays.
    check_absent(store, path)
    if store.existing(join(path, name) for name in NODE_FILES):
        return True
    if left := sorted(chunks.existing(left)):
        raise _foreign(
            chunks, path, [key[len(join(path, "")) :] for key in left], "the array would have them as chunks"
        )
    return False


def _clear_remains(new: Placement, chunks: Store, marked: bool) -> None:
    """Erase what killed processes have left where a node is to be, and nothing else. Its mark is set.

    If the place was `marked` before, by one of them, attributes without a node are those of that process, and
    so is all that is named like chunks.
    """
    for store in (chunks,) if chunks is new.store else (new.store, chunks):
        store.finish_erasing(new.path)
    if marked:
        new.store.erase_many([join(new.path, ATTRS_KEY)])
    if marked:
        _erase_keys(chunks, new.path, left_chunks(chunks, new.path))
    elif new.keys is not None:
        _erase_keys(chunks, new.path, left_chunks(chunks, new.path, *new.keys))


def _has_keys(store: Store, path: str) -> bool:
    try:
        return not store.is_empty(path)
    except NotImplementedError:
        # Files that cannot be listed, as of some protocols: nothing is erased there.
        return False


def erase(store: Store, path: str, chunk_store: Store | None) -> None:
    """Erase everything at and below `path`, as the only process that changes it.

    Raises
    ------
    BeingMadeError
        Another process makes, replaces or erases what is there.
    """
    mark = _replace(store, path, chunk_store, whole=True)
    if mark is not None:
        mark.give_up()


def _replace(
    store: Store, path: str, chunk_store: Store | None, content: bytes = b"", whole: bool = False
) -> Mark | None:
    """Set the mark at a path, then erase everything else at and below it; if `whole`, the mark may go, too.

    Returns the mark; None if the chunks have a store of their own that has none there, or cannot say so, or
    if the disk is full: what is erased then makes room for a mark.
    """
    chunks = store if chunk_store is None else chunk_store
    # Chunks without metadata are anybody's if the process is killed in between.
    mark = _set_to_replace(chunks, path, content) if chunks is store or _has_keys(chunks, path) else None
    # Before it, too: Ctrl-C may come just before what follows.
    chunk_cache.forget(chunks, path)
    try:
        if mark is None or chunks is not store:
            store.erase_prefix(path)
        if mark is not None:
            chunks._erase_claimed(path, whole)
        elif chunks is not store:
            chunks.erase_prefix(path)
    except BaseException:
        if mark is not None:
            mark.leave(store)
        raise
    finally:
        chunk_cache.forget(chunks, path)
    return mark


def _set_to_replace(store: Store, path: str, content: bytes) -> Mark | None:
    """Set the mark at a path where all is to be erased; None if there is no room for it on the disk."""
    store._detach(path)
    try:
        return set_mark(store, path, content, replacing=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return None
