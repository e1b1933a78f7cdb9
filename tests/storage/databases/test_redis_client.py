"""URLs of Redis, which show no secrets, and the patience of its clients. Needs no server."""

from __future__ import annotations

from typing import Any

import pytest

from zchunk.storage.databases.redis_client import client, parse_url, url_of


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h", {"host": "h", "port": 6379, "db": 0}),
        ("redis://h:1/2", {"host": "h", "port": 1, "db": 2}),
        ("redis://u%40:p%2F@h//a%20b/c", {"host": "h", "port": 6379, "db": 0, "prefix": "a b/c"}),
        ("rediss://[::1]:7/3/x", {"host": "::1", "port": 7, "db": 3, "prefix": "x", "ssl": True}),
    ],
)
def test_urls(url: str, options: dict[str, Any]) -> None:
    found = parse_url(url)
    if "@" in url:
        assert (found.pop("username"), found.pop("password")) == ("u@", "p/")
    assert found == options


@pytest.mark.parametrize(
    "url",
    ["http://h", "redis:///0", "redis://h:port", "redis://h/x", "redis://:S3CRET@h/0?a=1", "redis://h/0#S3CRET"],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="a Redis URL is") as caught:
        parse_url(url)
    assert "S3CRET" not in str(caught.value)


def test_what_a_store_is_called() -> None:
    assert url_of({"password": "S3CRET"}, "a b/") == "redis://localhost:6379/0/a%20b/"
    assert url_of({"host": "::1", "port": 7, "db": 3}, "") == "redis://[::1]:7/3/"
    assert url_of({"path": "/run/r s"}, "x") == "unix:///run/r%20s/0/x"
    assert parse_url(url_of({"host": "h", "port": 1, "db": 2}, "a b/c"))["prefix"] == "a b/c"


def test_clients_give_up_at_some_time_and_not_at_once() -> None:
    pytest.importorskip("redis")
    found = client({"host": "h", "socket_timeout": 3}).connection_pool.connection_kwargs
    assert found["host"] == "h"
    assert found["socket_timeout"] == 3
    assert found["socket_connect_timeout"] > 0
    assert found["retry"]._retries > 0
