"""`profile`: which chunks a selection touches, how much is read and decoded for it, and how long it takes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from zchunk.core.array import Array
from zchunk.core.info import escape, human_size
from zchunk.indexing.arranged import Arranged
from zchunk.indexing.brackets import plan_items
from zchunk.runtime.threads import get_threads
from zchunk.wings.profiling.costs import (
    CLUSTER,
    OBJECTS,
    PAGE_CACHE,
    Place,
    Work,
    batch_size,
    batched,
    runs,
    say,
    seconds,
)
from zchunk.wings.profiling.sizes import inner_ranges, object_sizes

if TYPE_CHECKING:
    from zchunk._ext.selection.slices import Plan
    from zchunk.metadata.array import ArrayMetadata
    from zchunk.spec.rectilinear_grid import Grid
    from zchunk.typing import Selection

# Pixels of the longest bar.
_LONG = 320


class Profile(NamedTuple):
    """What a selection touches. `print` shows a table, a notebook bars as well.

    Bytes are those of whole chunks. Of large chunks zchunk reads and decodes less, where their codecs allow
    that: only the blocks that the selection touches.

    Parameters
    ----------
    items : int
        Items that are asked for.
    nbytes : int
        Bytes of them.
    chunks : int
        Chunks that hold them, stored or not.
    chunks_stored : int
        Of these, those that are stored. Others are fill values, which cost nothing.
    objects : int
        Values of the store that are read: chunks, or shards.
    read : int
        Bytes of the stored chunks.
    decoded : int
        Bytes of these chunks when decoded.
    requests : int, optional
        Requests that fetch them from a remote store: the indexes of shards, and ranges that hold chunks.
    rounds : int, optional
        How often a request to a remote store waits for the one before: in shards indexes come first, and
        chunks some at a time.
    codec : {"raw", "lz4", "zstd", "deflate"}, optional
        How they are compressed, as far as it counts for the time.
    """

    items: int
    nbytes: int
    chunks: int
    chunks_stored: int
    objects: int
    read: int
    decoded: int
    requests: int = 0
    rounds: int = 1
    codec: str = "raw"

    @property
    def amplification(self) -> float:
        """Bytes that are decoded for each byte that is asked for.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.ones((100, 100)), chunks=(100, 10))
        >>> zchunk.profile(z, np.s_[5]).amplification
        100.0
        """
        return self.decoded / self.nbytes if self.nbytes else 0.0

    def seconds(
        self,
        latency: float = 0.0,
        bandwidth: float = math.inf,
        in_flight: int | None = None,
        *,
        remote: bool = False,
        threads: int | None = None,
    ) -> float:
        """Return about how long the selection takes where an answer begins after `latency` seconds.

        The rates of the processor are those in ``docs/design/scaling.md``, not measured here, and bytes are
        those of whole chunks.

        Parameters
        ----------
        latency : float, optional
            Seconds until a file, or the answer to a request, begins to arrive.
        bandwidth : float, optional
            Bytes per second of all requests together.
        in_flight : int, optional
            Requests that are under way at a time; by default as many as threads.
        remote : bool, optional
            Whether chunks come from an object store: then ranges of a shard are requests of their own.
        threads : int, optional
            Threads that decode; by default those of `get_threads`.

        Returns
        -------
        float

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> z = zchunk.array(np.ones((640, 1000)), chunks=(1, 1000))
        >>> times = zchunk.profile(z, np.s_[:, 0])
        >>> times.seconds(0.05, in_flight=64, remote=True) >= 0.5  # ten rounds of 64 requests
        True
        """
        place = Place("", latency, bandwidth, in_flight, remote)
        return seconds(self._work(remote), place, threads or get_threads())

    def _work(self, remote: bool) -> Work:
        requests, rounds = (self.requests, self.rounds) if remote else (self.objects, 1)
        return Work(requests, self.chunks_stored, self.read, self.decoded, self.codec, rounds)

    def _times(self) -> str:
        return ", ".join(
            f"{say(seconds(self._work(place.remote), place, get_threads()))} {words}"
            for place, words in (
                (PAGE_CACHE, "in the page cache"),
                (CLUSTER, "with 1 ms for each file"),
                (OBJECTS, "from an object store at 50 ms"),
            )
        )

    def _rows(self) -> list[tuple[str, str]]:
        what = "" if self.objects == self.chunks_stored else f", in {self.objects:,} shards"
        return [
            ("Asked for", f"{self.items:,} items, {human_size(self.nbytes)} bytes"),
            ("Chunks touched", f"{self.chunks:,}, {self.chunks_stored:,} of them stored{what}"),
            ("Bytes read", f"{human_size(self.read)} at most"),
            ("Bytes decoded", f"{human_size(self.decoded)} at most"),
            ("Amplification", f"{self.amplification:,.1f} bytes decoded for each that is asked for"),
            ("Time, about", self._times()),
        ]

    def __str__(self) -> str:
        """Return a table."""
        return "\n".join(f"{name:<14} : {value}" for name, value in self._rows())

    def _repr_html_(self) -> str:
        left = 'style="text-align: left"'
        rows = "".join(
            f"<tr><th {left}>{name}</th><td {left}>{escape(value)}</td></tr>" for name, value in self._rows()
        )
        most = max(self.nbytes, self.read, self.decoded, 1)
        bars = ""
        for i, (name, nbytes) in enumerate(
            [("asked for", self.nbytes), ("read", self.read), ("decoded", self.decoded)]
        ):
            width = max(_LONG * nbytes / most, 1)
            bars += (
                f'<rect x="70" y="{i * 20 + 3}" width="{width:.1f}" height="14" fill="#2f7ebc"/>'
                f'<text x="64" y="{i * 20 + 14}" text-anchor="end" fill="currentColor">{name}</text>'
            )
        return (
            f'<div class="zchunk-profile"><table>{rows}</table><svg width="{_LONG + 80}" height="64" '
            f'xmlns="http://www.w3.org/2000/svg" font-size="11" font-family="sans-serif">{bars}</svg></div>'
        )


def profile(z: Array, selection: Selection = ...) -> Profile:
    """Return what a selection touches, what is read and decoded for it, and about how long that takes.

    Nothing is decoded, and the time is not measured but that of a model.

    Each chunk, or shard, that the selection touches is looked up in the store.

    Parameters
    ----------
    z : Array
        The array.
    selection : selection, optional
        As between the brackets of ``z[...]``; by default all of it.

    Returns
    -------
    Profile

    Raises
    ------
    IndexError
        The array has no such items.

    Examples
    --------
    >>> import numpy as np
    >>> import zchunk
    >>> z = zchunk.array(np.ones((365, 90, 180), "f4"), chunks=(1, 90, 180), compressor=None)
    >>> print(zchunk.profile(z, np.s_[:, 0, 0]))  # doctest: +ELLIPSIS
    Asked for      : 365 items, 1460 (1.4K) bytes
    Chunks touched : 365, 365 of them stored
    Bytes read     : 23652000 (22.6M) at most
    Bytes decoded  : 23652000 (22.6M) at most
    Amplification  : 16,200.0 bytes decoded for each that is asked for
    Time, about    : ... in the page cache, ... with 1 ms for each file, ... from an object store at 50 ms
    """
    array = z._current
    metadata = array.metadata
    plan = _plan(selection, metadata.grid_of_chunks, metadata.innermost.order)
    touched = list(dict.fromkeys(part.coords for part in plan.parts())) if plan.size else []
    sizes: list[int] = []
    chunk = metadata.innermost.chunk_nbytes
    rounds = 1
    if metadata.shards is None:
        sizes = [*object_sizes(array, touched).values()]
        objects = requests = len(sizes)
    else:
        shards = _by_shard(metadata, touched)
        found = [inner_ranges(array, shard, places) for shard, places in shards.items()]
        sizes = [size for inner in found for _, size in inner]
        objects = sum(1 for inner in found if inner)
        batch = batch_size(array.store.concurrency, chunk)
        batches = [[runs(part) for part in batched(ranges, batch)] for ranges in found if ranges]
        # The index of each is read before its chunks.
        requests = objects + sum(map(sum, batches))
        rounds = 1 + max(map(len, batches), default=0)
    itemsize = metadata.dtype.itemsize
    nbytes, decoded = plan.size * itemsize, len(sizes) * chunk
    codec = _kind(metadata.innermost)
    return Profile(
        plan.size, nbytes, len(touched), len(sizes), objects, sum(sizes), decoded, requests, rounds, codec
    )


def _kind(metadata: ArrayMetadata) -> str:
    """Return which of the codecs in `costs.Rates` those of an array are like."""
    if metadata.compressor is None:
        return "deflate" if metadata.filters else "raw"
    config = metadata.compressor.get_config()
    name = config["cname"] if config["id"] == "blosc" else config["id"]
    return {"lz4hc": "lz4", "blosclz": "lz4", "lz4": "lz4", "zstd": "zstd"}.get(name, "deflate")


def _plan(selection: Any, grid: Grid, order: str) -> Plan:
    found = plan_items(selection, grid, order)
    return found.plan if isinstance(found, Arranged) else found


def _by_shard(
    metadata: ArrayMetadata, touched: list[tuple[int, ...]]
) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """Return chunks by the shard that they are in, each by its coordinates there."""
    assert metadata.shards is not None
    grid, lengths = metadata.grid, metadata.shards.inner.chunk_shape
    starts = [
        [grid.span(axis, i, i + 1).start for i in range(count)] for axis, count in enumerate(grid.cdata_shape)
    ]
    found = defaultdict[tuple[int, ...], list[tuple[int, ...]]](list)
    for coords in touched:
        firsts = [c * n for c, n in zip(coords, lengths, strict=True)]
        shard = tuple([bisect_right(own, first) - 1 for own, first in zip(starts, firsts, strict=True)])
        begins = [own[number] for own, number in zip(starts, shard, strict=True)]
        pairs = zip(firsts, begins, lengths, strict=True)
        found[shard].append(tuple([(first - begin) // n for first, begin, n in pairs]))
    return found
