"""Data types of format 3: read, refused, rendered."""

import json
import sys

import ml_dtypes
import numpy as np
import pytest

import zchunk
from tests.metadata.v3.test_document import parse
from zchunk.errors import MetadataError
from zchunk.metadata.v3 import data_types
from zchunk.metadata.v3 import document as v3
from zchunk.metadata.v3.data_types import parse_data_type, render_data_type, storage_dtype
from zchunk.metadata.v3.fill_values import parse_fill_value
from zchunk.spec.dtypes import ML_COMPLEX, ML_NAMES, bits_of, encode_dtype, integer_limits
from zchunk.spec.fill_values import fill_bytes, normalize_fill_value

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


DTYPES += ["S5", "U3", "V7", "M8[ns]", "m8[10us]", "M8[D]"]


DTYPES += [[("a", "i4"), ("b", "f8")], [("a", "i1"), ("b", "S3")]]


def pair(name, **configuration):
    return {"name": name, "configuration": configuration}


class TestDataTypes:
    @pytest.mark.parametrize(
        ("data_type", "dtype"),
        [
            ("bool", "?"),
            ("complex_float32", "c8"),
            ("r8", "V1"),
            ("r24", "V3"),
            (pair("raw_bytes", length_bytes=3), "V3"),
            (pair("null_terminated_bytes", length_bytes=3), "S3"),
            (pair("fixed_length_utf32", length_bytes=12), "U3"),
            (pair("numpy.datetime64", unit="ns", scale_factor=10), "M8[10ns]"),
            (pair("numpy.timedelta64", unit="μs", scale_factor=1), "m8[us]"),
            ("string", "O"),
            ("bytes", "O"),
            ("variable_length_bytes", "O"),
            (pair("structured", fields=[["a", "int8"], ["b", "r16"]]), [("a", "i1"), ("b", "V2")]),
            (
                pair(
                    "struct",
                    fields=[
                        {"name": "a", "data_type": pair("struct", fields=[["x", "int8"]])},
                        {"name": "t", "data_type": pair("numpy.datetime64", unit="s", scale_factor=1)},
                    ],
                ),
                [("a", [("x", "i1")]), ("t", "M8[s]")],
            ),
        ],
    )
    def test_read(self, data_type, dtype):
        assert parse_data_type(data_type) == np.dtype(dtype)

    @pytest.mark.parametrize(
        ("data_type", "words"),
        [
            ("r7", "no whole number of bytes"),
            ("r0", "'r0' is not known"),
            ("r" + "9" * 30, "is not known"),
            ("r99999999992", "length_bytes is 12499999999"),
            (pair("raw_bytes", length_bytes=2**31), "length_bytes is 2147483648"),
            (pair("raw_bytes", length_bytes=True), "length_bytes is True"),
            (pair("raw_bytes"), "lacks 'length_bytes'"),
            (pair("int32", x=1), "unknown members 'x'"),
            (pair("fixed_length_utf32", length_bytes=3), "not a multiple of 4"),
            (pair("numpy.datetime64", unit="generic", scale_factor=1), "unit is 'generic'"),
            (pair("numpy.datetime64", unit="s", scale_factor=0), "scale_factor is 0"),
            (pair("numpy.datetime64", unit="s"), "lacks 'scale_factor'"),
            (pair("struct", fields=[]), r"fields is \[\]"),
            (pair("struct", fields=[["a"]]), r"\['a'\] is not an object of 'name'"),
            (pair("struct", fields=[["a", "int8"], ["a", "int8"]]), "'a' is empty or there twice"),
            (pair("struct", fields=[["", "int8"]]), "'' is empty"),
            (pair("struct", fields=[["a", "string"]]), "'a' has no fixed size: 'string'"),
            (pair("struct", fields=[[c, f"r{2**33}"] for c in "ab"]), "takes more"),
            (3, "neither a name"),
            (None, "neither a name"),
            (["int8"], "neither a name"),
        ],
    )
    def test_refused(self, data_type, words):
        with pytest.raises(MetadataError, match=words):
            parse_data_type(data_type)

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_round_trip(self, dtype):
        assert parse_data_type(render_data_type(np.dtype(dtype))) == np.dtype(dtype)

    def test_storage_dtype(self):
        assert storage_dtype(np.dtype(">f4")) == np.dtype("=f4")
        aligned = np.dtype([("a", "i1"), ("b", ">f8")], align=True)
        assert storage_dtype(aligned) == np.dtype([("a", "i1"), ("b", "=f8")])
        for dtype, words in (
            (np.dtype(("i4", 2)), "sub-array"),
            (np.dtype([("a", "i4", 2)]), "sub-array"),
            (np.dtype([("a", "O")]), "objects in fields"),
            (np.dtype("g"), "depends on the machine"),
            (np.dtype("M8"), "no unit"),
        ):
            with pytest.raises(ValueError, match=words):
                storage_dtype(dtype)

    @pytest.mark.parametrize("name", sorted(name for name in ML_NAMES - ML_COMPLEX if "int" not in name))
    def test_ml_floats(self, name):
        meta = parse(data_type=name, fill_value=1.0, codecs=[pair("bytes", endian="big")])
        assert meta.dtype == np.dtype(getattr(ml_dtypes, name))
        assert float(meta.fill_value) == 1.0
        assert meta.swapped is (name == "bfloat16" and sys.byteorder == "little")
        assert render_data_type(meta.dtype) == name
        obj = json.loads(v3.render_array(meta))
        assert (obj["data_type"], obj["fill_value"]) == (name, 1.0)
        with pytest.raises(ValueError, match="no form in Zarr v2 metadata; use format 3"):
            encode_dtype(meta.dtype)
        bits = 0x7FC1 if name == "bfloat16" else 2 ** bits_of(meta.dtype) - 1
        bits &= 0x7FFF if name == "bfloat16" else 0x7F
        digits = 2 * meta.dtype.itemsize
        fill = parse_fill_value(f"0x{bits:0{digits}x}", meta.dtype)
        assert int.from_bytes(fill_bytes(fill, meta.dtype), sys.byteorder) == bits
        assert fill_bytes(normalize_fill_value(1, meta.dtype), meta.dtype) == np.ones(1, meta.dtype).tobytes()

    @pytest.mark.parametrize("name", ["int2", "uint2", "int4", "uint4"])
    def test_ml_integers(self, name):
        meta = parse(data_type=name, fill_value=1, codecs=[pair("bytes")])
        assert meta.dtype == np.dtype(getattr(ml_dtypes, name))
        obj = json.loads(v3.render_array(meta))
        assert (obj["data_type"], obj["fill_value"], obj["codecs"]) == (name, 1, [{"name": "bytes"}])
        least, greatest = integer_limits(meta.dtype)
        assert (least, greatest) == (int(ml_dtypes.iinfo(name).min), int(ml_dtypes.iinfo(name).max))
        for value in (least, greatest):
            assert int(parse_fill_value(value, meta.dtype)) == value
            assert int(normalize_fill_value(value, meta.dtype)) == value
        for value in (least - 1, greatest + 1):
            with pytest.raises(MetadataError, match=f"not between {least} and {greatest}"):
                parse_fill_value(value, meta.dtype)
            with pytest.raises(ValueError, match=f"not between {least} and {greatest}"):
                normalize_fill_value(value, meta.dtype)
        for value in (0.5, "NaN", True):
            with pytest.raises(MetadataError, match="not an integer"):
                parse_fill_value(value, meta.dtype)
        with pytest.raises(ValueError, match="no form in Zarr v2 metadata; use format 3"):
            encode_dtype(meta.dtype)

    @pytest.mark.parametrize(
        ("data_type", "name"), [("complex_float16", "complex32"), ("complex_bfloat16", "bcomplex32")]
    )
    def test_ml_complex(self, data_type, name):
        meta = parse(data_type=data_type, fill_value=[1.5, "NaN"], codecs=[pair("bytes", endian="little")])
        assert meta.dtype == np.dtype(getattr(ml_dtypes, name))
        obj = json.loads(v3.render_array(meta))
        assert (obj["data_type"], obj["fill_value"]) == (data_type, [1.5, "NaN"])
        with pytest.raises(MetadataError, match=f"'{name}' is not known"):
            parse_data_type(name)
        with pytest.raises(ValueError, match="no form in Zarr v2 metadata; use format 3"):
            encode_dtype(meta.dtype)

    def test_numbers_that_numpy_has_not(self):
        for name in ("complex_float8_e4m3", "complex_float4_e2m1fn"):
            with pytest.raises(MetadataError, match=f"'{name}' is in no package for NumPy"):
                parse_data_type(name)
        for name in ("complex_int4", "int1", "float8"):
            with pytest.raises(MetadataError, match=f"'{name}' is not known"):
                parse_data_type(name)

    @pytest.mark.parametrize("value", [7, -7, "NaN", "Infinity"])
    def test_floats_without_infinity_and_nan(self, value):
        with pytest.raises(MetadataError, match="it does not have this value"):
            parse(data_type="float4_e2m1fn", fill_value=value, codecs=[pair("bytes")])

    def test_ml_dtypes_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)
        data_types.ml_dtype.cache_clear()
        with pytest.raises(MetadataError, match="'bfloat16' needs the package ml_dtypes"):
            parse_data_type("bfloat16")


