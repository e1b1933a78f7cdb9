"""`ObjectStore`: values in buckets, of real servers on this machine."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.store_conformance import LEGAL_KEYS, StoreConformance, in_child
from zchunk.errors import InvalidKeyError, StoreError
from zchunk.storage import Store
from zchunk.storage.objects import ObjectStore

obstore = pytest.importorskip("obstore", reason="obstore is not installed")


class Buckets(StoreConformance):
    folders = False
    server: Any

    def make(self, path: Path) -> Store:
        place = self.server.new("outer/store")
        return ObjectStore.from_url(place.url, **place.options, pickle_credentials=True)

    @pytest.mark.parametrize("key", [k for k in LEGAL_KEYS if "\n" not in k], ids=lambda k: ascii(k[:12]))
    def test_legal_keys(self, store: Store, key: str) -> None:
        super().test_legal_keys(store, key)

    def test_control_characters(self, store: Store) -> None:
        assert "new\nline" not in store
        with pytest.raises(InvalidKeyError, match="control character"):
            store["new\nline"] = b"v"

    def test_fork(self, store: Store) -> None:
        store["k"] = b"v"

        def read() -> str:
            with pytest.raises(StoreError, match="fork") as caught:
                store["k"]
            return str(caught.value)

        assert "spawn" in in_child(read)
        assert store["k"] == b"v"


class TestInMemory(Buckets):
    def make(self, path: Path) -> Store:
        return ObjectStore(obstore.store.MemoryStore(), "outer/store")

    def test_pickle(self, store: Store) -> None:
        with pytest.raises(TypeError, match="MemoryStore"):
            pickle.dumps(store)


class TestS3(Buckets):
    @pytest.fixture(autouse=True)
    def use(self, s3_server: Any) -> None:
        self.server = s3_server


class TestAzure(Buckets):
    @pytest.fixture(autouse=True)
    def use(self, azure_server: Any) -> None:
        self.server = azure_server
