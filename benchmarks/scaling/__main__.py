"""`python -m benchmarks.scaling`: see the package."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import default_folder, describe
from benchmarks.scaling import fit, plans, report, runs


def main(arguments: list[str] | None = None) -> int:
    """Measure, fit, check, and print or write the tables; return 1 if more than a tenth is beyond 20 %."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    add = parser.add_argument
    add("--steps", type=int, default=128, metavar="N", help="planes of 128 KiB in the array (default 128)")
    add("--repeat", type=int, default=7, metavar="N", help="runs, of which the fastest counts (default 7)")
    busy = "others use the machine: files by one thread, and by the time of the processor"
    add("--busy", action="store_true", help=busy)
    add("--json", type=Path, metavar="FILE", help="write what was measured")
    add("--write", action="store_true", help="write the tables to the document, and the rates to the model")
    given = parser.parse_args(arguments)
    folder = default_folder(1 << 30, in_memory=True)
    with tempfile.TemporaryDirectory(prefix="zchunk-scaling-", dir=folder) as name:
        measured = runs.local(Path(name), given.steps, given.repeat, given.busy)
        measured += runs.remote(given.steps, min(given.repeat, 3))
        small = plans.measure_metadata(Path(name), 200)
        machine = describe(Path(name))
    rates = fit.fit(measured)
    tables = {
        "run": report.said(machine, given.busy),
        "rates": report.rates(rates),
        "checked": report.checked(measured, rates),
        **plans.tables(rates, small),
    }
    if given.json:
        given.json.write_text(json.dumps([[*run[:1], *run[3:]] for run in measured], indent=1) + "\n")
    if given.write:
        report.write(tables, rates)
    print("\n\n".join(tables.values()))
    return 0 if report.within(measured, rates) else 1


if __name__ == "__main__":
    sys.exit(main())
