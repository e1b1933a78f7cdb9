"""simplezarr: format 3, in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import simplezarr


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array, and assign all items."""
    folder, document = simplezarr.LocalStore(store), case.document()
    parents = case.path.split("/")[:-1]
    for depth in range(len(parents) + bool(case.path)):
        attributes = None if depth else case.group
        simplezarr.ZarrGroup.create(folder, "/".join(parents[:depth]), attributes=attributes)
    array = simplezarr.ZarrArray.create(
        folder,
        case.path,
        case.shape,
        document["data_type"],
        fill_value=document["fill_value"],
        chunk_shape=case.chunks,
        chunk_path_separator=case.separator,
        codecs=document["codecs"],
        dimension_names=document.get("dimension_names"),
        attributes=case.attributes,
    )
    array[...].set_now(items)


def _open(store: str, case: Any) -> Any:
    return simplezarr.open_zarr(simplezarr.LocalStore(store), case.path)


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    return np.asarray(_open(store, case)[... if box is None else box].get_now())


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    _open(store, case)[box or ...].set_now(items)


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """Those of the array and of the root group."""
    group = simplezarr.open_zarr(simplezarr.LocalStore(store)).attributes if case.path else None
    return dict(_open(store, case).attributes), group
