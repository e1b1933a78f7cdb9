"""The JSON of format 3: read, refused, and written as zarr-python 3 does; fill values by their bits."""

import itertools
import json
import sys
import warnings
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs import Zstd
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata import ArrayMetadata
from zchunk.metadata.v3 import data_types
from zchunk.metadata.v3 import document as v3
from zchunk.metadata.v3.data_types import parse_data_type, render_data_type, storage_dtype
from zchunk.metadata.v3.fill_values import parse_fill_value, render_fill_value
from zchunk.spec.dtypes import ML_NAMES, encode_dtype
from zchunk.spec.fill_values import fill_bytes, normalize_fill_value
from zchunk.spec.keys import ChunkKeyEncoding

# The example of the specification.
SPEC = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [10000, 1000],
    "dimension_names": ["rows", "columns"],
    "data_type": "float64",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1000, 100]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "fill_value": "NaN",
    "attributes": {"foo": 42, "bar": "apples", "baz": [1, 2, 3, 4]},
}


def raw(**members):
    obj = {k: v for k, v in (SPEC | members).items() if v is not ...}
    return json.dumps(obj).encode()


def parse(**members):
    return v3.parse_array(raw(**members), "a/zarr.json")


class TestArray:
    def test_example_of_the_spec(self):
        meta = parse()
        assert (meta.shape, meta.chunk_shape, meta.dtype) == ((10000, 1000), (1000, 100), np.dtype("f8"))
        assert np.isnan(meta.fill_value)
        assert meta.chunk_key_encoding == ChunkKeyEncoding("default", "/")
        assert meta.dimension_names == ("rows", "columns")
        assert (meta.zarr_format, meta.data_type, meta.extensions) == (3, "float64", None)

    def test_written_and_read_again(self):
        meta = parse()
        text = v3.render_array(meta, SPEC["attributes"])
        assert json.loads(text) == SPEC | {"storage_transformers": []}
        again = v3.parse_array(text, "zarr.json")
        assert v3.render_array(again, SPEC["attributes"]) == text
        assert list(json.loads(text)) == [
            *("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"),
            *("attributes", "dimension_names", "zarr_format", "node_type", "storage_transformers"),
        ]

    def test_no_axes_and_no_items(self):
        grid = {"name": "regular", "configuration": {"chunk_shape": []}}
        assert parse(shape=[], chunk_grid=grid, dimension_names=[]).shape == ()
        grid = {"name": "regular", "configuration": {"chunk_shape": [1, 1]}}
        assert parse(shape=[0, 3], chunk_grid=grid).size == 0

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ("default", ("default", "/")),
            ("v2", ("v2", ".")),
            ({"name": "v2"}, ("v2", ".")),
            ({"name": "default", "configuration": {"separator": "."}}, ("default", ".")),
            ({"name": "v2", "configuration": {"separator": "/"}}, ("v2", "/")),
        ],
    )
    def test_chunk_keys(self, keys, expected):
        assert parse(chunk_key_encoding=keys).chunk_key_encoding == expected

    def test_names_alone(self):
        meta = parse(data_type={"name": "int8"}, codecs=["bytes", "crc32c"], fill_value=1)
        assert meta.dtype == np.dtype("i1")
        assert json.loads(v3.render_array(meta))["data_type"] == {"name": "int8"}

    def test_unknown_members(self):
        extension = {"must_understand": False, "name": "x", "a": [1]}
        meta = parse(mine=extension)
        assert meta.extensions == {"mine": extension}
        assert json.loads(v3.render_array(meta))["mine"] == extension
        for value in (1, None, {}, {"must_understand": True}, {"must_understand": 0}, [False]):
            with pytest.raises(MetadataError, match="the member 'mine' is not known"):
                parse(mine=value)

    def test_dimension_names(self):
        assert parse(dimension_names=["x", None]).dimension_names == ("x", None)
        assert parse(dimension_names=...).dimension_names is None
        assert b"dimension_names" not in v3.render_array(parse(dimension_names=...))

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ({"zarr_format": 2}, "zarr_format is 2, not 3"),
            ({"zarr_format": 3.0}, "zarr_format is 3.0, not 3"),
            ({"zarr_format": ...}, "lacks zarr_format"),
            ({"node_type": "group"}, "node_type is 'group', not 'array'"),
            ({"node_type": "table"}, "node_type is 'table', not 'array' or 'group'"),
            ({"node_type": ...}, "lacks node_type"),
            ({"fill_value": ...}, "lacks fill_value"),
            ({"fill_value": None}, "fill_value None is not valid"),
            ({"codecs": ..., "shape": ...}, "lacks shape, codecs"),
            ({"shape": 3}, "shape is 3, not a list of integers"),
            ({"shape": [1, True]}, "shape has True"),
            ({"shape": [1, -1]}, "shape has -1"),
            ({"shape": [1, 2**63]}, "shape has 9223372036854775808"),
            ({"shape": [1.0, 2]}, "shape has 1.0"),
            ({"shape": [1]}, "shape has 1 axes, chunk_shape has 2"),
            ({"chunk_grid": "regular"}, "lacks 'chunk_shape'"),
            (
                {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 1]}}},
                "chunk_shape has 0",
            ),
            ({"chunk_grid": {"name": "rectangular"}}, "chunk_grid 'rectangular' is not known"),
            ({"chunk_key_encoding": "fanout"}, "chunk_key_encoding 'fanout' is not known"),
            ({"chunk_key_encoding": {"name": "v2", "configuration": {"separator": ""}}}, "separator is ''"),
            ({"chunk_key_encoding": {"name": "v2", "configuration": {"sep": "."}}}, "unknown members 'sep'"),
            ({"storage_transformers": ["x"]}, r"storage_transformers is \['x'\]; none of them is known"),
            ({"dimension_names": ["x"]}, "has 1 names for 2 axes"),
            ({"dimension_names": ["x", 1]}, "not a list of strings and nulls"),
            ({"dimension_names": "xy"}, "not a list of strings and nulls"),
            ({"attributes": [1]}, "attributes is"),
            ({"attributes": None}, "attributes is None"),
            ({"codecs": ["bytes"]}, "codecs: codec 'bytes' lacks endian"),
            ({"codecs": "bytes"}, "codecs is 'bytes', not a list"),
            ({"data_type": "float80"}, "data_type 'float80' is not known"),
            (
                {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**62, 2]}}},
                "73786976294838206464 bytes",
            ),
        ],
    )
    def test_refused(self, members, words):
        with pytest.raises((MetadataError, CodecError), match=words) as info:
            parse(**members)
        assert str(info.value).startswith("a/zarr.json: ")

    def test_limits_of_codecs_hold_in_shards(self):
        blosc = {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 1, "shuffle": "noshuffle"}}
        little = SPEC["codecs"][0]
        config = {"chunk_shape": [2**16, 2**13], "codecs": [little, blosc], "index_codecs": [little]}
        grid = {"name": "regular", "configuration": {"chunk_shape": [2**16, 2**15]}}
        with pytest.raises(MetadataError, match=r"4294967296 bytes.*'blosc'"):
            parse(chunk_grid=grid, codecs=[{"name": "sharding_indexed", "configuration": config}])
        config["chunk_shape"] = [2**8, 2**8]
        parse(chunk_grid=grid, codecs=[{"name": "sharding_indexed", "configuration": config}])

    @pytest.mark.parametrize("text", [b"", b"[]", b"3", b"\xff", b'{"a":' * 10**5, b"[" * 10**6])
    def test_not_json(self, text):
        for function in (v3.parse_array, v3.parse_group, v3.node_type, v3.parse_consolidated, v3.resized):
            with pytest.raises(MetadataError):
                function(text, (1,) if function is v3.resized else "zarr.json")

    def test_deep_nesting(self):
        struct = "int8"
        for _ in range(40):
            struct = {"name": "struct", "configuration": {"fields": [{"name": "a", "data_type": struct}]}}
        with pytest.raises(MetadataError, match="structures more than 32 deep"):
            parse(data_type=struct, fill_value={})
        codecs = ["bytes"]
        for _ in range(9):
            config = {"chunk_shape": [1, 1], "codecs": codecs, "index_codecs": codecs}
            codecs = [{"name": "sharding_indexed", "configuration": config}]
        with pytest.raises(CodecError, match="nested more than 8 deep"):
            parse(codecs=codecs)
        for depth in (100, 200, 400, 800):
            obj = json.loads(raw()) | {"mine": {"must_understand": False}}
            for member in ("fill_value", "data_type", "codecs", "chunk_grid", "mine", "storage_transformers"):
                deep = {"must_understand": False}
                for _ in range(depth):
                    deep = {"must_understand": False, "name": deep}
                for function in (v3.parse_array, v3.parse_group):
                    with suppress(MetadataError, CodecError):
                        function(obj | {member: deep}, "zarr.json")

    @given(st.data())
    def test_hostile_values_raise_our_errors_only(self, data):
        leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
        leaf |= st.sampled_from(["bytes", "string", "r8", "numpy.datetime64", "0x00", "name", 2**31, 2**63])
        names = ["name", "configuration", "fields", "data_type", "unit", "length_bytes", "order"]
        keys = st.sampled_from(names)
        values = st.recursive(leaf, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3))
        members = {
            name: data.draw(values)
            for name in data.draw(st.sets(st.sampled_from([*SPEC, "storage_transformers"]), min_size=1))
        }
        try:
            parse(**members)
        except (MetadataError, CodecError):
            pass


