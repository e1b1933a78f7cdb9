"""`ObjectStore`: values in a bucket of S3, Google Cloud Storage or Azure, by the Rust library of obstore."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, ClassVar, Self

from zchunk.errors import InvalidKeyError, ReadOnlyError, StoreError, ValueChangedError
from zchunk.runtime import requests
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import check_key, is_key
from zchunk.storage.base import Piece, Store
from zchunk.storage.checks import (
    DimensionSeparator,
    as_buffer,
    as_bytes,
    check_path,
    check_range,
    check_separator,
)
from zchunk.storage.cloud.buckets import open_bucket, rebuilt, url_of, without_secrets

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Bucket

    from zchunk.typing import Bytes

# obstore is looked for when it is needed: the class can be named, and subclassed, without.
_calls = LazyModule("zchunk.storage.cloud.obstore")
# Larger values are sent in parts.
_PART_BYTES = 64 << 20
_UPDATES = 100
# And what XML has no way to write.
_CONTROL = re.compile("[\x00-\x1f\x7f\ufffe\uffff]")
# How services say that the bucket or container, not the object, is missing.
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|The specified bucket does not exist")


class ObjectStore(Store):
    """A store in a bucket, or what else obstore opens. Needs the package ``obstore`` (``zchunk[cloud]``).

    Parameters
    ----------
    store : obstore.store.ObjectStore
        Where the values are: an `S3Store`, `GCSStore`, `AzureStore`, …
    prefix : str, optional
        Path in it that keys begin below.
    read_only : bool, default False
        Refuse every change.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    concurrency : int, default 64
        How many requests one read or write has under way at a time.
    pickle_credentials : bool, default False
        Whether pickles carry keys and tokens. By default a copy takes its credentials from the environment of
        the process that it is in.

    Notes
    -----
    Requests let go of the GIL. What fails is tried again by obstore, after a while, as its ``retry_config``
    says; then it raises `StoreError`. Only that an object is not found means that it is missing.

    A reader sees the old or the new value, also when a writer is killed. `modify`, by which parts of chunks
    and attributes are changed, replaces a value only if it still is what was read (a conditional put), else
    it begins again: writers in other processes lose no update. Where a service has no such thing, it just
    puts.

    obstore does not survive a fork: a child gets a `StoreError` if it was used, or handed over as `store`.

    Examples
    --------
    >>> import obstore
    >>> import zchunk
    >>> store = zchunk.ObjectStore(obstore.store.MemoryStore(), "run.zarr")
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store)
    >>> sorted(store)
    ['.zarray', '0', '1']
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.objects"

    _lost_keys, _handed, versioned, verbatim = False, True, True, True
    _own_options: ClassVar = {"read_only", "dimension_separator", "concurrency", "pickle_credentials"}

    shared = True

    def __init__(
        self, store: Bucket, prefix: str = "", *, read_only: bool = False,
        dimension_separator: DimensionSeparator | None = None, concurrency: int = 64,
        pickle_credentials: bool = False,
    ) -> None:  # fmt: skip
        if concurrency < 1:
            raise ValueError(f"concurrency is at least 1, not {concurrency}")
        self.store = store
        self.prefix = prefix.strip("/")
        self.read_only = read_only
        self._dimension_separator = check_separator(dimension_separator)
        self._concurrency = concurrency
        self.pickle_credentials = pickle_credentials
        self.url = url_of(store, self.prefix)
        self._folder = f"{self.prefix}/" if self.prefix else ""
        # Set when the service turned out not to have it, and when the bucket is known to be there.
        self._no_conditions = self._no_tails = self._found = False
        if self._handed:
            _calls.handed()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Open the bucket that a URL names, such as ``s3://bucket/data.zarr``.

        Parameters
        ----------
        url : str
            ``s3://bucket/path``, ``gs://bucket/path``, ``az://container/path`` or
            ``abfs://container@account.dfs.core.windows.net/path``.
        **options
            Those of this class, ``client_options``, ``retry_config`` and ``credential_provider`` of obstore,
            and the configuration of the service, with the names of obstore or those of s3fs, gcsfs and adlfs
            (``key``, ``secret``, ``anon``, ``endpoint_url``, ``profile``, ``account_name``).

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ObjectStore.from_url("s3://bucket/run.zarr", anon=True)  # doctest: +SKIP
        >>> z = zchunk.open_array(store, mode="r")  # doctest: +SKIP
        """
        own = {name: options.pop(name) for name in cls._own_options & options.keys()}
        store, prefix = open_bucket(url, options)
        self = cls.__new__(cls)
        self._handed = False
        ObjectStore.__init__(self, store, prefix, **own)
        return self

    # zarr 3's names.
    supports_deletes = supports_listing = True

    @property
    def supports_writes(self) -> bool:
        """Whether it takes changes."""
        return not self.read_only

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return another store for the same objects, which refuses changes or does not.

        Examples
        --------
        >>> import obstore
        >>> import zchunk
        >>> zchunk.ObjectStore(obstore.store.MemoryStore()).with_read_only(True).read_only
        True
        """
        other = type(self).__new__(type(self))
        vars(other).update(vars(self), read_only=read_only)
        return other

    # ---- requests

    def _path(self, key: str) -> str:
        key = check_key(key)
        if _CONTROL.search(key):
            raise InvalidKeyError(f"{key!r} has a control character or one not in XML; {self.url} has none")
        return self._folder + key

    def _ask(self, key: str, call: Callable[..., Any], *args: Any, through: Any = (), **kwargs: Any) -> Any:
        """Call a function of obstore for a key; `KeyError` if there is none, `StoreError` if it fails.

        The exceptions `through` are left as they are.
        """
        _calls.enter()
        try:
            answer = call(self.store, *args, **kwargs)
        except through:
            raise
        except FileNotFoundError as err:
            # Raised below, for an error from another one shows its text, in which there may be secrets.
            failure = self._failure(key, err) if _NO_BUCKET.search(str(err)) else KeyError(key)
        except (_calls.exceptions.BaseError, OSError, ValueError) as err:
            failure = self._failure(key, err)
        except BaseException as err:
            if not _calls.is_panic(err):
                raise
            failure = self._failure(key, err)
        else:
            self._found = True
            return answer
        raise failure

    def _failure(self, key: str, err: BaseException) -> Exception:
        what = "not found" if isinstance(err, KeyError) else f"{type(err).__name__}: {_calls.brief(err)}"
        if self._lost_keys:
            what += "; the keys that it was made with were not pickled, see pickle_credentials"
        return StoreError(f"cannot access {key!r} in {self.url}: {what}")

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self!r} is read-only")

    # ---- the mapping

    def _get_or_none(self, key: str, most: int | None) -> Any:
        """Return a value as memory of obstore."""
        try:
            return self._ask(key, partial(_calls.get, most=most), self._path(key))
        except KeyError:
            return None

    def __getitem__(self, key: str) -> bytes:
        return bytes(self._ask(key, _calls.get, self._path(key)))

    def __setitem__(self, key: str, value: Bytes) -> None:
        path, data = self._path(key), self._uploaded(value)
        self._check_writable()
        parts = memoryview(data).nbytes > _PART_BYTES
        self._put(key, path, data, use_multipart=parts, chunk_size=_PART_BYTES)

    def set_new(self, key: str, value: Bytes) -> bool:
        if self._no_conditions or type(self).__setitem__ is not ObjectStore.__setitem__:
            return super().set_new(key, value)
        path, data = self._path(key), self._uploaded(value)
        self._check_writable()
        try:
            self._ask(key, _calls.obstore.put, path, data, mode="create", through=_calls.CONDITIONS)
        except _calls.CONDITION_UNKNOWN:
            self._no_conditions = True
            return super().set_new(key, value)
        except _calls.CONDITION_FAILED:
            return False
        except KeyError as err:
            raise self._failure(key, err) from None
        return True

    def _uploaded(self, value: Any) -> bytes | memoryview:
        # That in memory keeps what it is given.
        return as_bytes(value) if isinstance(self.store, _calls.store.MemoryStore) else as_buffer(value)

    def _put(self, key: str, path: str, data: Any, **options: Any) -> None:
        try:
            self._ask(key, _calls.obstore.put, path, data, **options)
        except KeyError as err:
            raise self._failure(key, err) from None

    def __delitem__(self, key: str) -> None:
        path = self._path(key)
        self._check_writable()
        self.size(key)
        self._ask(key, _calls.obstore.delete, path)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str) or not is_key(key) or _CONTROL.search(key):
            return False
        try:
            self.size(key)
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys_below(""))

    def __len__(self) -> int:
        return len(self._keys_below(""))

    def __eq__(self, other: object) -> bool:
        mine = self.prefix, self.read_only, self.store
        return isinstance(other, ObjectStore) and mine == (other.prefix, other.read_only, other.store)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    # ---- what the service does better

    @property
    def address(self) -> str:
        """Where it is, for texts."""
        return self.url

    @property
    def lock_identity(self) -> str:
        return self.url

    @property
    def concurrency(self) -> int:
        return self._concurrency

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        check_range(start, stop)
        path = self._path(key)
        if stop is None or start == stop:
            size = self.size(key)
            stop = size if stop is None else stop
            if start >= min(stop, size):
                return b""
        try:
            return bytes(self._ask(key, _calls.obstore.get_range, path, start=start, end=stop))
        except StoreError:
            # How services say that the value ends before the range begins.
            if start < self.size(key):
                raise
            return b""

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]], version: Any = None) -> list[bytes]:
        if version is None or any(start >= stop for start, stop in ranges):
            work: Callable[[tuple[int, int]], bytes] = lambda place: self.get_range(key, *place)  # noqa: E731
        else:
            work = partial(self._get_version, key, self._path(key), version)
        if len(ranges) == 1:
            return [work(ranges[0])]
        return list(chain(*requests.in_order(work, ranges, self._concurrency)))

    def _get_version(self, key: str, path: str, version: str, place: tuple[int, int]) -> bytes:
        try:
            options = {"range": place, "if_match": version}
            piece: Piece = self._ask(key, _calls.get_piece, path, options, through=_calls.CONDITION_FAILED)
            return piece.data
        except (KeyError, *_calls.CONDITION_FAILED):
            raise ValueChangedError(f"{key!r} in {self.url} was replaced while it was read") from None

    def get_piece(self, key: str, nbytes: int, at_end: bool = False) -> Piece:
        path = self._path(key)
        if nbytes and not (at_end and self._no_tails):
            place = {"suffix": nbytes} if at_end else (0, nbytes)
            try:
                return self._ask(key, _calls.get_piece, path, {"range": place})  # type: ignore[no-any-return]
            except StoreError:
                # An empty value has no range, and Azure none from the end.
                piece = self._sized_piece(key, path, nbytes, at_end)
                self._no_tails |= at_end and piece.size > 0
                return piece
        return self._sized_piece(key, path, nbytes, at_end)

    def _sized_piece(self, key: str, path: str, nbytes: int, at_end: bool) -> Piece:
        found = self._head(key, path)
        size, version = int(found["size"]), found["e_tag"]
        start = max(size - nbytes, 0) if at_end else 0
        (data,) = self.get_ranges(key, [(start, min(start + nbytes, size))], version)
        return Piece(data, size, version)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = list(dict.fromkeys(keys))
        for key in wanted:
            self._path(key)
        found = [value for batch in self.batches(wanted, 1) for value in batch]
        return {key: bytes(value) for key, value in zip(wanted, found, strict=True) if value is not None}

    def batches(
        self, keys: Iterable[str], nbytes: int, most: int | None = None
    ) -> Generator[Sequence[Any], None, None]:
        yield from requests.in_order(partial(self._get_or_none, most=most), keys, self.batch_size(nbytes))

    def existing(self, keys: Iterable[str]) -> set[str]:
        wanted = [key for key in keys if self._path(key)]
        return set(compress(wanted, chain(*requests.in_order(self._exists, wanted, self._concurrency))))

    def _exists(self, key: str) -> bool:
        try:
            self._ask(key, _calls.obstore.head, self._path(key))
        except KeyError:
            return False
        return True

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        values = {key: as_buffer(value) for key, value in items.items()}
        for key in values:
            self._path(key)
        self._check_writable()
        requests.each(lambda item: self.__setitem__(*item), values.items(), self._concurrency)

    def erase_many(self, keys: Iterable[str]) -> None:
        paths = {key: self._path(key) for key in keys}
        self._check_writable()
        if not paths:
            return
        try:
            self._ask(next(iter(paths)), _calls.obstore.delete, list(paths.values()))
        except (KeyError, StoreError):
            # Some services object to what is not there, and some do not say which that is.
            requests.each(self._erase, paths, self._concurrency)

    def _erase(self, key: str) -> None:
        try:
            self._ask(key, _calls.obstore.delete, self._path(key))
        except KeyError:
            pass

    def size(self, key: str) -> int:
        return int(self._head(key, self._path(key))["size"])

    def _head(self, key: str, path: str) -> Any:
        try:
            return self._ask(key, _calls.obstore.head, path)
        except KeyError:
            if not self._found:
                # The answer has no body that says what is missing: perhaps the bucket.
                self._look(key)
            raise KeyError(key) from None

    def _look(self, key: str) -> None:
        try:
            self._ask(key, _calls.any_below, self.prefix or None)
        except StoreError as err:
            if _NO_BUCKET.search(str(err)):
                raise
        self._found = True

    def modify(self, key: str, change: Callable[[bytes | None], Bytes | None]) -> None:
        path = self._path(key)
        self._check_writable()
        for attempt in range(_UPDATES):
            try:
                old, mode = self._ask(key, _calls.get_with_version, path)
            except KeyError:
                old, mode = None, "create"
            new = change(old)
            if new is None:
                # There is no conditional delete.
                self.erase_many([key])
                return
            data = self._uploaded(new)
            if self._no_conditions:
                self[key] = data
                return
            try:
                self._ask(key, _calls.obstore.put, path, data, mode=mode, through=_calls.CONDITIONS)
                return
            except _calls.CONDITION_UNKNOWN:
                self._no_conditions = True
                self[key] = data
                return
            except (KeyError, *_calls.CONDITION_FAILED) as err:
                # S3 says "not found" if what was to be replaced is deleted.
                if mode == "create" and isinstance(err, KeyError):
                    raise self._failure(key, err) from None
            time.sleep(random.random() * min(0.01 * 2**attempt, 1))
        raise StoreError(f"cannot change {key!r} in {self.url}: other writers did, each of {_UPDATES} times")

    # ---- listings

    def _keys_below(self, path: str) -> list[str]:
        prefix = self._folder + check_path(path)
        start = len(self._folder)
        found = self._ask(path, _calls.list_all, prefix.rstrip("/") or None)
        keys = [name[start:] for name in found if is_key(name[start:])]
        return [key for key in keys if key != path]

    def list_dir(self, path: str = "") -> list[str]:
        folder = (self._folder + check_path(path)).rstrip("/")
        start = len(folder) + 1 if folder else 0
        found = self._ask(path, _calls.obstore.list_with_delimiter, folder or None)
        names = [*found["common_prefixes"], *(entry["path"] for entry in found["objects"])]
        return sorted({name[start:].rstrip("/") for name in names if is_key(name[start:].rstrip("/"))})

    def is_empty(self, path: str = "") -> bool:
        folder = (self._folder + check_path(path)).rstrip("/")
        return not self._ask(path, _calls.any_key_below, folder)

    def _copy(self, src: str, dst: str) -> None:
        self._check_writable()
        self._ask(src, _calls.obstore.copy, self._path(src), self._path(dst))

    # ---- copies in other processes

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "store"}
        return {**state, "_store": without_secrets(self.store, keep=self.pickle_credentials)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.store, lost = rebuilt(state.pop("_store"))
        self.__dict__.update(state)
        self._lost_keys |= lost
