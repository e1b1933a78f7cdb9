"""How arrays and groups describe themselves: the table that `info` shows, as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

Items = list[tuple[str, str]]


class InfoReporter:
    """A table of facts that is made anew each time it is shown."""

    def __init__(self, items: Callable[[], Items]) -> None:
        self._items = items

    def __repr__(self) -> str:
        items = self._items()
        width = max(len(name) for name, _ in items)
        return "".join(f"{name:<{width}} : {value}\n" for name, value in items)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align: left">{escape(name)}</th><td style="text-align: left">{escape(value)}</td></tr>'
            for name, value in self._items()
        )
        return f'<table class="zarr-info"><tbody>{rows}</tbody></table>'


def class_name(obj: object) -> str:
    """Return the full name of an object's class."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


def human_size(nbytes: int) -> str:
    """Return a number of bytes, with the nearest binary unit above 1 KiB: ``56000 (54.7K)``."""
    if nbytes <= 1024:
        return str(nbytes)
    value, unit = float(nbytes), ""
    for larger in "KMGTPE":
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{nbytes} ({value:.1f}{unit})"
