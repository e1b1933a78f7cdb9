"""The cost model: how long a selection takes, from its requests, its bytes, and the place of the chunks.

The rates are those of one core, fitted to measured runs by ``python -m benchmarks.scaling``, which checks
them against other runs; ``docs/design/scaling.md`` has both, and what the model says of far larger arrays.
Another processor has other rates, but seldom others by more than a factor of two. Latencies and
bandwidths are of the place, and often matter more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

# As the engine does it in shards: chunks that are no farther apart share a request, of at most so many bytes,
# and as many chunks are asked for at a time as may be under way, or have so many bytes.
GAP = 1 << 16
RUN = 8 << 20
BATCH = 32 << 20


class Work(NamedTuple):
    """What a selection asks for.

    Parameters
    ----------
    requests : int
        Files that are opened, or requests that are sent.
    chunks : int
        Chunks that are decoded.
    read : int
        Bytes that are read.
    decoded : int
        Bytes of these chunks when decoded.
    codec : str
        How they are encoded, one of the keys of `Rates.decode`.
    rounds : int
        Requests that wait for each other: in shards at least two, for the index and for chunks.
    """

    requests: int
    chunks: int
    read: int
    decoded: int
    codec: str = "raw"
    rounds: int = 1


class Place(NamedTuple):
    """Where chunks are.

    Parameters
    ----------
    name : str
        As it is called in tables.
    latency : float
        Seconds from a request until its answer begins.
    bandwidth : float
        Bytes per second of all requests together.
    in_flight : int or None
        Requests that are under way at a time; None for as many as there are threads.
    remote : bool
        Whether a request goes through a client of a network, which costs more time of the processor.
    """

    name: str
    latency: float = 0.0
    bandwidth: float = math.inf
    in_flight: int | None = None
    remote: bool = False


PAGE_CACHE = Place("in the page cache")
CLUSTER = Place("1 ms per file", 0.001, 2e9)
OBJECTS = Place("object store at 50 ms", 0.05, 1e9, 64, remote=True)
PLACES = (PAGE_CACHE, CLUSTER, OBJECTS)


class Rates(NamedTuple):
    """What one core does, and how much of it cannot be shared among threads.

    Parameters
    ----------
    call : float
        Seconds of a call, without any chunk.
    request : float
        Seconds of the processor for a file: open, read, close.
    remote_request : float
        Seconds of the processor for a request to an object store.
    remote_read : float
        Bytes per second that come through its client.
    chunk : float
        Seconds of a chunk besides its file and its bytes.
    decode : mapping of str to float
        Decoded bytes per second, put into the result, by codec.
    serial : float
        Share of the work that threads do not divide: memory and locks of the kernel are shared.
    """

    call: float
    request: float
    remote_request: float
    remote_read: float
    chunk: float
    decode: Mapping[str, float]
    serial: float

    def busy(self, work: Work, remote: bool = False) -> float:
        """Return the seconds of the processor that work takes, of all threads together.

        Examples
        --------
        >>> rates = Rates(0, 1e-5, 3e-4, 1e9, 1e-6, {"raw": 1e9}, 0)
        >>> f"{rates.busy(Work(100, 100, 10**9, 10**9)):.4f}"
        '1.0011'
        """
        if remote:
            fetch = work.requests * self.remote_request + work.read / self.remote_read
        else:
            fetch = work.requests * self.request
        return fetch + work.chunks * self.chunk + work.decoded / self.decode[work.codec]


# Of the run in docs/design/scaling.md; the benchmark writes both.
# fmt: off
MEASURED = Rates(
    call=1e-08,
    request=6.34e-07,
    remote_request=6.45e-05,
    remote_read=4.42e+08,
    chunk=1.15e-06,
    decode=MappingProxyType({
        "raw": 2.41e+09,
        "lz4": 2.26e+09,
        "zstd": 9.62e+08,
        "deflate": 2.86e+08,
    }),
    serial=0.1,
)
# fmt: on


def seconds(work: Work, place: Place, threads: int, rates: Rates = MEASURED) -> float:
    """Return how long work takes at a place.

    Rounds of requests are waited for, and what the processor does for them comes on top: a thread that waits
    for a file decodes nothing meanwhile. Where more requests are under way than threads, decoding hides part
    of the waiting, and the model says at most twice what it takes. Bytes come no faster than the bandwidth.

    Parameters
    ----------
    work : Work
        What is asked for.
    place : Place
        Where it is.
    threads : int
        Threads that decode.
    rates : Rates, optional
        Of the processor.

    Examples
    --------
    >>> rates = Rates(0, 0, 0, 1e12, 0, {"raw": 1e9}, 0)
    >>> work = Work(requests=640, chunks=640, read=10**9, decoded=10**9)
    >>> seconds(work, Place("far", 0.05, 1e12, 64), 4, rates)  # ten rounds of 64 requests, and the work
    0.75
    >>> seconds(work, Place("slow", 0.05, 1e9, 64), 4, rates)  # the bytes take longer than the work
    1.5
    >>> seconds(work, Place("near"), 4, rates)  # the work of four threads
    0.25
    """
    if not work.requests:
        return rates.call
    helped = min(threads, work.chunks if place.remote else work.requests)
    busy = rates.busy(work, place.remote) * (rates.serial + (1 - rates.serial) / max(helped, 1))
    waves = max(math.ceil(work.requests / (place.in_flight or threads)), work.rounds)
    return rates.call + waves * place.latency + max(busy, work.read / place.bandwidth)


def runs(ranges: Iterable[tuple[int, int]]) -> int:
    """Return how many requests fetch ranges of one value, each a start and a size.

    Examples
    --------
    >>> runs([(0, 100), (100, 100), (1 << 20, 100)])
    2
    """
    count, begin, end = 0, 0, 0
    for start, size in sorted(ranges):
        if count and start - end <= GAP and max(end, start + size) - begin <= RUN:
            end = max(end, start + size)
        else:
            count, begin, end = count + 1, start, start + size
    return count


def batch_size(concurrency: int, nbytes: int) -> int:
    """Return how many chunks of a shard in a remote store are asked for at a time.

    Parameters
    ----------
    concurrency : int
        Of the store; of a store on this machine, as object stores have it by default.
    nbytes : int
        Bytes of a chunk when decoded.

    Examples
    --------
    >>> batch_size(16, 1 << 20), batch_size(1, 1 << 20)
    (16, 32)
    """
    concurrency = concurrency if concurrency > 1 else OBJECTS.in_flight or 1
    return max(2, min(concurrency, BATCH // max(nbytes, 1)))


def batched(ranges: Sequence[tuple[int, int]], count: int) -> Iterator[Sequence[tuple[int, int]]]:
    """Yield ranges so many at a time.

    Examples
    --------
    >>> [*batched([(0, 1), (1, 1), (2, 1)], 2)]
    [[(0, 1), (1, 1)], [(2, 1)]]
    """
    for start in range(0, len(ranges), count):
        yield ranges[start : start + count]


def say(duration: float) -> str:
    """Return seconds in the unit that suits them, with two digits.

    Examples
    --------
    >>> say(0.000123), say(0.0456), say(7.8), say(7800)
    ('0.12 ms', '46 ms', '7.8 s', '2.2 h')
    """
    for factor, unit, most in ((1e3, "ms", 1.0), (1.0, "s", 120.0), (1 / 60, "min", 7200.0)):
        if duration < most:
            return f"{_digits(duration * factor)} {unit}"
    hours = duration / 3600
    return f"{_digits(hours)} h" if hours < 48 else f"{_digits(hours / 24)} days"


def _digits(value: float) -> str:
    if not value:
        return "0"
    places = max(1 - math.floor(math.log10(value)), 0)
    return f"{round(value, 1 - math.floor(math.log10(value))):,.{places}f}"
