"""What the model says of 1 PB, 10^9 chunks and 10,000 processes, and where layouts break."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zchunk
from benchmarks.scaling import report
from benchmarks.scaling.runs import best
from zchunk.wings.profiling.costs import BATCH, OBJECTS, RUN, Rates, Work, say, seconds

PETABYTE = 10**15
RANKS = 10_000
THREADS = 8
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# What providers of object stores state per prefix, and keys in a page of a listing.
GETS_PER_SECOND = 5_500
PREFIXES = 100
PAGE = 1_000
# Bytes per second that a store gives to all clients.
TOGETHER = 1e12
# Of the logarithm of latencies.
SPREAD = 0.47
# Compressed to so much.
RATIO = 0.5
# An entry of a shard's index: offset and size, of eight bytes each; and its checksum.
ENTRY, CHECKSUM = 16, 4


class Layout(NamedTuple):
    """Chunks, and shards of several of them, by their decoded bytes."""

    chunk: int
    shard: int | None = None

    @property
    def name(self) -> str:
        """As it is called in tables."""
        return size(self.chunk) + (f" in {size(self.shard)}" if self.shard else "")

    @property
    def chunks(self) -> int:
        """Chunks of 1 PB."""
        return math.ceil(PETABYTE / self.chunk)

    @property
    def objects(self) -> int:
        """Files or objects of 1 PB."""
        return math.ceil(PETABYTE / (self.shard or self.chunk))

    @property
    def index(self) -> int:
        """Bytes of a shard's index."""
        return 0 if self.shard is None else self.shard // self.chunk * ENTRY + CHECKSUM


LAYOUTS = (
    Layout(64 * KIB),
    Layout(MIB),
    Layout(16 * MIB),
    Layout(128 * MIB),
    Layout(64 * KIB, 64 * MIB),
    Layout(MIB, 256 * MIB),
    Layout(MIB, GIB),
    Layout(MIB, 16 * GIB),
    Layout(4 * MIB, 4 * GIB),
    Layout(64 * KIB, 16 * GIB),
)


