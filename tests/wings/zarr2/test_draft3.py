"""zarr 2.18's draft of format 3, of which there are stores and attributes only."""

from __future__ import annotations

import json

import pytest

from zchunk.core.attributes import Attributes
from zchunk.wings.zarr2.draft3 import KVStoreV3, StoreV3, meta_root


def test_attributes_are_a_member_of_the_document() -> None:
    key = meta_root + "a.array.json"
    store = KVStoreV3({key: json.dumps({"shape": [3], "attributes": {}}).encode()})
    assert isinstance(store, StoreV3)
    attributes = Attributes(store, key)
    attributes["units"] = "K"
    assert json.loads(store[key]) == {"shape": [3], "attributes": {"units": "K"}}
    assert dict(Attributes(store, key)) == {"units": "K"}


def test_values_are_those_of_the_mapping() -> None:
    values = {"a": b"1"}
    store = KVStoreV3(values)
    store["b"] = b"2"
    assert values == {"a": b"1", "b": b"2"}
    with pytest.raises(KeyError):
        store["c"]
