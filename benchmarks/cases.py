"""The cases: what is measured, and the targets of zchunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from benchmarks.adapters import NAMES, ZARR
from benchmarks.datasets import GROUP_ARRAYS, MANY_ARRAYS, STORED, Layout
from benchmarks.objects import Network
from benchmarks.selections import (
    Select,
    box,
    by_chunk,
    by_shard,
    everything,
    first,
    plane,
    points,
    random_boxes,
    random_chunks,
    random_crops,
    random_picks,
    random_points,
    rows,
    some_chunks,
    strided,
    through_time,
    touched_count,
)

Action = Literal[
    "write",
    "write-synced",
    "read",
    "read-kept",
    "read-together",
    "open",
    "open-group",
    "open-consolidated",
    "append",
    "resize",
    "rechunk",
    "read-memory",
    "write-memory",
    "xarray-load",
    "xarray-point",
    "xarray-write",
    "xarray-write-dask",
    "xarray-region",
    "xarray-open",
    "import",
    "first-read",
    "list",
    "count",
    "delete",
    "copy",
    "consolidate",
    "list-memory",
    "count-memory",
    "delete-memory",
    "copy-memory",
    "consolidate-memory",
]


# Cases of groups, and of no array at all
_WITHOUT_ARRAY = {"open-group", "open-consolidated", "xarray-open", "import"}
_WITHOUT_ARRAY |= {"consolidate", "consolidate-memory"}


@dataclass(frozen=True)
class Target:
    """The largest acceptable ratio of zchunk over another measurement of the same run.

    ``over`` is ``best`` (of all peers), ``zarr`` (the best Zarr library), the name of one peer, ``limit``, or
    the name of another case, whose measurement of zchunk itself is then the reference.
    """

    at_most: float
    over: str = "best"


# No case may be slower than the best peer.
NOT_SLOWER = Target(1.0)


class Team(NamedTuple):
    """Threads of a process, or processes that were forked or spawned, and how many."""

    kind: Literal["threads", "fork", "spawn"]
    size: int


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Parameters
    ----------
    name
        How the case is called on the command line and in the results.
    text
        What the case does, for the table; the array comes from ``stored``.
    action
        A key of `benchmarks.actions.ACTIONS`.
    stored
        A key of `benchmarks.datasets.STORED`.
    select
        The selections of a case that reads.
    per
        The unit of work whose average time is the result.
    memory
        The memory that rechunking may use, as a share of the array.
    threads
        Threads in this case, if not those of the whole run.
    peers
        Libraries that take part, if others would take minutes.
    targets
        The ratios that zchunk must reach.
    network
        The network between the library and an array in an object store.
    cold
        What the system has of the files in memory is dropped before every run, and they lie on a disk.
    latency
        Seconds that every open and every read of a file takes longer.
    team
        What reads at a time: threads, or processes.
    """

    name: str
    text: str
    action: Action
    stored: str
    select: Select = everything
    per: Literal["case", "selection", "chunk"] = "case"
    memory: float = 1
    threads: int | None = None
    peers: tuple[str, ...] = NAMES
    targets: tuple[Target, ...] = (NOT_SLOWER,)
    network: Network | None = None
    cold: bool = False
    latency: float = 0.0
    team: Team | None = None

    @property
    def waits(self) -> bool:
        """Whether the case waits for its storage, which then bounds the requests in flight."""
        return self.on_disk or self.latency > 0

    @property
    def on_disk(self) -> bool:
        """Whether the files lie on a disk."""
        return self.cold or self.action == "write-synced"

    @property
    def unit(self) -> Literal["seconds", "bytes"]:
        """The unit of the case's results."""
        return "bytes" if self.action.endswith("memory") else "seconds"

    @property
    def codec(self) -> str:
        """Name of the codec."""
        return STORED[self.stored].codec

    def count(self, layout: Layout) -> int:
        """Return over how many selections, or chunks, the result is the average."""
        selections = self.select(layout)
        return {
            "case": 1,
            "selection": len(selections),
            "chunk": sum(touched_count(layout, selection) for selection in selections),
        }[self.per]

    def heading(self, size: str) -> tuple[str, str]:
        """Return what the case does, and the array that it uses, for one of the sizes."""
        arrays = MANY_ARRAYS if self.action.startswith("consolidate") else GROUP_ARRAYS
        text = self.text.format(arrays=arrays[size], steps=STORED["steps"].layout(size).shape[0])
        storage = "cold" if self.cold else f"{1000 * self.latency:g} ms per call" if self.latency else ""
        if self.action in _WITHOUT_ARRAY:
            return text, self.network.title if self.network else storage
        stored = STORED[self.stored]
        layout = stored.layout(size)
        names = {
            "field": "model-like",
            "field-512": "model-like",
            "random": "incompressible",
            **dict.fromkeys(("many", "million"), "bytes"),
            "nothing": "never written",
        }
        source = names.get(stored.source, stored.source)
        chunks = f"{layout.chunk_count:,} chunks of {human(layout.chunk_nbytes)}"
        if layout.shards:
            chunks += f", {layout.shard_count:,} shard" + "s" * (layout.shard_count > 1)
        parts = [
            f"{source} {human(layout.nbytes)} in {chunks}",
            layout.codec.title,
            "" if layout.zarr_format == 2 else f"Zarr {layout.zarr_format}",
            {"memory": "RAM store", "zip": "zip store"}.get(layout.container, ""),
            self.network.title if self.network else storage,
            f"{self.threads} thread" if self.threads else "",
        ]
        return text, ", ".join(filter(None, parts))

    def title(self, size: str) -> str:
        """Return the heading as one text."""
        return ", ".join(filter(None, self.heading(size)))


