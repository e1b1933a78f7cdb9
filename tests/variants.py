"""The kinds of arrays that the same tests run for: format 2, format 3, and format 3 with shards.

A test that uses the fixture `variant` makes arrays of that kind wherever it does not name a format. For
"sharded" its chunks are the inner ones. A test that is about one kind only says so::

    @pytest.mark.variants("v2", reason="the bytes that zarr 2 writes")
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import zchunk
from zchunk.creation import parameters_v3
from zchunk.engine import listing
from zchunk.engine.shard import Shard
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import FORMAT2, FORMAT3, FORMATS, Format

KINDS = ("v2", "v3", "sharded")
# hypothesis tries fewer examples for each of the other kinds than for format 2.
SHARE = 5
_SETTINGS = "_hypothesis_internal_use_settings"
_PASSED = pytest.StashKey[bool]()

# For tests whose module is for all kinds.
NO_ARRAYS = pytest.mark.variants("none", reason="makes no arrays of its own")


def only_v2(reason: str) -> pytest.MarkDecorator:
    """Mark a test that is about format 2 only."""
    return pytest.mark.variants("v2", reason=reason)


def kind_of(metadata: ArrayMetadata) -> str:
    """Return the kind of an array."""
    if metadata.zarr_format == 2:
        return "v2"
    return "v3" if metadata.shards is None else "sharded"


def shards_of(chunks: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shard of two chunks along the first axes, and three along the last of several."""
    counts = [2] * (len(chunks) - 1) + [2 if len(chunks) == 1 else 3]
    return tuple(n * c for n, c in zip(counts, chunks, strict=False))


def chunks_per_key(z: zchunk.Array) -> int:
    """Return how many chunks are stored under a key: those of a shard, or one."""
    shards = z.metadata.shards
    return 1 if shards is None else shards.inner.grid.nchunks


class Variant:
    """A kind of arrays, and the names that its nodes and chunks have."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.format: Format = FORMAT3 if kind in ("v3", "sharded") else FORMAT2
        # Whether the test must make arrays; a test of another library's arrays makes none.
        self.needed = kind != "none"
        # How many arrays of each kind were made.
        self.made = dict.fromkeys(KINDS, 0)

    def __repr__(self) -> str:
        return self.kind

    @property
    def sharded(self) -> bool:
        return self.kind == "sharded"

    @property
    def array_key(self) -> str:
        return self.format.array_key

    @property
    def attrs_key(self) -> str:
        return self.format.attrs_key

    @property
    def group_key(self) -> str:
        return self.format.group_key

    # ---- items

    def takes(self, dtype: Any) -> bool:
        """Whether arrays can be of this dtype."""
        dtype = np.dtype(dtype)
        if self.format is FORMAT2:
            return True
        # Structures of format 3 have one byte order, and no arrays in them.
        orders = {part.newbyteorder("=") == part for part in _parts(dtype) if part.newbyteorder() != part}
        return len(orders) <= 1 and not any(part.subdtype for part in _parts(dtype))

    def dtype(self, dtype: Any) -> np.dtype[Any]:
        """Return the dtype of an array made with this dtype: format 3 has no byte order, and no padding."""
        dtype = np.dtype(dtype)
        return dtype if self.format is FORMAT2 else _plain(dtype)

    def blocks(self, chunks: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what one key stores: a shard, or a chunk."""
        return shards_of(chunks) if self.sharded else chunks

    # ---- keys

    def chunk(self, *coords: int, separator: str | None = None) -> str:
        """Return the name under which the chunk at these coordinates is stored: its shard's, if any."""
        if self.sharded:
            coords = tuple(i // n for i, n in zip(coords, shards_of((1,) * len(coords)), strict=True))
        if self.format is FORMAT2:
            return (separator or ".").join(map(str, coords)) or "0"
        return (separator or "/").join(["c", *map(str, coords)])

    def keys(self, *counts: int, separator: str | None = None) -> list[str]:
        """Return the names under which the chunks of a grid are stored, in their order."""
        found: dict[str, None] = {}
        for number in range(math.prod(counts)):
            coords = []
            for n in reversed(counts):
                number, coord = divmod(number, n)
                coords.insert(0, coord)
            found[self.chunk(*coords, separator=separator)] = None
        return list(found)


    # ---- what is stored

    def values(self, z: zchunk.Array) -> dict[str, Any]:
        """Return all values of an array by key; for a shard its chunks, which may lie in any order."""
        found: dict[str, Any] = {key: bytes(z.store[key]) for key in z.store}
        if self.sharded:
            for key, coords in listing.listed(z._current):
                with Shard(z._current, coords) as shard:
                    found[key] = dict(shard)
        return found

    def initialized(self, z: zchunk.Array, *chunks: Any) -> int:
        """Return `nchunks_initialized` if the chunks at these coordinates were written."""
        keys = {self.chunk(*(c if isinstance(c, tuple) else (c,))) for c in chunks}
        return len(keys) * chunks_per_key(z)

    def all_initialized(self, z: zchunk.Array) -> int:
        """Return `nchunks_initialized` if all chunks were written."""
        return z.metadata.grid.nchunks * chunks_per_key(z)


def _parts(dtype: np.dtype[Any]) -> Iterator[np.dtype[Any]]:
    yield dtype
    for name in dtype.names or ():
        yield from _parts(dtype[name])


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if not dtype.names:
        return dtype.newbyteorder("=")
    return np.dtype([(name, _plain(dtype[name])) for name in dtype.names])


def note_outcome(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Remember whether the body of a test has passed, for checks after the test."""
    if call.when == "call":
        item.stash[_PASSED] = call.excinfo is None


def passed(item: pytest.Item) -> bool:
    """Whether the body of a test has run to its end, neither skipped nor failed."""
    return item.stash.get(_PASSED, False)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `variant` for every kind that it is for."""
    if "variant" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("variants")
    kinds = KINDS
    if marker is not None:
        assert marker.kwargs.get("reason"), "say why the test is not for all variants"
        kinds = marker.args
    metafunc.parametrize("variant", kinds, indirect=True)


def use(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Variant]:
    """Make arrays of one kind the default during a test, and check that the test has made some."""
    variant = Variant(request.param)
    default = zchunk.config.set({"default_zarr_format": variant.format.version})
    decide = parameters_v3.chunks_and_shards

    def chunks_and_shards(chunks: Any, shards: Any, *args: Any) -> Any:
        inner, shard = decide(chunks, shards, *args)
        return inner, shards_of(inner) if shards is None and variant.sharded else shard

    monkeypatch.setattr(parameters_v3, "chunks_and_shards", chunks_and_shards)
    for fmt in FORMATS:

        def array_items(
            metadata: ArrayMetadata, attributes: Any = None, render: Any = fmt.array_items
        ) -> Any:
            variant.made[kind_of(metadata)] += 1
            return render(metadata, attributes)

        monkeypatch.setattr(fmt, "array_items", array_items)
    tried = getattr(request.function, _SETTINGS, None)
    if tried is not None and variant.format is FORMAT3:
        fewer = settings(tried, max_examples=max(tried.max_examples // SHARE, 10))
        monkeypatch.setattr(request.function, _SETTINGS, fewer)
    with default:
        yield variant
    if variant.needed and passed(request.node):
        assert variant.made[variant.kind], f"the test has made no array of kind {variant}"
