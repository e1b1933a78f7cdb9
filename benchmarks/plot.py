"""The results as an SVG drawing: for each case the other libraries' times over zchunk's, on a log scale."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from benchmarks.adapters import NAMES
from benchmarks.report import SUBJECT, counted, scale

COLOURS = dict(
    zip(
        NAMES,
        # zarr-python with zchunk in it is grey, as it is no peer.
        [
            "#111111", "#7f9fc6", "#3b6ea5", "#1d3f66", "#b5643c", "#666666", "#444444", "#3d8f5f", "#8a6bb1",
            "#c9a227", "#9a9a9a",
        ],
        strict=True,
    )
)
LIMIT_COLOUR = "#d62728"
SUBJECT_ROW = "#fff0c2"
UNCOUNTED = 0.35
COLUMNS, PANEL_WIDTH, MARGIN, GAP = 3, 430, 20, 24
NAME_WIDTH, VALUE_WIDTH, BAR, TITLE, LEGEND_WIDTH = 78, 52, 11, 30, 128
# What the axis shows: a tenth of zchunk's time to a hundred times; bars beyond end at the edge.
LOW, HIGH = 0.1, 100.0


def plot(summary: dict[str, Any]) -> str:
    """Return the drawing as the text of an SVG file."""
    cases = [case for case in summary["cases"].values() if case["best"].get(SUBJECT)]
    columns: list[list[str]] = [[] for _ in range(COLUMNS)]
    heights = [124.0] * COLUMNS
    for case in cases:
        # The shortest column takes the next case.
        column = heights.index(min(heights))
        x = MARGIN + column * (PANEL_WIDTH + GAP)
        drawn, height = _panel(case, x, heights[column])
        columns[column].append(drawn)
        heights[column] += height + 16
    width, height = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP, max(heights) + MARGIN
    facts = summary["environment"]
    note = (
        f"Time over zchunk's, log scale: a bar to the right is slower than zchunk, to the left faster. "
        f"Figures are milliseconds (MiB for memory), best of {facts['repeat']}."
    )
    where = (
        f"{facts['threads']} threads, {facts['processor']}, {facts['file system']}, {facts['cache']} cache, "
        f"size {facts['size']}. Pale: stored uncompressed, not compared."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
            f'viewBox="0 0 {width} {height:.0f}" font-family="sans-serif" font-size="10">',
            "<title>zchunk and its peers</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            _text(MARGIN, 30, "zchunk and its peers", size=18, weight="bold"),
            _text(MARGIN, 50, note, size=11),
            _text(MARGIN, 66, where, size=11),
            _legend(summary["versions"], 88),
            *(drawn for column in columns for drawn in column),
            "</svg>\n",
        ]
    )


def _text(
    x: float, y: float, text: str, size: float = 9, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _legend(versions: dict[str, str], y: float) -> str:
    """Return the drawing of the legend."""
    named = [(COLOURS[peer], f"{peer} {version}") for peer, version in versions.items() if peer in COLOURS]
    parts = []
    for i, (colour, text) in enumerate([*named, (LIMIT_COLOUR, "limit that the machine sets")]):
        x = MARGIN + i * LEGEND_WIDTH
        parts += [_bar(x, y - 9, 10, colour), _text(x + 14, y, text, size=10)]
    return "\n".join(parts)


def _bar(x: float, y: float, width: float, colour: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}" {more}/>'


def _position(ratio: float) -> float:
    """Return the position of a ratio on the axis, from its left end."""
    axis = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH
    clipped = min(max(ratio, LOW), HIGH)
    return axis * math.log(clipped / LOW) / math.log(HIGH / LOW)


def _panel(case: dict[str, Any], x: float, y: float) -> tuple[str, float]:
    """Return the drawing of one case and its height."""
    base = case["best"][SUBJECT]
    left = x + NAME_WIDTH
    what, where = case["heading"]
    parts = [_text(x, y, what.replace("`", ""), size=11, weight="bold"), _text(x, y + 12, where)]
    top = y + TITLE - 10
    names = [SUBJECT, *(peer for peer in case["best"] if peer != SUBJECT)]
    bottom = top + BAR * len(names)
    parts.append(_bar(x, top + 1, PANEL_WIDTH, SUBJECT_ROW))
    for power in range(round(math.log10(LOW)), round(math.log10(HIGH)) + 1):
        line = left + _position(10.0**power)
        colour, width = (COLOURS[SUBJECT], 2) if power == 0 else ("#dddddd", 1)
        parts.append(_line(line, top, bottom, colour, width))
        parts.append(_text(line, bottom + 9, f"{10.0**power:g}", size=7, anchor="middle"))
    for row, peer in enumerate(names):
        ratio = case["best"][peer] / base
        start, end = sorted((_position(1.0), _position(ratio)))
        middle = top + BAR * row + BAR - 3
        weight = "bold" if peer == SUBJECT else "normal"
        opacity = 1 if peer == SUBJECT or peer in counted(case) else UNCOUNTED
        parts.append(_text(left - 4, middle, peer, anchor="end", weight=weight))
        more = f'class="bar" opacity="{opacity}"'
        parts.append(_bar(left + start, top + BAR * row + 1, max(end - start, 1), COLOURS[peer], more))
        value = case["best"][peer] * scale(case)
        shown = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
        parts.append(_text(x + PANEL_WIDTH, middle, shown, anchor="end", weight=weight))
    if case.get("limit_sum"):
        parts.append(_line(left + _position(case["limit_sum"] / base), top, bottom, LIMIT_COLOUR, 2))
    return "\n".join(parts), bottom + 14 - y


def _line(x: float, top: float, bottom: float, colour: str, width: float = 1) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )
