"""zchunk and its peers, measured side by side on this machine.

Without options: a short version, with the peers that are installed beside zchunk, in about five minutes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from fnmatch import fnmatch
from pathlib import Path

from benchmarks import environments
from benchmarks.adapters import NAMES
from benchmarks.cases import CASES
from benchmarks.datasets import SIZES
from benchmarks.harness import ENOUGH_SECONDS, FEWEST_RUNS, Settings, run
from benchmarks.headline import headline
from benchmarks.merge import merge
from benchmarks.plot import plot
from benchmarks.report import summarize, table


def say(text: str) -> None:
    """Tell the user how far the work is."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--size", choices=SIZES, default="quick", help="default: %(default)s")
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="--size quick")
    size.add_argument("--full", dest="size", action="store_const", const="full", help="--size full")
    add = parser.add_argument
    add("--cases", nargs="+", metavar="CASE", help="names or patterns such as 'read-*' (default: all)")
    add("--list", action="store_true", help="list the cases and end")
    peers = ", ".join(NAMES) + " (default: those that are installed); zchunk always runs"
    add("--peers", nargs="+", choices=NAMES, metavar="PEER", help=peers)
    repeat = f"runs of every case, at least {FEWEST_RUNS} where they take more than {ENOUGH_SECONDS:g} s "
    add("--repeat", type=int, metavar="N", help=repeat + "(default 5, 3 if not --full)")
    add("--threads", type=int, default=2, metavar="N", help="threads of each library (default 2)")
    add("--dir", type=Path, help="where the files go (default: /dev/shm if it has room)")
    add("--cold", action="store_true", help="drop the cached contents of the files before every read (Linux)")
    add("--seed", type=int, help="seed of the order (default: a new order every time)")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    merging = "measure nothing: results of runs written by --json, of each case those of the last that has it"
    add("--merge", type=Path, nargs="+", metavar="FILE", help=merging)
    add("--markdown", type=Path, metavar="FILE", help="write the tables that are printed")
    add("--plot", type=Path, metavar="FILE", help="write a drawing (SVG)")
    add("--headline", type=Path, metavar="FILE", help="write the small drawing of README (SVG)")
    add("--setup", type=Path, metavar="DIR", help="make environments for all peers in DIR and end")
    add("--newer-python", metavar="PATH", help="interpreter for the newest peers, with --setup")
    add("--envs", type=Path, metavar="DIR", help="use the environments that --setup made in DIR")
    add(
        "--python",
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter for a library that lives in an environment of its own",
    )
    return parser


def settings_from(given: argparse.Namespace, error: argparse.ArgumentParser) -> Settings:
    """Return the settings of a run, or end with a message about what is wrong with the options."""
    if given.threads < 1 or (given.repeat is not None and given.repeat < 1):
        error.error("--threads and --repeat take positive numbers")
    cases = [case for case in CASES if any(fnmatch(case, pattern) for pattern in given.cases or ["*"])]
    for pattern in given.cases or []:
        if not any(fnmatch(case, pattern) for case in CASES):
            error.error(f"no case is called {pattern}; --list lists them")
    pythons = environments.pythons(given.envs) if given.envs else {}
    if given.envs and not pythons:
        error.error(f"no environments in {given.envs}; make them with --setup {given.envs}")
    for item in given.python:
        name, _, path = item.partition("=")
        if name not in NAMES or not path:
            error.error(f"--python takes PEER=PATH with one of {', '.join(NAMES)}, not {item}")
        pythons[name] = path
    return Settings(
        size=given.size,
        cases=tuple(cases),
        peers=tuple(dict.fromkeys(["zchunk", *given.peers])) if given.peers else None,
        repeat=given.repeat or (5 if given.size == "full" else 3),
        threads=given.threads,
        folder=given.dir,
        cold=given.cold,
        pythons=pythons,
        seed=given.seed,
    )


def main() -> int:
    """Measure, print the tables, and write the files that were asked for."""
    # Even when ended from outside, remove the files, which may fill memory.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parser()
    given = options.parse_args()
    if given.list:
        print("\n".join(f"{case.name:26} {case.title(given.size)}" for case in CASES.values()))
        return 0
    if given.setup:
        complete = environments.setup(given.setup, given.newer_python, say)
        say(f"Now: python -m benchmarks --envs {shlex.quote(str(given.setup))}")
        return 0 if complete else 1
    if given.merge:
        try:
            results = merge([json.loads(file.read_text()) for file in given.merge])
        except ValueError as error:
            options.error(str(error))
    else:
        results = run(settings_from(given, options), say)
    summary = summarize(results)
    markdown = table(summary)
    if given.json:
        given.json.write_text(json.dumps(summary, indent=2) + "\n")
    if given.markdown:
        given.markdown.write_text(markdown + "\n")
    if given.plot:
        given.plot.write_text(plot(summary))
    if given.headline:
        given.headline.write_text(headline(summary))
    print(markdown)
    return 1 if summary["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
