"""How arrays and groups describe themselves: the table that `info` shows, as text and as HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zchunk.core.access import Access

Items = list[tuple[str, str]]

# What `html.escape` replaces. The module `html` would import a table of all entities.
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


class InfoReporter:
    """A table of facts that is made anew each time it is shown.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(3)
    >>> type(z.info)
    <class 'zchunk.core.info.InfoReporter'>
    >>> "float64" in repr(z.info)
    True
    """

    def __init__(self, items: Callable[[], Items]) -> None:
        self._items = items

    def __repr__(self) -> str:
        items = self._items()
        width = max(len(name) for name, _ in items)
        return "".join(f"{name:<{width}} : {value}\n" for name, value in items)

    def _repr_html_(self) -> str:
        left = 'style="text-align: left"'
        rows = "".join(
            f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(value)}</td></tr>"
            for name, value in self._items()
        )
        return f'<table class="zarr-info"><tbody>{rows}</tbody></table>'


def escape(text: str) -> str:
    """Return text for HTML."""
    return text.translate(_ESCAPED)


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


def array_items(array: Any, access: Access) -> Items:
    """Return the rows of an array's table."""
    items = [] if array.name is None else [("Name", array.name)]
    items += [
        ("Type", class_name(array)),
        *_format_items(array),
        ("Data type", str(array.dtype)),
        ("Shape", str(array.shape)),
        ("Chunk shape", array.metadata.grid_of_chunks.text),
        *([] if array.metadata.shards is None else [("Shard shape", array.metadata.grid.text)]),
        ("Order", array.order),
        ("Read-only", str(array.read_only)),
    ]
    items += [(f"Filter [{i}]", repr(codec)) for i, codec in enumerate(array.filters or ())]
    if len(array.compressors) > 1:
        items += [(f"Compressor [{i}]", repr(codec)) for i, codec in enumerate(array.compressors)]
    else:
        items.append(("Compressor", repr(array.compressor)))
    items += _store_items(access)
    nbytes, nbytes_stored = array.nbytes, array.nbytes_stored
    items.append(("No. bytes", human_size(nbytes)))
    if nbytes_stored > 0:
        items.append(("No. bytes stored", human_size(nbytes_stored)))
        items.append(("Storage ratio", f"{nbytes / nbytes_stored:.1f}"))
    if array.shards is None:
        items.append(("Chunks initialized", f"{array.nchunks_initialized}/{array.nchunks}"))
    else:
        grid = array.metadata.grid
        items.append(("Shards initialized", f"{array.nshards_initialized}/{grid.nchunks}"))
    return items


def group_items(group: Any, access: Access) -> Items:
    """Return the rows of a group's table."""
    items = [("Name", group.name), ("Type", class_name(group)), *_format_items(group)]
    items.append(("Read-only", str(group.read_only)))
    items += _store_items(access)
    arrays, groups = list(group.array_keys()), list(group.group_keys())
    items += [
        ("No. members", str(len(arrays) + len(groups))),
        ("No. arrays", str(len(arrays))),
        ("No. groups", str(len(groups))),
    ]
    if arrays:
        items.append(("Arrays", ", ".join(arrays)))
    if groups:
        items.append(("Groups", ", ".join(groups)))
    return items


def _format_items(node: Any) -> Items:
    # The table of zarr 2, which has one format only, has no such row.
    return [] if node.zarr_format == 2 else [("Zarr format", str(node.zarr_format))]


def _store_items(access: Access) -> Items:
    items = []
    if access.synchronizer is not None:
        items.append(("Synchronizer type", class_name(access.synchronizer)))
    items.append(("Store type", class_name(access.store)))
    if access.chunk_store is not None:
        items.append(("Chunk store type", class_name(access.chunk_store)))
    return items
