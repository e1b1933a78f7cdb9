"""The servers of `tests.servers` do what tests of stores rely on."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import ROOT
from tests.servers import folders
from tests.servers.control import Controlled
from tests.servers.google import GCSEmulator
from tests.servers.places import ObjectServer
from tests.servers.process import HOST, program
from tests.servers.redisdb import RedisServer
from tests.servers.s3 import FastS3Server

obstore = pytest.importorskip("obstore")
from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: E402


@pytest.fixture(params=["s3_server", "fast_s3_server", "azure_server", "gcs_server"])
def server(request: pytest.FixtureRequest) -> ObjectServer:
    found: ObjectServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(server: ObjectServer) -> Any:
    place = server.new("a/b")
    return obstore.store.from_url(place.url, **place.options)


def names(store: Any, prefix: str | None = None) -> list[str]:
    return sorted(meta["path"] for batch in obstore.list(store, prefix) for meta in batch)


def test_objects_and_their_parts(store: Any) -> None:
    obstore.put(store, "x/1", b"0123456789")
    assert bytes(obstore.get(store, "x/1").bytes()) == b"0123456789"
    assert bytes(obstore.get_range(store, "x/1", start=3, end=6)) == b"345"
    assert bytes(obstore.get(store, "x/1", options={"range": {"offset": 6}}).bytes()) == b"6789"
    parts = obstore.get_ranges(store, "x/1", starts=[0, 8], ends=[1, 10])
    assert [bytes(part) for part in parts] == [b"0", b"89"]
    assert obstore.head(store, "x/1")["size"] == 10
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "x/2")
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "x/2")


def test_large_objects(store: Any) -> None:
    data = bytes(range(256)) * (12 << 12)  # in three parts
    obstore.put(store, "large", data)
    assert bytes(obstore.get(store, "large").bytes()) == data


def test_lists(store: Any) -> None:
    for name in ("x/1", "x/2", "x/y/3", "z&<>"):
        obstore.put(store, name, b"v")
    assert names(store) == ["x/1", "x/2", "x/y/3", "z&<>"]
    assert names(store, "x") == ["x/1", "x/2", "x/y/3"]
    found = obstore.list_with_delimiter(store, "x")
    assert sorted(meta["path"] for meta in found["objects"]) == ["x/1", "x/2"]
    assert list(found["common_prefixes"]) == ["x/y"]


def test_deletes(store: Any) -> None:
    for name in "abc":
        obstore.put(store, name, b"v")
    obstore.delete(store, "a")
    assert names(store) == ["b", "c"]
    obstore.delete(store, ["b", "c"])
    assert names(store) == []


def test_conditional_puts(store: Any) -> None:
    first = obstore.put(store, "x", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "x", b"2", mode="create")
    second = obstore.put(store, "x", b"3", mode=_version(first))
    assert second["e_tag"] != first["e_tag"]
    with pytest.raises(PreconditionError):
        obstore.put(store, "x", b"4", mode=_version(first))
    assert bytes(obstore.get(store, "x").bytes()) == b"3"


def _version(result: Any) -> dict[str, str]:
    return {name: result[name] for name in ("e_tag", "version") if result[name] is not None}


def test_places_are_apart(server: ObjectServer) -> None:
    one, two = (obstore.store.from_url(p.url, **p.options) for p in (server.new(), server.new()))
    obstore.put(one, "x", b"v")
    assert names(two) == []


def test_long_lists_come_in_pages(fast_s3_server: FastS3Server) -> None:
    place = fast_s3_server.new()
    store = obstore.store.from_url(place.url, **place.options)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: obstore.put(store, f"{i % 3}/{i}", b""), range(2500)))
    assert len(names(store)) == 2500
    assert fast_s3_server.network.counts()["methods"]["GET"] == 3
    assert list(obstore.list_with_delimiter(store)["common_prefixes"]) == ["0", "1", "2"]


def get(url: str, **headers: str) -> tuple[int, bytes]:
    """The status and the body; an HTTP error is one of urllib's."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.read()


