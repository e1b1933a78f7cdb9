"""Command line of the benchmark: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.adapters import NAMES
from benchmarks.cases import CASES, SIZES
from benchmarks.harness import Settings, run
from benchmarks.report import summarize, table


def parse(arguments: list[str] | None = None) -> tuple[Settings, Path | None]:
    """Return the settings and the file for the JSON results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="the same as --size quick --repeat 3")
    parser.add_argument(
        "--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=" ".join(CASES)
    )
    parser.add_argument(
        "--peers", nargs="+", choices=NAMES, default=list(NAMES), metavar="PEER", help=" ".join(NAMES)
    )
    parser.add_argument(
        "--repeat", type=int, metavar="N", help="runs of every case (default 5, 3 with --quick)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, metavar="N", help="threads of each library (default 2)"
    )
    parser.add_argument("--dir", type=Path, help="where the files go (default: /dev/shm if it has room)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter for a library that lives in an environment of its own",
    )
    parser.add_argument("--seed", type=int, help="seed of the order (default: a new order every time)")
    given = parser.parse_args(arguments)
    if given.threads < 1 or (given.repeat is not None and given.repeat < 1):
        parser.error("--threads and --repeat take positive numbers")
    pythons = dict(item.partition("=")[::2] for item in given.python)
    for name, path in pythons.items():
        if name not in NAMES or not path:
            parser.error(f"--python takes PEER=PATH with one of {', '.join(NAMES)}, not {name}={path}")
    settings = Settings(
        size="quick" if given.quick else given.size,
        cases=tuple(given.cases),
        peers=tuple(given.peers),
        repeat=given.repeat or (3 if given.quick else 5),
        threads=given.threads,
        folder=given.dir,
        pythons=pythons,
        seed=given.seed,
    )
    return settings, given.json


def main() -> None:
    """Measure, print the table, and write the JSON file if one was asked for."""
    settings, json_file = parse()
    summary = summarize(run(settings, say=lambda text: print(text, file=sys.stderr, flush=True)))
    if json_file:
        json_file.write_text(json.dumps(summary, indent=2) + "\n")
    print(table(summary))
    if summary["failures"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