def size(nbytes: float) -> str:
    """Return bytes in words."""
    for unit, name in ((1 << 40, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if nbytes >= unit:
            return f"{nbytes / unit:,.3g} {name}" if nbytes < 1000 * unit else f"{nbytes / unit:,.0f} {name}"
    return f"{nbytes:.0f} B"


def layouts() -> str:
    """Return what each layout is before anything is read."""
    rows = []
    for layout in LAYOUTS:
        listing = math.ceil(layout.objects / PAGE) * OBJECTS.latency
        indexes = layout.index * layout.objects
        # A writer holds what its threads encode, and the shard that is put together.
        writer = THREADS * layout.chunk + (layout.shard * RATIO if layout.shard else 0)
        rows.append(
            (
                layout.name,
                f"{layout.objects:,}",
                say(listing),
                f"{round(layout.objects ** (1 / 3)):,}",
                size(layout.index) if layout.index else "–",
                size(indexes) if indexes else "–",
                size(writer),
            )
        )
    head = (
        "chunks (in shards)",
        "objects",
        "listed",
        "entries of a folder, 3 axes",
        "an index",
        "all indexes",
        "a writer holds",
    )
    return report.table(head, rows)


class Task(NamedTuple):
    """What a process reads: bytes that are wanted, in chunks of which it wants a part each."""

    name: str
    nbytes: int
    part: float
    alone: bool


# A hundredth of a millionth of 1 PB is 100 GB for each of 10,000 processes.
TASKS = (
    Task("all, by 10,000 processes", PETABYTE // RANKS, 1.0, False),
    Task("10,000 random crops of 1 MiB by each", 10_000 * MIB, 0.125, False),
    Task("one element", 4, 0.0, True),
    Task("a series through 10,000 chunks", 40_000, 0.0, True),
)


def work_of(task: Task, layout: Layout) -> Work:
    """Return what a process asks for, in the layout."""
    if task.part == 1:
        chunks = math.ceil(task.nbytes / layout.chunk)
        # All of a shard comes in runs.
        # Neighbours share a request, of 8 MiB at most, in batches of the engine.
        together = max(
            min(OBJECTS.in_flight or 1, BATCH // layout.chunk, int(RUN / RATIO) // layout.chunk), 1
        )
        requests = chunks if layout.shard is None else math.ceil(chunks / together)
        shards = 0 if layout.shard is None else math.ceil(task.nbytes / layout.shard)
    elif task.part:
        # A crop meets as many chunks as its bytes fill, and on average one more along each of three axes.
        each = round((max(MIB / layout.chunk, 1e-9) ** (1 / 3) + 1) ** 3)
        chunks = requests = each * 10_000
        shards = 0 if layout.shard is None else min(10_000, layout.objects)
    else:
        chunks = requests = 1 if task.nbytes == 4 else 10_000
        shards = 0 if layout.shard is None else min(chunks, max(1, chunks // 100))
    decoded = chunks * layout.chunk
    read = round(decoded * RATIO) + shards * layout.index
    return Work(requests + shards, chunks, read, decoded, "lz4", 2 if layout.shard else 1)


def together(work: Work, ranks: int, rates: Rates) -> tuple[float, str]:
    """Return the seconds until all processes are done, and what bounds them."""
    bounds = {
        "latency or processor": seconds(work, OBJECTS, THREADS, rates),
        "requests per second": work.requests * ranks / (GETS_PER_SECOND * PREFIXES),
        "bandwidth": work.read * ranks / TOGETHER,
    }
    longest = max(bounds, key=lambda name: bounds[name])
    return bounds[longest], longest


def times(rates: Rates) -> str:
    """Return how long each task takes in each layout, and what bounds it."""
    rows = []
    for layout in LAYOUTS:
        row = [layout.name]
        for task in TASKS:
            took, why = together(work_of(task, layout), 1 if task.alone else RANKS, rates)
            row.append(f"{say(took)} ({why.split()[0]})")
        rows.append(row)
    return report.table(("chunks (in shards)", *(task.name for task in TASKS)), rows)


def simulate(
    processes: int, requests: int, in_flight: int, latency: float, limit: float, seed: int = 1
) -> tuple[float, float]:
    """Return when the median and the last of many processes have the answers to all of their requests.

    Each answer takes a time of its own (log-normal, the mean is the latency, one in a hundred takes 2.7 times
    as long), each process has so many requests under way, and the store begins `limit` of them a second.
    """
    rng = np.random.default_rng(seed)
    free = np.zeros((processes, in_flight))
    rows = np.arange(processes)
    begun = 0
    for _ in range(requests):
        slot = free.argmin(axis=1)
        ready = free[rows, slot]
        # The store begins requests in the order in which they come.
        order = ready.argsort(kind="stable")
        start = np.empty(processes)
        start[order] = np.maximum(ready[order], (begun + rows) / limit)
        begun += processes
        free[rows, slot] = start + rng.lognormal(math.log(latency) - SPREAD**2 / 2, SPREAD, processes)
    done = np.sort(free.max(axis=1))
    return float(done[processes // 2]), float(done[-1])


def simulated(rates: Rates) -> str:
    """Return a simulation of many processes beside what the model says."""
    cases = (
        (1, 1000, 64, math.inf),
        (100, 1000, 64, math.inf),
        (1000, 200, 64, 550_000.0),
        (RANKS, 100, 16, math.inf),
        (RANKS, 100, 16, 550_000.0),
        (RANKS, 100, 64, 5_500.0),
    )
    rows = []
    for processes, requests, in_flight, limit in cases:
        median, last = simulate(processes, requests, in_flight, OBJECTS.latency, limit)
        model = max(
            seconds(Work(requests, requests, 0, 0), OBJECTS._replace(in_flight=in_flight), THREADS, rates),
            processes * requests / limit,
        )
        allowed = "any" if limit == math.inf else f"{limit:,.0f}"
        rows.append(
            (f"{processes:,}", f"{requests:,}", f"{in_flight}", allowed, say(median), say(last), say(model))
        )
    head = (
        "processes",
        "requests of each",
        "at a time",
        "begun per second",
        "median done",
        "last done",
        "model",
    )
    return report.table(head, rows)


class Metadata(NamedTuple):
    """What consolidated metadata take, of each array: bytes, and seconds to open the group."""

    nbytes: float
    seconds: float


def measure_metadata(folder: Path, arrays: int) -> Metadata:
    """Return what a consolidated group of so many arrays takes."""
    path = folder / "group"
    group = zchunk.open_group(path, mode="w")
    for number in range(arrays):
        array = group.create(f"variable-{number}", shape=(1000, 1000), chunks=(100, 100), dtype="f4")
        array.attrs.update(units="K", long_name="a name of some words", standard_name="air_temperature")
    zchunk.consolidate_metadata(path)
    nbytes = (path / ".zmetadata").stat().st_size
    return Metadata(nbytes / arrays, best(lambda: zchunk.open_consolidated(path), 3) / arrays)


def metadata(small: Metadata, rates: Rates) -> str:
    """Return how groups of many arrays are opened: node by node and consolidated, by one and by 10,000."""
    rows = []
    for arrays in (100, 10_000, 1_000_000):
        nbytes, parse = small.nbytes * arrays, small.seconds * arrays
        apart = seconds(Work(2 * arrays, 0, round(nbytes), 0), OBJECTS, THREADS, rates)
        once = OBJECTS.latency + nbytes / OBJECTS.bandwidth + parse
        crowd = max(once, RANKS * nbytes / TOGETHER)
        crowd_apart = max(apart, RANKS * 2 * arrays / GETS_PER_SECOND)
        rows.append(
            (
                f"{arrays:,}",
                size(nbytes),
                say(apart),
                say(once),
                say(crowd_apart),
                say(crowd),
                size(RANKS * nbytes),
            )
        )
    head = (
        "arrays",
        "consolidated",
        "one by one",
        "consolidated, opened",
        "one by one, 10,000 processes",
        "consolidated, 10,000",
        "sent in all",
    )
    return report.table(head, rows)


def tables(rates: Rates, small: Metadata) -> dict[str, str]:
    """Return all tables by their names in the document."""
    return {
        "layouts": layouts(),
        "times": times(rates),
        "simulated": simulated(rates),
        "metadata": metadata(small, rates),
    }