def human(nbytes: float) -> str:
    """Return a number of bytes in the largest binary unit that keeps it above 1."""
    for unit in ("B", "KiB"):
        if nbytes < 1024:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1024
    return f"{nbytes:.3g} MiB"


# Bulk work: the largest share of the best peer's time that zchunk may take.
_READ = {"lz4": 0.65, "zstd": 0.90, "raw": 0.75}
_WRITE = {"lz4": 0.85, "zstd": 0.98, "raw": 0.85}
_BULK = [name for name in STORED if name.startswith(("field", "random", "real"))]
_FAST_SLICE = (Target(0.75),)
_FANCY = (Target(0.60),)
_INSIDE_LARGE = (NOT_SLOWER, Target(0.05, "zarr"), Target(1.0, "blosc2"))
_OVER_LIMIT = Target(1.3, "limit")
_BOUND = (Target(1.0, "limit"),)
# Other formats keep a list of existing chunks in memory; Zarr libraries have to look for each chunk.
_NOT_SLOWER_LOOKING = Target(1.0, "zarr")
_FLAT = Target(1.5, "touch-1000")


def _touch(
    count: int, peers: tuple[str, ...] = NAMES, targets: tuple[Target, ...] = (_NOT_SLOWER_LOOKING,)
) -> Case:
    """Return the case that reads so many chunks that were never written: the cost of each by itself."""
    return Case(
        f"touch-{count}",
        f"read {count:,} chunks, time per chunk",
        "read",
        "missing",
        first(count),
        per="chunk",
        peers=peers,
        targets=targets,
    )


def _remote(
    name: str,
    text: str,
    action: Action,
    stored: str,
    bandwidth: float | None = 200e6,
    **more: Any,
) -> Case:
    """Return the case of an array or a group in an object store."""
    return Case(f"remote-{name}", text, action, stored, network=Network(0.020, bandwidth), **more)


def _waiting_peers(codec: str, delayed: bool) -> tuple[str, ...]:
    """Return the libraries whose reads can be delayed: not what maps files, or reads by streams of C.

    h5py reads what is not compressed row by row, which would take hours.
    """
    return NAMES if not delayed else ZARR if codec == "raw" else (*ZARR, "h5py")


