"""The model of array metadata, and the JSON of v2: read, refused, and written as by zarr 2.18.7."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nonsense import Nonsense
from zchunk.codecs import Zlib, register_codec
from zchunk.errors import CodecError, MetadataError
from zchunk.metadata import v2
from zchunk.spec.keys import ChunkKeyEncoding

# Written by zarr 2.18.7: zarr.create((10000, 1000), chunks=(1000, 100), dtype="<f4", fill_value=np.nan,
# order="F", compressor=Zlib(3), filters=[Delta("<f4")], dimension_separator="/").
ZARRAY = b"""{
    "chunks": [
        1000,
        100
    ],
    "compressor": {
        "id": "zlib",
        "level": 3
    },
    "dimension_separator": "/",
    "dtype": "<f4",
    "fill_value": "NaN",
    "filters": [
        {
            "astype": "<f4",
            "dtype": "<f4",
            "id": "delta"
        }
    ],
    "order": "F",
    "shape": [
        10000,
        1000
    ],
    "zarr_format": 2
}"""

# Written by zarr 2.18.7: a 0-d array of an aligned structure with a field named é.
STRUCTURED = b"""{
    "chunks": [],
    "compressor": null,
    "dtype": [
        [
            "\\u00e9",
            "|i1"
        ],
        [
            "",
            "|V7"
        ],
        [
            "b",
            "<f8",
            [
                2
            ]
        ]
    ],
    "fill_value": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "filters": null,
    "order": "C",
    "shape": [],
    "zarr_format": 2
}"""

BASE = {
    "zarr_format": 2,
    "shape": [5, 6],
    "chunks": [2, 3],
    "dtype": "<i4",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
}


def raw(**members):
    return json.dumps(BASE | members).encode()


class TestParsedOnce:
    """What was parsed before is known by its text, where nothing else can change it."""

    def zarray(self, **members):
        obj = {"chunks": [1], "compressor": {"id": "zlib", "level": 1}, "dtype": "<f8", "fill_value": 0}
        obj |= {"filters": None, "order": "C", "shape": [1], "zarr_format": 2}
        return obj | members

    def test_the_same_text_is_the_same_model(self):
        obj = self.zarray()
        raw = json.dumps(obj).encode()
        assert v2.parse_array(raw, "a") is v2.parse_array(bytes(bytearray(raw)), "b")
        assert v2.parse_array(obj, "a") is v2.parse_array(dict(obj), "b")
        assert v2.parse_array(raw, "a", "/").chunk_key_encoding.separator == "/"
        assert v2.parse_array(raw, "a").chunk_key_encoding.separator == "."

    @pytest.mark.parametrize(
        "parse", [lambda obj: obj, lambda obj: json.dumps(obj).encode()], ids=["obj", "raw"]
    )
    @pytest.mark.parametrize(
        "members", [{"shape": [True]}, {"shape": [1.0]}, {"chunks": [True]}, {"zarr_format": 2.0}]
    )
    def test_what_python_finds_equal_is_not_the_same(self, parse, members):
        v2.parse_array(parse(self.zarray()), "x")
        assert self.zarray() == self.zarray(**members)
        with pytest.raises(MetadataError):
            v2.parse_array(parse(self.zarray(**members)), "x")

    def test_errors_name_each_place(self):
        raw = json.dumps(self.zarray(order="x")).encode()
        for where in ("a", "b"):
            with pytest.raises(MetadataError, match=f"^{where}: order"):
                v2.parse_array(raw, where)

    def test_another_codec_of_the_name(self):
        class Other(Zlib):
            pass

        raw = json.dumps(self.zarray()).encode()
        before = v2.parse_array(raw, "x")
        register_codec(Other)
        try:
            assert type(v2.parse_array(raw, "x").compressor) is Other
        finally:
            register_codec(Zlib)
        assert type(v2.parse_array(raw, "x").compressor) is Zlib
        assert type(before.compressor) is Zlib

    @pytest.mark.parametrize(
        "members",
        [
            {"dtype": [["a", "<f4"]]},
            {"compressor": {"id": "bz2", "level": 1}},
            {"filters": [{"id": "delta", "dtype": "<f8"}]},
        ],
    )
    def test_what_can_be_changed_is_not_shared(self, members):
        raw = json.dumps(self.zarray(**members)).encode()
        assert v2.parse_array(raw, "x") is not v2.parse_array(raw, "x")

    def test_what_is_written_is_known(self):
        written = v2.parse_array(json.dumps(self.zarray()).encode(), "x").with_shape((7,))
        assert v2.parse_array(v2.render_array(written), "x") is written
        # One NaN of many; JSON has no other.
        nan = np.array([0x7FF8000000000001], "u8").view("f8")[0]
        for fill in (nan, np.float64(0.5)):
            m = written.replace(fill_value=fill)
            again = v2.parse_array(v2.render_array(m), "x")
            assert (again is m) == (fill == fill)

    def test_many(self):
        for length in range(2000):
            assert v2.parse_array(json.dumps(self.zarray(shape=[length])).encode(), "x").shape == (length,)
        assert len(v2._parsed) <= 256


class TestArray:
    @pytest.mark.parametrize("text", [ZARRAY, STRUCTURED], ids=["filters", "structured"])
    def test_round_trip_is_byte_identical(self, text):
        assert v2.render_array(v2.parse_array(text, ".zarray")) == text

    def test_members(self):
        m = v2.parse_array(ZARRAY, "x/.zarray")
        assert m.shape == (10000, 1000)
        assert m.chunk_shape == (1000, 100)
        assert m.dtype == np.dtype("<f4")
        assert np.isnan(m.fill_value)
        assert m.order == "F"
        assert [c.codec_id for c in m.codecs] == ["delta", "zlib"]
        assert m.chunk_key_encoding == ChunkKeyEncoding("v2", "/")
        assert m.dimension_separator == "/"
        assert m.zarr_format == 2

    def test_separator(self):
        m = v2.parse_array(raw(), "x")
        assert m.chunk_key_encoding.separator == "."
        assert m.dimension_separator is None
        assert b"dimension_separator" not in v2.render_array(m)
        nested = v2.parse_array(raw(), "x", default_separator="/")
        assert nested.chunk_key_encoding.separator == "/"
        assert v2.render_array(nested) == v2.render_array(m)
        dot = v2.parse_array(raw(dimension_separator="."), "x", default_separator="/")
        assert dot.chunk_key_encoding.separator == "."
        assert b'"dimension_separator": "."' in v2.render_array(dot)

    def test_empty_filters_are_read_and_null_is_written(self):
        m = v2.parse_array(raw(filters=[]), "x")
        assert m.filters == ()
        assert b'"filters": null' in v2.render_array(m)

    def test_unknown_members_are_ignored(self):
        v2.parse_array(raw(more={"must_understand": True}), "x")

    def test_bare_nan_is_read(self):
        m = v2.parse_array(raw(dtype="<f8", fill_value=float("nan")), "x")
        assert np.isnan(m.fill_value)

    def test_null_fill_value_stays(self):
        m = v2.parse_array(raw(fill_value=None), "x")
        assert m.fill_value is None
        assert b'"fill_value": null' in v2.render_array(m)

    def test_chunks_of_length_0_along_an_axis_of_length_0(self):
        assert v2.parse_array(raw(shape=[0, 6], chunks=[0, 6]), "x").chunk_shape == (1, 6)

    def test_any_buffer_is_read(self):
        for kind in (bytearray, memoryview):
            assert v2.parse_array(kind(raw()), "x").shape == (5, 6)

    @pytest.mark.parametrize("member", sorted(BASE))
    def test_missing_member(self, member):
        text = json.dumps({k: v for k, v in BASE.items() if k != member}).encode()
        with pytest.raises(MetadataError, match=rf"^a/\.zarray: lacks {member}"):
            v2.parse_array(text, "a/.zarray")

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ({"zarr_format": 3}, "zarr_format is 3, not 2; it is a Zarr v3 node"),
            ({"zarr_format": 1}, "zarr_format is 1, not 2"),
            ({"zarr_format": 2.0}, "zarr_format is 2.0"),
            ({"zarr_format": "2"}, "zarr_format is '2'"),
            ({"zarr_format": True}, "zarr_format is True"),
            ({"shape": 5}, "shape is 5, not a list"),
            ({"shape": "56"}, "shape is '56', not a list"),
            ({"shape": [5, -1]}, "shape has -1"),
            ({"shape": [5.0, 6]}, "shape has 5.0"),
            ({"shape": [True, 6]}, "shape has True"),
            ({"shape": [2**63, 6]}, "shape has 9223372036854775808"),
            ({"shape": [5, [6]]}, r"shape has \[6\]"),
            ({"shape": [5]}, "shape has 1 axes, chunks has 2"),
            ({"shape": [1] * 65, "chunks": [1] * 65}, "65 axes"),
            ({"chunks": None}, "chunks is None"),
            ({"chunks": [0, 3]}, "chunks has 0"),
            ({"chunks": [2, -3]}, "chunks has -3"),
            ({"chunks": [2, 3.0]}, "chunks has 3.0"),
            ({"chunks": [2**32, 2**32]}, "bytes"),
            ({"shape": [0, 6], "chunks": [False, 6]}, "chunks has False"),
            ({"dtype": "|O"}, "filters does not begin with their codec"),
            ({"dtype": [["a", "|O"]]}, "filters does not begin with their codec"),
            ({"dtype": "f8,f8"}, "f8,f8"),
            ({"fill_value": "abc"}, "fill_value 'abc'"),
            ({"fill_value": 2**31}, "fill_value 2147483648"),
            ({"order": "c"}, "order is 'c'"),
            ({"order": ["C"]}, "order is"),
            ({"filters": {}}, "filters is"),
            ({"filters": [None]}, "filters: None is not an object with the member 'id'"),
            ({"compressor": "zlib"}, "compressor: 'zlib' is not an object"),
            ({"compressor": {}}, "compressor: {} is not an object"),
            ({"compressor": {"id": ["zlib"]}}, "compressor: "),
            ({"dimension_separator": "x"}, "dimension_separator is 'x'"),
            ({"dimension_separator": ""}, "dimension_separator is ''"),
            ({"dimension_separator": []}, "dimension_separator is"),
        ],
    )
    def test_nonsense_is_refused(self, members, words):
        with pytest.raises(MetadataError, match=r"^a/\.zarray: .*" + words):
            v2.parse_array(raw(**members), "a/.zarray")

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[1]",
            b"null",
            b'"x"',
            b"[" * 200_000,
            b'{"a": ' * 200_000,
            bytes(9),
            5,
            "{}",
        ],
        ids=lambda x: repr(x)[:12],
    )
    def test_what_is_no_json_object(self, text):
        with pytest.raises(MetadataError, match=r"^a/\.zarray: "):
            v2.parse_array(text, "a/.zarray")

    @pytest.mark.parametrize("member", sorted(BASE))
    @pytest.mark.parametrize("depth", [50, 300, 600, 900])
    def test_deep_nesting_in_a_member(self, member, depth):
        text = raw().decode()[:-1] + f', "{member}": ' + "[" * depth + "]" * depth + "}"
        with pytest.raises(MetadataError):
            v2.parse_array(text.encode(), "x")

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ({"compressor": {"id": "no such codec"}}, "no such codec"),
            ({"compressor": {"id": "zlib", "no_such_parameter": 1}}, "compressor"),
            ({"filters": [{"id": "no such codec"}]}, "no such codec"),
        ],
    )
    def test_codecs_that_cannot_be_made(self, members, words):
        with pytest.raises(CodecError, match=r"^a/\.zarray: .*" + words):
            v2.parse_array(raw(**members), "a/.zarray")

    @given(st.data())
    def test_mutated_metadata_is_read_or_refused(self, data):
        text = bytearray(data.draw(st.sampled_from([ZARRAY, STRUCTURED])))
        for _ in range(data.draw(st.integers(1, 4))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        try:
            m = v2.parse_array(bytes(text), "x")
        except (MetadataError, CodecError):
            return
        again = v2.render_array(m)
        assert v2.render_array(v2.parse_array(again, "x")) == again


class TestGroupAndAttributes:
    def test_group(self):
        assert v2.render_group() == b'{\n    "zarr_format": 2\n}'
        v2.parse_group(v2.render_group(), ".zgroup")

    @pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"zarr_format": 3}', b'{"zarr_format": null}'])
    def test_no_group(self, text):
        with pytest.raises(MetadataError, match=r"^a/\.zgroup: "):
            v2.parse_group(text, "a/.zgroup")

    def test_attributes_are_written_as_by_zarr_2(self):
        attrs = {"b": [1, 2.5, None], "a": "\u00fc", "n": float("nan"), "d": {}}
        text = (
            b'{\n    "a": "\\u00fc",\n    "b": [\n        1,\n        2.5,\n        null\n    ],\n'
            b'    "d": {},\n    "n": NaN\n}'
        )
        assert v2.render_attrs(attrs) == text
        assert v2.render_attrs({}) == b"{}"
        back = v2.parse_json(text, ".zattrs")
        assert np.isnan(back.pop("n"))
        assert back == {k: v for k, v in attrs.items() if k != "n"}

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (np.int16(-3), -3),
            (np.uint64(2**64 - 1), 2**64 - 1),
            (np.float32(0.1), 0.10000000149011612),
            (np.float64(0.1), 0.1),
            (np.float16(0.5), 0.5),
            (np.longdouble(0.25), 0.25),
            (np.bool_(True), True),
            (np.str_("x"), "x"),
            (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
            (np.array(5), 5),
            (np.array([True, False]), [True, False]),
            (np.array(["a", "bc"]), ["a", "bc"]),
            (np.array([0.5], ">f4"), [0.5]),
            (np.array([0.5], "g"), [0.5]),
            (np.zeros((0, 3)), []),
            (np.array([1, np.float32(2), None, "x"], object), [1, 2.0, None, "x"]),
            (np.datetime64("2000-01-02T03:04"), "2000-01-02T03:04"),
            (np.datetime64("NaT"), "NaT"),
            (np.array(["2000", "2001"], "M8[Y]"), ["2000", "2001"]),
            ((1, (2, np.int8(3))), [1, [2, 3]]),
            ({"x": {"y": [np.arange(2)]}}, {"x": {"y": [[0, 1]]}}),
        ],
        ids=lambda x: repr(x)[:30],
    )
    def test_numpy_values_become_json(self, value, expected):
        back = v2.parse_json(v2.render_attrs({"v": value}), "x")["v"]
        assert back == expected
        assert type(back) is type(expected)

    @pytest.mark.parametrize(
        "value",
        [
            b"x", 1j, np.complex64(1), np.bytes_(b"x"), np.array([b"x"]), np.timedelta64(1, "s"),
            np.void(b"x"), np.zeros(2, [("a", "i4")]), Nonsense(), {1, 2}, [np.array([1j])], {"d": b"x"},
        ],
        ids=lambda x: repr(x)[:30],
    )  # fmt: skip
    def test_values_without_a_json_form(self, value):
        with pytest.raises(TypeError, match="has no JSON form"):
            v2.render_attrs({"v": value})
