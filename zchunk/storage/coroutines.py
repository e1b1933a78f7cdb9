"""`CoroutineStore`: a store of zarr-python 3, whose methods are coroutines, as a store.

Its coroutines run in one event loop, in a thread that is made when the first such store is used; no other
store needs a loop. Threads that read at the same time have as many coroutines under way.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from zchunk.errors import ReadOnlyError, StoreError
from zchunk.runtime.fork import PerProcess
from zchunk.runtime.settings import config
from zchunk.spec.keys import check_key, is_key
from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes, check_path, check_range

if TYPE_CHECKING:
    from zchunk.typing import Bytes

_T = TypeVar("_T")
# zarr-python's default.
_CONCURRENCY = 10
_OF_FORMAT_3 = re.compile(r"(^|/)(zarr\.json|c(/[0-9]+)*)$")


class _Loop:
    """An event loop in a thread of its own, which ends with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop-of-zchunk", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what a coroutine returns; if Ctrl-C comes meanwhile, it is cancelled."""
        if threading.current_thread() is self._thread:
            work.close()
            raise StoreError("coroutines of a store cannot use another one: they would wait for themselves")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


_loop: PerProcess[_Loop] | None = None
# A signal handler may use one while the code that it interrupts makes the loop.
_making = threading.RLock()


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    global _loop
    if _loop is None:
        with _making:
            _loop = _loop or PerProcess(_Loop)
    return _loop().run(work)


class CoroutineStore(Store):
    """A store over one of zarr-python 3's, such as the store of a session of Icechunk.

    Functions that take a store take theirs, and make this of it.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store of zarr-python.

    Notes
    -----
    As safe to share between threads and processes as the store is. A forked child has a loop of its own; what
    the store itself keeps does not all survive a fork.

    Examples
    --------
    >>> import zarr
    >>> import zchunk
    >>> theirs = zarr.storage.MemoryStore()
    >>> z = zchunk.create_array(theirs, data=[1, 2, 3], zarr_format=3)
    >>> zarr.open_array(theirs)[:]
    array([1, 2, 3])
    """

    def __init__(self, store: Any) -> None:
        self.store = store

    @property
    def _is_session(self) -> bool:
        """Whether it is a session of Icechunk, of which others see nothing before it is committed."""
        return type(self.store).__module__.partition(".")[0] == "icechunk"

    @property
    def shared(self) -> bool:  # type: ignore[override]
        return not self._is_session

    def _may_have(self, key: str) -> bool:
        """Whether there may be such a key: sessions of Icechunk have those of format 3, and refuse others."""
        return not self._is_session or _OF_FORMAT_3.search(key) is not None

    @property
    def read_only(self) -> bool:
        """Whether the store refuses changes."""
        return bool(self.store.read_only)

    @property
    def lock_identity(self) -> str:
        return f"{type(self.store).__qualname__}:{self.store}"

    @property
    def concurrency(self) -> int:
        return config.get("async.concurrency") or _CONCURRENCY

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CoroutineStore) and bool(self.store == other.store)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.store!r:.200}>"

    # ---- calls

    def _ask(self, key: str, work: Awaitable[_T]) -> _T:
        """Return what a method returns: `KeyError` if there is no such key, `StoreError` if it fails."""

        async def wait() -> _T:
            # Those that have files open them in a loop.
            await self.store._ensure_open()
            return await work

        try:
            return _run(wait())
        except FileNotFoundError:
            failure: Exception = KeyError(key)
        except (KeyError, StoreError):
            if isinstance(work, Coroutine):
                work.close()
            raise
        except Exception as err:
            failure = StoreError(f"cannot access {key!r} in {self!r}: {type(err).__name__}: {err}")
            failure.__cause__ = err
        raise failure

    def _each(self, keys: Iterable[str], call: Callable[[str], Awaitable[_T]]) -> list[_T]:
        """Return what a method returns for many keys, several at a time."""

        async def some(wanted: list[str]) -> list[_T]:
            return list(await asyncio.gather(*map(call, wanted)))

        found: list[_T] = []
        rest = iter(keys)
        while wanted := list(islice(rest, self.concurrency)):
            found += self._ask(wanted[0], some(wanted))
        return found

    def _collected(self, path: str, names: AsyncIterator[str]) -> list[str]:
        async def collect() -> list[str]:
            return [name async for name in names]

        return self._ask(path, collect())

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self!r} is read-only")

    def _get(self, key: str, place: Any = None) -> Awaitable[Any]:
        if not self._may_have(check_key(key)):
            raise KeyError(key)
        found: Awaitable[Any] = self.store.get(check_key(key), _buffers().default_buffer_prototype(), place)
        return found

    def _set(self, key: str, value: Any) -> Awaitable[Any]:
        buffer = _buffers().default_buffer_prototype().buffer
        found: Awaitable[Any] = self.store.set(check_key(key), buffer.from_bytes(as_bytes(value)))
        return found

    # ---- the mapping

    def __getitem__(self, key: str) -> bytes:
        found = self._ask(key, self._get(key))
        if found is None:
            raise KeyError(key)
        return bytes(found.to_bytes())

    def __setitem__(self, key: str, value: Bytes) -> None:
        check_key(key)
        self._check_writable()
        self._ask(key, self._set(key, value))

    def __delitem__(self, key: str) -> None:
        if check_key(key) not in self:
            raise KeyError(key)
        self._check_writable()
        self._ask(key, self.store.delete(key))

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str) or not is_key(key) or not self._may_have(key):
            return False
        return bool(self._ask(key, self.store.exists(key)))

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._collected("", self.store.list()) if is_key(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _keys_below(self, path: str) -> list[str]:
        prefix = check_path(path) and f"{path}/"
        names = self._collected(path, self.store.list_prefix(prefix))
        return [key for key in names if key.startswith(prefix) and is_key(key)]

    # ---- what it does better

    @property
    def ranged(self) -> bool:
        return True

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        requests = sys.modules["zarr.abc.store"]
        if start == stop:
            self.size(key)
            return b""
        place = requests.OffsetByteRequest(start) if stop is None else requests.RangeByteRequest(start, stop)
        try:
            found = self._ask(key, self._get(key, place))
        except StoreError:
            # How some say that the value ends before the range begins.
            if start < self.size(key):
                raise
            return b""
        if found is None:
            raise KeyError(key)
        return bytes(found.to_bytes())

    def size(self, key: str) -> int:
        return int(self._ask(key, self.store.getsize(check_key(key))))

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = [key for key in dict.fromkeys(keys) if self._may_have(check_key(key))]
        found = zip(wanted, self._each(wanted, self._get), strict=True)
        return {key: bytes(value.to_bytes()) for key, value in found if value is not None}

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        for key in items:
            check_key(key)
        self._check_writable()
        self._each(items, lambda key: self._set(key, items[key]))

    def erase_many(self, keys: Iterable[str]) -> None:
        wanted = [key for key in keys if self._may_have(check_key(key))]
        self._check_writable()
        self._each(wanted, self.store.delete)

    def list_dir(self, path: str = "") -> list[str]:
        names = self._collected(path, self.store.list_dir(check_path(path)))
        return sorted({name.strip("/") for name in names} - {""})

    def erase_prefix(self, path: str = "") -> None:
        check_path(path)
        self._check_writable()
        self._ask(path, self.store.delete_dir(path) if path else self.store.clear())

    def close(self) -> None:
        self.store.close()


def _buffers() -> Any:
    # A program that has such a store has imported the module; it is no dependency.
    return sys.modules["zarr.core.buffer"]