def _waiting(prefix: str, targets: dict[str, float], **storage: Any) -> tuple[Case, ...]:
    """Return the cases that wait for their storage; `targets` by the first part of their names."""
    reads: tuple[tuple[str, str, str, Select], ...] = (
        ("read-lz4", "read all", "waiting-lz4", everything),
        ("read-raw", "read all", "waiting-raw", everything),
        ("box-lz4", "unaligned box", "waiting-lz4", box),
        ("box-raw", "unaligned box", "waiting-raw", box),
        ("plane-lz4", "plane `[:, :, k]`", "waiting-lz4", plane(2)),
        ("plane-raw", "plane `[:, :, k]`", "waiting-raw", plane(2)),
        ("series-lz4", "`[:, i, j]`", "waiting-slices-lz4", through_time),
        ("series-raw", "`[:, i, j]`", "waiting-slices-raw", through_time),
        ("shards", "64 inner chunks, one after the other", "waiting-sharded", some_chunks),
    )
    return (
        *(
            Case(
                f"{prefix}-{name}",
                text,
                "read",
                stored,
                select,
                # A read of all goes to the limit, too: the storage's, with as many requests in flight as pay.
                targets=(Target(targets.get(name, targets["all"])), *[_OVER_LIMIT] * (name[:4] == "read")),
                peers=_waiting_peers(STORED[stored].codec, "latency" in storage),
                **storage,
            )
            for name, text, stored, select in reads
        ),
        Case(
            f"{prefix}-open-group",
            "open a group of {arrays:,} arrays and each array",
            "open-group",
            "small",
            targets=(Target(targets.get("open-group", targets["all"])),),
            peers=_waiting_peers("lz4", "latency" in storage),
            **storage,
        ),
    )


_COLD = {"all": 0.5, "read-raw": 0.75, "box-raw": 0.7, "plane-raw": 0.7, "open-group": 0.3}
_COLD |= {"series-lz4": 0.4, "series-raw": 0.4}


def _together() -> Iterator[Case]:
    """Yield the cases of many readers at a time: crops for training, and crowds that read whole chunks.

    After a fork zarrs hangs, and TensorStore ends the process.
    """
    kinds: tuple[Literal["threads", "fork", "spawn"], ...] = ("threads", "fork", "spawn")
    peers = {"threads": ZARR, "fork": ("zchunk", "zarr2", "zarr3"), "spawn": ZARR}
    for name, stored in (("chunks", "waiting-lz4"), ("shards", "waiting-sharded")):
        for kind in kinds:
            text = f"random crops, 4 {'threads' if kind == 'threads' else f'processes ({kind})'}"
            yield Case(
                f"crops-{name}-{kind}", text, "read-together", stored, random_crops, "selection",
                team=Team(kind, 4), peers=peers[kind], targets=(Target(0.5),),
            )  # fmt: skip
    for kind in kinds[:2]:
        for size in (2, 8, 64):
            text = f"random chunks, {size} {'threads' if kind == 'threads' else 'processes'}"
            yield Case(
                f"crowd-{kind}-{size}", text, "read-together", "field-lz4", random_chunks, "selection",
                team=Team(kind, size), peers=peers[kind],
                targets=(NOT_SLOWER, *[Target(1.3, f"crowd-{kind}-2")] * (size > 2)),
            )  # fmt: skip


def _xarray(
    action: Action, text: str, stored: str = "dataset", select: Select = everything, suffix: str = ""
) -> Case:
    """Return a case through xarray."""
    return Case(action + suffix, f"xarray: {text}", action, stored, select, targets=(Target(0.60),))


def _sharded(stored: str) -> tuple[Case, ...]:
    """Return the cases of an array in shards."""
    return (
        Case(f"{stored}-write", "write", "write", stored, targets=(Target(0.75),)),
        Case(f"{stored}-read", "read all", "read", stored, targets=(Target(0.75),)),
        Case(f"{stored}-chunks", "read chunk by chunk", "read", stored, by_chunk, targets=(Target(0.25),)),
        Case(
            f"{stored}-boxes",
            "boxes at random places, time per box",
            "read",
            stored,
            random_boxes(20),
            per="selection",
            targets=(Target(0.60),),
        ),
    )


# Those with stores of their own, which a million files do not keep for minutes; zarrs has that of zarr 3.
_MANY_PEERS = ("zchunk", "zarr2", "zarr3", "tensorstore")
_MANY: tuple[tuple[str, Action, Action, str], ...] = (
    ("list", "list", "list-memory", "list all keys of an array of many chunks"),
    ("count", "count", "count-memory", "count the stored chunks (`nchunks_initialized`)"),
    ("delete", "delete", "delete-memory", "delete an array of many chunks"),
    ("copy", "copy", "copy-memory", "copy a store of many chunks"),
    ("consolidate", "consolidate", "consolidate-memory", "consolidate the metadata of {arrays:,} arrays"),
)


