"""Results as a summary (best, median, ratios, targets) and as Markdown tables."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks import on_zarr
from benchmarks.adapters import WITH_ZCHUNK, ZARR
from benchmarks.cases import CASES

SUBJECT = "zchunk"
# It stores no compressed bytes: it is shown everywhere, but is a peer only in uncompressed cases.
UNCOMPRESSED_ONLY = "numpy"
# Cases with the same work, with one thread and with all
SCALING = {"read": ("read-1-thread", "read-field-lz4"), "write": ("write-1-thread", "write-field-lz4")}

NOTES = """\
In parentheses: stored uncompressed, not counted as a peer. n/a: the library cannot do that. -: not measured.
zarr3_zchunk and zarr3_engine are zarr-python 3 with zchunk's codec pipeline, and with its engine: no peers.

The limit is the time that this machine needs, in the same run, for the parts of a case that no library can
leave out: the codec in memory, first touch of the output and a copy into it, and the files. It is the sum of
these parts, not the largest of them: the same processors do all of them, and each was timed with all threads.
A library can stay below the limit if it decodes only the selected blocks of a chunk, reads uncompressed
chunks straight into the output, or finds in the processor's cache what an earlier part left there.

Only Zarr libraries have shards. In these cases h5py stores the same chunks in one file; blosc2 has chunks in
place of the shards, and blocks in place of the chunks inside them. For the limit a shard is one file, whose
index is read once.

~: the median of a library was more than 15 % above its best value, and the case was run again.

Where the storage is cold, the files are on a disk and nothing of them is in memory, which is checked; a
number of milliseconds per call is added to every open and every read by a library that is loaded before the
C library. There the limit has as many requests in flight as pay, and the processors count only as far as
they take longer.

The object store is the fast server of the tests, a process on the same processors that delays its answers
and shares its bandwidth among all connections. Every library may have 64 requests under way at a time. The
limit is then the bytes over the bandwidth, plus one latency per 64 requests that need not wait for each
other, with nothing for the processors; a library that waits while bytes arrive can stay below this sum.
Where bandwidth has no limit, the server's processor time is part of every figure."""


def summarize(results: dict[str, Any]) -> dict[str, Any]:
    """Return the results with best, median, ratios, limit and targets added to every case.

    ``ratio`` is zchunk over the best of its peers, ``over_limit`` is zchunk over the limit of the machine;
    both from the best values of this run, and None where a part of the pair is missing. Each target gets
    its ``ratio`` and whether it is ``met``.
    """
    order = list(results["versions"])
    cases = {name: _condense(case, order) for name, case in results["cases"].items()}
    return {**results, "cases": {name: _compare(case, cases) for name, case in cases.items()}}


def _condense(case: dict[str, Any], order: list[str]) -> dict[str, Any]:
    """Return a case with the best and the median of its runs."""
    # The runs were in random order; the results are not.
    values: dict[str, list[float]] = {peer: case["values"][peer] for peer in order if peer in case["values"]}
    best = {peer: min(runs) for peer, runs in values.items()}
    out = {
        **case,
        "values": values,
        "best": best,
        "median": {peer: median(runs) for peer, runs in values.items()},
    }
    if case["limit"]:
        parts = {part: min(run[part] for run in case["limit"]) for part in case["limit"][0]}
        out["limit_parts"] = parts
        out["limit_sum"] = sum(parts.values())
    return out


def _compare(case: dict[str, Any], cases: dict[str, Any]) -> dict[str, Any]:
    """Return a case with its ratios, and its targets with theirs."""
    targets = []
    for target in case["targets"]:
        ratio = _over(case, target["over"], cases)
        targets.append(
            {**target, "ratio": ratio, "met": None if ratio is None else ratio <= target["at_most"]}
        )
    ratios = {"ratio": _over(case, "best", cases), "over_limit": _over(case, "limit", cases)}
    return {**case, **ratios, "targets": targets}


