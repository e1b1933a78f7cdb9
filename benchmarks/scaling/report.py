"""Tables for docs/design/scaling.md, and the rates for the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scaling.fit import error
from benchmarks.scaling.runs import Run
from zchunk.wings.profiling.costs import Rates, say, seconds

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "design" / "scaling.md"
MODEL = ROOT / "zchunk" / "wings" / "profiling" / "costs.py"
# Held-out runs are to be met within this.
WITHIN = 0.2
# Their share that has to be: what a busy machine does to single runs is no fault of the model.
MOST = 0.9


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text, the others numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def said(machine: Mapping[str, Any], busy: bool) -> str:
    """Return one or two sentences on the run."""
    others = " Other programs used the machine: files were read by one thread, and timed by the processor."
    return (
        f"Measured at {machine['commit']}, {machine['date'][:10]}, {machine['processor']}, "
        f"{machine['cpus']} cores, Python {machine['python']}, in {machine['file system']}."
        f"{others if busy else ''}"
    )


def rates(found: Rates) -> str:
    """Return the table of rates."""
    rows = [
        ("a call, without any chunk", f"{found.call * 1e6:.1f} µs"),
        ("a file: open, read, close", f"{found.request * 1e6:.1f} µs"),
        ("a request to an object store, its server included", f"{found.remote_request * 1e6:.0f} µs"),
        ("bytes through client and server of an object store", f"{found.remote_read / 1e9:.2f} GB/s"),
        ("a chunk, besides its file and its bytes", f"{found.chunk * 1e6:.1f} µs"),
        *(
            (f"decoded bytes put into the result: {name}", f"{speed / 1e9:.2f} GB/s")
            for name, speed in found.decode.items()
        ),
        ("share of the work that threads do not divide", f"{found.serial:.0%}"),
    ]
    return table(("of one core", "fitted"), rows)


def within(measured: Sequence[Run], found: Rates) -> bool:
    """Return whether the model meets the runs that were held out."""
    errors = [abs(error(run, found)) for run in measured if run.held_out]
    return float(np.mean(np.array(errors) <= WITHIN)) >= MOST


def checked(measured: Sequence[Run], found: Rates) -> str:
    """Return the runs that were held out, and how far the model is from each and from the fitted ones."""
    rows = [
        (
            run.name,
            say(run.seconds),
            say(seconds(run.work, run.place, run.threads, found)),
            f"{error(run, found):+.0%}",
        )
        for run in measured
        if run.held_out
    ]
    lines = [table(("run that was held out", "measured", "model", "error"), rows)]
    for held_out, what in ((False, "fitted"), (True, "held-out")):
        errors = np.array([abs(error(run, found)) for run in measured if run.held_out is held_out])
        lines.append(
            f"Of {len(errors)} {what} runs {np.mean(errors <= WITHIN):.0%} are met within {WITHIN:.0%}; "
            f"the median error is {np.median(errors):.1%}, the largest {errors.max():.0%}."
        )
    return "\n\n".join(lines)


def put(text: str, name: str, content: str) -> str:
    """Return a document with what is between the marks of a name replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n?<!-- end -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{content}\n<!-- end -->", text)
    if count != 1:
        raise ValueError(f"the document has {count} places for {name!r}")
    return changed


def write(tables: Mapping[str, str], found: Rates) -> None:
    """Write the tables into the document, and the rates into the model."""
    text = DOCUMENT.read_text()
    for name, content in tables.items():
        text = put(text, name, content)
    DOCUMENT.write_text(text)
    decode = "".join(f'        "{name}": {speed:.4g},\n' for name, speed in found.decode.items())
    lines = [
        f"    {name}={value:.4g},"
        if name != "decode"
        else f"    decode=MappingProxyType({{\n{decode}    }}),"
        for name, value in found._asdict().items()
    ]
    source = "\n".join(["# fmt: off", "MEASURED = Rates(", *lines, ")", "# fmt: on\n"])
    model = MODEL.read_text()
    MODEL.write_text(
        re.sub(r"# fmt: off\nMEASURED = .*?# fmt: on\n", lambda _: source, model, flags=re.DOTALL)
    )
