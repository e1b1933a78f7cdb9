"""`ObjectStore`: values in buckets, of real servers on this machine."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zchunk
from tests.store_conformance import (
    LEGAL_KEYS,
    StoreConformance,
    in_child,
    one_thread_sets_what_is_new,
)
from zchunk.errors import InvalidKeyError, StoreError
from zchunk.storage import Store
from zchunk.storage.cloud.objects import ObjectStore

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

    @pytest.mark.parametrize("key", ["a\ufffe", "b\uffff/c"], ids=ascii)
    def test_what_xml_has_not(self, store: Store, key: str) -> None:
        """It could be stored, but not erased together with others."""
        assert key not in store
        with pytest.raises(InvalidKeyError, match="XML"):
            store[key] = b"v"
        assert list(store) == []

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


def test_fork_after_own_use(http_folder: Any, tmp_path: Path) -> None:
    """The program has asked obstore itself; a child that waited for its threads would hang."""
    code = """
import os, signal, sys, time, obstore
from zchunk.storage import ObjectStore
store = obstore.store.HTTPStore(sys.argv[1], client_options={"allow_http": True})
assert bytes(obstore.get(store, "k").bytes()) == b"v"
mine = ObjectStore(store)
pid = os.fork()
if not pid:
    signal.alarm(20)
    try:
        mine["k"]
    except OSError as err:
        os._exit(7 if "forked" in str(err) else 1)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    (tmp_path / "k").write_bytes(b"v")
    done = subprocess.run(
        [sys.executable, "-c", code, http_folder(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "7\n", done.stderr


def test_fork_before_the_first_use() -> None:
    """Nothing has been asked of a bucket that was opened by its URL: the child may."""
    code = """
import os, signal, zchunk
from zchunk.storage import ABSStore, ObjectStore
once = {"retry_config": {"max_retries": 0}}
stores = [
    ObjectStore.from_url("s3://b/x", anon=True, endpoint_url="http://127.0.0.1:1", **once),
    ABSStore("c", "x", "a", anon=True, blob_service_url="http://127.0.0.1:1", **once),
]
pid = os.fork()
if not pid:
    signal.alarm(20)
    for store in stores:
        try:
            store["k"]
        except OSError as err:
            if "forked" in str(err):
                os._exit(1)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "7\n", done.stderr


class TestS3(Buckets):
    @pytest.fixture(autouse=True)
    def use(self, s3_server: Any) -> None:
        self.server = s3_server

    def test_one_thread_sets_what_is_new(self, store: Store) -> None:
        pytest.skip("moto looks, then puts; the servers below do it in one step")


class TestAzure(Buckets):
    @pytest.fixture(autouse=True)
    def use(self, azure_server: Any) -> None:
        self.server = azure_server


@pytest.mark.parametrize("service", ["fast_s3_server", "gcs_server"])
def test_one_writer_sets_what_is_new(service: str, request: pytest.FixtureRequest) -> None:
    place = request.getfixturevalue(service).new("a")
    one_thread_sets_what_is_new(ObjectStore.from_url(place.url, **place.options))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_where_a_service_has_no_conditions(fast_s3_server: Any, zarr_format: Any) -> None:
    place = fast_s3_server.new("a")
    store = ObjectStore.from_url(place.url, **place.options, conditional_put="disabled")
    zchunk.create(4, store=store, zarr_format=zarr_format, attributes={"n": 1})
    with pytest.raises(zchunk.errors.ContainsArrayError):
        zchunk.create(4, store=store, zarr_format=zarr_format)
    assert store.set_new("x", b"1")
    assert not store.set_new("x", b"2")


# ---- what obstore takes as options of a service, and panics at when it is asked for them

OF_CLIENT = [
    {"allow_http": True},
    {"timeout": "30s", "connect_timeout": "5s"},
    {"user_agent": "zchunk", "allow_http": "true"},
    {"pool_max_idle_per_host": "3"},
]


@pytest.mark.parametrize("options", OF_CLIENT, ids=str)
@pytest.mark.parametrize("prefixed", ["", "aws_", "AWS_"])
def test_options_of_connections(fast_s3_server: Any, options: dict[str, Any], prefixed: str) -> None:
    place = fast_s3_server.new("a")
    options = {prefixed + name: value for name, value in options.items()}
    store = ObjectStore.from_url(place.url, **place.options, **options, pickle_credentials=True)
    store["k"] = b"v"
    again = pickle.loads(pickle.dumps(store))
    assert again["k"] == b"v"
    assert again.lock_identity == store.lock_identity
    z = zchunk.open_array(
        f"{place.url}/z", mode="w", shape=4, storage_options=place.options | options
    )
    z[:] = 1
    assert z[:].tolist() == [1] * 4


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_options_of_connections_of_other_services(scheme: str) -> None:
    options = {"account_name": "x"} if scheme == "az" else {}
    store = ObjectStore.from_url(f"{scheme}://bucket/a", allow_http=True, skip_signature=True, **options)
    assert store.url.startswith(f"{scheme}://bucket/a")
    pickle.dumps(store)


def test_a_store_that_cannot_tell_its_configuration(fast_s3_server: Any) -> None:
    place = fast_s3_server.new("a")
    bucket, _, prefix = place.url.removeprefix("s3://").partition("/")
    made = {name: value for name, value in place.options.items() if name != "client_options"}
    store = ObjectStore(obstore.store.S3Store(bucket, prefix=prefix, allow_http=True, **made))
    other = ObjectStore(obstore.store.S3Store(bucket, prefix=prefix, allow_http=True, **made))
    assert store.url.startswith(f"s3://{bucket}/{prefix}")
    assert store.lock_identity != other.lock_identity
    z = zchunk.open_array(store, mode="w", shape=4)
    z[:] = 1
    z[1] = 2
    assert zchunk.open_array(other, mode="r")[:].tolist() == [1, 2, 1, 1]
    with pytest.raises(pickle.PicklingError, match="client_options"):
        pickle.dumps(store)


def panic() -> BaseException:
    """A real one, of pyo3."""
    with pytest.raises(BaseException) as caught:
        _ = obstore.store.GCSStore("bucket", skip_signature=True, allow_http=True).config
    return caught.value


def test_no_panic_leaves_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    error = panic()
    assert not isinstance(error, Exception)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    store = ObjectStore(obstore.store.MemoryStore())
    for name in ("get", "put", "head", "delete", "list", "list_with_delimiter", "copy", "get_range"):
        monkeypatch.setattr(obstore, name, fail)
    operations: list[Any] = [
        lambda: store["k"],
        lambda: store.__setitem__("k", b"v"),
        lambda: store.__delitem__("k"),
        lambda: "k" in store,
        lambda: list(store),
        lambda: store.list_dir(),
        lambda: store.is_empty(),
        lambda: store.get_range("k", 0, 1),
        lambda: store.get_many(["a", "b"]),
        lambda: store.set_many({"a": b"", "b": b""}),
        lambda: store.erase_many(["a", "b"]),
        lambda: store.modify("k", lambda old: b""),
        lambda: store.rename("a", "b"),
    ]
    for operation in operations:
        with pytest.raises(StoreError, match="config prefix"):
            operation()
    monkeypatch.setattr(obstore.store, "S3Store", fail)
    with pytest.raises(ValueError, match="config prefix"):
        ObjectStore.from_url("s3://bucket/a")
