"""NumPy's text of any length, `StringDType`: as zarr 3 gives it, in both formats, and as zchunk does."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
import zchunk.zarr3 as zarr

pytestmark = pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no StringDType")

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])
WORDS = ["a", "", "größer", "語" * 40, "b\0c", "d"]


def strings(**given: Any) -> Any:
    return np.dtypes.StringDType(**given)


def check(found: Any, expected: list[Any]) -> None:
    assert found.dtype == strings()
    assert found.tolist() == expected


@FORMATS
def test_in_and_out(zarr_format: Any) -> None:
    z = zarr.create_array({}, shape=(2, 3), chunks=(2, 2), dtype=strings(), zarr_format=zarr_format)
    assert z.dtype == strings()
    check(z[...], [["", "", ""], ["", "", ""]])
    z[...] = np.array(WORDS, strings()).reshape(2, 3)
    assert (z[0, 2], type(z[0, 2])) == (WORDS[2], str)
    check(z[:, 1:], [WORDS[1:3], WORDS[4:]])
    check(z.oindex[[1], [0, 2]], [[WORDS[3], WORDS[5]]])
    check(z.vindex[[0, 1], [0, 2]], [WORDS[0], WORDS[5]])
    check(z[z[...] == "d"], ["d"])
    check(z[:, np.newaxis, [2]], [[[WORDS[2]]], [[WORDS[5]]]])
    check(z[:0], [])
    check(np.asarray(z.lazy[1, ::2]), [WORDS[3], WORDS[5]])
    check(z.blocks[0, 1], [[WORDS[2]], [WORDS[5]]])
    assert z.lazy.dtype == strings()
    assert [row.tolist() for row in z] == [WORDS[:3], WORDS[3:]]
    for out in (np.empty((2, 3), strings()), np.empty((2, 3), object)):
        assert z.get_basic_selection(out=out) is out
        assert out.tolist() == [WORDS[:3], WORDS[3:]]
    z[1] = "x"
    z[0, 0] = np.array("y", strings())
    check(z[...], [["y", *WORDS[1:3]], ["x"] * 3])
    assert z.asstr()[0, 0] == "y"


@FORMATS
def test_what_is_stored(zarr_format: Any) -> None:
    store: dict[str, bytes] = {}
    given: dict[str, Any] = {"shape": 3, "zarr_format": zarr_format, "compressors": None, "fill_value": ""}
    z = zarr.create_array(store, dtype=strings(), **given)
    z[:] = np.array(WORDS[:3], strings())
    other: dict[str, bytes] = {}
    objects = zchunk.create_array(other, dtype=str, **given)
    objects[:] = WORDS[:3]
    assert store == other
    document = z.metadata.to_dict()
    if zarr_format == 3:
        assert (document["data_type"], document["codecs"][0]["name"]) == ("string", "vlen-utf8")
    else:
        assert (document["dtype"], document["filters"]) == ("|O", [{"id": "vlen-utf8"}])
    # By zchunk's names, text is what it always was.
    assert zchunk.open(store).dtype == object
    assert zchunk.open(store)[:].dtype == object
    for again in (zarr.open(store), zarr.open_array(store), pickle.loads(pickle.dumps(z))):
        check(again[:], WORDS[:3])
    check(zarr.open(store).with_config({"order": "F"})[:], WORDS[:3])


def test_other_ways_to_make_them() -> None:
    g = zarr.create_group({})
    words = np.array(WORDS, strings())
    check(g.create_array("a", data=words)[:], WORDS)
    check(g.create_array("b", shape=6, dtype="string")[:2], ["", ""])
    check(g["a"][1:], WORDS[1:])
    check(zarr.array(words)[:], WORDS)
    check(zarr.from_array({}, data=g["a"])[:], WORDS)
    check(zarr.full_like(g["a"], fill_value="x")[:2], ["x", "x"])
    zarr.save_array(store := zarr.storage.MemoryStore(), words)
    check(zarr.load(store), WORDS)
    g["a"].resize(8)
    g["a"].append(np.array(["e"], strings()))
    check(g["a"][5:], ["d", "", "", "e"])
    assert zchunk.array(words)[:].dtype == object
    # Bytes of any length stay objects: NumPy has nothing else.
    assert zarr.create_array({}, shape=2, dtype=bytes)[:].dtype == object


@given(st.lists(st.text(max_size=40), min_size=1, max_size=12), st.data())
def test_beside_numpy(words: list[str], data: st.DataObject) -> None:
    expected = np.array(words, strings())
    z = zarr.array(expected, chunks=data.draw(st.integers(1, 5)))
    for _ in range(3):
        selection = data.draw(st.slices(len(words)))
        check(z[selection], expected[selection].tolist())
        value = data.draw(st.text(max_size=20))
        z[selection] = expected[selection] = value
    check(z[...], expected.tolist())


@FORMATS
def test_texts_that_are_missing(zarr_format: Any) -> None:
    for missing in (None, np.nan):
        dtype = strings(na_object=missing)
        with pytest.raises(ValueError, match="texts that may be missing, which no array stores"):
            zchunk.create(3, dtype=dtype, zarr_format=zarr_format)
        with pytest.raises(ValueError, match="texts that may be missing"):
            zarr.dtype.parse_dtype(dtype)
        z = zchunk.create(3, dtype=str, zarr_format=zarr_format)
        z[:] = ["a", "b", "c"]
        with pytest.raises(ValueError, match=r"some texts are missing \(they are (None|nan)\)"):
            z[:] = np.array(["x", missing, "y"], dtype)
        with pytest.raises(ValueError, match="some texts are missing"):
            zchunk.array(np.array(["x", missing], dtype), zarr_format=zarr_format)
        assert z[:].tolist() == ["a", "b", "c"]
        z[:] = np.array(["x", "y", "z"], dtype)
        assert z[:].tolist() == ["x", "y", "z"]
    # One that is a text itself is one.
    z[:] = np.array(["x", "-", "z"], strings(na_object="-"))
    assert z[:].tolist() == ["x", "-", "z"]


def test_data_type() -> None:
    found = zarr.dtype.parse_dtype(strings())
    assert found == zarr.dtype.VariableLengthUTF8()
    assert found.to_native_dtype() == strings()
    assert found.to_json(zarr_format=2) == {"name": "|O", "object_codec_id": "vlen-utf8"}
    assert found.to_json_scalar("a", zarr_format=3) == "a"
    assert found.from_json_scalar("a", zarr_format=3) == "a"


@pytest.mark.parametrize("version", [2, 3])
def test_bytes_of_any_length(version: Any) -> None:
    data_type = zarr.dtype.VariableLengthBytes()
    store: dict[str, bytes] = {}
    z = zarr.create_array(store, shape=4, chunks=2, dtype=data_type, zarr_format=version)
    z[1] = b"ab"
    assert z[:].tolist() == [b"", b"ab", b"", b""]
    assert zarr.from_array({}, data=z)[:].tolist() == z[:].tolist()
    again = zarr.full(2, b"xy", dtype=data_type, zarr_format=version)
    assert again.metadata.to_dict()["fill_value"] == "eHk="
    assert zarr.open_array(again.store, mode="r")[:].tolist() == [b"xy", b"xy"]
