"""What stores of other machines do when the network or the service fails: they say so, and soon."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.servers.control import Controlled
from tests.servers.google import GCSEmulator
from tests.servers.process import HOST, free_port
from zchunk.errors import ArrayNotFoundError, StoreError
from zchunk.storage import ObjectStore, RedisStore, Store, open_store

pytest.importorskip("obstore", reason="obstore is not installed")

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

BACKOFF = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=5), "base": 2}
RETRY = {"max_retries": 2, "retry_timeout": timedelta(seconds=20), "backoff": BACKOFF}
ONCE = {**RETRY, "max_retries": 0}
DATA = np.arange(1, 17)


class Far:
    """A service behind a network that fails when it is told to."""

    def __init__(self, server: Any, network: Controlled) -> None:
        self.server, self.network = server, network

    def store(self, retry: Any = RETRY, **client: Any) -> ObjectStore:
        """A store in a new bucket."""
        place = self.server.new("x", through=self.network.endpoint, **client)
        return ObjectStore.from_url(place.url, **place.options, retry_config=retry)

    def array(self, **kwargs: Any) -> zchunk.Array:
        """An array of eight chunks that begins with 1."""
        z = zchunk.create(16, chunks=2, dtype="i4", store=self.store(**kwargs), zarr_format=3)
        z[:] = DATA
        return z


@pytest.fixture(params=["fast_s3_server", "gcs_server", "azure_server"])
def far(request: pytest.FixtureRequest, proxy: Callable[[str], Controlled]) -> Far:
    server = request.getfixturevalue(request.param)
    return Far(server, server.network if hasattr(server, "network") else proxy(server.endpoint))


@pytest.fixture
def s3(fast_s3_server: Any) -> Far:
    return Far(fast_s3_server, fast_s3_server.network)


def asked(store: Store) -> dict[str, Callable[[], Any]]:
    """Ways of asking a store for something, by the key or path that an error must name."""
    return {
        "get": lambda: store["c/1"],
        "set": lambda: store.__setitem__("c/1", b"v"),
        "delete": lambda: store.__delitem__("c/1"),
        "contains": lambda: "c/1" in store,
        "size": lambda: store.size("c/1"),
        "range": lambda: store.get_range("c/1", 1, 3),
        "piece": lambda: store.get_piece("c/1", 4),
        "tail": lambda: store.get_piece("c/1", 4, at_end=True),
        "many": lambda: store.get_many(["c/1", "c/2"]),
        "set_many": lambda: store.set_many({"c/1": b"v", "c/2": b"v"}),
        "erase_many": lambda: store.erase_many(["c/1", "c/2"]),
        "erase_prefix": lambda: store.erase_prefix("c"),
        "modify": lambda: store.modify("c/1", lambda old: b"v"),
        "list_dir": lambda: store.list_dir("c"),
        "is_empty": lambda: store.is_empty("c"),
        "iter": lambda: list(store),
        "rename": lambda: store.rename("c", "d"),
    }


def fails(what: str, ask: Callable[[], Any], store: Any) -> None:
    """Check that asking is an error that says of what and where, and nothing of the machinery below."""
    with pytest.raises(StoreError) as caught:
        ask()
    text = str(caught.value)
    assert store.url in text, what
    assert what in ("iter",) or "'c" in text, f"{what}: {text}"
    assert "Debug source" not in text


def array_fails(z: zchunk.Array) -> None:
    """Check that an array whose chunks cannot be had is an error, never fill values."""
    for use in (
        lambda: z[:],
        lambda: z[3],
        lambda: z.vindex[[1, 9]],
        lambda: z.__setitem__(0, 9),
        lambda: z.__setitem__(slice(None), 9),
    ):
        with pytest.raises(StoreError, match="'c/"):
            use()
    with pytest.raises(StoreError):
        zchunk.open_array(z.store, "r")
    with pytest.raises(StoreError):
        zchunk.open_group(z.store, "a", path="g")


@pytest.mark.parametrize("status", [401, 403, 409, 412, 429, 500])
def test_what_a_service_refuses(far: Far, status: int) -> None:
    z = far.array()
    far.network.fail(status=status, times=None)
    for what, ask in asked(z.store).items():
        fails(what, ask, z.store)
    array_fails(z)
    far.network.reset()
    assert z[:].tolist() == DATA.tolist()


def test_connection_refused(far: Far) -> None:
    options = far.server.options(f"http://{HOST}:{free_port()}")
    store = ObjectStore.from_url(f"{far.server.scheme}://bucket/x", **options, retry_config=RETRY)
    for what, ask in asked(store).items():
        fails(what, ask, store)
    with pytest.raises(StoreError):
        zchunk.open(store, mode="r")
    with pytest.raises(StoreError):
        zchunk.create(3, store=store)


def test_bucket_that_is_not_there(far: Far) -> None:
    options = far.server.options(far.server.endpoint)
    store = ObjectStore.from_url(f"{far.server.scheme}://no-such-bucket/x", **options)
    for what, ask in asked(store).items():
        if far.server.scheme == "az" and what == "erase_many":
            # Azure says that nothing is left.
            ask()
        else:
            fails(what, ask, store)
    for use in (
        lambda: zchunk.open(store, mode="r"),
        lambda: zchunk.open_group(store, "a"),
        lambda: zchunk.create(3, store=store),
    ):
        with pytest.raises(StoreError, match="no-such-bucket"):
            use()


def test_what_fails_for_a_while_is_tried_again(far: Far) -> None:
    z = far.array()
    far.network.clear()
    for method in ("GET", "PUT", "GET"):
        far.network.fail(status=503, method=method, times=2)
        z[1:3] = z[1:3] + 1
    assert far.network.counts()["failed"] == 6
    far.network.fail(cut=3, path="c/4")
    assert z[:].tolist() == [1, 5, 6, *DATA[3:]]
    assert far.network.counts()["failed"] == 7


def test_answers_that_are_cut_off(far: Far) -> None:
    z = far.array()
    # Of an answer that goes on for a while the rest is asked for.
    far.network.fail(cut=1, times=None, method="GET")
    for read in (lambda: z[:], lambda: z[5], lambda: z.store["c/1"], lambda: z.store.get_range("c/1", 0, 8)):
        with pytest.raises(StoreError, match="'c/"):
            read()


def test_an_answer_that_does_not_come(s3: Far) -> None:
    """Not even one among many: the read ends with an error, and soon."""
    z = s3.array()
    place = z.store.store
    impatient = type(place)(
        config=place.config, prefix=place.prefix, retry_config=ONCE,
        client_options={"allow_http": True, "timeout": "0.5s"},
    )  # fmt: skip
    hasty = zchunk.open_array(ObjectStore(impatient, "x"), "r+")
    s3.network.fail(stall=3600.0, path="c/5", times=None)
    # On a busy machine others may be late, too.
    with pytest.raises(StoreError, match=r"'c/\d'"):
        hasty[:]
    with pytest.raises(StoreError, match=r"'c/\d'"):
        hasty[:] = 7
    s3.network.reset()
    chunks = z[:].reshape(8, 2).tolist()
    assert all(chunk in ([7, 7], old) for chunk, old in zip(chunks, DATA.reshape(8, 2).tolist(), strict=True))


def test_writes_of_which_some_fail(s3: Far) -> None:
    z = s3.array()
    for status in (403, 500):
        s3.network.reset()
        s3.network.fail(status=status, method="PUT", path="c/5", times=None)
        with pytest.raises(StoreError, match="'c/5'"):
            z[:] = 100 + status
        with pytest.raises(StoreError, match="'c/5'"):
            z.store.set_many({f"c/{i}": b"v" * 8 for i in range(3, 7)})
        # Readers see whole old or new chunks.
        assert z[10:12].tolist() == [11, 12]
        assert z[:2].tolist() == [100 + status] * 2
    s3.network.reset()
    z[:] = 5
    assert z[:].tolist() == [5] * 16


def test_chunks_that_are_deleted_meanwhile(s3: Far) -> None:
    z = s3.array()
    keys = z.store.list_dir("c")
    z.store.erase_many([f"c/{key}" for key in keys[2:]])
    assert z.store.get_many(f"c/{key}" for key in keys).keys() == {"c/0", "c/1"}
    assert z[:].tolist() == [1, 2, 3, 4] + [0] * 12


def test_nodes_that_are_deleted_meanwhile(s3: Far) -> None:
    root = zchunk.group(s3.store())
    for name in "abc":
        root.create_dataset(name, shape=3)
    found = root.arrays()
    next(found)
    root.store.erase_prefix("b")
    # Several are looked at at a time: that one was before it was gone.
    assert [name for name, _ in found] == ["b", "c"]
    assert [name for name, _ in root.arrays()] == ["a", "c"]
    names = root.store.list_dir()
    root.store.list_dir = lambda path="": names if path == "" else []  # type: ignore[method-assign]
    root.store.erase_prefix("c")
    assert [name for name, _ in root.arrays()] == ["a"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_metadata_that_cannot_be_written(s3: Far, zarr_format: int) -> None:
    """There is the whole node or none."""
    store = s3.store()
    root = zchunk.open_group(store, "w", zarr_format=zarr_format)
    names = {2: (".zarray", ".zattrs"), 3: ("zarr.json",)}[zarr_format]
    for name in names:
        s3.network.reset()
        s3.network.fail(status=403, method="PUT", path=f"x/a/{name}", times=None)
        with pytest.raises(StoreError, match=f"'a/{name}'"):
            root.create_dataset("a", data=DATA, chunks=4, attributes={"unit": "m"})
        assert "a" not in root
        with pytest.raises(ArrayNotFoundError):
            zchunk.open_array(store, "r", path="a")
    s3.network.reset()
    z = root.create_dataset("a", data=DATA, chunks=4, attributes={"unit": "m"})
    assert (z[:] == DATA).all()
    s3.network.fail(status=403, method="PUT", path=names[0], times=None)
    with pytest.raises(StoreError):
        z.resize(20)
    with pytest.raises(StoreError):
        z.append([1, 2])
    s3.network.reset()
    assert z.shape == zchunk.open_array(store, "r", path="a").shape == (16,)
    s3.network.fail(status=500, method="PUT", times=None)
    with pytest.raises(StoreError):
        z.attrs["unit"] = "km"
    s3.network.reset()
    assert z.attrs.asdict() == {"unit": "m"}


def test_an_answer_to_a_write_that_is_lost(far: Far) -> None:
    """It is sent again, and meets what it has written itself."""
    z = far.array()
    z.attrs["n"] = 0
    for change, result in (
        (lambda: z.attrs.__setitem__("n", 1), lambda: z.attrs["n"] == 1),
        (lambda: z.__setitem__(1, 50), lambda: z[:3].tolist() == [1, 50, 3]),
        (lambda: z.__setitem__(slice(4, 8), 60), lambda: z[3:9].tolist() == [4, 60, 60, 60, 60, 9]),
        (lambda: z.append([7, 8]), lambda: z.shape == (18,) and z[16:].tolist() == [7, 8]),
    ):
        far.network.fail(drop=True, method="PUT")
        change()
        assert result()
    assert far.network.counts()["failed"] == 4
    assert zchunk.open_array(z.store, "r").shape == (18,)


def test_what_others_delete_while_it_is_changed(s3: Far) -> None:
    store = s3.store()
    store["k"] = b"old"
    seen = []

    def change(old: bytes | None) -> bytes:
        seen.append(old)
        if old is not None:
            del store["k"]
        return (old or b"") + b"new"

    store.modify("k", change)
    assert seen == [b"old", None]
    assert store["k"] == b"new"


def test_services_without_conditional_puts(s3: Far) -> None:
    place = s3.server.new("x")
    store = ObjectStore.from_url(place.url, **place.options, conditional_put="disabled")
    root = zchunk.open_group(store, "w", zarr_format=3)
    root.attrs.update(a=1)
    root.attrs["b"] = 2
    assert zchunk.open_group(store, "r").attrs.asdict() == {"a": 1, "b": 2}


# ---- fsspec's file systems


@pytest.fixture
def site(tmp_path: Path, http_folder: Callable[[Path], str], proxy: Any) -> tuple[str, Controlled]:
    """The address of an array behind a network, and that network."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    z = zchunk.create(16, chunks=2, dtype="i4", store=str(tmp_path / "x.zarr"), zarr_format=3)
    z[:] = DATA
    zchunk.save_array(str(tmp_path / "x.zip"), DATA)
    network = proxy(http_folder(tmp_path))
    return network.endpoint, network


