"""Every form of URL, and of object, opens the store that it names; what is missing is said."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import ROOT
from tests.servers import azure
from tests.servers.google import GCSEmulator
from zchunk.errors import ReadOnlyError, StoreError
from zchunk.storage import (
    DirectoryStore,
    FSStore,
    KVStore,
    MemoryStore,
    ObjectStore,
    RedisStore,
    ZipStore,
    open_store,
)

obstore = pytest.importorskip("obstore", reason="obstore is not installed")
fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")

DATA = np.arange(40).reshape(5, 8)


def fill(store: Any, options: Any = None) -> None:
    """A group with an array in it, with consolidated metadata."""
    root = zchunk.open_group(store, "w", storage_options=options)
    root.create_dataset("g/x", data=DATA, chunks=(2, 3))
    zchunk.consolidate_metadata(root.store)


def check(store: Any, options: Any = None) -> None:
    """Read it, in all ways to open something."""
    root = zchunk.open(store, mode="r", storage_options=options)
    assert (root["g/x"][1:4, 2:7] == DATA[1:4, 2:7]).all()
    assert (zchunk.open_array(store, "r", path="g/x", storage_options=options)[...] == DATA).all()
    assert "x" in sorted(zchunk.open_consolidated(store, storage_options=options)["g"])
    root.store.close()


def test_s3(fast_s3_server: Any) -> None:
    place = fast_s3_server.new("deep/x.zarr")
    own = place.options
    s3fs = {"key": own["access_key_id"], "secret": own["secret_access_key"]}
    endpoint = own["endpoint"]
    fill(place.url, own)
    for options in (
        own,
        {"aws_access_key_id": "k", "aws_secret_access_key": "s", "aws_endpoint": endpoint, "aws_region": "x"},
        {**s3fs, "client_kwargs": {"endpoint_url": endpoint, "region_name": "us-east-1"}},
        {**s3fs, "endpoint_url": endpoint},
        {"anon": True, "endpoint_url": endpoint},
        {**s3fs, "endpoint_url": endpoint, "client_kwargs": {"verify": False}},
    ):
        check(place.url, options)
        check(place.url.replace("s3://", "s3a://") + "/", options)
    store = open_store(place.url, storage_options=own)
    assert isinstance(store, ObjectStore)
    with pytest.raises(ReadOnlyError):
        open_store(place.url, "r", own)["k"] = b"v"
    with pytest.raises(ValueError, match="no_such_option"):
        open_store(place.url, storage_options={"no_such_option": 1})
    for endpoint in ("127.0.0.1:1", "htp://x", "http://"):
        with pytest.raises(ValueError, match="endpoint"):
            open_store(place.url, storage_options={"endpoint_url": endpoint})


def test_gs(gcs_server: Any) -> None:
    place = gcs_server.new("x.zarr")
    fill(place.url, place.options)
    check(place.url, place.options)
    check(place.url, {"endpoint_url": gcs_server.endpoint, "token": "anon", "project": "p"})
    check(place.url.replace("gs://", "gcs://"), place.options)


def test_azure(azure_server: Any) -> None:
    place = azure_server.new("x.zarr")
    container = place.url.split("/")[2]
    own = {name: value for name, value in place.options.items() if name != "client_options"}
    account = {"account_name": azure.ACCOUNT, "account_key": azure.KEY}
    endpoint = own["endpoint"]
    fill(place.url, own)
    for scheme in ("az", "azure", "abfs", "adl"):
        check(f"{scheme}://{container}/x.zarr", own)
    without = {name: value for name, value in own.items() if name != "account_name"}
    check(f"abfs://{container}@{azure.ACCOUNT}.dfs.core.windows.net/x.zarr", without)
    check(f"abfss://{container}@{azure.ACCOUNT}.dfs.core.windows.net/x.zarr", without)
    check(place.url, {"account_name": azure.ACCOUNT, "credential": azure.KEY, "endpoint": endpoint})
    check(place.url, {**account, "blob_service_url": endpoint})
    parts = {"AccountName": azure.ACCOUNT, "AccountKey": azure.KEY, "BlobEndpoint": endpoint}
    check(place.url, {"connection_string": ";".join(f"{name}={value}" for name, value in parts.items())})


def test_services_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bucket at another service is another place."""
    for url, option, variable in (
        ("s3://b/x", "endpoint_url", "AWS_ENDPOINT_URL"),
        ("gs://b/x", "endpoint_url", "GOOGLE_BASE_URL"),
        ("az://b/x", "endpoint", "AZURE_STORAGE_ENDPOINT"),
    ):
        account = {"account_name": "a", "anon": True} if url[:2] == "az" else {}
        first = open_store(url, storage_options={**account, option: "http://127.0.0.1:1/p"})
        with monkeypatch.context() as patch:
            patch.setenv(variable, "http://127.0.0.1:2/p")
            other = open_store(url, storage_options=account)
        # A copy in a process with another environment asks the same service.
        copy = pickle.loads(pickle.dumps(other))
        assert copy.store.config == other.store.config
        assert "http://127.0.0.1:2/p" in copy.store.config.values()
        assert first.lock_identity.endswith(" at http://127.0.0.1:1/p")
        assert other.lock_identity == first.lock_identity.replace(":1/", ":2/")


