"""Where remote stores take keys and passwords from, and that they tell nobody."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.servers.process import HOST, free_port
from zchunk.errors import StoreError
from zchunk.storage import (
    ABSStore,
    FSStore,
    LRUStoreCache,
    ObjectStore,
    RedisStore,
    Store,
    ZipStore,
    open_store,
)
from zchunk.storage.secrets import cleaned, cleaned_url

obstore = pytest.importorskip("obstore", reason="obstore is not installed")

SECRET = "SeCrEt0xyz"
# In the form that keys of Azure have.
KEY = "U2VDckV0MHh5ego="
SIGNATURE = f"sv=2021-08-06&ss=b&srt=sco&sp=rl&se=2040-01-01&sig={SECRET}"
ONCE = {"max_retries": 0}
AWS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
)  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys but those of the test."""
    for name in AWS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))


# ---- where they are told


def texts(error: BaseException | None) -> Iterator[str]:
    """All that an error and those behind it say."""
    if error is not None:
        yield "".join(traceback.format_exception(error))
        yield repr(error) + str(error) + repr(error.args)
        yield from texts(error.__cause__)
        yield from texts(error.__context__)


def says_nothing(error: BaseException) -> None:
    for text in texts(error):
        # The source of this file is in tracebacks.
        said = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
        assert SECRET not in said
        assert KEY not in said


NOWHERE = f"http://{HOST}:1"
STORES: dict[str, Callable[[], Store]] = {
    "s3": lambda: open_store(
        "s3://bucket/x",
        storage_options={
            "key": "k", "secret": SECRET, "token": SECRET, "endpoint_url": NOWHERE, "region": "r",
            "retry_config": ONCE,
            "client_options": {"default_headers": {"authorization": SECRET, "x-api-key": SECRET}},
        },
    ),
    "s3 endpoint": lambda: open_store(
        "s3://bucket/x",
        storage_options={
            "anon": True, "endpoint_url": f"http://user:{SECRET}@{HOST}:1/?q={SECRET}", "retry_config": ONCE,
        },
    ),
    "gs": lambda: open_store(
        "gs://bucket/x",
        storage_options={
            "token": {
                "gcs_base_url": NOWHERE, "disable_oauth": True, "client_email": "", "private_key": "",
                "private_key_id": SECRET,
            },
            "retry_config": ONCE,
        },
    ),
    "gs endpoint": lambda: open_store(
        "gs://bucket/x", storage_options={"endpoint_url": NOWHERE, "retry_config": ONCE}
    ),
    "az key": lambda: open_store(
        "az://container/x",
        storage_options={"account_name": "a", "account_key": KEY, "endpoint": NOWHERE, "retry_config": ONCE},
    ),
    "az signature": lambda: open_store(
        "az://container/x",
        storage_options={
            "account_name": "a", "sas_token": SIGNATURE, "endpoint": NOWHERE, "retry_config": ONCE,
        },
    ),
    "az connection": lambda: open_store(
        "az://container/x",
        storage_options={
            "connection_string": f"AccountName=a;AccountKey={KEY};BlobEndpoint={NOWHERE}",
            "retry_config": ONCE,
        },
    ),
    "abs": lambda: ABSStore("container", "x", "a", KEY, blob_service_url=NOWHERE, retry_config=ONCE),
    "http of obstore": lambda: ObjectStore(
        obstore.store.HTTPStore(
            f"http://user:{SECRET}@{HOST}:1/x?token={SECRET}",
            client_options={"allow_http": True, "default_headers": {"Authorization": SECRET}},
            retry_config=ONCE,
        )
    ),
    "redis": lambda: open_store(f"redis://user:{SECRET}@{HOST}:1/0/x", storage_options={"retry": None}),
    "redis options": lambda: RedisStore(
        host=HOST, port=1, username="user", password=SECRET, retry=None
    ),
    "web": lambda: open_store(f"http://user:{SECRET}@{HOST}:1/x.zarr"),
    "web password": lambda: open_store(f"http://user:it's\"({SECRET}@{HOST}:1/x.zarr"),
    "web signature": lambda: open_store(f"http://{HOST}:1/it's(1).zarr?token={SECRET}"),
    "web fragment": lambda: open_store(f"http://{HOST}:1/x.zarr#token={SECRET}"),
    "web query": lambda: open_store(f"http://{HOST}:1/x.zarr?token={SECRET}"),
    "web cached": lambda: open_store(f"simplecache::http://user:{SECRET}@{HOST}:1/x.zarr"),
    "lru": lambda: LRUStoreCache(STORES["s3"](), 100),
}  # fmt: skip
# Pickles of fsspec's file systems have their options in them.
PICKLED = [name for name in STORES if not name.startswith("web")]


