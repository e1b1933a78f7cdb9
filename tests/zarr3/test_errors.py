"""zarr 3's errors by its names."""

from __future__ import annotations

import pytest

import zchunk.zarr3 as zarr
from zchunk.zarr3 import errors


def test_names() -> None:
    assert all(issubclass(getattr(errors, name), Exception) for name in errors.__all__)


def test_what_is_raised() -> None:
    g = zarr.group({})
    g.create_array("a", shape=3)
    with pytest.raises(errors.ContainsArrayError):
        g.create_array("a", shape=3)
    with pytest.raises(errors.NodeNotFoundError):
        zarr.open({}, mode="r")
    with pytest.raises(errors.BoundsCheckError):
        g["a"][5]
    with pytest.raises(errors.UnknownCodecError):
        g.create_array("b", shape=3, compressors=[{"name": "no such"}])


def test_warnings_can_be_filtered() -> None:
    assert issubclass(errors.ZarrUserWarning, UserWarning)
    assert issubclass(errors.UnstableSpecificationWarning, FutureWarning)