def _many() -> tuple[Case, ...]:
    """Return the cases of many files: time and memory beside peers, and memory at a million."""
    cases = []
    for name, action, memory, text in _MANY:
        stored = "small" if name == "consolidate" else "many"
        # zarr 3 asks for every chunk, one by one: for a minute.
        peers = tuple(peer for peer in _MANY_PEERS if (name, peer) != ("count", "zarr3"))
        cases.append(Case(f"many-{name}", text, action, stored, peers=peers, targets=(Target(0.5),)))
        peak = f"peak memory: {text}"
        cases.append(Case(f"many-{name}-memory", peak, memory, stored, peers=peers, targets=_BOUND))
        if name != "consolidate":
            cases.append(
                Case(f"million-{name}-memory", peak, memory, "million", peers=("zchunk",), targets=_BOUND)
            )
    return tuple(cases)


# Only the fastest readers take part, since every run of each takes memory of its own.
_SOME = ("zchunk", "zarr3_fused", "tensorstore", "h5py", "blosc2", "numpy")

_ALL = (
    *(
        Case(f"write-{name}", "write", "write", name, targets=(Target(_WRITE[STORED[name].codec]),))
        for name in _BULK
    ),
    *(
        Case(
            f"read-{name}", "read all", "read", name, targets=(Target(_READ[STORED[name].codec]), _OVER_LIMIT)
        )
        for name in _BULK
    ),
    *(
        Case(f"read-field-{kind}-kept", "read all, all results kept", "read-kept", name, peers=_SOME)
        for kind, name in (("lz4", "kept-lz4"), ("raw", "kept-raw"))
    ),
    Case("write-1-thread", "write", "write", "field-lz4", threads=1),
    Case("read-1-thread", "read all", "read", "field-lz4", threads=1),
    Case("box", "unaligned box", "read", "field-lz4", box, targets=_FAST_SLICE),
    Case("plane-0", "plane `[k, :, :]`", "read", "field-lz4", plane(0), targets=(Target(0.5),)),
    Case("plane-1", "plane `[:, k, :]`", "read", "field-lz4", plane(1)),
    Case("plane-2", "plane `[:, :, k]`", "read", "field-lz4", plane(2), targets=_FAST_SLICE),
    Case("strided", "`[::4, ::4, ::4]`", "read", "field-lz4", strided, targets=_FAST_SLICE),
    Case("point", "one element", "read", "field-lz4", points, per="selection"),
    Case("points-1000", "1,000 points", "read", "field-lz4", random_points(1000), targets=_FANCY),
    Case("picks-40", "40×40×40 positions", "read", "field-lz4", random_picks(40), targets=_FANCY),
    Case("plane-0-large", "plane `[k, :, :]`", "read", "field-lz4-large", plane(0), targets=(Target(0.5),)),
    Case(
        "point-large",
        "one element",
        "read",
        "field-lz4-large",
        points,
        per="selection",
        targets=_INSIDE_LARGE,
    ),
    Case("row-large", "one row", "read", "field-lz4-large", rows, per="selection", targets=_INSIDE_LARGE),
    Case("series-write", "write", "write", "series"),
    Case("series-read", "read all", "read", "series"),
    Case("series", "`[:, i, j]`", "read", "series", through_time, targets=(Target(0.5),)),
    Case("tiny-write", "write", "write", "tiny", targets=(NOT_SLOWER, Target(0.70, "zarr"))),
    Case("tiny-read", "read all", "read", "tiny", targets=(NOT_SLOWER, Target(0.50, "zarr"))),
    Case("small-write", "create and write", "write", "small", targets=(NOT_SLOWER, Target(0.5, "zarr"))),
    Case("small-read", "read all", "read", "small", targets=(NOT_SLOWER, Target(0.25, "zarr"))),
    Case(
        "small-point",
        "one element",
        "read",
        "small",
        points,
        per="selection",
        targets=(NOT_SLOWER, Target(0.15, "zarr")),
    ),
    *(_touch(10), _touch(1_000)),
    # Other libraries need up to 0.3 ms per chunk.
    _touch(100_000, ("zchunk", "zarr2", "tensorstore"), (_NOT_SLOWER_LOOKING, _FLAT)),
    _touch(1_000_000, ("zchunk",), (_FLAT,)),
    Case("open", "open an array", "open", "small", targets=(NOT_SLOWER, Target(0.5, "zarr2"))),
    Case("open-group", "open a group of {arrays:,} arrays and each array", "open-group", "small"),
    Case(
        "open-consolidated",
        "open a group of {arrays:,} arrays and each array, consolidated",
        "open-consolidated",
        "small",
    ),
    *_many(),
    *_together(),
    Case("append", "append {steps} time steps one by one", "append", "steps"),
    Case("resize", "halve the first axis, double it again", "resize", "tiny"),
    *(
        Case(
            f"rechunk-{name}",
            f"rechunk from slices to columns, {text}",
            "rechunk",
            f"slices-{codec}",
            memory=memory,
            targets=(Target(0.60),),
        )
        for name, text, codec, memory in (
            ("in-memory", "all of it fits in memory", "lz4", 4),
            ("out-of-core", "in memory of a third of it", "lz4", 1 / 3),
            ("raw", "in memory of a third of it", "raw", 1 / 3),
        )
    ),
    Case("memory-store-write", "write", "write", "memory"),
    Case("memory-store-read", "read all", "read", "memory"),
    Case("zip-write", "write", "write", "zip"),
    Case("zip-read", "read all", "read", "zip"),
    *(
        case
        for codec in ("raw", "zstd")
        for case in (
            Case(f"counts-{codec}-write", "write", "write", f"counts-{codec}"),
            Case(f"counts-{codec}-read", "read all", "read", f"counts-{codec}"),
            Case(f"counts-{codec}-chunks", "read chunk by chunk", "read", f"counts-{codec}", by_chunk),
        )
    ),
    *(case for codec in ("raw", "lz4", "zstd") for case in _sharded(f"sharded-{codec}")),
    Case("sharded-tiny-write", "write", "write", "sharded-tiny", targets=(NOT_SLOWER, Target(0.3, "zarr"))),
    Case("sharded-tiny-read", "read all", "read", "sharded-tiny", targets=(NOT_SLOWER, Target(0.3, "zarr"))),
    *(
        Case(f"peak-{name}", "peak memory of reading all", "read-memory", name, targets=_BOUND)
        for name in ("field-lz4", "field-lz4-large", "field-raw")
    ),
    Case(
        "peak-write-field-lz4-large",
        "peak memory of writing",
        "write-memory",
        "field-lz4-large",
        targets=_BOUND,
    ),
    Case(
        "peak-missing",
        "peak memory of reading all",
        "read-memory",
        "missing",
        peers=("zchunk",),
        targets=_BOUND,
    ),
    _xarray("xarray-load", "open 4 variables and load them"),
    _xarray("xarray-point", "one point through time of 4 open variables", select=through_time),
    _xarray("xarray-write", "write 4 variables"),
    _xarray("xarray-write-dask", "write 4 variables that are dask arrays of the same chunks"),
    _xarray("xarray-region", "write 4 variables, region by region along time"),
    _xarray("xarray-open", "open {arrays:,} variables, consolidated", "variables", suffix="-1000"),
    _xarray(
        "xarray-open",
        "open {arrays:,} variables, consolidated, Zarr 3",
        "variables-v3",
        suffix="-1000-v3",
    ),
    Case("import", "import", "import", "small", targets=_BOUND),
    Case("first-read", "import beside NumPy, open an array and read it", "first-read", "small"),
    *_waiting("cold", _COLD, cold=True),
    *(
        Case(
            f"synced-{name}",
            "write, all of it on the disk when that ends",
            "write-synced",
            stored,
            targets=(Target(0.5), _OVER_LIMIT),
        )
        for name, stored in (
            ("lz4", "field-lz4"),
            ("raw", "field-raw"),
            ("shards-lz4", "synced-shards-lz4"),
            ("shards-raw", "synced-shards-raw"),
        )
    ),
    *(
        case
        for milliseconds in (1, 10)
        for case in _waiting(f"slow-{milliseconds}ms", {"all": 0.5}, latency=milliseconds / 1000)
    ),
    _remote("write", "write", "write", "objects-raw"),
    _remote("read", "read all", "read", "objects-raw", targets=(NOT_SLOWER, _OVER_LIMIT)),
    _remote("read-fast", "read all", "read", "objects-raw", bandwidth=None),
    _remote("read-lz4", "read all", "read", "objects-lz4"),
    _remote(
        "sharded-slices",
        "one row out of each shard, time per row",
        "read",
        "objects-sharded",
        select=by_shard,
        per="selection",
    ),
    _remote(
        "open-consolidated",
        "open a group of {arrays:,} arrays and each array, consolidated",
        "open-consolidated",
        "objects-small",
    ),
)

CASES = {case.name: case for case in _ALL}
