"""Which lines of the Cython files the tests have run: ``python -m tests.pyx_coverage BUILD``.

For `make coverage`. The C compiler counts how often each line of C runs, in kernels without the GIL and in
all threads (gcov), and Cython's comments say which line of a Cython file each piece of C was made from. Lines
are not traced in Python: that takes the GIL at each line of a kernel, and a thread that has it and waits for
a lock of another kernel would wait for ever.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

# Cython's comment before what it has made of a line.
_MADE_FROM = re.compile(r'\s*/\* "(.*)":(\d+)$')

# Not what Cython adds, nor NumPy's.
OURS = ("_ext/", "zchunk/_ext/")

Counts = dict[str, dict[int, int]]


def sources(c_file: Iterable[str]) -> list[tuple[str, int] | None]:
    """Return for every line of a C file the Cython file and line that it was made from."""
    found: list[tuple[str, int] | None] = []
    current = None
    for line in c_file:
        if match := _MADE_FROM.match(line):
            current = match[1], int(match[2])
        found.append(current)
    return found


def gather(counts: Mapping[int, int], made_from: list[tuple[str, int] | None], into: Counts) -> None:
    """Add how often the lines of a C file ran to the lines that they were made from."""
    for number, count in counts.items():
        if number <= len(made_from) and (where := made_from[number - 1]) is not None:
            file, line = where
            if file.startswith(OURS):
                into[file][line] = max(into[file].get(line, 0), count)


def measured(build: Path, root: Path) -> Counts:
    """Return how often each line of the Cython files ran, by what compiled modules left in `build`."""
    into: Counts = defaultdict(dict)
    for notes in sorted(build.rglob("*.gcno")):
        command = ["gcov", "--json-format", "--stdout", str(notes)]
        done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
        for part in filter(None, done.stdout.splitlines()):
            for file in json.loads(part)["files"]:
                path = root / file["file"]
                if path.suffix == ".c" and path.exists():
                    counts: dict[int, int] = defaultdict(int)
                    for line in file["lines"]:
                        counts[line["line_number"]] += line["count"]
                    with path.open(errors="replace") as text:
                        gather(counts, sources(map(str.rstrip, text)), into)
    return into


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as text, with what follows each other drawn together: ``3-5 9``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return " ".join("-".join(map(str, run)) for run in runs)


def report(found: Counts) -> list[str]:
    """Return the lines of a table: each file with its lines, those that never ran, and which these are."""
    rows, total, missed = [], 0, 0
    for file, counts in sorted(found.items()):
        absent = [line for line, count in counts.items() if not count]
        total, missed = total + len(counts), missed + len(absent)
        covered = 100 * (len(counts) - len(absent)) / len(counts)
        rows.append(
            f"{file:<40} {len(counts):>6} {len(absent):>6} {covered:>5.0f}%  {ranges(absent)}".rstrip()
        )
    share = 100 * (total - missed) / total if total else 0
    return [*rows, f"{'TOTAL':<40} {total:>6} {missed:>6} {share:>5.0f}%"]


if __name__ == "__main__":
    lines = report(measured(Path(sys.argv[1]).absolute(), Path.cwd()))
    print(*lines, sep="\n")
    if lines[-1].split()[1] == "0":
        sys.exit("nothing was measured: build with ZCHUNK_COVERAGE=1 and run the tests first")
