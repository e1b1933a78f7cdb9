"""Chunk keys, node paths and their validation: the only place that decides what a key may look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from zchunk.errors import InvalidKeyError

ARRAY_KEY = ".zarray"
GROUP_KEY = ".zgroup"
ATTRS_KEY = ".zattrs"
CONSOLIDATED_KEY = ".zmetadata"
# Of arrays and groups of format 3, with attributes and consolidated metadata inside.
NODE_KEY = "zarr.json"
METADATA_KEYS = frozenset({ARRAY_KEY, GROUP_KEY, ATTRS_KEY, CONSOLIDATED_KEY, NODE_KEY})
# Of arrays and groups of N5.
N5_KEY = "attributes.json"
# There while what is beside it and below is erased, in a store whose values may be anybody's.
ERASING_KEY = "erasing.partial"
# There while chunks are put beside it, before the metadata of their array.
UNFINISHED_KEY = ".unfinished"
# There while the chunks of a node are moved to be beside it: its metadata, where they are in another store.
MOVING_KEY = ".moving"
# The attribute in which xarray keeps the names of axes in format 2.
DIMENSIONS = "_ARRAY_DIMENSIONS"
# Names of the keys of metadata, with those of N5: without them the rest is no node.
NODE_FILES = METADATA_KEYS | {N5_KEY}
_CHUNK_NAME = re.compile(r"c(\.\d+)*|\d+(\.\d+)*", re.ASCII)
_MAKES_NODE = NODE_FILES - {ATTRS_KEY, CONSOLIDATED_KEY}


def check_key(key: object) -> str:
    """Return `key` if it is a legal store key, else raise `InvalidKeyError`.

    A legal key is a non-empty string of segments joined by ``/``, where no segment is empty, ``.`` or
    ``..`` and no character is NUL. Such a key cannot leave the folder it is joined to. It is text that UTF-8
    can hold.
    """
    if not isinstance(key, str):
        raise InvalidKeyError(f"a store key is a string, not {type(key).__name__}: {key!r}")
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError:
            raise InvalidKeyError(f"store key {key!r} has a lone surrogate, which is no UTF-8") from None
    if "\0" in key or "\\" in key:
        raise InvalidKeyError(f"store key {key!r} has a NUL or a backslash")
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            raise InvalidKeyError(f"store key {key!r} has the segment {segment!r}")
    return key


def erase_rank(key: str) -> int:
    """Return when a key goes as its node is erased, and comes from the other end as it is made.

    First what makes a node, then what else is known of it, then its chunks: so no node is ever seen that has
    lost a part. The mark that chunks are those of no node goes last.
    """
    name = key.rpartition("/")[2]
    return 0 if name in _MAKES_NODE else 1 if name in NODE_FILES else 3 if name == UNFINISHED_KEY else 2


def is_chunk_name(name: str) -> bool:
    """Whether the name of a key or folder beside an array's metadata can be that of chunks."""
    return _CHUNK_NAME.fullmatch(name) is not None


def is_key(name: object) -> bool:
    """Whether `name` is a legal key. What is found in a store under another name is not part of it."""
    try:
        check_key(name)
    except InvalidKeyError:
        return False
    return True


def normalize_path(path: str | bytes | None) -> str:
    """Return the node path in its one form: segments joined by ``/``, no slash at either end.

    Leading, trailing and repeated slashes are dropped and backslashes become slashes, as zarr 2 does, so
    that ``"/"`` is the root. ``.`` and ``..`` are refused.

    Examples
    --------
    >>> from zchunk.storage import normalize_storage_path
    >>> normalize_storage_path("/a//b/")
    'a/b'
    """
    if path is None or path == "":
        return ""
    if isinstance(path, bytes):
        path = path.decode("ascii")
    path = str(path)
    segments = [s for s in path.replace("\\", "/").split("/") if s]
    if "\0" in path or "." in segments or ".." in segments:
        raise InvalidKeyError(f"path {path!r} has a NUL or a segment '.' or '..'; begin at the root")
    return "/".join(segments)


def check_rename(src: str, dst: str) -> tuple[str, str]:
    """Return both paths in their normal form, or raise `InvalidKeyError` if one cannot become the other."""
    src, dst = normalize_path(src), normalize_path(dst)
    if not src or not dst:
        raise InvalidKeyError(f"cannot rename {src!r} to {dst!r}: the root of a store cannot be moved")
    if dst.startswith(src + "/") or src.startswith(dst + "/"):
        raise InvalidKeyError(f"cannot rename {src!r} to {dst!r}: one is inside the other")
    return src, dst


def join(path: str, name: str) -> str:
    """Return the key of `name` under the normalised node path `path`."""
    return f"{path}/{name}" if path else name


def parents(path: str) -> list[str]:
    """Return the ancestors of a normalised path, the root ``""`` first."""
    segments = path.split("/") if path else []
    return ["/".join(segments[:n]) for n in range(len(segments))]


class ChunkKeyEncoding(NamedTuple):
    """How chunk coordinates become a key below the array's path.

    `name` is ``"v2"`` (coordinates joined by `separator`; ``"0"`` for a 0-d array) or ``"default"``, which
    puts a ``c`` before them (``"c"`` for a 0-d array).
    """

    name: str
    separator: str

    def encode(self, coords: Iterable[int]) -> str:
        """Return the key, relative to the array, of the chunk at `coords`."""
        if self.name == "default":
            return self.separator.join(["c", *map(str, coords)])
        return self.separator.join(map(str, coords)) or "0"

    @property
    def prefix(self) -> str:
        """What stands before the coordinates of a chunk."""
        return "c" + self.separator if self.name == "default" else ""

    def decoder(self, ndim: int) -> Callable[[str], tuple[int, ...] | None]:
        """Return what gives the coordinates in a key, or None if it is no chunk's of an `ndim` array."""
        # As `str` writes them, below 10**19.
        number = "(0|[1-9][0-9]{0,18})"
        keys = re.escape(self.prefix) + re.escape(self.separator).join([number] * ndim)
        if not ndim:
            keys = "c" if self.name == "default" else "0"
        match = re.compile(keys).fullmatch

        def decode(key: str) -> tuple[int, ...] | None:
            found = match(key)
            return None if found is None else tuple(map(int, found.groups()))

        return decode