SMALL = ["int2", "uint2", "int4", "uint4"]
SMALL += ["float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e8m0fnu"]


class TestSmallTypes:
    """Arrays of items of less than a byte, and of complex numbers that NumPy itself has not."""

    @pytest.mark.parametrize("name", SMALL)
    @pytest.mark.parametrize("serializer", ["bytes", "packbits"])
    def test_arrays(self, name, serializer):
        dtype = np.dtype(getattr(ml_dtypes, name))
        bits = bits_of(dtype)
        items = (np.arange(60, dtype="u1") % (2**bits - 1)).view(dtype).reshape(6, 10)
        z = zchunk.create(
            (6, 10),
            chunks=(4, 5),
            dtype=name,
            zarr_format=3,
            fill_value=1,
            serializer={"name": serializer},
            compressor=None,
        )
        assert z.dtype == dtype
        assert z[0, 0] == 1
        z[:, :7] = items[:, :7]
        again = zchunk.open(z.store)
        assert again[:, :7].tobytes() == items[:, :7].tobytes()
        assert (again[:, 7:].astype("f4") == 1).all()
        data = bytes(z.store["c/0/0"])
        if serializer == "bytes":
            assert data == items[:4, :5].tobytes()
        else:
            numbers = items[:4, :5].view("u1").reshape(-1).tolist()
            whole = sum(number << (bits * at) for at, number in enumerate(numbers))
            assert data == whole.to_bytes(-(-20 * bits // 8), "little")

    def test_what_else_is_in_the_byte_means_nothing(self):
        z = zchunk.create(4, dtype="int4", zarr_format=3, compressor=None)
        z.store["c/0"] = bytes([0x0F, 0xFF, 0x17, 0xF8])
        assert z[...].astype("i1").tolist() == [-1, -1, 7, -8]

    @pytest.mark.parametrize("endian", ["little", "big"])
    @pytest.mark.parametrize(("name", "part"), [("complex32", "f2"), ("bcomplex32", ml_dtypes.bfloat16)])
    @pytest.mark.parametrize("shards", [None, (4, 4)])
    def test_complex_numbers(self, name, part, endian, shards):
        dtype = np.dtype(getattr(ml_dtypes, name))
        items = np.arange(32, dtype="f4").astype(part).view(dtype).reshape(4, 4)
        z = zchunk.create(
            (4, 4),
            chunks=(2, 4),
            shards=shards,
            dtype=dtype,
            zarr_format=3,
            serializer=pair("bytes", endian=endian),
            compressor=None,
        )
        z[...] = items
        again = zchunk.open(z.store)
        assert again.serializer == pair("bytes", endian=endian)
        assert again[...].tobytes() == items.tobytes()
        if shards is None:
            stored = np.frombuffer(bytes(z.store["c/0/0"]), "<u2" if endian == "little" else ">u2")
            assert stored.tolist() == items[:2].view("u2").reshape(-1).tolist()

    def test_format_2_refuses_them(self):
        for name in (*SMALL, "bfloat16"):
            with pytest.raises(ValueError, match="no form in Zarr v2 metadata; use format 3"):
                zchunk.create(4, dtype=name)


def bits(value, dtype):
    return value if dtype.kind == "O" else fill_bytes(value, dtype)
