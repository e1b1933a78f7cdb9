"""`RedisStore`: values in a Redis server."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from zchunk.errors import StoreError
from zchunk.runtime.fork import PerProcess
from zchunk.spec.keys import UNFINISHED_KEY, check_key, check_rename, is_key
from zchunk.storage.base import Piece, Store
from zchunk.storage.checks import DimensionSeparator, as_buffer, check_path, check_range, check_separator
from zchunk.storage.databases.redis_client import client, parse_url, redis_package, url_of

if TYPE_CHECKING:
    from zchunk.typing import Bytes

# What a request or a reply has at most, about.
_BATCH_BYTES = 16 << 20
_BATCH_KEYS = 1000
# Keys of a first request, whose values tell how large others are.
_FIRST_KEYS = 16
# The server counts in 64 bits; no value is as long.
_POSITION_MAX = 1 << 62
# Times that `modify` begins again because of others, with pauses of some milliseconds.
_ATTEMPTS = 1000
_PAUSE = 0.005
# Options that are secret, and the variables where an unpickled store looks for them.
_CREDENTIALS = {
    "username": "REDIS_USERNAME",
    "password": "REDIS_PASSWORD",
    "credential_provider": "",
    "ssl_password": "",
}


class RedisStore(Store):
    """A store in a Redis server. Needs the package ``redis``.

    Parameters
    ----------
    prefix : str, default "zarr"
        The value of key ``k`` is the string ``prefix:k`` of the server, as in zarr 2.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    pickle_credentials : bool, default False
        Whether a pickle holds user name and password. Without, the copy takes those that the store was made
        with from the environment variables REDIS_USERNAME and REDIS_PASSWORD.
    **kwargs
        Passed to `redis.Redis`: ``host``, ``port``, ``db``, ``username``, ``password``, ``ssl``,
        ``unix_socket_path``, … Unless told, an answer is waited for 60 seconds, and requests are repeated
        three times if the connection fails.

    Notes
    -----
    Safe to use from many threads and processes; after a fork the child connects anew. A value is replaced in
    one step. `set_many` stores several values in one step, up to 16 MiB; `rename` is one step; `modify` loses
    no update of each other. Listing keys looks at all keys of the database, whatever their
    prefix. How durable values are is up to the server. It takes values of at most 512 MiB, unless told.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.RedisStore("run", host="localhost", port=6379)  # doctest: +SKIP
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)  # doctest: +SKIP
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.redis"

    verbatim = True

    def __init__(
        self,
        prefix: str = "zarr",
        dimension_separator: DimensionSeparator | None = None,
        pickle_credentials: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("decode_responses"):
            raise ValueError("values are bytes; leave decode_responses out")
        self._prefix = prefix
        self._dimension_separator = check_separator(dimension_separator)
        self._pickle_credentials = pickle_credentials
        self._kwargs = kwargs
        self._client = PerProcess(partial(client, kwargs))
        self.url = url_of(self.client.connection_pool.connection_kwargs, prefix)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> RedisStore:
        """Return the store that a URL names.

        Parameters
        ----------
        url : str
            ``redis://[[user]:password@]host[:port][/db[/prefix]]``, ``rediss`` for TLS; user, password and
            prefix %-encoded.
        **options
            As for `RedisStore`. They go before what the URL says.

        Raises
        ------
        ValueError
            For another URL.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.RedisStore.from_url("redis://localhost:6379/0/run")  # doctest: +SKIP
        """
        return cls(**{**parse_url(url), **options})

    @property
    def client(self) -> Any:
        """The `redis.Redis` of this process."""
        return self._client()

    @property
    def lock_identity(self) -> str:
        return self.url

    def __getstate__(self) -> dict[str, Any]:
        kept = {k: v for k, v in self._kwargs.items() if self._pickle_credentials or k not in _CREDENTIALS}
        return {
            "prefix": self._prefix,
            "dimension_separator": self._dimension_separator,
            "pickle_credentials": self._pickle_credentials,
            "kwargs": kept,
            "left_out": [name for name in self._kwargs if name not in kept],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        kwargs, left_out = state.pop("kwargs"), state.pop("left_out")
        for name, variable in _CREDENTIALS.items():
            if name in left_out and variable in os.environ:
                kwargs[name] = os.environ[variable]
        self.__init__(**state, **kwargs)  # type: ignore[misc]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisStore) and self.url == other.url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    # ---- names and errors

    def _name(self, key: object) -> bytes:
        return f"{self._prefix}:{check_key(key)}".encode()

    @contextmanager
    def _using(self, what: str) -> Iterator[Any]:
        """Give the client, and say what was asked for if it fails."""
        try:
            yield self.client
        except redis_package().RedisError as error:
            raise StoreError(f"{self.url}: {what}: {error}") from error

    def _ask(self, key: str, *commands: tuple[Any, ...]) -> list[Any]:
        """Return what commands say of the value of a key, in one step, in which it is seen to be there."""
        name = self._name(key)
        with self._using(f"key {key!r}") as client, client.pipeline() as pipe:
            pipe.exists(name)
            for command, *arguments in commands:
                pipe.execute_command(command, name, *arguments)
            exists, *answers = pipe.execute()
        if not exists:
            raise KeyError(key)
        return list(answers)

    # ---- values

    def __getitem__(self, key: str) -> bytes:
        name = self._name(key)
        with self._using(f"key {key!r}") as client:
            value: bytes | None = client.get(name)
        if value is None:
            raise KeyError(key)
        return value

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        (part,) = self._ask(key, _range(start, stop))
        return bytes(part)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]], version: object = None) -> list[bytes]:
        return self._ask(key, *[_range(start, stop) for start, stop in ranges])

    def get_piece(self, key: str, nbytes: int, at_end: bool = False) -> Piece:
        last = ("GETRANGE", -nbytes, -1)
        return Piece(*self._ask(key, last if at_end and nbytes else _range(0, nbytes), ("STRLEN",)))

    def size(self, key: str) -> int:
        (size,) = self._ask(key, ("STRLEN",))
        return int(size)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        names = {key: self._name(key) for key in keys}
        found: dict[str, bytes] = {}
        nbytes, missing = 0, list[str]()
        todo, count = iter(names), _FIRST_KEYS
        while batch := list(islice(todo, count)):
            with self._using(f"{len(batch)} keys from {batch[0]!r} on") as client:
                values = client.mget([names[key] for key in batch])
            for key, value in zip(batch, values, strict=True):
                if value is None:
                    missing.append(key)
                else:
                    found[key] = value
                    nbytes += len(value)
            mean = nbytes // max(len(found), 1)
            count = min(max(_BATCH_BYTES // max(mean, 1), 1), _BATCH_KEYS)
        for batch in _batches(missing):
            with self._using(f"{len(batch)} keys from {batch[0]!r} on") as client:
                there = client.exists(*[names[key] for key in batch])
            if there:
                # MGET says of what is no string that it is not there.
                found |= super().get_many(batch)
        return found

    def __setitem__(self, key: str, value: Bytes) -> None:
        self.set_many({key: value})

    @property
    def _trace_names(self) -> tuple[str, ...]:
        # Other processes may use the database.
        return (UNFINISHED_KEY,)

    def set_new(self, key: str, value: Bytes) -> bool:
        if type(self).__setitem__ is not RedisStore.__setitem__:
            return super().set_new(key, value)
        name, data = self._name(key), as_buffer(value)
        with self._using(f"key {key!r}") as client:
            return bool(client.set(name, data, nx=True))

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        batch: dict[bytes, bytes | memoryview] = {}
        nbytes, checked = 0, {key: self._name(key) for key in items}
        values = {key: as_buffer(value) for key, value in items.items()}
        for key, value in values.items():
            if batch and (nbytes + len(value) > _BATCH_BYTES or len(batch) >= _BATCH_KEYS):
                self._put(batch, key)
                batch, nbytes = {}, 0
            batch[checked[key]] = value
            nbytes += len(value)
        if batch:
            self._put(batch, key)

    def _put(self, batch: dict[bytes, bytes | memoryview], last: str) -> None:
        what = f"key {last!r}" if len(batch) == 1 else f"{len(batch)} keys before or at {last!r}"
        with self._using(what) as client:
            client.mset(batch)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of many keys, at once.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.RedisStore("run")  # doctest: +SKIP
        >>> store.update({"a": b"value", "b": b"other"})  # doctest: +SKIP
        """
        self.set_many(dict(*args, **kwargs))

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        """Replace the value of a key by what `change` makes of it, which may be called more than once.

        Parameters
        ----------
        key : str
            Of the value.
        change : callable
            Is given the value, None if there is none, and returns the new one, None to delete it.

        Raises
        ------
        StoreError
            Other writers changed the value a thousand times meanwhile; or the connection failed, and it is
            not known whether the value was replaced.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.RedisStore("run")  # doctest: +SKIP
        >>> store.modify("key", lambda old: (old or b"") + b"more")  # doctest: +SKIP
        """
        name, redis = self._name(key), redis_package()
        for _ in range(_ATTEMPTS):
            with self._using(f"key {key!r}") as client, client.pipeline() as pipe:
                try:
                    pipe.watch(name)
                    value = change(pipe.get(name))
                    pipe.multi()
                    if value is None:
                        pipe.unlink(name)
                    else:
                        pipe.set(name, as_buffer(value))
                    pipe.execute()
                    return
                except redis.WatchError as error:
                    if error.__context__ is not None:
                        # No other writer changed it: the connection failed, perhaps after the change.
                        raise
            time.sleep(random.uniform(0, _PAUSE))
        raise StoreError(f"{self.url}: key {key!r} was changed by others {_ATTEMPTS} times; try again")

    def __delitem__(self, key: str) -> None:
        name = self._name(key)
        with self._using(f"key {key!r}") as client:
            if not client.unlink(name):
                raise KeyError(key)

    def erase_many(self, keys: Iterable[str]) -> None:
        names = {key: self._name(key) for key in keys}
        for batch in _batches(list(names)):
            with self._using(f"{len(batch)} keys from {batch[0]!r} on") as client:
                client.unlink(*[names[key] for key in batch])

    def __contains__(self, key: object) -> bool:
        if not is_key(key):
            return False
        with self._using(f"key {key!r}") as client:
            return bool(client.exists(self._name(key)))

    # ---- listing

    def _scan(self, path: str) -> Iterator[str]:
        """Yield the keys below a path, some more than once."""
        start = len(f"{self._prefix}:".encode())
        below = f"{self._prefix}:{path}/" if path else f"{self._prefix}:"
        pattern = "".join(f"\\{c}" if c in "*?[]^-\\" else c for c in below).encode() + b"*"
        with self._using(f"keys below {path!r}") as client:
            for name in client.scan_iter(match=pattern, count=_BATCH_KEYS):
                # What is no UTF-8 becomes what is no legal key.
                key = name[start:].decode(errors="surrogateescape")
                if is_key(key):
                    yield key

    def _keys_below(self, path: str) -> list[str]:
        return list(dict.fromkeys(self._scan(check_path(path))))

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys_below(""))

    def __len__(self) -> int:
        return len(self._keys_below(""))

    def is_empty(self, path: str = "") -> bool:
        return next(self._scan(check_path(path)), None) is None

    def list_dir(self, path: str = "") -> list[str]:
        start = len(check_path(path)) + 1 if path != "" else 0
        return sorted({key[start:].partition("/")[0] for key in self._scan(path)})

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = check_rename(src_path, dst_path)
        keys = self._keys_below(src) + ([src] if src in self else [])
        if not keys:
            raise KeyError(src)
        if src == dst:
            return
        exists = f"cannot rename {src!r} to {dst!r}: the target exists; delete it first"
        if dst in self or not self.is_empty(dst):
            raise StoreError(exists)
        with self._using(f"renaming {src!r} to {dst!r}") as client, client.pipeline() as pipe:
            for key in keys:
                pipe.renamenx(self._name(key), self._name(dst + key[len(src) :]))
            done = pipe.execute()
        if not all(done):
            raise StoreError(exists)

    def close(self) -> None:
        """Close the connections of this process. A store that is used again connects again.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.RedisStore("run")  # doctest: +SKIP
        >>> store.close()  # doctest: +SKIP
        """
        self.client.close()


def _range(start: int, stop: int | None) -> tuple[Any, ...]:
    """Return the command for a range of bytes; to the server, the end is the last byte."""
    check_range(start, stop)
    if start == stop:
        return "GETRANGE", 1, 0
    return "GETRANGE", min(start, _POSITION_MAX), -1 if stop is None else min(stop - 1, _POSITION_MAX)


def _batches(keys: list[str]) -> Iterator[list[str]]:
    todo = iter(keys)
    while batch := list(islice(todo, _BATCH_KEYS)):
        yield batch
