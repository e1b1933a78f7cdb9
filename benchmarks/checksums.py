"""What trust costs: `python -m benchmarks.checksums` prints the tables of docs/verification.md.

The same field is written and read with a checksum and without, and verified, by turns, so that what
else the machine does meets all alike; each number is the best of some runs. The files are in the page cache:
what a disk takes comes to both sides.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

import zchunk
from zchunk.wings.verification import Report

Clock = Callable[[], float]
Field = np.ndarray[Any, np.dtype[np.int32]]

MIB = 1024
RUNS = 5
CODECS: dict[str, Any] = {"`Blosc`, the default": zchunk.Blosc(), "no compressor": None}


class Times(NamedTuple):
    """Seconds for writing, for reading and for verifying all of an array."""

    write: float
    read: float
    verify: float


def field(mib: int) -> Field:
    """Return so many MiB of steps that add up, as simulations have; planes of 4 MiB."""
    steps = np.random.default_rng(0).integers(-3, 4, (max(mib // 4, 1), 1024, 1024), dtype=np.int32)
    return np.cumsum(steps, axis=0, out=steps)


def measure(
    values: Field, folder: Path, runs: int = RUNS, clock: Clock = perf_counter, **parameters: Any
) -> tuple[Times, Times]:
    """Return the times without a checksum, and with one."""

    def timed(work: Callable[[], object]) -> float:
        start = clock()
        work()
        return clock() - start

    arrays = []
    for on in (False, True):
        given = {"chunks": (1, *values.shape[1:]), "dtype": values.dtype, "checksum": on} | parameters
        arrays.append(zchunk.create(values.shape, store=folder / str(on), **given))
    out = np.empty_like(values)
    found: list[list[list[float]]] = [[[], [], []], [[], [], []]]
    for _ in range(runs):
        for z, times in zip(arrays, found, strict=True):
            times[0].append(timed(lambda z=z: z.__setitem__(..., values)))  # type: ignore[misc]
            times[1].append(timed(lambda z=z: z.get_basic_selection(..., out=out)))  # type: ignore[misc]
            times[2].append(timed(lambda z=z: _check(zchunk.verify(z))))  # type: ignore[misc]
    without, with_sum = (Times(*map(min, times)) for times in found)
    return without, with_sum


def _check(report: Report) -> None:
    if not report:
        raise RuntimeError(str(report))


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checksums", description=__doc__)
    parser.add_argument("--mib", type=int, default=MIB, help="size of the array")
    parser.add_argument("--runs", type=int, default=RUNS, help="of which the best counts")
    parser.add_argument("--folder", type=Path, help="where files are written; the system's temporary folder")
    parser.add_argument("--cpu", action="store_true", help="processor time, where other programs run")
    options = parser.parse_args(arguments)
    values = field(options.mib)
    clock, unit = (process_time, "processor time") if options.cpu else (perf_counter, "time")
    print(
        f"{options.mib} MiB, {zchunk.get_threads()} threads, best of {options.runs}, {unit} in milliseconds\n"
    )
    print("| codec | format | write | with a checksum | read | with a checksum | verify, with it | / read |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, codec in CODECS.items():
        for zarr_format in (2, 3):
            folder = Path(tempfile.mkdtemp(dir=options.folder))
            try:
                parameters = {"compressors": codec, "zarr_format": zarr_format}
                without, checked = measure(values, folder, options.runs, clock, **parameters)
            finally:
                shutil.rmtree(folder)
            cells = [
                f"{1000 * without.write:.0f}",
                _beside(checked.write, without.write),
                f"{1000 * without.read:.0f}",
                _beside(checked.read, without.read),
                f"{1000 * checked.verify:.0f}",
                f"{checked.verify / checked.read:.2f}",
            ]
            print(f"| {name} | {zarr_format} | {' | '.join(cells)} |", flush=True)


def _beside(seconds: float, other: float) -> str:
    return f"{1000 * seconds:.0f} ({100 * (seconds / other - 1):+.0f} %)"


if __name__ == "__main__":
    main(sys.argv[1:])