@pytest.mark.parametrize("kind", STORES)
def test_secrets_are_not_told(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = STORES[kind]()
    for use in (
        lambda: store["k"],
        lambda: store.__setitem__("k", b"v"),
        lambda: "k" in store,
        lambda: store.get_many(["k", "l"]),
        lambda: list(store),
        lambda: store.erase_many(["k"]),
        lambda: zchunk.open(store, mode="r"),
        lambda: zchunk.open_group(store, "a"),
        lambda: zchunk.create(3, store=store),
    ):
        with pytest.raises(StoreError) as caught:
            use()
        says_nothing(caught.value)
    assert SECRET not in repr(store) + str(store) + caplog.text + store.lock_identity
    assert KEY not in repr(store) + str(store) + caplog.text


def test_secrets_are_not_shown(fast_s3_server: Any) -> None:
    place = fast_s3_server.new("x")
    store = open_store(place.url, storage_options={**place.options, "secret_access_key": SECRET})
    root = zchunk.open_group(store, "w")
    z = root.create_dataset("a", data=np.arange(3))
    for shown in (root, root.info, z, z.info, root.tree(), z.store, dict(z.info_items())):
        assert SECRET not in repr(shown) + str(shown)
    for copied in (store, root, z):
        assert SECRET.encode() not in pickle.dumps(copied)


@pytest.mark.parametrize("kind", PICKLED)
def test_secrets_are_not_pickled(kind: str) -> None:
    store = STORES[kind]()
    data = pickle.dumps(store)
    assert SECRET.encode() not in data
    assert KEY.encode() not in data
    copy = pickle.loads(data)
    assert repr(copy) == repr(store)
    if kind != "s3 endpoint":
        # It is asked at the same place.
        with pytest.raises(StoreError, match=f"{HOST}:1" if "redis" not in kind else "connecting"):
            copy["k"]
    assert pickle.loads(pickle.dumps(copy)) == copy


def test_pickles_with_secrets_if_asked(echo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, seen = echo
    options = {"key": "of-options", "secret": SECRET, "region": "r", "endpoint_url": endpoint}
    store = ObjectStore.from_url("s3://bucket/x", **options, pickle_credentials=True)
    assert pickle.loads(pickle.dumps(store))["k"] == b"v"
    # Without, the copy has those of its environment.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert pickle.loads(pickle.dumps(ObjectStore.from_url("s3://bucket/x", **options)))["k"] == b"v"
    assert ["of-options" in seen[0], "of-environment" in seen[1]] == [True, True]


def test_copies_say_that_they_have_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    copy = pickle.loads(pickle.dumps(STORES["s3"]()))
    for store in (copy, pickle.loads(pickle.dumps(copy))):
        with pytest.raises(StoreError, match="pickle_credentials"):
            store["k"]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"s3://key:{SECRET}@bucket/x", {}),
        (f"s3://user:{SECRET}@bucket/x.zip", {}),
        (f"gs://{SECRET}@bucket/x", {}),
        (f"az://user:{SECRET}@bucket/x", {}),
        (f"abfs://user:{SECRET}@a.dfs.core.windows.net/x", {}),
        (f"abfs://user:12/{SECRET}@a.dfs.core.windows.net/x", {}),
        (f"az://container/x?sv=1&sig={SECRET}", {"account_name": "a", "account_key": KEY}),
        (f"az://container?sig={SECRET}", {"account_name": "a", "account_key": KEY}),
        (f"s3://bucket/x?X-Amz-Signature={SECRET}", {}),
        (f"s3://bucket/x#token={SECRET}", {}),
        (f"gs://bucket/x.zarr?x-goog-signature={SECRET}", {}),
        ("az://c/x", {"connection_string": f"AccountName=a;AccountKey={KEY};{SECRET}"}),
        ("az://c/x", {"connection_string": f"AccountName=a;{SECRET}={SECRET}"}),
        (f"file://user:{SECRET}@host/x", {}),
        (f"redis://user:{SECRET}@host/no-number", {}),
        (f"redis://user:{SECRET}@host:port/0", {}),
        (f"nothing://user:{SECRET}@host/x", {}),
        ("az://bucket/x", {"account_name": "a", "account_key": f"{SECRET}!"}),
        ("az://bucket/x", {"account_name": "a", "sas_key": SECRET}),
        ("gs://bucket/x", {"service_account_key": SECRET}),
        ("gs://bucket/x", {"token": SECRET}),
        ("gs://bucket/x", {"token": {"private_key": SECRET, "client_email": "", "private_key_id": SECRET}}),
        ("s3://bucket/x", {"secret": SECRET, "key": "k", "no_such_option": SECRET}),
        ("s3://bucket/x", {"endpoint_url": f"user:{SECRET}@host"}),
    ],
)
def test_errors_at_opening(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        open_store(url, storage_options=options)
    says_nothing(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://h/a(1)?token={SECRET}", "https://h/a(1)?…"),
        (f"https://h/it's/x?token={SECRET}", "https://h/it's/x?…"),
        (f"https://h/x#token={SECRET}", "https://h/x#…"),
        (f"https://u:p'{SECRET}@h/x", "https://h/x"),
        (f"https://u:p/{SECRET}@h/x", "https://h/x"),
        (f"https://u:p?{SECRET}@h/x", "https://h/x"),
        (f"https://u:p@{SECRET}@h:80/x?a={SECRET}@b", "https://h:80/x?…"),
        (f"zip://a/b::https://u:{SECRET}@h/x?{SECRET}", "zip://a/b::https://h/x?…"),
        (f"abfs://c:{SECRET}@a.dfs.core.windows.net/x", "abfs://a.dfs.core.windows.net/x"),
        ("abfs://c@a.dfs.core.windows.net/x", "abfs://c@a.dfs.core.windows.net/x"),
        ("http://127.0.0.1:80/a@b/x", "http://127.0.0.1:80/a@b/x"),
        ("http://[::1]:80/a@b/x", "http://[::1]:80/a@b/x"),
        ("a?b", "a?b"),
    ],
)
def test_urls_without_secrets(url: str, shown: str) -> None:
    assert cleaned_url(url) == shown
    assert SECRET not in cleaned(f"cannot open ('{url}') now")
    assert cleaned(f"no {url} !") == f"no {shown} !"


