"""A few results as one wide drawing (SVG), which says in README what zchunk is for.

Six cases, milliseconds from zero. The drawing has a ground of its own, light or dark as the reader's system
wants it, so that it can be read on any page.
"""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks.report import SUBJECT

# Cases and what each is called; those that a run does not have are left out.
CASES = {
    "write-field-lz4": "write 256 MiB, 256 chunks",
    "read-field-lz4": "read it all",
    "box": "an unaligned box of 200³",
    "plane-2": "a plane [:, :, k]",
    "series": "a point through time [:, i, j]",
    "tiny-read": "read 10,000 chunks of 400 bytes",
}
# Rows, and whose best time each shows: the three pipelines of zarr 3 are one library.
ROWS = {
    SUBJECT: (SUBJECT,),
    "zarr 2": ("zarr2",),
    "zarr 3": ("zarr3", "zarr3_fused", "zarrs"),
    "TensorStore": ("tensorstore",),
    "h5py": ("h5py",),
    "Blosc2": ("blosc2",),
}
COLUMNS, PANEL, GAP, MARGIN = 3, 270, 15, 18
NAMES, VALUES, ROW, HEAD, TOP = 78, 44, 17, 26, 58
# Of text and ground, of bars, of zchunk's bars: dark on light, and light on dark.
STYLE = """
.ground { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328 } .note { fill: #59636e }
.bar { fill: #9fb3c8 } .own { fill: #c2410c }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .note { fill: #9198a1 }
  .bar { fill: #5b7288 } .own { fill: #f97316 }
}"""


def headline(summary: dict[str, Any]) -> str:
    """Return the drawing as the text of an SVG file."""
    cases = {name: case for name, case in summary["cases"].items() if name in CASES}
    height_of_panel = HEAD + ROW * len(ROWS) + 12
    width = 2 * MARGIN + COLUMNS * PANEL + (COLUMNS - 1) * GAP
    height = TOP + height_of_panel * -(-len(cases) // COLUMNS) + 6
    facts = summary["environment"]
    note = (
        f"Milliseconds, shorter is faster: {facts['threads']} threads, Blosc LZ4, {facts['cache']} cache. "
        "zarr 3: its best pipeline."
    )
    panels = [
        _panel(
            CASES[name],
            times(case),
            MARGIN + at % COLUMNS * (PANEL + GAP),
            TOP + at // COLUMNS * height_of_panel,
        )
        for at, (name, case) in enumerate(cases.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-size="12" '
            'font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
            f"<title>zchunk and its peers</title>\n<style>{STYLE}\n</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>',
            _text(MARGIN, 25, "The same work with zchunk and its peers", 'font-size="15" font-weight="bold"'),
            _text(MARGIN, 44, note, 'class="note"'),
            *panels,
            "</svg>\n",
        ]
    )


def times(case: dict[str, Any]) -> dict[str, float]:
    """Return the best milliseconds of each row, of those that were measured."""
    best = {
        name: [case["best"][peer] for peer in peers if case["best"].get(peer)] for name, peers in ROWS.items()
    }
    return {name: 1000 * min(found) for name, found in best.items() if found}


def _panel(title: str, found: dict[str, float], x: float, y: float) -> str:
    longest = max(found.values())
    parts = [_text(x, y + 14, title, 'font-weight="bold"')]
    for at, (name, value) in enumerate(found.items()):
        top = y + HEAD + ROW * at
        own = name == SUBJECT
        weight = ' font-weight="bold"' if own else ""
        length = max((PANEL - NAMES - VALUES) * value / longest, 1)
        parts += [
            _text(x + NAMES - 6, top + 11, name, f'text-anchor="end"{weight}'),
            f'<rect class="bar{" own" if own else ""}" x="{x + NAMES}" y="{top + 1}" width="{length:.1f}" '
            f'height="{ROW - 4}" rx="1"/>',
            _text(x + NAMES + length + 5, top + 11, _shown(value)),
        ]
    return "\n".join(parts)


def _shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'
