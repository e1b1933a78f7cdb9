"""Names of fields in selections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zchunk.errors import SelectionError
from zchunk.indexing.fields import field_dtype, pop_fields

DTYPE = np.dtype([("n", "<i4"), ("x", ">f8"), ("m", "u1", (2,))])


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("n", ("n", ())),
        (("n", 3), ("n", 3)),
        (("n", "x", slice(2)), (["n", "x"], slice(2))),
        ((..., "n", 3), ("n", (..., 3))),
        ((1, 2), (None, (1, 2))),
        (slice(None), (None, slice(None))),
        ([0, 1], (None, [0, 1])),
    ],
)
def test_names_are_taken_out(selection: Any, expected: tuple[Any, Any]) -> None:
    assert pop_fields(selection) == expected


def test_dtypes() -> None:
    assert field_dtype("x", DTYPE) == np.dtype(">f8")
    assert field_dtype("m", DTYPE).subdtype == (np.dtype("u1"), (2,))
    assert field_dtype(["x", "n"], DTYPE) == np.dtype([("x", ">f8"), ("n", "<i4")])
    assert field_dtype([], DTYPE) is DTYPE


@pytest.mark.parametrize("fields", ["y", ["n", "y"], 3, [3], b"n"])
def test_what_is_no_field(fields: Any) -> None:
    with pytest.raises(SelectionError, match="field"):
        field_dtype(fields, DTYPE)
    with pytest.raises(SelectionError, match="field"):
        field_dtype("n", np.dtype("f8"))
