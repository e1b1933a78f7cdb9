"""Where remote stores take keys and passwords from, and that they tell nobody."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.servers import azure
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


# ---- where keys come from


class Echo(BaseHTTPRequestHandler):
    """Answers that all is well, and keeps what it was told of the client."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"{self.headers.get('Authorization')} {self.headers.get('x-amz-security-token')}")
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.end_headers()
        self.wfile.write(b"v")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it has heard of the client."""
    handler = type("OwnEcho", (Echo,), {"seen": []})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://{HOST}:{server.server_port}", handler.seen  # type: ignore[attr-defined]
        server.shutdown()


def profiles(folder: Path) -> None:
    lines = []
    for name in ("default", "mine", "other"):
        lines += [f"[{name}]", f"aws_access_key_id = of-{name}", f"aws_secret_access_key = {SECRET}"]
    lines += ["[odd]", "credential_process = /bin/false"]
    (folder / "aws-credentials").write_text("\n".join(lines))
    (folder / "aws-config").write_text("[default]\nregion = of-config\n[profile mine]\nregion = of-mine\n")


S3_SOURCES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    # The environment, options, and the key and region that must arrive.
    "options": ({}, {"access_key_id": "k", "secret_access_key": SECRET, "region": "r"}, "k/r"),
    "s3fs": ({}, {"key": "k", "secret": SECRET, "client_kwargs": {"region_name": "r"}}, "k/r"),
    "prefixed": ({}, {"aws_access_key_id": "k", "aws_secret_access_key": SECRET, "aws_region": "r"}, "k/r"),
    "environment": (
        {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "r"},
        {},
        "k/r",
    ),
    "default profile": ({}, {}, "of-default/of-config"),
    "AWS_PROFILE": ({"AWS_PROFILE": "mine"}, {}, "of-mine/of-mine"),
    "profile": ({"AWS_PROFILE": "other"}, {"profile": "mine"}, "of-mine/of-mine"),
    "profile before environment": (
        {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": SECRET},
        {"profile": "mine"},
        "of-mine/of-mine",
    ),
    "options before environment": (
        {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "e"},
        {"key": "k", "secret": SECRET, "region": "r"},
        "k/r",
    ),
    "environment before default profile": (
        {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "r"},
        {},
        "e/r",
    ),
}


@pytest.mark.parametrize("source", S3_SOURCES)
def test_s3(source: str, echo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles(tmp_path)
    endpoint, seen = echo
    variables, options, expected = S3_SOURCES[source]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://bucket/x", storage_options={**options, "endpoint_url": endpoint})
    assert store["k"] == b"v"
    (said,) = seen
    key, region = expected.split("/")
    assert f"Credential={key}/" in said
    assert f"/{region}/s3/" in said
    assert SECRET not in said


def test_s3_tokens_and_nobody(echo: Any, tmp_path: Path) -> None:
    profiles(tmp_path)
    endpoint, seen = echo
    options = {"key": "k", "secret": SECRET, "token": "of-session", "endpoint_url": endpoint}
    assert open_store("s3://bucket/x", storage_options=options)["k"] == b"v"
    assert open_store("s3://bucket/x", storage_options={"anon": True, "endpoint_url": endpoint})["k"] == b"v"
    assert seen[0].endswith(" of-session")
    assert seen[1] == "None None"


def test_profiles_that_do_not_help(tmp_path: Path) -> None:
    profiles(tmp_path)
    with pytest.raises(ValueError, match="no profile 'none'"):
        open_store("s3://bucket/x", storage_options={"profile": "none"})
    with pytest.raises(ValueError, match="credential_process"):
        open_store("s3://bucket/x", storage_options={"profile": "odd"})
    (tmp_path / "aws-credentials").write_text(f"[mine]\nno line {SECRET}")
    with pytest.raises(ValueError, match="cannot be read") as caught:
        open_store("s3://bucket/x", storage_options={"profile": "mine"})
    says_nothing(caught.value)


def test_google(echo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """obstore signs a token with the key of an account, whose name is in its head."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="needs a key")
    from cryptography.hazmat.primitives import serialization as form

    endpoint, seen = echo
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "me", "private_key": pem, "private_key_id": "mine"}
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    at = {"base_url": endpoint}
    for options in (
        {"token": account, "endpoint_url": endpoint},
        {"token": str(path), "endpoint_url": endpoint},
        {"service_account_key": json.dumps(account), **at},
        {"application_credentials": str(path), **at},
        None,
    ):
        if options is None:
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        assert open_store("gs://bucket/x", storage_options=options or at)["k"] == b"v"
        scheme, token, _ = seen.pop().split(" ")
        assert scheme == "Bearer"
        assert json.loads(base64.b64decode(token.partition(".")[0] + "=="))["kid"] == "mine"
    assert open_store("gs://bucket/x", storage_options={"token": "anon", **at})["k"] == b"v"
    assert open_store("gs://bucket/x", storage_options={"endpoint_url": endpoint})["k"] == b"v"
    assert [said.partition(" ")[0] for said in seen] == ["None", "None"]


def test_azure(azure_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azurite checks signatures."""
    place = azure_server.new("x")
    endpoint = {"endpoint": place.options["endpoint"], "retry_config": ONCE}
    wrong = {"account_name": azure.ACCOUNT, "account_key": KEY}
    with pytest.raises(StoreError):
        open_store(place.url, storage_options={**endpoint, **wrong})["k"]
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure.KEY)
    store = open_store(place.url, storage_options=endpoint)
    store["k"] = b"v"
    assert store["k"] == b"v"


# ---- who hears of them


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
