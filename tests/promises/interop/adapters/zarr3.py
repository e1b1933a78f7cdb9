"""zarr 3: both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.metadata import ArrayV2Metadata, ArrayV3Metadata

# Of zarr, for all that is done.
CONFIG: dict[str, Any] = {}


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array, and assign all items."""
    _create(store, case, zarr.open_group)
    with zarr.config.set(CONFIG):
        _open(store, case, consolidated=False)[...] = items
    if case.consolidated:
        zarr.consolidate_metadata(store, zarr_format=case.format)


def _create(store: Any, case: Any, open_group: Any) -> None:
    if case.path:
        group = open_group(store, mode="w", zarr_format=case.format, attributes=case.group)
        *parents, _ = case.path.split("/")
        if parents:
            group.require_group("/".join(parents))
    document = {**case.document(), "attributes": case.attributes}
    metadata = (ArrayV2Metadata if case.format == 2 else ArrayV3Metadata).from_dict(document)
    folder = Path(store, case.path)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in metadata.to_buffer_dict(default_buffer_prototype()).items():
        (folder / name).write_bytes(data.to_bytes())


def _open(store: Any, case: Any, consolidated: bool | None = None) -> Any:
    if case.path:
        consolidated = case.consolidated if consolidated is None else consolidated
        group = zarr.open_group(store, mode="r+", zarr_format=case.format, use_consolidated=consolidated)
        return group[case.path]
    return zarr.open_array(store, mode="r+", zarr_format=case.format)


def read(store: Any, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    with zarr.config.set(CONFIG):
        array = _open(store, case)
        found = array[... if box is None else box]
    if case.dtype is None:
        return np.asarray(found, object)
    # A scalar comes without its padding.
    return np.asarray(found, case.dtype if case.dtype.kind in "SU" else None)


def change(store: Any, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    with zarr.config.set(CONFIG):
        _open(store, case)[box or ...] = items


def attributes(store: Any, case: Any) -> tuple[Any, Any]:
    """Those of the array and of the root group."""
    group = zarr.open_group(store, mode="r", zarr_format=case.format).attrs.asdict() if case.path else None
    return _open(store, case).attrs.asdict(), group
