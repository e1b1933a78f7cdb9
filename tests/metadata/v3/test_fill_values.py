"""Fill values of format 3, by their bits, beside zarr-python and TensorStore."""

import itertools
import json
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given
from hypothesis import strategies as st

from tests.metadata.v3.test_document import parse
from zchunk.errors import MetadataError
from zchunk.metadata.v3 import document as v3
from zchunk.metadata.v3.data_types import storage_dtype
from zchunk.metadata.v3.fill_values import parse_fill_value, render_fill_value
from zchunk.spec.dtypes import ML_NAMES, bits_of
from zchunk.spec.fill_values import fill_bytes

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


DTYPES += ["S5", "U3", "V7", "M8[ns]", "m8[10us]", "M8[D]"]


DTYPES += [[("a", "i4"), ("b", "f8")], [("a", "i1"), ("b", "S3")]]


def pair(name, **configuration):
    return {"name": name, "configuration": configuration}


def bits(value, dtype):
    return value if dtype.kind == "O" else fill_bytes(value, dtype)


class TestFillValues:
    @given(st.sampled_from(DTYPES), st.data())
    def test_bits_survive(self, dtype, data):
        self.check_bits(np.dtype(dtype), data)

    @given(st.sampled_from(sorted(ML_NAMES)), st.data())
    def test_bits_of_ml_dtypes_survive(self, name, data):
        self.check_bits(np.dtype(getattr(ml_dtypes, name)), data)

    def check_bits(self, dtype, data):
        memory = data.draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize))
        if bits_of(dtype) < 8:
            memory = bytes([memory[0] & (2 ** bits_of(dtype) - 1)])
        if dtype.kind == "U":
            memory = np.array(data.draw(st.text(max_size=3)), dtype).tobytes()
        value = np.frombuffer(memory, dtype)[0]
        obj = json.loads(json.dumps(render_fill_value(value, dtype)))
        assert fill_bytes(parse_fill_value(obj, dtype), dtype) == memory

    @pytest.mark.parametrize(
        ("obj", "dtype", "memory"),
        [
            ("NaN", ">f4", "7fc00000"),
            ("0x7fc00001", ">f4", "7fc00001"),
            ("0x7fa00001", ">f4", "7fa00001"),
            ("0xFFC00000", ">f4", "ffc00000"),
            ("0x7e01", ">f2", "7e01"),
            ("0x7ff8000000000001", ">f8", "7ff8000000000001"),
            ("Infinity", ">f4", "7f800000"),
            ("-Infinity", ">f8", "fff0000000000000"),
            (-0.0, ">f4", "80000000"),
            (5e-324, ">f8", "0000000000000001"),
            (1e-45, ">f4", "00000001"),
            (0.1, ">f4", "3dcccccd"),
            (3, ">f4", "40400000"),
            (["0x7fc00001", -0.0], ">c8", "7fc0000180000000"),
            (["-Infinity", "NaN"], ">c8", "ff8000007fc00000"),
            ([1, "Infinity"], ">c8", "3f8000007f800000"),
            (-1, ">i2", "ffff"),
            (1.0, "i1", "01"),
            (2**64 - 1, ">u8", "ff" * 8),
            (True, "?", "01"),
            ("NaT", ">M8[s]", "8000000000000000"),
            (-(2**63), ">m8[s]", "8000000000000000"),
            (5, ">m8[s]", "0000000000000005"),
            ([1, 2, 255], "V3", "0102ff"),
            ("AQL/", "V3", "0102ff"),
            ("YWI=", "S3", "616200"),
            ("ab", ">U2", "0000006100000062"),
            ("", "U2", "00" * 8),
            ({"a": -0.0, "b": 1}, [("a", ">f2"), ("b", ">i2")], "80000001"),
            ("AIABAA==", [("a", ">f2"), ("b", ">i2")], "80000001"),
            ({"a": {"x": 1}, "b": "NaT"}, [("a", [("x", "i1")]), ("b", ">M8[s]")], "018000000000000000"),
        ],
    )
    def test_read(self, obj, dtype, memory):
        big = np.dtype(dtype)
        dtype = storage_dtype(big)
        found = np.frombuffer(fill_bytes(parse_fill_value(obj, dtype), dtype), dtype)
        swapped = found.byteswap() if sys.byteorder == "little" else found
        assert swapped.tobytes().hex() == memory

    def test_objects(self):
        assert parse_fill_value("x", np.dtype("O"), "vlen-utf8") == "x"
        assert parse_fill_value("YWI=", np.dtype("O"), "vlen-bytes") == b"ab"
        assert parse_fill_value([97], np.dtype("O"), "vlen-bytes") == b"a"
        assert render_fill_value("x", np.dtype("O")) == "x"
        assert render_fill_value(b"ab", np.dtype("O")) == "YWI="
        with pytest.raises(MetadataError, match="neither str nor bytes"):
            render_fill_value(0, np.dtype("O"))

    @pytest.mark.parametrize(
        ("obj", "dtype"),
        [
            *(({}, d) for d in DTYPES),
            *(([], d) for d in DTYPES),
            (0, "?"),
            ("true", "?"),
            (128, "i1"),
            (-1, "u1"),
            (1.5, "i4"),
            (True, "i4"),
            ("1", "i4"),
            (float("nan"), "i4"),
            (float("inf"), "i8"),
            (1e39, "f4"),
            (70000.0, "f2"),
            (10**400, "f8"),
            (True, "f8"),
            ("nan", "f8"),
            ("0x7fc0000", "f4"),
            ("0x7fc000000", "f4"),
            ("0x", "f4"),
            ("0x7fc0000g", "f4"),
            (1.0, "c8"),
            ([1], "c8"),
            ([1, 2, 3], "c8"),
            (["x", 1], "c8"),
            ("nat", "M8[s]"),
            (2**63, "M8[s]"),
            ("?", "S3"),
            ("AAAAAA==", "S3"),
            ("AAAA", "V4"),
            ([1, 2], "V3"),
            ([1, 2, 256], "V3"),
            ([1, 2, True], "V3"),
            (3, "U2"),
            ({"a": 1}, [("a", "i4"), ("b", "i4")]),
            ({"a": 1, "b": 2, "c": 3}, [("a", "i4"), ("b", "i4")]),
            ({"a": 1, "b": None}, [("a", "i4"), ("b", "i4")]),
            ("AAAA", [("a", "i4"), ("b", "i4")]),
            (0, [("a", "i4")]),
        ],
        ids=str,
    )
    def test_refused(self, obj, dtype):
        if obj == [] and dtype == "S5":
            pytest.skip("no bytes are a value of it")
        with pytest.raises(MetadataError, match="is not valid for dtype"):
            parse_fill_value(obj, np.dtype(dtype))

    def test_of_a_huge_item_takes_no_memory(self):
        parse_fill_value("", np.dtype("S2147483647"))
        parse_fill_value("", np.dtype("U536870911"))

    def test_forms_follow_the_data_type(self):
        item = np.zeros((), [("a", "<f4"), ("b", "V2")])[()]
        fields = [{"name": "a", "data_type": "float32"}, {"name": "b", "data_type": "r16"}]
        assert render_fill_value(item, item.dtype, pair("struct", fields=fields)) == {"a": 0.0, "b": [0, 0]}
        assert render_fill_value(item, item.dtype, pair("structured", fields=fields)) == "AAAAAAAA"
        raw_bits = np.frombuffer(b"\1\2", "V2")[0]
        assert render_fill_value(raw_bits, raw_bits.dtype, "r16") == [1, 2]
        assert render_fill_value(raw_bits, raw_bits.dtype, pair("raw_bytes", length_bytes=2)) == "AQI="
        assert render_fill_value(np.float32("nan"), np.dtype("f4")) == "NaN"
        assert render_fill_value(-np.float32("nan"), np.dtype("f4")) == "0xffc00000"


