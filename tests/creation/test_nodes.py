"""What is written for a new node, and for the groups above it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.creation.test_arrays import DEFAULT_ZARRAY, ZGROUP
from tests.creation.test_opening import files
from tests.variants import only_v2

pytestmark = pytest.mark.usefixtures("variant")


@only_v2("the bytes that zarr 2 writes")
def test_parents_are_made() -> None:
    store: dict[str, bytes] = {}
    zchunk.create((3, 4), chunks=2, store=store, path="/a//b/")
    assert store == {".zgroup": ZGROUP, "a/.zgroup": ZGROUP, "a/b/.zarray": DEFAULT_ZARRAY}


@only_v2("separators that stores have in format 2")
def test_store_separator(tmp_path: Path) -> None:
    z = zchunk.ones((2, 2), chunks=1, store=zchunk.NestedDirectoryStore(tmp_path))
    z[...] = 3
    assert "0/1" in files(tmp_path)
    assert json.loads(files(tmp_path)[".zarray"])["dimension_separator"] == "/"
    with pytest.raises(ValueError, match="dimension_separator"):
        zchunk.ones(2, store=zchunk.NestedDirectoryStore(tmp_path), dimension_separator=".", path="x")
    g = zchunk.open_group(zchunk.NestedDirectoryStore(tmp_path / "g"))
    assert g.create("a", shape=(2, 2)).dimension_separator == "/"
    assert g.array("b", np.ones((2, 2))).dimension_separator == "/"


@only_v2("a store that changes .zarray")
def test_stores_that_change_metadata_are_read_back(tmp_path):
    class Changing(zchunk.DirectoryStore):
        def __setitem__(self, key, value):
            if key.endswith(".zarray"):
                value = json.dumps({**json.loads(bytes(value)), "fill_value": 7, "compressor": None}).encode()
            super().__setitem__(key, value)

    z = zchunk.create(4, chunks=2, dtype="i2", store=Changing(tmp_path))
    assert (z.fill_value, z.compressor) == (7, None)
    z[:2] = [1, 2]
    assert zchunk.open(tmp_path, mode="r")[:].tolist() == [1, 2, 7, 7]
