"""How a Redis server is reached: the package, its options, and URLs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

# Seconds: to connect, and to wait for an answer.
_CONNECT_TIMEOUT, _TIMEOUT = 10.0, 60.0
# A request is repeated so often if the connection fails, after pauses of 0.1 to 1 second.
_RETRIES, _BACKOFF, _BACKOFF_MAX = 3, 0.05, 1.0


def redis_package() -> Any:
    """Return the package ``redis``."""
    try:
        import redis
    except ImportError:
        raise ImportError(
            "RedisStore needs the package redis: pip install redis"
        ) from None
    return redis


def client(options: dict[str, Any]) -> Any:
    """Return a `redis.Redis` that gives up on a server at some time, and not at once."""
    redis = redis_package()
    defaults = {
        "socket_connect_timeout": _CONNECT_TIMEOUT,
        "socket_timeout": _TIMEOUT,
        "retry": redis.retry.Retry(redis.backoff.ExponentialBackoff(_BACKOFF_MAX, _BACKOFF), _RETRIES),
        "retry_on_error": [redis.ConnectionError, redis.TimeoutError],
    }
    return redis.Redis(**{**defaults, **options})


def url_of(connection: dict[str, Any], prefix: str) -> str:
    """Return the URL of a store, without what is secret."""
    where = f"{connection.get('db', 0)}/{quote(prefix)}"
    if "path" in connection:
        return f"unix://{quote(str(connection['path']))}/{where}"
    host = connection.get("host", "localhost")
    return f"redis://{f'[{host}]' if ':' in host else host}:{connection.get('port', 6379)}/{where}"


def parse_url(url: str) -> dict[str, Any]:
    """Return what a URL says, as arguments of `RedisStore`. Errors do not show the URL, which has secrets."""
    wrong = "a Redis URL is redis://[user:password@]host[:port][/db[/prefix]], user and password %-encoded"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    db, _, prefix = parts.path.removeprefix("/").partition("/")
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(wrong)
    if not (db or "0").isdecimal():
        raise ValueError(f"{wrong}; db is a number")
    options: dict[str, Any] = {"host": parts.hostname, "port": port or 6379, "db": int(db or 0)}
    if prefix:
        options["prefix"] = unquote(prefix)
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            options[name] = unquote(value)
    if parts.scheme == "rediss":
        options["ssl"] = True
    return options
