"""The JSON of format 3: read, refused, and written as zarr-python 3 does; fill values by their bits."""

import json
import warnings
from contextlib import suppress

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from zchunk.codecs import Zstd
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata import ArrayMetadata
from zchunk.metadata.v3 import document as v3
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
        changed = json.loads(v3.resized(text, (5, 6), edges=(((2, 2), 1), 6)))
        grid = {"kind": "inline", "chunk_shapes": [[[2, 2], 1], 6]}
        assert changed["chunk_grid"] == {"name": "rectilinear", "configuration": grid}
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
