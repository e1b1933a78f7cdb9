"""`KVStore`: any mapping as a store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from zchunk.spec.keys import check_key, is_key
from zchunk.storage.base import Store
from zchunk.storage.checks import as_bytes, check_path, check_range

if TYPE_CHECKING:
    from zchunk.typing import Bytes

_DICTS = (dict, OrderedDict)


class KVStore(Store):
    """A store over any mutable mapping, such as a dict.

    Optional methods of the store contract that the mapping has are used. As safe to share between threads
    and processes as the mapping is. Keys of the mapping that no store may have are not shown.

    Parameters
    ----------
    mutablemapping : MutableMapping
        Holds the values. Those written through the store are bytes.

    Raises
    ------
    TypeError
        It is a group, zchunk's or another library's, or a data set: its values are no bytes.

    Examples
    --------
    >>> import zchunk
    >>> values = {}
    >>> store = zchunk.KVStore(values)
    >>> store["key"] = bytearray(b"value")
    >>> values
    {'key': b'value'}
    """

    def __init__(self, mutablemapping: MutableMapping[str, Any]) -> None:
        check_mapping(mutablemapping)
        self._mutable_mapping = mutablemapping
        self.quick_lookups = isinstance(mutablemapping, dict)
        self._dimension_separator = getattr(mutablemapping, "_dimension_separator", None)

    @property
    def lock_identity(self) -> str:
        return str(getattr(self._mutable_mapping, "lock_identity", id(self._mutable_mapping)))

    @property
    def many_writers(self) -> bool:  # type: ignore[override]
        return bool(getattr(self._mutable_mapping, "many_writers", True))

    def __getitem__(self, key: str) -> bytes:
        return as_bytes(self._mutable_mapping[check_key(key)])

    def __setitem__(self, key: str, value: Bytes) -> None:
        self._mutable_mapping[check_key(key)] = as_bytes(value)

    def __delitem__(self, key: str) -> None:
        del self._mutable_mapping[check_key(key)]

    def __contains__(self, key: object) -> bool:
        return is_key(key) and key in self._mutable_mapping

    def __iter__(self) -> Iterator[str]:
        # `list` is one step for a dict: other threads may add keys meanwhile.
        return iter([key for key in list(self._mutable_mapping) if is_key(key)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, KVStore):
            return self._mutable_mapping == other._mutable_mapping
        return NotImplemented

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self._mutable_mapping).__name__} at {id(self):#x}>"

    def as_read(self, key: str, value: bytes) -> bytes | None:
        # Others, and classes derived from these, may change values on the way.
        return value if type(self) is KVStore and type(self._mutable_mapping) in _DICTS else None

    def _copy(self, src: str, dst: str) -> None:
        # Whatever it is.
        self._mutable_mapping[dst] = self._mutable_mapping[src]

    @property
    def ranged(self) -> bool:
        return self._optional("get_range") is not None

    def get_range(self, key: str, start: int, stop: int | None = None) -> bytes:
        method = self._optional("get_range")
        if method is None:
            return super().get_range(key, start, stop)
        check_range(start, stop)
        return as_bytes(method(check_key(key), start, stop))

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        method = self._optional("get_many")
        if method is None:
            return super().get_many(keys)
        return {key: as_bytes(value) for key, value in method([check_key(key) for key in keys]).items()}

    def set_many(self, items: Mapping[str, Bytes]) -> None:
        method = self._optional("set_many")
        if method is None:
            super().set_many(items)
        else:
            method({check_key(key): as_bytes(value) for key, value in items.items()})

    def set_new(self, key: str, value: Bytes) -> bool:
        method = self._optional("set_new")
        if method is None:
            return super().set_new(key, value)
        return bool(method(check_key(key), as_bytes(value)))

    def set_new_many(self, items: Mapping[str, Bytes]) -> bool:
        method = self._optional("set_new_many")
        if method is None:
            return super().set_new_many(items)
        return bool(method({check_key(key): as_bytes(value) for key, value in items.items()}))

    def erase_many(self, keys: Iterable[str]) -> None:
        method = self._optional("erase_many")
        if method is None:
            super().erase_many(keys)
        else:
            method([check_key(key) for key in keys])

    def size(self, key: str) -> int:
        method = self._optional("size")
        return super().size(key) if method is None else int(method(check_key(key)))

    def list_dir(self, path: str = "") -> list[str]:
        method = self._optional("list_dir")
        return super().list_dir(path) if method is None else sorted(method(check_path(path)))

    def erase_prefix(self, path: str = "") -> None:
        method = self._optional("erase_prefix")
        if method is None:
            super().erase_prefix(path)
        else:
            method(check_path(path))

    def sync(self, keys: str | Iterable[str] = "") -> None:
        # `sync` of other mappings, as that of `shelve`, is another method.
        if isinstance(self._mutable_mapping, Store):
            self._mutable_mapping.sync(keys)

    def refuse_larger(self, key: str, most: int | None) -> None:
        method = self._optional("refuse_larger")
        if method is not None:
            method(key, most)

    def close(self) -> None:
        # If it can be closed.
        method = self._optional("close")
        if method is not None:
            method()

    def _optional(self, name: str) -> Any:
        method = getattr(self._mutable_mapping, name, None)
        return method if callable(method) else None


def check_mapping(mapping: object) -> None:
    """Raise `TypeError` if a mapping is a group or a data set: those of zarr, h5py, xarray and pandas are.

    All that they hold would be lost where the keys of a store are erased. No store has attributes.
    """
    kind = type(mapping)
    if hasattr(kind, "attrs"):
        raise TypeError(
            f"a {kind.__name__} is no store, for its values are no bytes; give a path or a mapping, or of a "
            "group its `store`, with its `path` as path"
        )


def as_store(store: Any) -> Store:
    """Return `store` if it is a `Store`, else a `KVStore` over it; `TypeError` if it is no mapping.

    Examples
    --------
    >>> from zchunk.storage import KVStore, as_store
    >>> isinstance(as_store({}), KVStore)
    True
    """
    if isinstance(store, Store):
        if store._store_version != 2:
            raise ValueError(f"{store!r:.80} is of the draft of format 3, of which there are only attributes")
        return store
    names = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "keys")
    if isinstance(store, MutableMapping) or all(hasattr(type(store), name) for name in names):
        return KVStore(store)
    raise TypeError(f"a store is a path or a mutable mapping from str to bytes, not {type(store).__name__}")
