"""Dtypes to and from v2 JSON. Literals in tables marked so were written by zarr 2.18.7."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zchunk.errors import MetadataError
from zchunk.spec.dtypes import MAX_ITEMSIZE, decode_dtype, encode_dtype

ALIGNED = np.dtype([("a", "i1"), ("b", "<f8"), ("c", "u1")], align=True)
NESTED = np.dtype([("p", np.dtype([("a", "i1"), ("b", "<f8")], align=True), (2,)), ("q", "<i2")])

# Dtype and its JSON as zarr 2.18.7 writes it.
WRITTEN = [
    (np.dtype("?"), "|b1"),
    (np.dtype("O"), "|O"),
    (np.dtype([("x", "<f8"), ("y", "O")]), [["x", "<f8"], ["y", "|O"]]),
    (np.dtype("i1"), "|i1"),
    (np.dtype(">u2"), ">u2"),
    (np.dtype("<f2"), "<f2"),
    (np.dtype(">c16"), ">c16"),
    (np.dtype("<M8[10ns]"), "<M8[10ns]"),
    (np.dtype(">m8[s]"), ">m8[s]"),
    (np.dtype("S5"), "|S5"),
    (np.dtype("<U3"), "<U3"),
    (np.dtype("V10"), "|V10"),
    (np.dtype("S0"), "|S0"),
    (np.dtype("<U0"), "<U0"),
    (np.dtype("V0"), "|V0"),
    (np.dtype([]), []),
    (np.dtype([("a", "<i4"), ("b", "<f8", (2, 3))]), [["a", "<i4"], ["b", "<f8", [2, 3]]]),
    (np.dtype([("a", "i1"), ("b", [("c", "<u2")])]), [["a", "|i1"], ["b", [["c", "<u2"]]]]),
    (ALIGNED, [["a", "|i1"], ["", "|V7"], ["b", "<f8"], ["c", "|u1"], ["", "|V7"]]),
    (NESTED, [["p", [["a", "|i1"], ["", "|V7"], ["b", "<f8"]], [2]], ["q", "<i2"]]),
    (
        np.dtype({"names": ["x"], "formats": ["<i2"], "offsets": [3], "itemsize": 7}),
        [["", "|V3"], ["x", "<i2"], ["", "|V2"]],
    ),
    (np.dtype([("é", "<i4")]), [["é", "<i4"]]),
    (np.dtype([("a", "<U0"), ("b", "<i4")]), [["a", "<U0"], ["b", "<i4"]]),
]


@pytest.mark.parametrize(("dtype", "obj"), WRITTEN, ids=lambda x: str(x)[:40])
def test_dtype_is_written_and_read_as_by_zarr_2(dtype, obj):
    assert encode_dtype(dtype) == obj
    back = decode_dtype(json.loads(json.dumps(obj)))
    assert back == dtype
    assert back.itemsize == dtype.itemsize
    assert back.names == dtype.names


def test_titles_survive():
    dtype = np.dtype([(("title", "a"), "<i4"), ("b", "i1")])
    assert decode_dtype(encode_dtype(dtype)) == dtype


@pytest.mark.parametrize("text", ["<i1", ">b1", "<S3"])
def test_byte_order_of_single_bytes_is_ignored(text):
    assert decode_dtype(text) == np.dtype(text[1:])


def storable(dtype):
    """No date in it lacks a unit."""
    if dtype.subdtype is not None:
        return storable(dtype.subdtype[0])
    if dtype.fields is not None:
        return all(storable(field[0]) for field in dtype.fields.values())
    return dtype.kind not in "mM" or np.datetime_data(dtype)[0] != "generic"


@given(hnp.array_dtypes(allow_subarrays=True, max_size=4) | hnp.scalar_dtypes())
def test_any_dtype_round_trips(dtype):
    assume(storable(dtype))
    obj = encode_dtype(dtype)
    assert decode_dtype(json.loads(json.dumps(obj))) == dtype


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("M8", "no unit"),
        ([("a", "m8")], "no unit"),
        (("i4", (2,)), "sub-array"),
        ({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]}, "overlapping"),
        ({"names": ["b", "a"], "formats": ["i4", "i2"], "offsets": [4, 0]}, "unordered"),
    ],
)
def test_dtypes_that_cannot_be_stored(dtype, words):
    with pytest.raises(ValueError, match=words):
        encode_dtype(np.dtype(dtype))


def test_variable_length_strings_are_refused():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy 1")
    with pytest.raises(ValueError, match="no form in Zarr"):
        encode_dtype(np.dtypes.StringDType())


@pytest.mark.parametrize(
    "obj",
    [
        None, True, 1, 1.5, {}, "", "x", "f8", "float64", "=f8", "|f8", "<f8,<f8", "f8,f8", "<f8\n", "<i٤",
        "(2,)<f8",
        "<f3", "<i16", "|b2", "<M8", "<m8[generic]", "<M8[0ns]", "<M8[9999999999ns]", "<M8[B]", "<M8[ns/2]",
        "|T16", "|O1", "<O", "|S99999999999", "<U2147483647", "|V2147483648",
        ["<f8"], [[]], [["a"]], [["a", "<f8", [1], 1]], [[1, "<f8"]], [["", "<f8"]], [["", []]],
        [["a", None]], [["a", "<f8"], ["a", "<i4"]], [["", "|O"]], [["a", "<f8", -1]], [["a", "<f8", [1.0]]],
        [["a", "<f8", [True]]],
        [["a", "<f8", [2**31]]], [["a", "<f8", [2**16, 2**16]]], [["a", "|V2147483647"], ["b", "|V1"]],
        [["a", "<f8", [1] * 100]], [[["t", "n", "x"], "<f8"]], [[[1, "n"], "<f8"]],
    ],
    ids=lambda x: repr(x)[:40],
)  # fmt: skip
def test_nonsense_is_no_dtype(obj):
    with pytest.raises(MetadataError):
        decode_dtype(obj)


def test_deep_nesting_is_refused():
    obj = "<f8"
    for _ in range(500):
        obj = [["a", obj]]
    with pytest.raises(MetadataError, match="deep"):
        decode_dtype(obj)


def test_the_largest_item_is_read():
    assert decode_dtype(f"|V{MAX_ITEMSIZE}").itemsize == MAX_ITEMSIZE


@given(
    st.recursive(
        st.none() | st.integers() | st.sampled_from(["<f8", "|V3", "", "a", "b", "|O", "<M8[s]"]) | st.text(),
        lambda inner: st.lists(inner, max_size=4),
    )
)
def test_any_json_is_a_dtype_or_refused(obj):
    try:
        dtype = decode_dtype(obj)
    except MetadataError:
        return
    assert decode_dtype(encode_dtype(dtype)) == dtype