def test_options_that_say_read_only() -> None:
    options = {"read_only": True, "anon": True}
    for mode in ("r", "a"):
        with pytest.raises(ReadOnlyError):
            open_store("s3://bucket/x", mode, options)["k"] = b"v"
    with pytest.raises(ReadOnlyError):
        open_store("s3://bucket/x", "r", {**options, "read_only": False})["k"] = b"v"


def test_names_that_end_in_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the top of memory, and of buckets and servers."""
    monkeypatch.chdir(tmp_path)
    with ZipStore("x.zip", mode="w") as archive:
        archive["k"] = b"v"
    FSStore("memory://")["x.zip"] = Path("x.zip").read_bytes()
    Path("x.zip").unlink()
    assert open_store("memory://x.zip", "r")["k"] == b"v"
    assert isinstance(open_store("s3://x.zip", storage_options={"anon": True}), ObjectStore)
    assert list(tmp_path.iterdir()) == []


def test_redis(redis_server: Any) -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    url = f"{redis_server.url}/{redis_server.prefix()}"
    fill(url)
    check(url)
    check(redis_server.url, {"prefix": url.rpartition("/")[2]})
    assert isinstance(open_store(url), RedisStore)


def test_files_and_memory(tmp_path: Path) -> None:
    folder = tmp_path / "x y.zarr"
    fill(folder)
    for name in (folder, str(folder), f"file://{folder}", f"file://{tmp_path}/x%20y.zarr"):
        check(name)
    check(f"file://{folder}", {"auto_mkdir": False})
    fill("memory://remote-urls/x.zarr")
    check("memory://remote-urls/x.zarr")
    assert type(open_store(folder)) is DirectoryStore
    assert isinstance(open_store("memory://x"), FSStore)


def test_zip_archives(tmp_path: Path, fast_s3_server: Any, nginx_folder: Any, http_folder: Any) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    path = tmp_path / "x.zip"
    with ZipStore(path, mode="w") as store:
        fill(store)
    for name in (path, str(path), f"file://{path}"):
        check(name)
        assert isinstance(open_store(name, "r"), ZipStore)
    place = fast_s3_server.new("deep")
    open_store(place.url, storage_options=place.options)["x.zip"] = path.read_bytes()
    check(f"{place.url}/x.zip", place.options)
    open_store("memory://remote-urls")["x.zip"] = path.read_bytes()
    check("memory://remote-urls/x.zip")
    web = nginx_folder(tmp_path)
    for url in (f"{web}/x.zip", f"zip://::{web}/x.zip", f"simplecache::{web}/x.zip"):
        check(url)
    # Without ranges.
    check(f"{http_folder(tmp_path)}/x.zip")
    for url, options in ((f"{place.url}/x.zip", place.options), (f"{web}/x.zip", None)):
        with pytest.raises(ReadOnlyError):
            zchunk.open_group(url, "w", storage_options=options)
    with pytest.raises(FileNotFoundError, match=r"y\.zip"):
        zchunk.open(f"{place.url}/y.zip", mode="r", storage_options=place.options)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("program", ["http_folder", "nginx_folder"])
def test_web_pages(program: str, zarr_format: int, request: Any, tmp_path: Path) -> None:
    """One of the servers has no ranges, the other no listings."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    root = zchunk.open_group(tmp_path / "x y%.zarr", "w", zarr_format=zarr_format)
    root.create_dataset("g/x", data=DATA, chunks=(2, 3))
    if zarr_format == 3:
        root.create_dataset("g/s", data=DATA, chunks=(1, 2), shards=(4, 8))
    zchunk.consolidate_metadata(root.store)
    web = request.getfixturevalue(program)(tmp_path)
    for url in (f"{web}/x y%25.zarr", f"simplecache::{web}/x y%25.zarr"):
        check(url)
    root = zchunk.open_consolidated(f"{web}/x y%25.zarr")
    assert all((z[2:4, 3:5] == DATA[2:4, 3:5]).all() for _, z in root["g"].arrays())
    if program == "nginx_folder":
        with pytest.raises(StoreError, match="403"):
            open_store(f"{web}/x y%25.zarr", "r").list_dir("g")
    with pytest.raises(StoreError, match=r"40|50"):
        zchunk.open_group(f"{web}/new.zarr", "w")


