"""The caller: the line outside of zchunk that warnings name, and the function that was called."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import zchunk


def test_warnings_name_the_line_of_the_caller() -> None:
    group = zchunk.group()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        zchunk.zeros(5.0)
        zchunk.create(5, shuffle=True)
        group.zeros("a", shape=5.0)
        group.create_dataset("b", shape=5, dtype="i4", object_codec=zchunk.Zstd())
        zchunk.full_like(np.zeros(3), fill_value=1, fletcher32=True)
        group.attrs.update({1: 2})
        zchunk.create(5, attributes={1: 2})
    assert len(found) == 7
    assert {warning.filename for warning in found} == {__file__}


@pytest.mark.parametrize("name", ["zeros", "create", "ones", "empty"])
def test_functions_are_named(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name}\(\) has no parameter 'chunk'; did you mean 'chunks'\?$"):
        getattr(zchunk, name)(5, chunk=5)


def test_methods_are_named() -> None:
    with pytest.raises(
        TypeError, match=r"^create_dataset\(\) has no parameter 'dtyp'; did you mean 'dtype'\?$"
    ):
        zchunk.group().create_dataset("a", shape=5, dtyp="i4")  # type: ignore[call-arg]