class TestParsedOnce:
    def test_the_same_text_is_the_same_model(self):
        meta = parse()
        assert parse() is meta
        assert v3.parse_array(json.loads(raw()), "x") is v3.parse_array(json.loads(raw()), "y")
        assert parse(shape=[1, 1]) is not meta

    def test_an_object_is_not_shared(self):
        obj = json.loads(raw(data_type={"name": "float64"}, mine={"must_understand": False}))
        meta = v3.parse_array(obj, "x")
        obj["data_type"]["name"] = "int8"
        obj["mine"]["more"] = 1
        assert meta.data_type == {"name": "float64"}
        assert meta.extensions == {"mine": {"must_understand": False}}

    def test_what_python_finds_equal_is_not_the_same(self):
        obj = json.loads(raw(shape=[1, 1]))
        v3.parse_array(obj, "x")
        with pytest.raises(MetadataError):
            v3.parse_array(obj | {"shape": [True, 1]}, "x")


class TestRewriting:
    def test_resized(self):
        text = v3.render_array(parse(mine={"must_understand": False}), {"a": float("nan"), "ü": [1.5, None]})
        changed = v3.resized(text, (5, 6))
        assert changed == text.replace(b"10000,\n    1000\n  ]", b"5,\n    6\n  ]", 1)
        with pytest.raises(MetadataError, match="node_type is 'group'"):
            v3.resized(v3.render_group(), (1,))

    def test_with_attributes(self):
        text = v3.render_array(parse(), {"a": 1})
        assert v3.with_attributes(text, {"b": np.int8(2)}) == v3.render_array(parse(), {"b": 2})

    def test_numpy_in_attributes(self):
        text = v3.render_array(parse(), {"a": np.arange(2), "b": np.float32(0.5)})
        assert json.loads(text)["attributes"] == {"a": [0, 1], "b": 0.5}
        with pytest.raises(TypeError, match="no JSON form"):
            v3.render_array(parse(), {"a": b"x"})

    def test_made_not_parsed(self):
        meta = ArrayMetadata(
            (4, 5), np.dtype("i2"), (2, 5), np.int16(1), "F", (), (Zstd(1),), swapped=True, zarr_format=3
        )
        again = v3.parse_array(v3.render_array(meta), "zarr.json")
        assert (again.order, again.swapped, again.compressors) == ("F", True, (Zstd(1),))
        assert again.chunk_key_encoding == ("v2", ".")
        with pytest.raises(MetadataError, match="every array of Zarr v3 has one"):
            v3.render_array(meta.replace(fill_value=None))


