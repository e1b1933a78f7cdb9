"""The selection of a batch of zarr-python."""

from typing import Any

from zchunk._ext.selection.slices import Plan

def plan_batch(
    batch: list[Any],
    store: object,
    kind: type[Any],
    prefix: str,
    separator: str,
    chunks: tuple[int, ...],
    first: tuple[int, ...],
    last: tuple[int, ...],
    edges: bool,
) -> Plan | None: ...
