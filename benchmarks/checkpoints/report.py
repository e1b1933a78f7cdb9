"""The section of docs/checkpoints.md from the values of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.checkpoints.measure import ASYNC, Results
from benchmarks.checkpoints.systems import LIMIT, SUBJECT, SYSTEMS, THREADS

HEADING = "## How fast it is"
COMMAND = "python -m benchmarks.checkpoints --envs DIR --docs docs/checkpoints.md"
# Targets: a save over the limit, from this size on, with seconds to spare; a return over a copy; a step
# beside a save over one alone; a restart over reading the same bytes raw.
SAVE, LARGE_MIB, SPARE_SECONDS = 1.3, 512, 0.1
RETURN, SLOWER, RESTART = 1.5, 1.1, 1.3
PEERS = (
    ("numpy", "NumPy"), ("h5py", "h5py"), ("zarr3", "zarr-python"), ("orbax", "Orbax"), ("dcp", "PyTorch"),
)  # fmt: skip

ABOUT = """\
Every rank has as many rows of one array of float64: waves with a little noise. The tables have the
seconds until a step is saved: the median of the runs, in parentheses the shortest one, then the ratio of
the median to that of the limit, where each rank writes its bytes to a file of its own, syncs it, and does
nothing else. All take turns in random order. "Synced": what survives a power cut when a save is done.
"Whole": whether a save that is killed leaves the step before and nothing that looks like a step. Orbax
compresses by default (Zstd); all others but LZ4 store plain bytes."""

BACKGROUND = """\
In the background: milliseconds until `save` returns, beside a copy of the same bytes, and beside a copy
after all ranks have waited for each other once, by messages: a save does that to agree, and where there are
more ranks than cores each of them waits for its turn on one."""
BACKGROUND_HEAD = (
    "size", "ranks", "copy alone", "wait and copy", "`save` returns", "the first one", "Orbax returns",
)  # fmt: skip
BESIDE = """\
How much slower a step of a program is while the rest is done: of all ranks together, in parentheses that of
the slowest one, and for how many seconds. Beside it the same of threads that only write and sync the same
bytes: past the system's cache, giving way to the program as zchunk's thread does on Linux, which is the
least that a save can do; and through the cache, as most programs write. Then the seconds of processor that
they take on each rank. With more ranks than cores the slowest rank is where the system happens to put more
ranks on one core than on another."""
BESIDE_HEAD = (
    "size", "ranks", "a step is slower", "past the cache", "raw writes", "processor", "past the cache",
    "raw writes",
)  # fmt: skip
AGAIN = """\
A restart with another number of ranks: seconds until all have their part and checksums were checked,
beside reading the same bytes raw; from the disk, and from the memory of the system."""


def section(results: Results) -> str:
    """Return the section in Markdown, with its heading."""
    return "\n".join([HEADING, "", *_paragraphs(results)]).rstrip() + "\n"


def put(document: str, text: str) -> str:
    """Return a document with this section in the place of the one that it has; at its end if it has none."""
    before, found, rest = document.partition(f"{HEADING}\n")
    if not found:
        return f"{document.rstrip()}\n\n{text}"
    _, next_heading, after = rest.partition("\n## ")
    return before + text + next_heading + after


def _paragraphs(results: Results) -> Iterator[str]:
    machine = results.machine
    versions = [f"{title} {results.versions[name]}" for name, title in PEERS if name in results.versions]
    yield (
        f"Measured on {machine['date'][:10]} at commit {machine['commit']}, {machine['cpus']} cores of "
        f"{machine['processor']}, {machine['file system']}, {machine['system']}; {', '.join(versions)}."
    )
    yield f"`{COMMAND}` measures it and writes this section.\n"
    yield f"{ABOUT}\n"
    for mib in dict.fromkeys(row["mib"] for row in results.saves):
        yield from _saves([row for row in results.saves if row["mib"] == mib], mib)
    yield from _background(results)
    yield from _beside(results)
    yield from _restarts(results)
    yield from _targets(results)
    for system, error in results.failures.items():
        yield f"\nNot measured: {SYSTEMS[system].title}: {error}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _size(mib: int) -> str:
    return f"{mib} MiB" if mib % 1024 else f"{mib // 1024} GiB"


def _ranks(count: int) -> str:
    return f"{count} rank" if count == 1 else f"{count} ranks"


def _saves(rows: Sequence[dict[str, Any]], mib: int) -> Iterator[str]:
    found = {(row["system"], row["ranks"]): row for row in rows}
    counts = list(dict.fromkeys(row["ranks"] for row in rows))

    def cell(system: str, ranks: int) -> str:
        row, limit = found.get((system, ranks)), found.get((LIMIT, ranks))
        if row is None:
            return "-"
        seconds = median(row["seconds"])
        ratio = "" if limit is None else f" {seconds / median(limit['seconds']):.2f} x"
        return f"{seconds:.2f} ({min(row['seconds']):.2f}){ratio}"

    def line(system: str) -> list[str]:
        entry, last = SYSTEMS[system], found.get((system, counts[-1]))
        number = "-" if last is None else str(last["files"])
        cells = [cell(system, ranks) for ranks in counts]
        return [entry.title, entry.synced, "yes" if entry.commit else "no", number, *cells]

    head = [f"saving {_size(mib)}", "synced", "whole", f"files, {_ranks(counts[-1])}", *map(_ranks, counts)]
    yield from _table(head, [line(system) for system in SYSTEMS if any(key[0] == system for key in found)])


def _background(results: Results) -> Iterator[str]:
    rows = []
    for row in results.saves:
        if row["system"] != ASYNC:
            continue
        key = _key(row)
        returned, copy = median(row["returned"]), median(row["copy"])
        orbax = [other for other in results.saves if _key(other) == key and other["system"] == "orbax"]
        rows.append([
            _size(row["mib"]), str(row["ranks"]), _ms(copy), _ms(median(row["met"])),
            f"{_ms(returned)}, {returned / copy:.2f} x", _ms(row["first returned"]),
            _ms(median(orbax[0]["returned"])) if orbax else "-",
        ])  # fmt: skip
    if rows:
        yield f"{BACKGROUND}\n"
        yield from _table(BACKGROUND_HEAD, rows)


def _beside(results: Results) -> Iterator[str]:
    keys = dict.fromkeys(_key(row) for row in results.steps)
    rows = []
    for key in keys:
        systems = (ASYNC, *THREADS)
        cells = [*(_slower(results, name, key) for name in systems)]
        cells += [f"{_median(results, name, key, 'processor'):.2f}" for name in systems]
        rows.append([_size(key[0]), str(key[1]), *cells])
    if rows:
        yield f"{BESIDE}\n"
        yield from _table(BESIDE_HEAD, rows)


def _median(results: Results, system: str, key: tuple[int, int], of: str) -> float:
    found = [row[of] for row in results.steps if _key(row) == key and row["system"] == system]
    return median(found) if found else float("nan")


def _key(row: dict[str, Any]) -> tuple[int, int]:
    return row["mib"], row["ranks"]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _times_as_long(results: Results, system: str, key: tuple[int, int]) -> tuple[float, float] | None:
    """Return how many times as long a step takes beside a save: of all ranks together, and of the slowest."""
    found = [row for row in results.steps if _key(row) == key and row["system"] == system and row["steps"]]
    if not found:
        return None
    return median(row["together"] for row in found), median(row["beside"] / row["alone"] for row in found)


def _slower(results: Results, system: str, key: tuple[int, int]) -> str:
    if (times := _times_as_long(results, system, key)) is None:
        return "-"
    together, slowest = (f"{(ratio - 1) * 100:+.0f} %" for ratio in times)
    return f"{together} ({slowest}) for {_median(results, system, key, 'lasts'):.1f}"


def _restart_times(results: Results) -> dict[tuple[int, int, int, str], dict[str, float]]:
    """Return the medians of both systems, by size, ranks that have saved and that read, and where from."""
    found: dict[tuple[int, int, int, str], dict[str, list[float]]] = {}
    for row in results.restarts:
        key = row["mib"], row["saved"], row["ranks"], row["from"]
        found.setdefault(key, {}).setdefault(row["system"], []).append(row["seconds"])
    return {key: {name: median(values) for name, values in both.items()} for key, both in found.items()}


def _restarts(results: Results) -> Iterator[str]:
    times = _restart_times(results)
    rows = []
    for (mib, saved, ranks, cache), both in times.items():
        if len(both) == 2:
            ratio = both[SUBJECT] / both[LIMIT]
            seconds = f"{both[LIMIT]:.2f}", f"{both[SUBJECT]:.2f}", f"{ratio:.2f} x"
            rows.append([_size(mib), f"{saved} to {ranks}", cache, *seconds])
    if rows:
        yield f"{AGAIN}\n"
        yield from _table(["size", "ranks", "from", "raw", "zchunk.checkpoint", "ratio"], rows)


def _targets(results: Results) -> Iterator[str]:
    found = {(row["system"], *_key(row)): row for row in results.saves}
    limits = {key[1:]: median(row["seconds"]) for key, row in found.items() if key[0] == LIMIT}
    own = [(key[1:], row) for key, row in found.items() if key[0] in (SUBJECT, ASYNC)]
    back = [row for key, row in found.items() if key[0] == ASYNC]
    large = {_key(row) for row in results.steps if row["mib"] >= LARGE_MIB}
    beside = [times for key in large if (times := _times_as_long(results, ASYNC, key))]
    restarts = [both for both in _restart_times(results).values() if len(both) == 2]
    spare = f"{SPARE_SECONDS * 1000:.0f} ms"
    rows = [
        (
            f"a save of {LARGE_MIB} MiB and more takes {SAVE} x raw write + fsync, and {spare}",
            [
                median(row["seconds"]) <= SAVE * limits[key] + SPARE_SECONDS
                for key, row in own
                if key in limits and key[0] >= LARGE_MIB
            ],
        ),
        (
            f"`save` in the background returns in {RETURN} x a copy",
            [median(row["returned"]) <= RETURN * median(row["copy"]) for row in back],
        ),
        (
            "the same beside a copy after all ranks have waited for each other once",
            [median(row["returned"]) <= RETURN * median(row["met"]) for row in back],
        ),
        (
            f"a step beside it is slower by {(SLOWER - 1) * 100:.0f} % at most, of all ranks together",
            [times[0] <= SLOWER for times in beside],
        ),
        ("the same, of the slowest rank", [times[1] <= SLOWER for times in beside]),
        (
            f"a restart takes {RESTART} x reading the bytes raw",
            [both[SUBJECT] <= RESTART * both[LIMIT] for both in restarts],
        ),
        # One array: a file of each rank, its metadata, and those of the group.
        ("files: one for each rank, and 2", [row["files"] <= key[1] + 2 for key, row in own]),
    ]
    yield from _table(["target", "met in"], [(title, _met(cases)) for title, cases in rows])


def _met(cases: Sequence[bool]) -> str:
    return f"{sum(cases)} of {len(cases)} cases" if cases else "-"


def read_and_put(path: Path, results: Results) -> None:
    """Write the section into a document."""
    path.write_text(put(path.read_text(), section(results)))