def _over(case: dict[str, Any], over: str, cases: dict[str, Any]) -> float | None:
    """Return the ratio of zchunk's best over the value that a target names."""
    best = case["best"]
    if over in CASES:
        known = cases[over]["best"] if over in cases and cases[over]["run"] == case["run"] else {}
        base = [known[SUBJECT]] if SUBJECT in known else []
    elif over == "limit":
        base = [case["limit_sum"]] if "limit_sum" in case else []
    else:
        peers = {"best": counted(case), "zarr": [peer for peer in counted(case) if peer in ZARR]}
        base = [best[peer] for peer in peers.get(over, [over]) if peer in best]
    if SUBJECT not in best or not base or not min(base):
        return None
    ratio: float = best[SUBJECT] / min(base)
    return ratio


def counted(case: dict[str, Any]) -> list[str]:
    """Return the peers that zchunk is compared with in a case."""
    return [
        peer
        for peer in case["best"]
        if peer not in (SUBJECT, *WITH_ZCHUNK) and (peer != UNCOMPRESSED_ONLY or case["codec"] == "raw")
    ]


def table(summary: dict[str, Any]) -> str:
    """Return Markdown: best values with ratios and targets, then medians, then stored sizes."""
    cases = list(summary["cases"].values())
    peers = [peer for peer in summary["versions"] if any(peer in case["best"] for case in cases)]
    facts = summary["environment"]
    note = "Best of {repeat} (at least {fewest} where runs take long), milliseconds (peak memory: MiB); "
    note += "{threads} threads, {processor}, "
    note += "{file system}, {cache} cache, size {size}. "
    lines = [note.format(**facts) + _versions(summary, peers), "", *_runs(cases), ""]
    head = ["case", *peers, "zchunk / best peer", "targets", "limit", "its parts", "zchunk / limit"]
    rows = [[title(case), *_cells(case, peers, "best"), *_ratios(case)] for case in cases]
    lines += _markdown(head, rows, text={"case", "targets", "its parts"})
    lines += ["", NOTES]
    met = [target["met"] for case in cases for target in case["targets"] if target["met"] is not None]
    lines += ["", f"Targets met: {sum(met)} of {len(met)}."]
    lines += _scaling(summary)
    lines += _on_zarr(summary)
    lines += ["", "Medians", ""]
    rows = [[title(case), *_cells(case, peers, "median")] for case in cases]
    lines += _markdown(["case", *peers], rows, text={"case"})
    rows = [
        [title(case), *(_number(case["stored"].get(peer), 2**-20) for peer in peers)]
        for case in cases
        if case["stored"]
    ]
    if rows:
        lines += ["", "Stored size, MiB", "", *_markdown(["case", *peers], rows, text={"case"})]
    for kind, entries in (("absent", summary["absent"]), ("failures", summary["failures"])):
        for peer, reason in entries.items():
            reasons = reason.items() if kind == "failures" else [("not installed", reason)]
            lines += ["", *(f"{peer}, {what}: {error}" for what, error in reasons)]
    skipped = {case["skipped"] for case in cases if "skipped" in case}
    return "\n".join([*lines, *(f"\n{reason}" for reason in sorted(skipped))])


def _runs(cases: list[dict[str, Any]]) -> list[str]:
    """Return when the cases were measured, at which commit of the source tree; the largest run is first."""
    runs: dict[str, list[str]] = {}
    for case in cases:
        runs.setdefault("Measured {date} at commit {commit}".format(**case["run"]), []).append(title(case))
    (main, _), *others = sorted(runs.items(), key=lambda run: -len(run[1]))
    return [f"{main}.", *(f"{run}: {'; '.join(titles)}." for run, titles in others)]


