"""What is assigned to attributes of arrays and groups is stored, or it is an error that says how it is."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import zchunk


def test_members_of_groups() -> None:
    g = zchunk.group()
    with pytest.raises(AttributeError, match=r'g\["u"\] = \.\.\. makes a member, g\.attrs\["u"\] = \.\.\.'):
        g.u = np.arange(3)  # type: ignore[misc]
    g["u"] = np.arange(3)
    with pytest.raises(AttributeError, match=r'g\["u"\] = '):
        g.u = np.arange(4)  # type: ignore[misc]
    assert g.u[:].tolist() == [0, 1, 2]
    with pytest.raises(AttributeError, match=r'del g\["u"\]'):
        del g.u
    assert "u" in g
    with pytest.raises(AttributeError, match=r'del g\["v"\]'):
        del g.v


def test_arrays() -> None:
    z = zchunk.zeros(3)
    with pytest.raises(AttributeError, match=r'z\.attrs\["unknown"\] = '):
        z.unknown = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="unknown"):
        del z.unknown  # type: ignore[attr-defined]
    assert not hasattr(z, "unknown")


@pytest.mark.parametrize("name", ["chunks", "dtype", "ndim", "store", "path", "name", "order", "compressor"])
def test_what_is_what_it_is(name: str) -> None:
    z = zchunk.zeros((2, 3))
    with pytest.raises(AttributeError, match=name):
        setattr(z, name, 5)
    with pytest.raises(AttributeError, match=name):
        delattr(z, name)
    assert z.shape == (2, 3)


@pytest.mark.parametrize("name", ["append", "resize", "view"])
def test_methods(name: str) -> None:
    z, g = zchunk.zeros(3), zchunk.group()
    with pytest.raises(AttributeError, match=rf"{name}.* is a method"):
        setattr(z, name, 5)
    with pytest.raises(AttributeError, match=r"create_group.* is a method"):
        g.create_group = 5  # type: ignore[method-assign, assignment]


def test_all_attributes_at_once() -> None:
    for node in (zchunk.zeros(3), zchunk.group()):
        with pytest.raises(AttributeError, match=r"\.attrs\.put"):
            node.attrs = {"units": "m"}  # type: ignore[misc, assignment]
        with pytest.raises(AttributeError, match=r"\.attrs\.clear"):
            del node.attrs


def test_attributes_of_attributes() -> None:
    z = zchunk.zeros(3)
    with pytest.raises(AttributeError, match=r'attrs\["units"\] = '):
        z.attrs.units = "m"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r'del attrs\["units"\]'):
        del z.attrs.units  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"update.* is a method"):
        z.attrs.update = {"units": "m"}  # type: ignore[method-assign, assignment]
    assert dict(z.attrs) == {}
    z.attrs.read_only = True
    with pytest.raises(zchunk.errors.ReadOnlyError):
        z.attrs["units"] = "m"
    z.attrs.cache = False
    assert dict(z.attrs) == {}


def test_what_may_be_assigned() -> None:
    z = zchunk.zeros(3, chunks=2)
    z.shape = 5
    z.fill_value = 7
    z.read_only = True
    assert (z.shape, z.fill_value, z.read_only) == ((5,), 7, True)


class Mine(zchunk.Array):
    """A class of a program, which may have attributes of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unit = "m"


def test_classes_of_programs_may_have_attributes_of_their_own() -> None:
    mine = Mine(zchunk.zeros(3).store)
    mine.unit = "km"
    mine.more = 1  # type: ignore[attr-defined]
    assert mine.unit == "km"
    del mine.unit
    with pytest.raises(AttributeError):
        mine.chunks = 3  # type: ignore[misc, assignment]


def test_copies_and_pickles() -> None:
    z = zchunk.zeros(3)
    z.attrs["n"] = 1
    for again in (copy.copy(z), pickle.loads(pickle.dumps(z))):
        assert dict(again.attrs) == {"n": 1}
    again = pickle.loads(pickle.dumps(z.attrs))
    assert dict(again) == {"n": 1}
