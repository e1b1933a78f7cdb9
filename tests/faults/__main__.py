"""Campaigns of faults: `python -m tests.faults` runs all, and prints a line of figures for each.

python -m tests.faults [CAMPAIGN ...] [--only TEXT] [--part SHARE] [--group N OF] [--every N] [--jobs N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import zchunk
from tests.faults import endurance, errors, exits, full, interrupts, kills, machine, power, races
from tests.faults.campaign import Case, Figures, Share, cases, working_folder
from tests.faults.library import reason_not_to, start_again

# What a campaign does with cases, in a folder, at one of so many calls.
CAMPAIGNS: dict[str, Callable[[list[Case], Path, int], Figures]] = {
    "kills": kills.run,
    "errors": errors.run,
    "interrupts": interrupts.run,
    "full": full.run,
    "power": lambda chosen, folder, every: power.run(
        chosen, folder, 1 if every > 1 else 16, max(400 // every, 4)
    ),
}

# Those that are about more than single operations.
PROGRAMS: dict[str, Callable[[Share], Figures]] = {
    "machine": machine.run,
    "races": races.run,
    "exits": exits.run,
    "endurance": endurance.run,
}
ALL = (*CAMPAIGNS, *PROGRAMS)
# Of each job: some cases take much longer than others.
PARTS = 8


def run(name: str, given: argparse.Namespace, group: tuple[int, int]) -> Figures:
    """Run one campaign for the cases of a group."""
    if name in PROGRAMS:
        return PROGRAMS[name](Share(given.only, given.every, given.seed, group))
    with working_folder() as folder:
        return CAMPAIGNS[name](cases(given.only, given.part, given.seed, group), folder, given.every)


def run_in_jobs(name: str, given: argparse.Namespace, jobs: int) -> Figures:
    """Run one campaign in so many processes, each of which takes one part of the cases after the other."""
    (first, of), parts = given.group, jobs * PARTS
    groups = [(first + of * part, of * parts) for part in range(parts)]
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        found = list(pool.imap_unordered(partial(run, name, given), groups))
    return Figures.together(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("campaigns", nargs="*", help=f"of {', '.join(ALL)}; all by default")
    parser.add_argument("--only", action="append", default=[], help="operations and stores with this text")
    parser.add_argument("--part", type=float, default=1.0, help="this share of the stores for each operation")
    parser.add_argument("--group", type=int, nargs=2, default=(0, 1), help="the n-th of so many groups")
    parser.add_argument("--every", type=int, default=1, help="at one of so many calls")
    parser.add_argument("--seed", type=int, default=0, help="which stores and calls, of a part")
    parser.add_argument("--jobs", type=int, default=1, help="processes that do parts of it side by side")
    given = parser.parse_args()
    unknown = [name for name in given.campaigns if name not in ALL]
    if unknown:
        parser.error(f"no campaign is called {unknown[0]!r}; there are {', '.join(ALL)}")
    reason = reason_not_to()
    if reason is not None:
        print(f"no campaigns here: {reason}")
        return 0
    start_again("tests.faults", sys.argv[1:])
    zchunk.set_threads(1)
    found = []
    for name in given.campaigns or ALL:
        if given.jobs > 1 and name in CAMPAIGNS:
            figures = run_in_jobs(name, given, given.jobs)
        else:
            figures = run(name, given, tuple(given.group))
        print(figures, flush=True)
        found.append(figures)
    return any(figures.failures for figures in found)


if __name__ == "__main__":
    raise SystemExit(main())