def test_objects_of_others(tmp_path: Path, fast_s3_server: Any, gcs_emulator: GCSEmulator) -> None:
    place = fast_s3_server.new("deep/x.zarr")
    bucket = obstore.store.from_url(place.url, **place.options)
    fill(bucket)
    check(bucket)
    check(ObjectStore(bucket))
    check(place.url, place.options)
    url = gcs_emulator.new("x.zarr")
    mapping = fsspec.get_mapper(url, **gcs_emulator.options)
    fill(mapping)
    check(mapping)
    check(mapping.fs.get_mapper(url))
    assert isinstance(open_store(mapping), FSStore)
    fill(tmp_path / "x.zarr")
    dirfs = fsspec.filesystem("dir", path=str(tmp_path / "x.zarr"), fs=fsspec.filesystem("file"))
    check(dirfs)
    for values in ({}, MemoryStore()):
        fill(values)
        check(values)
    assert isinstance(open_store({}), KVStore)


@pytest.mark.parametrize(
    ("package", "url", "wanted"),
    [
        ("obstore", "s3://bucket/x.zarr", "obstore"),
        ("obstore", "az://bucket/x.zip", "obstore"),
        ("redis", "redis://host/0", "redis"),
        ("fsspec", "memory://x", "fsspec"),
        ("fsspec", "http://host/x.zip", "fsspec"),
        ("aiohttp", "https://user:hidden@host/x.zarr", "'fsspec[http]'"),
        ("aiohttp", "simplecache::https://host/x.zip", "'fsspec[http]'"),
    ],
)
def test_packages_that_are_missing(package: str, url: str, wanted: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = sys.modules['s3fs'] = sys.modules['adlfs'] = None\n"
        "import zchunk\n"
        f"try: zchunk.open({url!r}, mode='r')\n"
        "except ImportError as e: print(e)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    ).stdout
    assert f"pip install {wanted}" in out
    assert "hidden" not in out


def test_names_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores whose package is missing say so, too."""
    make: Callable[[], Any] = lambda: RedisStore(host="127.0.0.1")  # noqa: E731
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match="pip install redis"):
        make()


def test_a_scheme_that_nothing_opens_is_named() -> None:
    with pytest.raises(ValueError, match=r"open 'htp://host/x': fsspec has .* for 'htp'; did you mean"):
        zchunk.open("htp://host/x", mode="r")
    with pytest.raises(ValueError, match=r"fsspec has no file system for 'nosuch'$"):
        zchunk.open("nosuch://host/x", mode="r")


def test_fsspec_for_object_stores_says_what_there_is_beside_it() -> None:
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from zchunk.storage import FSStore\n"
        "try: FSStore('s3://bucket/x')\n"
        "except ImportError as e: print(e)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    ).stdout
    assert "s3fs" in out
    assert "pip install obstore" in out
