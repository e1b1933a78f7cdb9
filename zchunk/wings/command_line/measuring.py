"""`zchunk bench`: how fast arrays are written and read here, by codec and by what is read."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from zchunk.creation.arrays import create
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser, UsageError
from zchunk.wings.command_line.commands import Command

_CODECS = ("blosc-lz4", "zstd:3", "none")


def _arguments(parser: Parser) -> None:
    parser.add_argument("folder", nargs="?", help="where to write; by default where temporary files are")
    parser.add_argument("--quick", action="store_true", help="8 MiB instead of 128")
    parser.add_json()


def _run(args: argparse.Namespace) -> int:
    if args.folder is not None and not os.path.isdir(args.folder):
        raise UsageError(f"there is no folder {args.folder!r}")
    rows = measure(128 if args.quick else 320, args.folder)
    if args.json:
        output.say_json(rows)
        return 0
    cells = [("codec", "what", "ms", "MB/s")]
    cells += [(r["codec"], r["what"], f"{r['seconds'] * 1e3:.3g}", f"{r['rate'] / 1e6:,.0f}") for r in rows]
    for line in output.lines_of(cells, right=[2, 3]):
        output.say(line)
    return 0


def measure(length: int, folder: str | None = None, repeats: int = 3) -> list[dict[str, Any]]:
    """Return how long it takes to write and read a cube of float32, the best of some repeats.

    Parameters
    ----------
    length : int
        Of the cube.
    folder : str, optional
        Where the arrays are written; they are deleted.
    repeats : int, optional
        Of each case.

    Returns
    -------
    list of dict
        With ``codec``, ``what``, ``bytes``, ``seconds`` and ``rate``, bytes of items a second.

    Examples
    --------
    >>> [row["what"] for row in measure(8, repeats=1)][:2]
    ['write', 'read']
    """
    axis = np.linspace(0, 9, length, dtype="f4")
    # Smooth, with as many digits as a model has that is worth anything.
    field = np.sin(axis)[:, None, None] * np.cos(axis)[None, :, None] + np.sqrt(axis)[None, None, :]
    field = np.round(field * 4096) / np.float32(4096)
    chunk, half, quarter = max(length // 5, 1), length // 2, length // 4
    box, line = (slice(quarter, quarter + half),) * 3, (slice(None), half, half)
    selections: dict[str, Any] = {"read": ..., "box": box, "plane [k, :, :]": half, "line [:, i, j]": line}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="zchunk-bench-", dir=folder) as place:
        for codec in _CODECS:
            z = create(
                field.shape, chunks=(chunk,) * 3, dtype="f4", store=os.path.join(place, codec),
                compressor=None if codec == "none" else codec,
            )  # fmt: skip

            write = partial(z.__setitem__, ..., field)
            cases: list[tuple[str, Callable[[], Any], int]] = [("write", write, field.nbytes)]
            for what, where in selections.items():
                cases.append((what, partial(z.__getitem__, where), field[where].nbytes))
            for what, work, nbytes in cases:
                seconds = min(_timed(work) for _ in range(repeats))
                row = {"codec": codec, "what": what, "bytes": nbytes, "seconds": seconds}
                rows.append(row | {"rate": nbytes / seconds})
    return rows


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return max(time.perf_counter() - start, 1e-9)


COMMANDS = {
    "bench": Command(
        _arguments,
        _run,
        """
zchunk bench
zchunk bench /scratch --quick --json
""",
    )
}