FILLS = {
    "?": [True],
    "i1": [-128],
    "u8": [2**64 - 1],
    "f2": [0.1, -0.0, np.nan, np.inf, 6e-8],
    "f4": [0.1, -0.0, np.nan, -np.inf, 1e-45],
    "f8": [0.1, -0.0, np.nan, np.inf, 5e-324],
    "c8": [1 + 2j, complex(np.nan, -np.inf)],
    "c16": [complex(0.1, -0.0), complex(np.inf, np.nan)],
    "S5": [b"ab"],
    "U3": ["aé"],
    "V3": [b"\1\2\3"],
    "M8[ns]": [np.datetime64("2020-01-01"), np.datetime64("NaT")],
    "m8[10us]": [np.timedelta64(5, "ms")],
}


class TestPeers:
    @pytest.mark.parametrize(("dtype", "fill"), [(d, f) for d in FILLS for f in FILLS[d]], ids=str)
    def test_zarr_python(self, dtype, fill):
        dtype = np.dtype(dtype)
        chains = itertools.product([(), (3, 4)], ["little", "big"], [None, "auto", zarr.codecs.BloscCodec()])
        for shards, endian, compressors in chains:
            made = {}
            options = {"shape": (7, 5), "chunks": (3, 2), "dtype": dtype, "fill_value": fill}
            options["attributes"] = {"a": [1, None], "b": "ü"}
            if dtype.kind not in "?SV" and dtype.itemsize > 1 and not shards:
                options["serializer"] = zarr.codecs.BytesCodec(endian=endian)
            if shards:
                options["shards"] = shards
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = zarr.create_array(
                    zarr.storage.MemoryStore(made), compressors=compressors, **options
                )
            text = made["zarr.json"].to_bytes()
            meta = v3.parse_array(text, "zarr.json")
            assert meta.dtype == dtype
            assert meta.shape == (7, 5)
            assert bits(meta.fill_value, dtype) == bits(np.array(theirs.fill_value, dtype)[()], dtype)
            assert v3.render_array(meta, options["attributes"]) == text

    @pytest.mark.parametrize(
        ("data_type", "fill", "codecs"),
        [
            ("string", "é", ["vlen-utf8"]),
            ("variable_length_bytes", "YQ==", [{"name": "vlen-bytes"}, "crc32c"]),
            (pair("structured", fields=[["a", "int32"], ["b", "float64"]]), "AQAAAAAAAAAAAPA/", ["bytes"]),
        ],
    )
    def test_ours_in_zarr_python(self, data_type, fill, codecs):
        meta = parse(data_type=data_type, fill_value=fill, codecs=codecs)
        buffer = zarr.core.buffer.cpu.Buffer.from_bytes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = zarr.storage.MemoryStore({"zarr.json": buffer(v3.render_array(meta))})
            z = zarr.open_array(store, mode="r")
        assert z.dtype == meta.dtype or data_type == "string"
        assert z[0, 0] == meta.fill_value
        assert z.metadata.dimension_names == meta.dimension_names

    @pytest.mark.parametrize("name", ["bool", "int8", "uint64", "float16", "float32", "float64", "complex64"])
    def test_tensorstore(self, tmp_path, name):
        fills = {
            "bool": [True],
            "int8": [-3],
            "uint64": [2**64 - 1],
            "complex64": [["NaN", -0.0], ["Infinity", 0.1]],
        }.get(name, ["NaN", "-Infinity", -0.0, 0.1, 6e-8])
        for number, fill in enumerate(fills):
            chain = ["bytes"] if name in ("bool", "int8") else [pair("bytes", endian="big")]
            chain = [pair("transpose", order=[1, 0]), *chain, pair("gzip", level=3), "crc32c"]
            meta = parse(data_type=name, fill_value=fill, codecs=chain)
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "zarr.json").write_bytes(v3.render_array(meta, {"a": 1}))
            theirs = tensorstore.open(
                {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder)}}
            ).result()
            assert theirs.dtype.numpy_dtype == meta.dtype
            assert theirs.shape == meta.shape
            assert theirs.domain.labels == meta.dimension_names
            assert theirs.fill_value.tobytes() == fill_bytes(meta.fill_value, meta.dtype)

    @pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz"])
    def test_ml_dtypes_of_tensorstore(self, tmp_path, name):
        for number, fill in enumerate([1.5, "NaN", -2.0]):
            path = str(tmp_path / str(number))
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
            metadata = {"data_type": name, "shape": [4], "fill_value": fill}
            theirs = tensorstore.open(spec | {"metadata": metadata, "create": True}).result()
            text = (tmp_path / str(number) / "zarr.json").read_bytes()
            meta = v3.parse_array(text, "zarr.json")
            assert meta.dtype == theirs.dtype.numpy_dtype
            assert fill_bytes(meta.fill_value, meta.dtype) == theirs.fill_value.tobytes()
            (tmp_path / str(number) / "zarr.json").write_bytes(v3.render_array(meta))
            again = tensorstore.open(spec).result()
            assert again.fill_value.tobytes() == theirs.fill_value.tobytes()