FAILURES: dict[str, dict[str, Any]] = {
    "forbidden": {"status": 403},
    "broken": {"status": 500},
    "cut": {"cut": 5},
    "dropped": {"drop": True},
}


def test_web_pages(site: tuple[str, Controlled]) -> None:
    url, network = site
    z = zchunk.open_array(f"{url}/x.zarr", "r")
    for failure, rule in FAILURES.items():
        network.fail(**rule, times=None)
        for read in (
            lambda: z[:],
            lambda: z[5],
            lambda: z.store["c/1"],
            lambda: z.store.get_many(["c/1", "c/2"]),
            lambda: z.store.get_range("c/1", 2, 8),
        ):
            with pytest.raises(StoreError, match=r"'c/.*/x\.zarr") as caught:
                read()
            assert url in str(caught.value)
        for ask in (
            lambda: "c/1" in z.store,
            lambda: z.store.size("c/1"),
            lambda: z.store.is_empty("c"),
            lambda: z.store.list_dir("c"),
            lambda: list(z.store),
            lambda: zchunk.open(f"{url}/x.zip", mode="r"),
        ):
            # The size is in the head of the answer, and what is cut off may be no page of links.
            if failure != "cut":
                with pytest.raises(StoreError):
                    ask()
        network.reset()
    assert (z[:] == DATA).all()
    assert "c/1" in z.store
    assert "c/9" not in z.store
    assert z.store.is_empty("d")


