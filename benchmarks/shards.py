"""Shards as files: where the chunks are in them, and which of their bytes selections need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.datasets import Layout
from benchmarks.selections import Selection, everything, touched_chunks

Chunk = tuple[slice, ...]
Index = tuple[int, ...]
# Where bytes begin and end in a file
Range = tuple[int, int]

# Offset and length of a chunk, and the CRC-32C of all of them
INDEX_ENTRY, CHECKSUM = 16, 4


@dataclass(frozen=True)
class ShardFile:
    """A shard: its bytes, the place of each chunk in them by its first index, and the place of the index.

    The content of the index is left out, since nothing reads it here.
    """

    content: bytes
    chunks: Mapping[Index, Range]
    index: Range


def start_of(chunk: Chunk) -> Index:
    """Return the first index of a chunk."""
    return tuple(part.start for part in chunk)


def shard_files(layout: Layout, encode: Callable[[Chunk], bytes]) -> dict[Index, ShardFile]:
    """Return all shards of an array, by their position in the grid of shards."""
    frames: dict[Index, dict[Index, bytes]] = {}
    for chunk in touched_chunks(layout, everything(layout)[0]):
        frames.setdefault(shard_of(chunk, layout), {})[start_of(chunk)] = encode(chunk)
    files = {}
    for shard, inside in frames.items():
        ends = list(accumulate(map(len, inside.values())))
        index = bytes(INDEX_ENTRY * len(inside) + CHECKSUM)
        places = dict(zip(inside, zip([0, *ends], ends, strict=False), strict=True))
        files[shard] = ShardFile(
            b"".join([*inside.values(), index]), places, (ends[-1], ends[-1] + len(index))
        )
    return files


def reads(
    layout: Layout, files: Mapping[Index, ShardFile], selections: list[Selection]
) -> Iterator[tuple[Index, list[Range]]]:
    """Yield, for each selection and each shard that it touches, which bytes must be read.

    Chunks that lie side by side are read at once. The index is read with the first selection and then known.
    """
    known: set[Index] = set()
    for selection in selections:
        touched: dict[Index, list[Range]] = {}
        for chunk in touched_chunks(layout, selection):
            shard = shard_of(chunk, layout)
            touched.setdefault(shard, []).append(files[shard].chunks[start_of(chunk)])
        for shard, ranges in touched.items():
            yield shard, _joined(ranges if shard in known else [*ranges, files[shard].index])
        known |= touched.keys()


def shard_of(chunk: Chunk, layout: Layout) -> Index:
    """Return the position of a chunk's shard in the grid of shards."""
    assert layout.shards
    return tuple(start // n for start, n in zip(start_of(chunk), layout.shards, strict=True))


def _joined(ranges: list[Range]) -> list[Range]:
    """Return ranges in the order of the file, with adjacent ranges joined."""
    out: list[Range] = []
    for start, end in sorted(ranges):
        if out and out[-1][1] == start:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out
