"""The cases of zarr_benchmarks (github.com/zarrs/zarr_benchmarks), smaller, through the adapters here.

Its arrays of 16-bit integers, with its values, its chunks of 256^3, its shards of these with chunks of 64^3,
and its Zstd, in 512^3 items: read all, read chunk by chunk, read inner chunk by inner chunk, a round trip.
Libraries take turns, each time in a process of its own, and the least time counts. There the page cache is
dropped before each run, and times are those of processes with their imports; here files are in memory, and
times begin with opening, so that the disk and Python's start are not what is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import environments
from benchmarks.adapters import load_adapter
from benchmarks.adapters.base import Adapter
from benchmarks.datasets import CODECS, Layout
from benchmarks.machine import default_folder, describe

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "speed.md"
PEERS = ("zchunk", "zarrs", "tensorstore", "zarr3_fused", "zarr3")
BEGIN, END = "<!-- zarr_benchmarks -->\n", "<!-- end -->"


def values(side: int) -> NDArray[Any]:
    """Return what its generator writes."""
    i = np.arange(side, dtype=np.int64)
    i0, i1, i2 = i[:, None, None], i[:, None], i
    made: NDArray[Any] = (i2 + i1 * i1 // 32 + i0 * i0 * i0).astype("<u2")
    return made


def images(side: int) -> dict[str, Layout]:
    """Return its three arrays by their names."""
    shape, chunk, inner = (side,) * 3, (side // 2,) * 3, (side // 8,) * 3
    zstd = CODECS["plain-zstd"]
    return {
        "uncompressed": Layout(shape, chunk, "<u2", CODECS["raw"], zarr_format=3),
        "compressed": Layout(shape, chunk, "<u2", zstd, zarr_format=3),
        "compressed, sharded": Layout(shape, inner, "<u2", zstd, zarr_format=3, shards=chunk),
    }


def boxes(side: int, length: int) -> Iterator[tuple[slice, ...]]:
    """Yield the boxes of a regular grid."""
    starts = range(0, side, length)
    for corner in product(starts, starts, starts):
        yield tuple(slice(start, start + length) for start in corner)


def read_boxes(adapter: Adapter, handle: Any, side: int, length: int, at_a_time: int) -> None:
    """Read a grid of boxes, some at a time."""
    if at_a_time == 1:
        for box in boxes(side, length):
            adapter.read(handle, box)
        return
    with ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(lambda box: adapter.read(handle, box), boxes(side, length)))


def cases(adapter: Adapter, folder: Path, side: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield each case by its name: opening is part of it."""
    for name, layout in images(side).items():
        path = os.fspath(folder / name)

        def read_all(path: str = path, layout: Layout = layout) -> None:
            adapter.read(adapter.open(path, layout), (slice(None),) * 3)

        def by_boxes(
            length: int, at_a_time: int, path: str = path, layout: Layout = layout
        ) -> Callable[[], None]:
            return lambda: read_boxes(adapter, adapter.open(path, layout), side, length, at_a_time)

        def round_trip(path: str = path, layout: Layout = layout) -> None:
            items = np.asarray(adapter.read(adapter.open(path, layout), (slice(None),) * 3))
            adapter.save(path + "-again", layout, items)

        yield f"{name}: read all", read_all
        for at_a_time in (1, 2):
            yield f"{name}: chunk by chunk, {at_a_time} at a time", by_boxes(side // 2, at_a_time)
        if layout.shards:
            yield f"{name}: inner chunk by inner chunk", by_boxes(side // 8, 1)
        yield f"{name}: round trip", round_trip


def work(peer: str, folder: Path, side: int, threads: int) -> dict[str, float]:
    """Return the seconds of each case; `folder` has the arrays."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    adapter = load_adapter(peer, threads)
    found = {}
    for name, case in cases(adapter, folder, side):
        for written in folder.glob("*-again"):
            shutil.rmtree(written)
        start = perf_counter()
        case()
        found[name] = perf_counter() - start
    return found


def prepare(folder: Path, side: int) -> None:
    """Write the arrays, by zchunk."""
    adapter, items = load_adapter("zchunk", 2), values(side)
    for name, layout in images(side).items():
        adapter.save(os.fspath(folder / name), layout, items)


def measure(
    peers: tuple[str, ...], pythons: Mapping[str, str], side: int, threads: int, repeat: int
) -> dict[str, dict[str, float]]:
    """Return the least seconds of each case of each library."""
    best: dict[str, dict[str, float]] = {peer: {} for peer in peers}
    with tempfile.TemporaryDirectory(prefix="zarr-benchmarks-", dir=default_folder(8 << 30, True)) as name:
        prepare(Path(name), side)
        for _, peer in product(range(repeat), peers):
            command = [pythons.get(peer, sys.executable), "-m", "benchmarks.zarr_benchmarks"]
            command += ["--work", peer, name, "--side", str(side), "--threads", str(threads)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            for case, took in json.loads(done.stdout.splitlines()[-1]).items():
                best[peer][case] = min(took, best[peer].get(case, np.inf))
    return best


def table(best: Mapping[str, Mapping[str, float]]) -> str:
    """Return milliseconds of each library, and zchunk's ratio to the best of the others."""
    others = [peer for peer in best if peer != "zchunk"]
    head = ["case, ms", *best, *(f"ratio to {peer}" for peer in others)]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for case, own in best["zchunk"].items():
        row = [case, *(f"{1000 * times[case]:,.0f}" for times in best.values())]
        row += [f"{own / best[peer][case]:.2f}" for peer in others]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def write(text: str, document: Path = DOCUMENT) -> None:
    """Put the table into the document."""
    old = document.read_text()
    before, after = old.split(BEGIN)[0], old.split(BEGIN)[1].split(END, 1)[1]
    document.write_text(f"{before}{BEGIN}{text}\n{END}{after}")


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; or be the process of one library."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zarr_benchmarks", description=__doc__)
    add = parser.add_argument
    add("--side", type=int, default=512, metavar="N", help="items along each axis (default 512)")
    add("--threads", type=int, default=2, metavar="N", help="threads of each library (default 2)")
    add("--repeat", type=int, default=3, metavar="N", help="turns, of which the fastest counts (default 3)")
    add("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="PEER", help=", ".join(PEERS))
    add("--envs", type=Path, metavar="DIR", help="environments that python -m benchmarks --setup made")
    add("--write", action="store_true", help="write the table into docs/speed.md")
    add("--work", nargs=2, metavar=("PEER", "DIR"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.work:
        print(json.dumps(work(given.work[0], Path(given.work[1]), given.side, given.threads)))
        return
    pythons = environments.pythons(given.envs) if given.envs else {}
    # zchunk is that of this source tree.
    pythons.pop("zchunk", None)
    peers = tuple(dict.fromkeys(["zchunk", *given.peers]))
    best = measure(peers, pythons, given.side, given.threads, given.repeat)
    machine = describe(ROOT)
    text = f"{machine['date'][:10]}, {machine['commit']}, {machine['processor']}, {given.threads} threads, "
    text += f"{given.side}^3 items, best of {given.repeat}:\n\n{table(best)}"
    if given.write:
        write(text)
    print(text)


if __name__ == "__main__":
    main()