def _scaling(summary: dict[str, Any]) -> list[str]:
    """Return how much faster zchunk, and each part of the limit, is with all threads than with one."""
    found = []
    for what, names in SCALING.items():
        one, all_ = (summary["cases"].get(name, {"best": {}, "run": None}) for name in names)
        if SUBJECT not in one["best"] or SUBJECT not in all_["best"] or one["run"] != all_["run"]:
            continue
        times = f"{what} {one['best'][SUBJECT] / all_['best'][SUBJECT]:.2f}×"
        parts = [
            f"{part} {value / all_['limit_parts'][part]:.2f}×"
            for part, value in one.get("limit_parts", {}).items()
        ]
        found.append(f"{times} (the limit's {', '.join(parts)})" if parts else times)
    if not found:
        return []
    return ["", f"Speed with {summary['environment']['threads']} threads over one: {', '.join(found)}."]


def _on_zarr(summary: dict[str, Any]) -> list[str]:
    """Return the table of zarr-python on zchunk, if that was measured."""
    rows = []
    for name, case in summary["cases"].items():
        found = on_zarr.row(name, case)
        if found is not None:
            cells = [cell if isinstance(cell, str) else _ratio(cell) for cell in found]
            rows.append([title(case), *_cells(case, [*on_zarr.ALONE, *WITH_ZCHUNK], "best"), *cells])
    if not rows:
        return []
    head = ["case", *on_zarr.ALONE, *WITH_ZCHUNK, "pipeline / best alone", "target", "engine / best alone"]
    head += ["target ", "engine / zchunk", "target  ", "limit / best alone"]
    text = {"case", "target", "target ", "target  "}
    return ["", "zarr-python on zchunk, and alone", "", *_markdown(head, rows, text=text)]


def _versions(summary: dict[str, Any], peers: list[str]) -> str:
    named = [f"{peer} {summary['versions'][peer]} (Python {summary['pythons'][peer]})" for peer in peers]
    return ", ".join(named) + "."


def _markdown(head: list[str], rows: list[list[str]], text: set[str]) -> list[str]:
    ruler = ["---" if name in text else "---:" for name in head]
    return ["| " + " | ".join(row) + " |" for row in (head, ruler, *rows)]


def _cells(case: dict[str, Any], peers: list[str], which: str) -> list[str]:
    cells = []
    for peer in peers:
        cell = _number(case[which].get(peer), scale(case))
        if peer in case["unsupported"]:
            cell = "n/a"
        elif peer == UNCOMPRESSED_ONLY and peer not in counted(case) and peer in case["best"]:
            cell = f"({cell})"
        cells.append(cell)
    return cells


def _ratios(case: dict[str, Any]) -> list[str]:
    names = {"best": "", "limit": " × limit", "zarr": " × best Zarr library"}
    targets = []
    for target in case["targets"]:
        over = target["over"]
        # These two ratios have columns of their own.
        ratio = "" if over in ("best", "limit") else _ratio(target["ratio"]) + " "
        verdict = {None: "", True: ": met", False: ": **not met**"}[target["met"]]
        targets.append(f"{ratio}≤ {target['at_most']:.2f}{names.get(over, ' × ' + over)}{verdict}")
    parts = case.get("limit_parts", {})
    shown = " + ".join(f"{part} {_number(value, scale(case))}" for part, value in parts.items())
    if len(parts) == 1:
        # The part is the limit itself.
        (shown,) = parts
    limit = _number(case.get("limit_sum"), scale(case))
    mark = " ~" if case.get("again") else ""
    return [_ratio(case["ratio"]) + mark, "; ".join(targets), limit, shown, _ratio(case["over_limit"])]


def title(case: dict[str, Any]) -> str:
    """Return the heading of a case as one text."""
    return ", ".join(filter(None, case["heading"]))


def scale(case: dict[str, Any]) -> float:
    """Return the factor from a case's unit to the unit of the table: milliseconds or MiB."""
    return 1000.0 if case["unit"] == "seconds" else 2**-20


def _number(value: float | None, factor: float) -> str:
    if value is None:
        return "-"
    value *= factor
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