def test_web_pages_refused(site: tuple[str, Controlled]) -> None:
    store = open_store(f"http://{HOST}:{free_port()}/x.zarr", "r")
    for ask in (lambda: store["c/1"], lambda: "c/1" in store, lambda: store.size("c/1"), lambda: list(store)):
        with pytest.raises(StoreError):
            ask()
    with pytest.raises(StoreError):
        zchunk.open(store, mode="r")
    with pytest.raises(StoreError):
        zchunk.open(f"http://{HOST}:{free_port()}/x.zip", mode="r")
    with pytest.raises(FileNotFoundError, match=r"x\.zap"):
        zchunk.open(f"{site[0]}/x.zap.zip", mode="r")


def test_web_page_that_does_not_come(site: tuple[str, Controlled]) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    url, network = site
    timeout = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=2)}}
    z = zchunk.open_array(f"{url}/x.zarr", "r", storage_options=timeout)
    network.fail(stall=3600.0, path="c/5", times=None)
    with pytest.raises(StoreError, match=r"'c/\d'"):
        z[:]


def test_gcsfs(gcs_emulator: GCSEmulator, proxy: Callable[[str], Controlled]) -> None:
    network = proxy(gcs_emulator.endpoint)
    options = {**gcs_emulator.options, "endpoint_url": network.endpoint}
    store = zchunk.FSStore(gcs_emulator.new("x.zarr"), **options)
    z = zchunk.create(4, chunks=2, dtype="i4", store=store)
    z[:] = 1
    network.fail(status=403, times=None)
    for use in (lambda: z[:], lambda: z.__setitem__(slice(None), 7), lambda: z.store["0"]):
        with pytest.raises(StoreError, match=r"'\d+'.*x\.zarr"):
            use()
    with pytest.raises(StoreError):
        _ = "0" in store


# ---- Redis


def test_redis_refused() -> None:
    redis = pytest.importorskip("redis")
    from redis.backoff import NoBackoff

    store = RedisStore(host=HOST, port=free_port(), retry=redis.retry.Retry(NoBackoff(), 1))
    for what, ask in asked(store).items():
        fails(what, ask, store)
    with pytest.raises(StoreError):
        zchunk.open(store, mode="r")


def test_what_cannot_be_a_chunk_is_not_fetched(fast_s3_server: Any) -> None:
    place = fast_s3_server.new("x.zarr")
    z = zchunk.open_array(
        place.url, "w", shape=16, chunks=8, dtype="i1", compressor=None, storage_options=place.options
    )
    z[...] = 1
    z.store["1"] = bytes(10**7)
    before = fast_s3_server.network.counts()["sent"]
    with pytest.raises(StoreError, match=r"'1' .*10000000 bytes"):
        z[...]
    assert z[:8].tolist() == [1] * 8
    # The connection is closed before all of it is sent.
    assert fast_s3_server.network.counts()["sent"] - before < 10**7