class TestGroup:
    def test_of_zarr_python(self):
        made = {}
        group = zarr.group(zarr.storage.MemoryStore(made), attributes={"x": 1})
        group.create_array("a/b", shape=(3,), dtype="f4", fill_value=np.nan)
        text = made["zarr.json"].to_bytes()
        assert v3.parse_group(text, "zarr.json")["attributes"] == {"x": 1}
        assert v3.render_group({"x": 1}) == text
        assert v3.parse_consolidated(text, "zarr.json") is None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(group.store)
        text = made["zarr.json"].to_bytes()
        nodes = v3.parse_consolidated(text, "zarr.json")
        assert sorted(nodes) == ["a", "a/b"]
        assert v3.node_type(nodes["a"], "a") == "group"
        assert np.isnan(v3.parse_array(nodes["a/b"], "a/b").fill_value)
        assert v3.render_group({"x": 1}, nodes) == text

    def test_ours_in_zarr_python(self):
        nodes = {"g": json.loads(v3.render_group({"y": 2})), "g/a": json.loads(raw())}
        buffer = zarr.core.buffer.cpu.Buffer.from_bytes
        store = zarr.storage.MemoryStore({"zarr.json": buffer(v3.render_group({"x": 1}, nodes))})
        group = zarr.open_consolidated(store)
        assert dict(group.attrs) == {"x": 1}
        assert group["g/a"].shape == (10000, 1000)

    def test_null_is_none(self):
        obj = json.loads(v3.render_group()) | {"consolidated_metadata": None}
        assert v3.parse_consolidated(obj, "zarr.json") is None

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ({"node_type": "array"}, "node_type is 'array', not 'group'"),
            ({"mine": 1}, "the member 'mine' is not known"),
            ({"attributes": 1}, "attributes is 1"),
            ({"consolidated_metadata": []}, r"consolidated_metadata is \[\]"),
            ({"consolidated_metadata": {"kind": "other"}}, "not of the kind 'inline'"),
            ({"consolidated_metadata": {"kind": "inline"}}, "metadata is None"),
            ({"consolidated_metadata": {"kind": "inline", "metadata": {"../x": {}}}}, "segment '..'"),
            ({"consolidated_metadata": {"kind": "inline", "metadata": {"": {}}}}, "segment ''"),
            ({"consolidated_metadata": {"kind": "inline", "metadata": {"a": 1}}}, "the entry 'a' is 1"),
        ],
    )
    def test_refused(self, members, words):
        with pytest.raises(MetadataError, match=words):
            v3.parse_consolidated(json.loads(v3.render_group()) | members, "zarr.json")

    def test_node_type(self):
        assert v3.node_type(raw(), "zarr.json") == "array"
        assert v3.node_type(v3.render_group(), "zarr.json") == "group"


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

    @pytest.mark.parametrize("name", sorted(ML_NAMES))
    def test_ml_dtypes(self, name):
        meta = parse(data_type=name, fill_value=1.0, codecs=[pair("bytes", endian="big")])
        assert meta.dtype == np.dtype(getattr(ml_dtypes, name))
        assert float(meta.fill_value) == 1.0
        assert meta.swapped is (name == "bfloat16" and sys.byteorder == "little")
        assert render_data_type(meta.dtype) == name
        obj = json.loads(v3.render_array(meta))
        assert (obj["data_type"], obj["fill_value"]) == (name, 1.0)
        with pytest.raises(ValueError, match="no form in Zarr v2 metadata; use format 3"):
            encode_dtype(meta.dtype)
        bits = 0x7FC1 if name == "bfloat16" else 0x7F
        digits = 2 * meta.dtype.itemsize
        fill = parse_fill_value(f"0x{bits:0{digits}x}", meta.dtype)
        assert int.from_bytes(fill_bytes(fill, meta.dtype), sys.byteorder) == bits
        assert fill_bytes(normalize_fill_value(1, meta.dtype), meta.dtype) == np.ones(1, meta.dtype).tobytes()

    def test_ml_dtypes_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)
        data_types.ml_dtype.cache_clear()
        with pytest.raises(MetadataError, match="'bfloat16' needs the package ml_dtypes"):
            parse_data_type("bfloat16")


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
        if dtype.kind == "b":
            memory = bytes([memory[0] & 1])
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
            *((None, d) for d in DTYPES),
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
