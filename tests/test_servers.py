"""The servers of `tests.servers` do what tests of stores rely on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.places import ObjectServer

obstore = pytest.importorskip("obstore")
from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: E402


@pytest.fixture(params=["s3_server", "azure_server"])
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
