"""Fill values to and from v2 JSON. Literals in tables marked so were written by zarr 2.18.7."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.nonsense import Nonsense
from zchunk.errors import MetadataError
from zchunk.spec.fill_values import (
    decode_fill_value,
    encode_fill_value,
    fill_bytes,
    holds_only,
    normalize_fill_value,
    object_fill,
)

ALIGNED = np.dtype([("a", "i1"), ("b", "<f8"), ("c", "u1")], align=True)
NESTED = np.dtype([("p", np.dtype([("a", "i1"), ("b", "<f8")], align=True), (2,)), ("q", "<i2")])


def storable(dtype):
    """No date in it lacks a unit."""
    if dtype.subdtype is not None:
        return storable(dtype.subdtype[0])
    if dtype.fields is not None:
        return all(storable(field[0]) for field in dtype.fields.values())
    return dtype.kind not in "mM" or np.datetime_data(dtype)[0] != "generic"


FILLS = [
    ("?", True, True, "01"),
    ("|u1", 255, 255, "ff"),
    ("<i4", 1.5, 1, "01000000"),
    ("<i4", "3", 3, "03000000"),
    (">i4", np.int64(7), 7, "00000007"),
    ("<i8", -(2**63), -(2**63), "0000000000000080"),
    ("<u8", 2**64 - 1, 2**64 - 1, "ff" * 8),
    ("<f2", 0.1, 0.0999755859375, "662e"),
    ("<f4", 0.1, 0.10000000149011612, "cdcccc3d"),
    ("<f8", 5, 5.0, "0000000000001440"),
    ("<f8", np.nan, "NaN", "000000000000f87f"),
    ("<f8", "NaN", "NaN", "000000000000f87f"),
    (">f4", np.inf, "Infinity", "7f800000"),
    ("<f4", -np.inf, "-Infinity", "000080ff"),
    ("<f8", 5e-324, 5e-324, "0100000000000000"),
    ("<c8", 1.0, [1.0, 0.0], "0000803f00000000"),
    ("<c8", complex(np.nan, np.inf), ["NaN", "Infinity"], "0000c07f0000807f"),
    (">c16", complex(0, -np.inf), [0.0, "-Infinity"], "0000000000000000fff0000000000000"),
    ("<M8[ns]", 0, 0, "00" * 8),
    ("<M8[ns]", "NaT", -(2**63), "0000000000000080"),
    ("<M8[ns]", np.datetime64("NaT"), -(2**63), "0000000000000080"),
    (">M8[D]", "2000-01-01", 10957, "0000000000002acd"),
    ("<M8[10ns]", 12, 12, "0c00000000000000"),
    ("<m8[s]", np.timedelta64(5, "m"), 300, "2c01000000000000"),
    ("|S5", 0, "", "00" * 5),
    ("|S5", b"abc", "YWJj", "6162630000"),
    ("|S5", "abc", "YWJj", "6162630000"),
    ("|S5", b"abcdefgh", "YWJjZGU=", "6162636465"),
    ("<U3", 0, "", "00" * 12),
    ("<U3", "é", "é", "e900000000000000" + "00" * 4),
    (">U1", "\U0001f600", "\U0001f600", "0001f600"),
    ("|V3", 0, "AAAA", "000000"),
    ("|V4", b"abc", "YWJjAA==", "61626300"),
    ("|V3", np.void(b"abc"), "YWJj", "616263"),
    ("|S0", 0, "", ""),
    ("<U0", 0, "", ""),
    ("|V0", 0, "", ""),
    ([("a", "<i4"), ("b", "<f8")], 0, "AAAAAAAAAAAAAAAA", "00" * 12),
    ([("a", "<i4"), ("b", "<f8")], (1, 2.5), "AQAAAAAAAAAAAARA", "010000000000000000000440"),
    ([("a", "<i4"), ("b", "<f8")], 1, "AQAAAAAAAAAAAPA/", "01000000000000000000f03f"),
    ([("a", "<i2"), ("b", ">i2", (2,))], (1, [2, 3]), "AQAAAgAD", "010000020003"),
    ([("a", "<i2")], b"\1\0", "AQA=", "0100"),
    (ALIGNED, 0, "A" * 32, "00" * 24),
    ([], 0, "", ""),
]


def same(a, b, dtype):
    return fill_bytes(a, dtype) == fill_bytes(b, dtype) and type(a) is type(b)


@pytest.mark.parametrize(("dtype", "value", "obj", "memory"), FILLS, ids=lambda x: str(x)[:20])
def test_fill_value_is_written_and_read_as_by_zarr_2(dtype, value, obj, memory):
    dtype = np.dtype(dtype)
    fill = normalize_fill_value(value, dtype)
    assert isinstance(fill, np.generic)
    assert json.dumps(encode_fill_value(fill, dtype)) == json.dumps(obj)
    assert fill_bytes(fill, dtype).hex() == memory
    assert same(decode_fill_value(json.loads(json.dumps(obj)), dtype), fill, dtype)


def test_no_fill_value():
    for dtype in map(np.dtype, ["<f8", "|S3", "<U0", "<M8[s]", [("a", "i4")]]):
        assert normalize_fill_value(None, dtype) is None
        assert encode_fill_value(None, dtype) is None
        assert decode_fill_value(None, dtype) is None
        assert fill_bytes(None, dtype) == bytes(dtype.itemsize)


def test_negative_zero_keeps_its_sign():
    for dtype, value in [("<f8", -0.0), ("<c16", complex(-0.0, -0.0)), (">f2", np.float16(-0.0))]:
        dtype = np.dtype(dtype)
        fill = normalize_fill_value(value, dtype)
        assert fill_bytes(fill, dtype) == np.array(value, dtype).tobytes()
        assert same(decode_fill_value(encode_fill_value(fill, dtype), dtype), fill, dtype)


@pytest.mark.parametrize("dtype", ["|S3", "<U3", "|V3", [("a", "<i4")], ALIGNED])
def test_legacy_zero_and_empty_string_mean_zero_bytes(dtype):
    dtype = np.dtype(dtype)
    for obj in (0, ""):
        assert fill_bytes(decode_fill_value(obj, dtype), dtype) == bytes(dtype.itemsize)


def test_lenient_reading():
    assert decode_fill_value(2.0, np.dtype("<i4")) == 2
    assert decode_fill_value(0, np.dtype("?")) == np.False_
    assert decode_fill_value(3, np.dtype("<c8")) == 3
    assert np.isnat(decode_fill_value("NaT", np.dtype("<M8[s]")))
    assert np.isnan(decode_fill_value(float("nan"), np.dtype("<f4")))
    # zarr 2.18 writes text whole that is longer than the dtype.
    assert decode_fill_value("abcdef", np.dtype("<U3")) == "abc"


@pytest.mark.parametrize(
    ("dtype", "obj"),
    [
        ("|u1", 300), ("|u1", -1), ("<i4", "abc"), ("<i4", 1.5), ("<i4", float("nan")), ("<i4", "NaN"),
        ("<u8", 2**64),
        ("<f8", [1.0]), ("<f8", "1.0x"), ("<f8", {}), ("<f4", 1e300), ("<f8", 10**400), ("<f2", 70000),
        ("<c8", [1]), ("<c8", [1, 2, 3]), ("<c8", ["x", 0]), ("<c8", [1e300, 0]), ("<c8", [[1], 0]),
        ("|b1", 2), ("|b1", "true"), ("|b1", [0]),
        ("<M8[s]", 2**63), ("<M8[s]", "2000"), ("<m8[s]", 1.5),
        ("|S3", 1), ("|S3", False), ("|S3", "zz"), ("|S3", "YWJjZA=="), ("|S3", "Y W J j"), ("|S3", "é"),
        ("|S3", []),
        ("<U3", 1), ("<U3", ["a"]), ("|V3", "AAAAAA=="), ("|V3", 1), ([("a", "<i4")], [1]), ("|V0", "AA=="),
    ],
    ids=lambda x: repr(x)[:20],
)  # fmt: skip
def test_fill_values_that_do_not_fit_are_refused(dtype, obj):
    with pytest.raises(MetadataError, match="fill_value"):
        decode_fill_value(obj, np.dtype(dtype))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("|u1", 300), ("|u1", -1), ("|u1", np.int64(300)), ("<i8", 2**63), ("<i4", "abc"), ("<i4", np.nan),
        ("<i4", np.float64(np.inf)), ("<i4", [1, 2]), ("<i4", 1j), ("<f8", "x"), ("<f8", 1j),
        ("<f8", np.complex128(1j)), ("<f8", [1, 2]), ("<f4", 1e300), ("<f4", np.float64(1e300)), ("<U3", 5),
        ("<U3", b"x"), ("|S3", "é"), ("|V3", b"abcd"), ([("a", "<i4")], b"12345"), ([("a", "<i4")], (1, 2)),
        ([("a", "<i4")], ""), ("<M8[s]", "x"), ("<M8[s]", 1.5), ("<m8[s]", 2**63), ("<f8", Nonsense()),
    ],
    ids=lambda x: repr(x)[:30],
)  # fmt: skip
def test_users_fill_values_that_do_not_fit_are_refused(dtype, value):
    with pytest.raises(ValueError, match=r"fill_value .* is not valid for dtype"):
        normalize_fill_value(value, np.dtype(dtype))


def test_padding_of_a_structured_fill_value():
    # From fields the padding is zero, whatever memory held before; from bytes it is kept.
    junk = b"\xff" * ALIGNED.itemsize
    expected = b"\1" + bytes(7) + np.float64(2).tobytes() + b"\3" + bytes(7)
    assert fill_bytes(normalize_fill_value((1, 2.0, 3), ALIGNED), ALIGNED) == expected
    fill = normalize_fill_value(junk, ALIGNED)
    assert fill_bytes(fill, ALIGNED) == junk
    assert fill_bytes(decode_fill_value(encode_fill_value(fill, ALIGNED), ALIGNED), ALIGNED) == junk


def test_structured_fill_value_cannot_be_changed():
    for value in [(1,), b"1234", 0]:
        fill = normalize_fill_value(value, np.dtype([("a", "<i4")]))
        with pytest.raises(ValueError, match="read-only"):
            fill["a"] = 5


@given(st.data())
def test_any_item_survives_as_fill_value(data):
    """Every item of every dtype, but NaN payloads, which v2 JSON cannot express."""
    dtype = data.draw(hnp.array_dtypes(max_size=3) | hnp.scalar_dtypes())
    assume(storable(dtype))
    item = data.draw(hnp.arrays(dtype, ()))
    fill = normalize_fill_value(item[()], dtype)
    back = decode_fill_value(json.loads(json.dumps(encode_fill_value(fill, dtype))), dtype)
    expected = item.tobytes()
    if dtype.kind in "fc":
        # A NaN loses its payload and sign; compare it as NaN and all else bit for bit.
        parts = np.array([fill.real, fill.imag]), np.array([back.real, back.imag])
        nan = np.isnan(parts[0])
        assert np.array_equal(nan, np.isnan(parts[1]))
        assert np.array_equal(np.signbit(parts[0])[~nan], np.signbit(parts[1])[~nan])
        assert np.array_equal(parts[0][~nan], parts[1][~nan])
    else:
        assert fill_bytes(back, dtype) == expected


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), st.lists))
def test_any_json_is_a_fill_value_or_refused(obj):
    for dtype in ("|b1", "|u1", ">i8", "<f2", "<c8", "<M8[s]", "|S4", "<U2", "|V4", [("a", "<i2")]):
        dtype = np.dtype(dtype)
        try:
            fill = decode_fill_value(obj, dtype)
        except MetadataError:
            continue
        assert len(fill_bytes(fill, dtype)) == dtype.itemsize


# ---- objects

OBJECTS = np.dtype("O")
STRUCTURE = np.dtype([("x", "<f8"), ("y", "O")])


@pytest.mark.parametrize("value", [None, 0, "", "é", 1.5, True, [1, [2]], {"a": None}], ids=repr)
def test_fill_values_of_objects_are_what_json_has(value):
    assert normalize_fill_value(value, OBJECTS) is value
    found = decode_fill_value(json.loads(json.dumps(encode_fill_value(value, OBJECTS))), OBJECTS)
    assert (found, type(found)) == (value, type(value))
    assert object_fill(value, OBJECTS)[()] == value


@pytest.mark.parametrize("value", [0, (1.5, None), (2, "é")])
def test_fill_values_of_structures_with_objects_pass_their_codec(value):
    fill = normalize_fill_value(value, STRUCTURE)
    text = encode_fill_value(fill, STRUCTURE, lambda obj: json.dumps(obj).encode())
    found = decode_fill_value(text, STRUCTURE, lambda raw: tuple(json.loads(raw)))
    assert found == fill
    assert found.dtype == STRUCTURE
    assert object_fill(found, STRUCTURE)[()] == fill


def test_structures_with_objects_need_their_codec():
    fill = normalize_fill_value(0, STRUCTURE)
    with pytest.raises(MetadataError, match="missing object_codec"):
        encode_fill_value(fill, STRUCTURE)
    with pytest.raises(MetadataError, match="missing object_codec"):
        decode_fill_value("AAAA", STRUCTURE)
    for obj in (3, "é", "=", ["AAAA"]):
        with pytest.raises(MetadataError, match="fill_value"):
            decode_fill_value(obj, STRUCTURE, lambda raw: (0, None))
    with pytest.raises(MetadataError, match="not one"):
        decode_fill_value("AAAA", STRUCTURE, lambda raw: [(0, None), (1, None)])


@pytest.mark.parametrize(
    ("items", "fill", "expected"),
    [
        ([0, 0], 0, True), ([0, 1], 0, False), ([0, ""], 0, False), ([0, False], 0, False),
        (["", ""], "", True), (["", 0], "", False), ([None, None], None, True), ([0.0, -0.0], 0.0, False),
        ([[1], [1]], [1], True), ([[1], [True]], [1], False), ([np.arange(3)] * 2, 0, False),
        ([float("nan")], float("nan"), False),
    ],
    ids=repr,
)  # fmt: skip
def test_what_counts_as_nothing_but_the_fill_value(items, fill, expected):
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    assert holds_only(array, fill) is expected
