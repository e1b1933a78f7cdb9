"""Results as a summary (best, median, ratios) and as a Markdown table."""

from __future__ import annotations

from statistics import median
from typing import Any

SUBJECT = "zchunk"


def summarize(results: dict[str, Any]) -> dict[str, Any]:
    """Return the results with best, median, ratios and limit added to every case.

    ``ratio`` is zchunk over the best of the others, ``over_limit`` is zchunk over what the machine allows;
    both from the best times of this run, and absent where a part of the pair is.
    """
    return {**results, "cases": {name: _summarize(case) for name, case in results["cases"].items()}}


def _summarize(case: dict[str, Any]) -> dict[str, Any]:
    seconds: dict[str, list[float]] = case["seconds"]
    best = {peer: min(times) for peer, times in seconds.items()}
    out = {**case, "best": best, "median": {peer: median(times) for peer, times in seconds.items()}}
    others = [time for peer, time in best.items() if peer != SUBJECT]
    if SUBJECT in best and others:
        out["ratio"] = best[SUBJECT] / min(others)
    if case["limit"]:
        parts = {part: min(run[part] for run in case["limit"]) for part in case["limit"][0]}
        out["limit_parts"] = parts
        out["limit_best"] = max(parts.values())
        if SUBJECT in best:
            out["over_limit"] = best[SUBJECT] / out["limit_best"]
    return out


def table(summary: dict[str, Any]) -> str:
    """Return a Markdown table: best milliseconds of each library, and the ratios."""
    cases = summary["cases"]
    peers = [peer for peer in summary["versions"] if any(peer in case["best"] for case in cases.values())]
    head = ["case", *(f"{peer} {summary['versions'][peer]}" for peer in peers)]
    head += ["zchunk / best peer", "limit", "set by", "zchunk / limit"]
    rows = [head, ["---", *["---:"] * (len(head) - 3), "---", "---:"]]
    for case in cases.values():
        limits = case.get("limit_parts", {})
        row = [case["title"], *(_milliseconds(case["best"].get(peer)) for peer in peers)]
        row += [_ratio(case.get("ratio")), _milliseconds(case.get("limit_best"))]
        row += [max(limits, key=limits.__getitem__) if limits else "", _ratio(case.get("over_limit"))]
        rows.append(row)
    facts = summary["environment"]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    note = "Best of {repeat}, milliseconds; {threads} threads, {processor}, {file system}, Python {python}, "
    note += "NumPy {numpy}, size {size}, {date}."
    lines += ["", note.format(**facts)]
    for peer, failures in summary["failures"].items():
        lines += ["", *(f"{peer}, {what}: {error}" for what, error in failures.items())]
    return "\n".join(lines)


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