def test_identities_without_secrets() -> None:
    """The same of the same place only."""
    users, queries = ("", f"u:{SECRET}@"), ("", f"?a={SECRET}")
    urls = [f"http://{user}{HOST}:1/x{query}" for user in users for query in queries]
    names = [FSStore(url).lock_identity for url in (*urls, f"http://u:{SECRET}2@{HOST}:1/x")]
    assert len(set(names)) == 5
    assert SECRET not in "".join(names)
    assert names[:4] == [FSStore(url).lock_identity for url in urls]


def test_archives_tell_no_secrets(http_folder: Any, tmp_path: Path) -> None:
    with ZipStore(tmp_path / "x.zip", mode="w") as archive:
        archive["k"] = b"v"
    outer = FSStore(http_folder(tmp_path).replace("://", f"://u:{SECRET}@"))
    store = ZipStore.over(outer, "x.zip")
    assert store["k"] == b"v"
    assert SECRET not in store.path + store.lock_identity + repr(store)
    assert ZipStore.over(outer, "x.zip").lock_identity == store.lock_identity


def test_pickles_of_web_stores_with_secrets_if_asked() -> None:
    headers = {"default_headers": {"authorization": SECRET}}
    web = obstore.store.HTTPStore(f"https://u:{SECRET}@{HOST}:1/x?q=1", client_options=headers)
    copy = pickle.loads(pickle.dumps(ObjectStore(web, pickle_credentials=True)))
    assert (copy.store.url, copy.store.client_options) == (web.url, web.client_options)
    copy = pickle.loads(pickle.dumps(ObjectStore(web)))
    assert copy.store.url == f"https://{HOST}:1/x"
    assert copy.store.client_options is None or not copy.store.client_options.get("default_headers")


def test_archives_that_would_be_written() -> None:
    with pytest.raises(PermissionError) as caught:
        zchunk.open_group(f"https://user:{SECRET}@{HOST}:{free_port()}/x.zip", "w")
    says_nothing(caught.value)
