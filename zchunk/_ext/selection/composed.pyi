"""Basic selections of basic selections."""

from typing import Any

from zchunk._ext.selection.slices import Plan

def compose_basic(
    selection: Any, shape: tuple[int, ...], maps: tuple[Any, ...], span: type[tuple[Any, ...]]
) -> tuple[tuple[int, ...], tuple[Any, ...]] | None: ...
def plan_composed(
    lengths: tuple[int, ...],
    maps: tuple[Any, ...],
    span: type[tuple[Any, ...]],
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
) -> Plan | None: ...