def test_folder_without_ranges(http_folder: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    assert get(f"{http_folder(tmp_path)}/x", Range="bytes=2-4") == (200, b"0123456789")


def test_folder_with_ranges(nginx_folder: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    url = nginx_folder(tmp_path)
    assert get(f"{url}/x") == (200, b"0123456789")
    assert get(f"{url}/x", Range="bytes=2-4") == (206, b"234")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{url}/y")


def test_folder_with_a_log(tmp_path: Path) -> None:
    nginx = program("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed; see `make servers`")
    (tmp_path / "x").write_bytes(b"0123456789")
    log = tmp_path / "answers"
    with folders.nginx(nginx, tmp_path, log) as url:
        get(f"{url}/x")
        get(f"{url}/x", Range="bytes=2-4")
    assert log.read_text().split() == ["200", "206"]


def test_redis(redis_server: RedisServer) -> None:
    client = pytest.importorskip("redis").Redis.from_url(redis_server.url)
    one, two = redis_server.prefix(), redis_server.prefix()
    client.set(f"{one}/x", b"v")
    assert client.get(f"{one}/x") == b"v"
    assert client.get(f"{two}/x") is None
    client.close()


def test_gcsfs(gcs_emulator: GCSEmulator) -> None:
    store = zchunk.FSStore(gcs_emulator.new("run.zarr"), **gcs_emulator.options)
    z = zchunk.open(store, mode="w", shape=(4, 4), chunks=(2, 2), dtype="i4")
    z[...] = np.arange(16).reshape(4, 4)
    assert z[3, 1] == 13
    del store["1.0"]
    assert z[3, 1] == 0


@pytest.fixture(params=["itself", "proxy"])
def network(
    request: pytest.FixtureRequest, fast_s3_server: FastS3Server, proxy: Callable[[str], Controlled]
) -> Controlled:
    """The network of the fast server, and a proxy before it."""
    return fast_s3_server.network if request.param == "itself" else proxy(fast_s3_server.endpoint)


@pytest.fixture
def url(network: Controlled, fast_s3_server: FastS3Server) -> str:
    """An object of a hundred bytes, behind that network."""
    place = fast_s3_server.new()
    obstore.put(obstore.store.from_url(place.url, **place.options), "x", b"v" * 100)
    network.clear()
    return f"{network.endpoint}/{place.url.removeprefix('s3://')}/x"


def test_network_delays(network: Controlled, url: str) -> None:
    network.set(latency=0.2)
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, [url] * 8)) == [(200, b"v" * 100)] * 8
    assert time.monotonic() - begin >= 0.2
    assert network.counts()["most"] > 1


def test_network_is_as_narrow_as_told(network: Controlled, url: str) -> None:
    network.set(bandwidth=1000)
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(get, [url] * 2)) == [(200, b"v" * 100)] * 2
    urllib.request.urlopen(urllib.request.Request(url, b"v" * 100, method="PUT"), timeout=10).close()
    assert time.monotonic() - begin >= 0.3


def test_network_fails_as_told(network: Controlled, url: str) -> None:
    network.fail(status=503, times=2)
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(url)
    network.fail(status=403, times=None, every=2, path="/x")
    assert get(url)[0] == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(url)
    network.fail(status=500, method="DELETE")
    assert get(url)[0] == 200
    assert network.counts()["failed"] == 3
    network.reset()
    assert get(url)[0] == get(url)[0] == 200


def test_network_cuts_and_drops(network: Controlled, url: str) -> None:
    network.fail(cut=30)
    with pytest.raises(http.client.IncompleteRead, match="30 bytes read, 70 more expected"):
        get(url)
    network.fail(drop=True, method="PUT")
    with pytest.raises(ConnectionError):
        urllib.request.urlopen(urllib.request.Request(url, b"new", method="PUT"), timeout=10)
    # It was done nevertheless.
    assert get(url) == (200, b"new")


def test_network_stalls(network: Controlled, url: str) -> None:
    network.fail(stall=30.0)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(url, timeout=0.1)
    assert get(url)[0] == 200


def test_network_counts(network: Controlled, url: str) -> None:
    get(url, Range="bytes=5-14")
    urllib.request.urlopen(urllib.request.Request(url, b"12345", method="PUT"), timeout=10).close()
    counts = network.counts()
    assert counts["requests"] == 2
    assert counts["methods"] == {"GET": 1, "PUT": 1}
    assert (counts["sent"], counts["received"]) == (10, 5)
    path = url.removeprefix(network.endpoint)
    assert network.requests() == [("GET", path, "bytes=5-14"), ("PUT", path, None)]


def test_clients_try_again(network: Controlled, fast_s3_server: FastS3Server) -> None:
    place = fast_s3_server.new(through=network.endpoint)
    store = obstore.store.from_url(place.url, **place.options)
    network.fail(status=503)
    obstore.put(store, "x", b"v")
    network.fail(cut=0, method="GET")
    assert bytes(obstore.get(store, "x").bytes()) == b"v"
    assert network.counts()["failed"] == 2


def test_azure_through_a_proxy(azure_server: ObjectServer, proxy: Callable[[str], Controlled]) -> None:
    before = proxy(azure_server.endpoint)
    place = azure_server.new(through=before.endpoint)
    store = obstore.store.from_url(place.url, **place.options)
    obstore.put(store, "x", b"v")
    assert names(store) == ["x"]
    assert obstore.head(store, "x")["size"] == 1
    assert before.counts()["methods"] == {"PUT": 1, "GET": 1, "HEAD": 1}


def test_servers_end_with_the_process() -> None:
    code = (
        "import os, signal, sys; from tests.servers import s3, folders\n"
        "from pathlib import Path\n"
        "with s3.fast_server() as fast, folders.python_http(Path('.')) as url:\n"
        "    print(fast.endpoint, url, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60)
    endpoints = said.stdout.split()
    assert len(endpoints) == 2
    for endpoint in endpoints:
        assert endpoint.startswith(f"http://{HOST}:")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(endpoint, timeout=1).close()
            except urllib.error.HTTPError:
                pass
            except OSError:
                break
            time.sleep(0.02)
        else:
            pytest.fail(f"{endpoint} still answers")
