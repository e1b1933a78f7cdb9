"""Consolidated metadata as JSON: built, rendered, read, refused."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.metadata.test_v2 import STRUCTURED, ZARRAY
from zchunk.compat import KVStoreV3
from zchunk.errors import MetadataError, ReadOnlyError
from zchunk.metadata import consolidated, v2
from zchunk.storage import ConsolidatedMetadataStore

# Written by zarr 2.18.7 for a group with attributes and one with a NaN below it.
ZMETADATA = b"""{
    "metadata": {
        ".zattrs": {
            "z": 1
        },
        ".zgroup": {
            "zarr_format": 2
        },
        "x/.zattrs": {
            "a": NaN
        }
    },
    "zarr_consolidated_format": 1
}"""


def built(store):
    keys = consolidated.keys_of(store, "", 2)
    return consolidated.build(keys, lambda key: v2.parse_json(store[key], key))


class TestConsolidated:
    def test_is_written_as_by_zarr_2(self):
        store = {
            "x/.zattrs": b'{"a": NaN}',
            "x/0.0": b"\xff",
            ".zgroup": b'{"zarr_format": 2}',
            ".zattrs": b'{"z": 1}',
            ".zmetadata": b"old",
            "x.zarray": b"not metadata",
        }
        assert consolidated.render(built(store)) == ZMETADATA

    def test_store(self):
        store = {".zmetadata": ZMETADATA, "other": ZMETADATA}
        for key in store:
            view = ConsolidatedMetadataStore(store, metadata_key=key)
            assert view.store is store
            assert sorted(view) == [".zattrs", ".zgroup", "x/.zattrs"]
            assert len(view) == 3
            assert view[".zgroup"] == v2.render_group()
            assert ".zattrs" in view
            assert ".zarray" not in view
            with pytest.raises(KeyError):
                view[".zarray"]
            assert repr(key) in repr(view)

    def test_entries_render_as_they_were_written(self):
        store = {"a/.zarray": ZARRAY, "b/.zarray": STRUCTURED, ".zgroup": v2.render_group()}
        view = ConsolidatedMetadataStore({".zmetadata": consolidated.render(built(store))})
        assert dict(view) == store

    def test_metadata_are_given_parsed_and_shared_with_nobody(self):
        raw = json.dumps(
            json.loads(ZARRAY)
            | {"dtype": [["a", "<f4"], ["b", "<i2", [2]]], "fill_value": None, "filters": []}
        ).encode()
        store = {"a/.zarray": raw, "b/.zarray": ZARRAY, ".zgroup": v2.render_group()}
        view = ConsolidatedMetadataStore({".zmetadata": consolidated.render(built(store))})
        for key in ("a/.zarray", "b/.zarray"):
            obj = view.metadata(key)
            assert v2.render_array(v2.parse_array(obj, key)) == v2.render_array(
                v2.parse_array(store[key], key)
            )
            model = v2.parse_array(obj, key)
            for change in (
                lambda model: setattr(model.dtype, "names", ("x", "y")),
                lambda model: setattr(model.filters[0], "astype", np.dtype("f8")),
                lambda model: setattr(model.compressor, "level", 9),
            ):
                with suppress(AttributeError, ValueError, IndexError):
                    change(model)
            again = v2.parse_array(view.metadata(key), key)
            assert v2.render_array(again) == v2.render_array(v2.parse_array(store[key], key))
            assert b'"level": 3' in v2.render_array(again)
        v2.parse_group(view.metadata(".zgroup"), ".zgroup")
        with pytest.raises(KeyError):
            view.metadata("c/.zarray")

    def test_store_is_read_only(self):
        view = ConsolidatedMetadataStore({".zmetadata": ZMETADATA})
        with pytest.raises(ReadOnlyError):
            view[".zattrs"] = b"{}"
        with pytest.raises(ReadOnlyError):
            del view[".zattrs"]
        with pytest.raises(ReadOnlyError):
            view.clear()
        assert len(view) == 3

    def test_missing(self):
        with pytest.raises(KeyError):
            ConsolidatedMetadataStore({})
        with pytest.raises(ValueError, match="draft of format 3"):
            ConsolidatedMetadataStore(KVStoreV3({}))
        for path in ("a.zarr", Path("a.zarr")):
            with pytest.raises(ValueError, match="is a path"):
                ConsolidatedMetadataStore(path)

    def test_build_names_the_damaged_key(self):
        with pytest.raises(MetadataError, match=r"^x/\.zarray: "):
            built({"x/.zarray": b"["})

    @pytest.mark.parametrize(
        ("obj", "words"),
        [
            ([], "not an object"),
            ({}, "zarr_consolidated_format is None"),
            ({"zarr_consolidated_format": 2, "metadata": {}}, "zarr_consolidated_format is 2"),
            ({"zarr_consolidated_format": True, "metadata": {}}, "zarr_consolidated_format is True"),
            ({"zarr_consolidated_format": 1}, "metadata is None"),
            ({"zarr_consolidated_format": 1, "metadata": []}, "metadata is"),
            ({"zarr_consolidated_format": 1, "metadata": {".zgroup": 5}}, "entry '.zgroup' is 5"),
            ({"zarr_consolidated_format": 1, "metadata": {".zgroup": "{}"}}, "entry '.zgroup' is '{}'"),
            ({"zarr_consolidated_format": 1, "metadata": {"../.zgroup": {}}}, r"segment '\.\.'"),
            ({"zarr_consolidated_format": 1, "metadata": {"/.zgroup": {}}}, "segment ''"),
        ],
    )
    def test_nonsense_is_refused(self, obj, words):
        with pytest.raises(MetadataError, match=r"^\.zmetadata: .*" + words):
            consolidated.parse(json.dumps(obj).encode())

    def test_references_in_parquet_files_have_no_version(self):
        # As fsspec and VirtualiZarr write them.
        obj = {"metadata": {".zgroup": {"zarr_format": 2}}, "record_size": 100_000}
        assert consolidated.parse(json.dumps(obj).encode()) == obj["metadata"]

    def test_keys_that_name_no_metadata_are_left_out(self):
        obj = {"zarr_consolidated_format": 1, "metadata": {"0.0": {}, "a/.zgroup": {}, "a.zarray": {}}}
        assert list(consolidated.parse(json.dumps(obj).encode())) == ["a/.zgroup"]
