"""`RedisStore`, on a real server."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.servers.process import HOST, free_port, running
from tests.servers.redisdb import RedisServer
from tests.store_conformance import StoreConformance, in_child
from zchunk.engine import execute
from zchunk.errors import InvalidKeyError, StoreError
from zchunk.storage import RedisStore, Store, ZipStore
from zchunk.storage.databases import redis as module

redis = pytest.importorskip("redis")
ZARR2 = os.environ.get("ZCHUNK_ZARR2_PYTHON", "")
SECRET = "s3cret/&?pass"
_prefixes = count()


class Server:
    """A server on a port of the loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def stop(self) -> None:
        client = redis.Redis(port=self.port, retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0))
        client.shutdown(nosave=True)

    def store(self, **options: Any) -> RedisStore:
        """A store that nobody else uses."""
        options = {"prefix": f"p{next(_prefixes)}", **options}
        return RedisStore(host="127.0.0.1", port=self.port, **options)


@pytest.fixture
def server(redis_server: RedisServer) -> Server:
    return Server(redis_server.port)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of one's own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with ExitStack() as stack:

        def make(*options: str) -> Server:
            port = free_port()
            command = [program, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
            stack.enter_context(running([*command, *options], port, cwd=tmp_path))
            return Server(port)

        yield make


class TestRedisStore(StoreConformance):
    folders = False

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.server = server

    def make(self, path: Path) -> Store:
        # The prefix has all that patterns of keys give a meaning.
        return self.server.store(prefix=f"*?[a-b]\\{next(_prefixes)}")


# ---- the server's keys


def test_layout_and_foreign_keys(server: Server) -> None:
    store = server.store(prefix="data/x[1]")
    store["a/0.0"] = b"v"
    assert store.client.get(b"data/x[1]:a/0.0") == b"v"
    foreign = {b"data/x[1]:\xff": b"v", b"data/x[1]:a//b": b"v", b"data/x1:k": b"v", b"data/x[1]": b"v"}
    store.client.mset(foreign)
    assert list(store) == ["a/0.0"]
    assert store.list_dir() == ["a"]
    store.clear()
    assert list(store) == []
    assert store.client.mget(list(foreign)) == [b"v"] * 4


@pytest.mark.skipif(not ZARR2, reason="ZCHUNK_ZARR2_PYTHON names no interpreter with zarr 2.18.7")
def test_zarr_2_and_this_read_each_other(server: Server) -> None:
    if subprocess.run([ZARR2, "-c", "import redis"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("zarr 2's environment has no package redis")
    store = server.store()
    ours = zchunk.open_group(store, "w").create_dataset("ours", data=np.arange(100).reshape(10, 10), chunks=3)
    ours.attrs["a"] = "ü"
    code = (
        "import zarr, numpy as np\n"
        f"store = zarr.RedisStore({store._prefix!r}, host='127.0.0.1', port={server.port})\n"
        "root = zarr.open_group(store, 'a')\n"
        "assert (root['ours'][:] == np.arange(100).reshape(10, 10)).all()\n"
        "assert root['ours'].attrs['a'] == 'ü'\n"
        "root['theirs'] = root['ours'][:] * 2\n"
        "print(sorted(store))"
    )
    answer = subprocess.run([ZARR2, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == str(sorted(store))
    assert (zchunk.open_group(store, "r")["theirs"][:] == ours[:] * 2).all()


def test_many_keys_are_listed_once(server: Server) -> None:
    store = server.store()
    expected = {f"a/{i % 7}/{i}": b"%d" % i for i in range(5000)}
    store.set_many(expected)
    assert sorted(store) == sorted(expected)
    assert len(store) == 5000
    assert store.list_dir("a") == [str(i) for i in range(7)]
    assert len(store.list_dir("a/3")) == sum(i % 7 == 3 for i in range(5000))
    assert store.get_many([*expected, "missing"]) == expected
    store.rename("a", "b")
    assert store.is_empty("a")
    assert len(store) == 5000
    store.erase_prefix("b/3")
    assert len(store) == 5000 - sum(i % 7 == 3 for i in range(5000))
    store.clear()
    assert len(store) == 0


def test_batches_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_BYTES", 1000)
    monkeypatch.setattr(module, "_BATCH_KEYS", 7)
    store = server.store()
    values = {f"k/{i}": bytes([i]) * (i * 37 % 900) for i in range(100)} | {"large": bytes(5000)}
    store.set_many(values)
    assert store.get_many(["none", *values, "nowhere"]) == values
    asked = store.client.info("commandstats")
    assert asked["cmdstat_mset"]["calls"] > 40
    assert asked["cmdstat_mget"]["calls"] > 15
    store.erase_many(values)
    assert len(store) == 0


def test_empty_is_not_missing(server: Server) -> None:
    store = server.store()
    store["empty"] = b""
    assert store["empty"] == b""
    assert store.size("empty") == 0
    assert store.get_many(["empty", "missing"]) == {"empty": b""}
    for start, stop in [(0, 0), (0, None), (3, 9), (2**70, None), (2**70, 2**71)]:
        assert store.get_range("empty", start, stop) == b""
        with pytest.raises(KeyError):
            store.get_range("missing", start, stop)


def test_ranges_and_pieces_are_one_request_each(server: Server) -> None:
    store = server.store()
    store["k"] = bytes(range(100))
    before = store.client.info("stats")["total_commands_processed"]
    parts = store.get_ranges("k", [(3, 5), (7, 7), (90, 200), (300, 301), (0, 0)])
    assert parts == [b"\3\4", b"", bytes(range(90, 100)), b"", b""]
    assert store.client.info("stats")["total_commands_processed"] - before < 10
    for nbytes in (0, 1, 100, 1000):
        assert store.get_piece("k", nbytes)[:2] == (bytes(range(100))[:nbytes], 100)
        assert store.get_piece("k", nbytes, at_end=True)[:2] == (bytes(range(100))[-nbytes or 100 :], 100)
    store["empty"] = b""
    assert store.get_piece("empty", 10, at_end=True)[:2] == (b"", 0)
    for missing in (lambda: store.get_ranges("missing", [(0, 1)]), lambda: store.get_piece("missing", 9)):
        with pytest.raises(KeyError):
            missing()
    with pytest.raises(ValueError, match="byte range"):
        store.get_ranges("k", [(3, 1)])


def test_what_is_no_string_is_not_missing(server: Server) -> None:
    store = server.store()
    store["k"] = b"v"
    store.client.rpush(store._name("list"), "x")
    for operation in (
        lambda: store["list"],
        lambda: store.size("list"),
        lambda: store.get_range("list", 0, 1),
        lambda: store.get_many(["k", "list", "missing"]),
        lambda: store.modify("list", lambda value: b"v"),
    ):
        with pytest.raises(StoreError, match=r"list.*WRONGTYPE"):
            operation()


def test_options(server: Server) -> None:
    with pytest.raises(ValueError, match="decode_responses"):
        server.store(decode_responses=True)
    assert server.store(dimension_separator="/")._dimension_separator == "/"
    store = server.store(db=3)
    store["k"] = b"v"
    assert f":{server.port}/3/" in repr(store)
    assert list(server.store(prefix=store._prefix)) == []
    assert store != server.store(prefix=store._prefix)
    assert store.lock_identity == server.store(prefix=store._prefix, db=3).lock_identity
    with store:
        pass
    # It connects again.
    assert store["k"] == b"v"


def test_urls(server: Server) -> None:
    store = RedisStore.from_url(f"redis://127.0.0.1:{server.port}/2/my/dat%61", dimension_separator="/")
    store["k"] = b"v"
    assert store.url == f"redis://127.0.0.1:{server.port}/2/my/data"
    assert store == server.store(prefix="my/data", db=2)
    assert RedisStore.from_url("redis://host").url == "redis://host:6379/0/zarr"
    assert RedisStore.from_url("redis://[::1]/1/").url == "redis://[::1]:6379/1/zarr"
    assert RedisStore.from_url("redis://host/0/x", prefix="y").url == "redis://host:6379/0/y"
    assert RedisStore.from_url("rediss://:p%2Fw@host")._kwargs["ssl"] is True
    assert RedisStore.from_url("redis://:p%2Fw@host")._kwargs["password"] == "p/w"
    wrong = ("http://h", "redis://", "redis://h/x", "redis://h/0/x?db=1", "redis://h:x")
    for url in (*wrong, f"redis://u:{SECRET}@h", f"redis://u:1/{SECRET}@h"):
        with pytest.raises(ValueError, match="redis://") as caught:
            RedisStore.from_url(url)
        assert "s3cret" not in str(caught.value)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match="pip install redis"):
        RedisStore()


# ---- arrays


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("options", [{}, {"zarr_format": 3}, {"zarr_format": 3, "shards": (8, 8)}], ids=str)
def test_arrays(
    server: Server, options: dict[str, Any], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "native_enabled", native)
    store = server.store()
    data = np.arange(30 * 20, dtype="f4").reshape(30, 20)
    options = {"chunks": (4, 4), "dtype": "f4", "fill_value": -1, **options}
    z = zchunk.create(data.shape, store=store, path="g/z", **options)
    assert (z[:] == -1).all()
    z[3:, 1:] = data[3:, 1:]
    data[:3], data[:, :1] = -1, -1
    z.attrs["a"] = 1
    again = zchunk.open_array(store, path="g/z", mode="r")
    assert (again[:] == data).all()
    assert (again[5, ::3] == data[5, ::3]).all()
    assert (again.oindex[[1, 7, 29], [0, 19]] == data[[1, 7, 29]][:, [0, 19]]).all()
    assert dict(again.attrs) == {"a": 1}
    assert list(zchunk.open_group(store, "r")["g"].array_keys()) == ["z"]
    z.resize(10, 10)
    assert (zchunk.open_array(store, path="g/z", mode="r")[:] == data[:10, :10]).all()


def test_processes_that_write_one_shard_lose_nothing(server: Server) -> None:
    prefix = server.store()._prefix
    z = zchunk.create(
        (8, 8), chunks=(1, 8), shards=(8, 8), zarr_format=3, dtype="i4", store=server.store(prefix=prefix)
    )
    code = (
        "import sys, zchunk; from zchunk.storage import RedisStore\n"
        f"store = RedisStore({prefix!r}, host='127.0.0.1', port={server.port})\n"
        "z = zchunk.open_array(store, mode='r+'); row = int(sys.argv[1])\n"
        "for i in range(20): z[row] = i + row\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(row)]) for row in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert z[:4].tolist() == [[19 + row] * 8 for row in range(4)]


# ---- secrets, pickles


def test_secrets_stay_secret(start: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server = start("--requirepass", SECRET)
    store = server.store(password=SECRET)
    store["k"] = b"v"
    assert SECRET not in repr(store) + store.url + store.lock_identity
    pickled = pickle.dumps(store)
    assert SECRET.encode() not in pickled
    monkeypatch.delenv("REDIS_PASSWORD", raising=False)
    monkeypatch.setenv("REDIS_USERNAME", "nobody")
    with pytest.raises(StoreError, match="uthenticat"):
        pickle.loads(pickled)["k"]
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    copy = pickle.loads(pickled)
    assert copy["k"] == b"v"
    # Also of a copy of a copy; the user name was not left out.
    assert SECRET.encode() not in pickle.dumps(copy)
    assert pickle.loads(pickle.dumps(copy))["k"] == b"v"
    monkeypatch.delenv("REDIS_PASSWORD")
    trusting = server.store(password=SECRET, prefix=store._prefix, pickle_credentials=True)
    assert pickle.loads(pickle.loads(pickle.dumps(pickle.dumps(trusting))))["k"] == b"v"
    with pytest.raises(StoreError) as caught:
        server.store(username="me", password="wr0ng/" + SECRET)["k"]
    assert "wr0ng" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


# ---- errors


def test_no_server(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = RedisStore(host="127.0.0.1", port=port, retry=None)
    for operation in (
        lambda: store["a/k"],
        lambda: store.get("a/k"),
        lambda: store.__setitem__("a/k", b"v"),
        lambda: store.__delitem__("a/k"),
        lambda: "a/k" in store,
        lambda: store.get_many(["a/k"]),
        lambda: store.get_range("a/k", 0, 1),
        lambda: store.size("a/k"),
        lambda: store.modify("a/k", lambda value: value),
    ):
        with pytest.raises(StoreError, match=rf"redis://127.0.0.1:{port}/0/zarr: .*'a/k'") as caught:
            operation()
        assert not isinstance(caught.value, KeyError)
    for operation in (lambda: list(store), lambda: store.list_dir("a"), lambda: store.is_empty("a")):
        with pytest.raises(StoreError, match="keys below"):
            operation()


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisStore(host="127.0.0.1", port=silent.getsockname()[1], socket_timeout=0.1, retry=None)
        with pytest.raises(StoreError, match=r"'k'.*[Tt]imeout"):
            store["k"]


def test_a_full_server(start: Callable[..., Server]) -> None:
    store = start("--maxmemory", "4mb", "--maxmemory-policy", "noeviction").store()
    z = zchunk.create((64, 1 << 20), chunks=(1, 1 << 20), dtype="u1", store=store, compressor=None)
    with pytest.raises(StoreError, match=r"'\d+.0'.*maxmemory"):
        z[:] = 1


@pytest.mark.parametrize("native", [True, False])
def test_a_killed_server_is_no_missing_chunk(
    start: Callable[..., Server], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "native_enabled", native)
    server = start()
    store = server.store()
    z = zchunk.create((64, 1 << 18), chunks=(1, 1 << 18), dtype="u1", store=store, compressor=None)
    z[:] = 1
    mget, asked = store.client.mget, count()

    def kill_on_the_way(names: Any) -> Any:
        values = mget(names)
        if next(asked) == 1:
            server.stop()
        return values

    monkeypatch.setattr(module, "_BATCH_BYTES", 1 << 20)
    monkeypatch.setattr(store.client, "mget", kill_on_the_way)
    with pytest.raises(StoreError, match="keys from"):
        store.get_many([f"{i}.0" for i in range(64)])
    with pytest.raises(StoreError, match="keys from"):
        z[:]


def test_connections_that_were_cut_are_made_again(server: Server) -> None:
    store, other = server.store(), server.store()
    store["k"] = b"v"
    for _ in range(3):
        other.client.client_kill_filter(_type="normal", skipme=True)
        assert store["k"] == b"v"
        other.client.client_kill_filter(_type="normal", skipme=True)
        store.modify("k", lambda value: value)


# ---- updates


def test_modify(server: Server) -> None:
    store = server.store()
    seen: list[bytes | None] = []

    def change(value: bytes | None) -> bytes | None:
        seen.append(value)
        if len(seen) == 1:
            # Someone else comes first.
            server.store(prefix=store._prefix)["k"] = b"other"
        return (value or b"") + b"!"

    store.modify("k", change)
    assert seen == [None, b"other"]
    assert store["k"] == b"other!"
    store.modify("k", lambda value: None)
    assert "k" not in store
    store.modify("k", lambda value: None)
    assert "k" not in store
    with pytest.raises(ZeroDivisionError):
        store.modify("k", lambda value: b"v" * (1 // 0))
    with pytest.raises(InvalidKeyError):
        store.modify("../k", lambda value: b"v")
    store.modify("k", lambda value: b"v")
    assert store["k"] == b"v"


def test_modify_gives_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ATTEMPTS", 5)
    store, others = server.store(), count()

    def change(value: bytes | None) -> bytes:
        store["k"] = b"%d" % next(others)
        return b"mine"

    with pytest.raises(StoreError, match="5 times"):
        store.modify("k", change)
    assert store["k"] == b"4"


def test_modify_says_that_the_connection_failed(server: Server) -> None:
    store, other, calls = server.store(), server.store(), count(1)

    def change(value: bytes | None) -> bytes:
        next(calls)
        other.client.client_kill_filter(_type="normal", skipme=True)
        return b"v"

    with pytest.raises(StoreError, match="'k'"):
        store.modify("k", change)
    assert next(calls) == 2


def test_processes_lose_no_update(server: Server) -> None:
    store = server.store()
    code = (
        "import sys; from zchunk.storage import RedisStore\n"
        f"store = RedisStore({store._prefix!r}, host='127.0.0.1', port={server.port})\n"
        "for i in range(100): store.modify('n', lambda value: b'%d' % (int(value or 0) + 1))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert store["n"] == b"400"


# ---- forks


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_has_a_connection_of_its_own(server: Server) -> None:
    store = server.store()
    store["k"] = b"v"
    mine = store.client.client_id()
    theirs, value = in_child(lambda: (store.client.client_id(), store["k"]))
    assert theirs != mine
    assert value == b"v"
    assert store.client.client_id() == mine


# ---- archives


def test_a_zip_archive_in_a_server(server: Server, tmp_path: Path, path: str) -> None:
    data = np.arange(10_000).reshape(100, 100)
    zchunk.save_array(str(tmp_path / "a.zip"), data, chunks=(10, 100))
    below = server.store()
    below["a.zip"] = (tmp_path / "a.zip").read_bytes()
    store = pickle.loads(pickle.dumps(ZipStore.over(below, "a.zip")))
    z = zchunk.open_array(store, mode="r")
    assert (z[...] == data).all()
    assert (z[33, ::7] == data[33, ::7]).all()
    below["a.zip"] = b"cut"
    with pytest.raises(StoreError, match=r"a\.zip"):
        z[...]
