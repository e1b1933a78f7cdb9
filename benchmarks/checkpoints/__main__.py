"""Save checkpoints with zchunk and its peers, side by side, and print the figures as Markdown."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import environments
from benchmarks.checkpoints.base import ROW_ITEMS
from benchmarks.checkpoints.measure import MIB, Measurement, Settings, has_room
from benchmarks.checkpoints.report import read_and_put, section
from benchmarks.checkpoints.systems import ENVIRONMENTS, LIMIT, SAVED, SUBJECT, SYSTEMS


def say(text: str) -> None:
    """Tell the user how far the work is."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoints", description=__doc__)
    add = parser.add_argument
    add("--mib", type=int, nargs="+", default=[128, 1024], help="sizes of the array (default: 128 1024)")
    add("--ranks", type=int, nargs="+", default=[1, 2, 4], help="numbers of processes (default: 1 2 4)")
    add("--systems", nargs="+", choices=SAVED, help=f"besides {LIMIT} and {SUBJECT} (default: all)")
    add("--repeat", type=int, default=3, help="runs of each, twice as many of small sizes (default: 3)")
    add("--minutes", type=float, default=10, help="then there are fewer runs (default: %(default)s)")
    add("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where to save: on a disk")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--docs", type=Path, metavar="FILE", help="write the section into this document")
    add("--setup", type=Path, metavar="DIR", help="make environments for all systems in DIR and end")
    add("--newer-python", metavar="PATH", help="interpreter for the newest libraries, with --setup")
    add("--envs", type=Path, metavar="DIR", help="use the environments that --setup made in DIR")
    return parser


def interpreters(envs: Path | None) -> dict[str, str]:
    """Return the interpreter of every system: of its environment, or else this one."""
    found = {}
    for name, entry in SYSTEMS.items():
        python = Path(sys.executable)
        if envs is not None:
            python = environments.python_of(envs.absolute(), entry.environment)
        if python.exists():
            found[name] = os.fspath(python)
    return found


def main() -> int:
    """Measure, print the section, and write the files that were asked for."""
    # Even when ended from outside, remove the files, which may fill memory.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parser()
    given = options.parse_args()
    if given.setup:
        complete = environments.setup(given.setup, given.newer_python, say, ENVIRONMENTS)
        say(f"Now: python -m benchmarks.checkpoints --envs {shlex.quote(str(given.setup))}")
        return 0 if complete else 1
    if min([*given.mib, *given.ranks, given.repeat]) < 1:
        options.error("--mib, --ranks and --repeat take positive numbers")
    if any(mib * MIB // 8 // ROW_ITEMS % ranks for mib in given.mib for ranks in given.ranks):
        options.error("every rank has as many rows: --mib must be a multiple of --ranks")
    if not has_room(given.dir, max(given.mib)):
        options.error(f"there is no room for {max(given.mib)} MiB in {given.dir} or in /dev/shm")
    pythons = interpreters(given.envs)
    asked = {LIMIT, SUBJECT, *(given.systems or SAVED)}
    systems = [name for name in SAVED if name in asked and name in pythons]
    if LIMIT not in systems:
        options.error(f"no environments in {given.envs}; make them with --setup {given.envs}")
    settings = Settings(given.mib, given.ranks, systems, given.repeat, given.dir, pythons, given.minutes)
    results = Measurement(settings, say).run()
    if given.json:
        given.json.write_text(json.dumps(dataclasses.asdict(results), indent=2) + "\n")
    if given.docs:
        read_and_put(given.docs, results)
    print(section(results))
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
