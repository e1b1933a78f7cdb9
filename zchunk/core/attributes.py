"""User attributes of an array or group: a mapping that writes through to the store."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, KeysView, Mapping, MutableMapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from zchunk.core.access import Access, check_folder
from zchunk.core.assignment import Closed
from zchunk.errors import MetadataError, PathNotFoundError, ReadOnlyError
from zchunk.metadata import v3
from zchunk.metadata.v2 import parse_json, render_attrs, render_document
from zchunk.runtime.callers import caller_level
from zchunk.runtime.metadata_locks import metadata_lock
from zchunk.spec.keys import ATTRS_KEY, NODE_KEY
from zchunk.storage.base import Store
from zchunk.storage.mapping import as_store
from zchunk.sync import outer_lock

if TYPE_CHECKING:
    from zchunk.sync import Synchronizer


class Attributes(Closed, MutableMapping[str, Any]):
    """A mapping of strings to JSON values, kept under one key of a store.

    They are the JSON object stored there, or a member of it, as in Zarr format 3: then the other members stay
    as they are.

    Every change reads the stored attributes, changes them and replaces them in one write. NumPy scalars and
    arrays become JSON numbers and lists, tuples lists, dates ISO 8601 strings; what is read right after a
    change is what any later reader gets. In format 2, NaN and the infinities are written as zarr 2.18 does,
    as bare tokens that strict JSON does not have; in format 3 they are refused.

    No change that a thread makes is lost, whether threads share an instance or not. Processes that change the
    same attributes need a `synchronizer`.

    Parameters
    ----------
    store : MutableMapping
        Where the attributes are kept.
    key : str, optional
        Their key in the store. A missing key means no attributes.
    read_only : bool, optional
        Refuse changes.
    cache : bool, optional
        Read the store once, and again only on `refresh` or a change.
    synchronizer : mapping of keys to locks, optional
        Held by key during a change.
    member : str, optional
        Name of the attributes in the JSON object under `key`; without it they are that object. A missing
        member means no attributes, and the first change adds it. It is ``"attributes"`` for a store of zarr
        2's draft of format 3 (`zchunk.compat.KVStoreV3`).

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(3)
    >>> z.attrs["units"] = "m"
    >>> z.attrs.update(scale=0.5, valid=(0, 10))
    >>> z.attrs
    Attributes({'scale': 0.5, 'units': 'm', 'valid': [0, 10]})
    """

    store: Store
    key: str
    read_only: bool
    cache: bool
    synchronizer: Synchronizer | None
    member: str | None
    _cached: dict[str, Any] | None
    # Of the node whose attributes these are, if they are those of a node.
    _access: Access | None = None
    _instead: ClassVar = (
        'attrs["{name}"] = ... sets an attribute that is stored',
        'del attrs["{name}"] deletes an attribute that is stored',
    )

    def __init__(
        self,
        store: MutableMapping[str, bytes],
        key: str = ATTRS_KEY,
        read_only: bool = False,
        cache: bool = True,
        synchronizer: Synchronizer | None = None,
        *,
        member: str | None = None,
    ) -> None:
        # Not by assignments, which `Closed` looks at: all nodes have some.
        facts = self.__dict__
        facts["store"] = found = store if isinstance(store, Store) else as_store(store)
        facts["key"] = key
        facts["read_only"] = read_only
        facts["cache"] = cache
        facts["synchronizer"] = synchronizer
        facts["member"] = "attributes" if member is None and found._store_version == 3 else member
        facts["_cached"] = None

    def _check_there(self) -> None:
        """Raise if the node is gone whose attributes these would be."""
        if self._access is not None:
            check_folder(self._access)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cached": None}

    def _where(self) -> str:
        return f"{self.key!r} in {self.store!r:.80}"

    def _load(self) -> dict[str, Any]:
        try:
            raw = self.store.metadata(self.key)
        except KeyError:
            self._check_there()
            return {}
        if isinstance(raw, dict):
            # The store's own.
            attrs: dict[str, Any] = _copied(self._of(raw))
            return attrs
        return self._of(parse_json(raw, self._where()))

    def _of(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes in the JSON object under the key."""
        if self.member is None:
            return document
        attrs = document.get(self.member, {})
        if not isinstance(attrs, dict):
            raise MetadataError(f"{self._where()}: {self.member!r} holds {attrs!r:.80}, not an object")
        return attrs

    def _replace(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Store what `change` makes of the attributes in their place, in one write."""
        raw = b""

        def render(old: bytes | None) -> bytes:
            nonlocal raw
            if old is None:
                self._check_there()
            if old is None and self.key.rpartition("/")[2] == NODE_KEY:
                raise PathNotFoundError(f"{self._where()} is gone; the array or group was deleted or moved")
            document = {} if old is None else parse_json(old, self._where())
            attrs = change(self._of(document))
            whole = self.member is None
            raw = render_attrs(attrs) if whole else render_document(document | {self.member: attrs})
            return raw

        self.store.modify(self.key, render)
        if self.cache:
            # What a later reader gets: in it tuples are lists, for instance.
            stored = parse_json(raw, self.key)
            self._cached = stored if self.member is None else stored[self.member]

    def _check(self, attrs: dict[str, Any]) -> None:
        """Raise `ValueError` if format 3 has no form for attributes."""
        if self.member is not None:
            v3.check_attributes(attrs)

    def _current(self) -> dict[str, Any]:
        """Return the attributes; the dict is replaced by changes, never changed in place."""
        cached = self._cached
        if self.cache and cached is not None:
            return cached
        with metadata_lock(self.store, self.key, changes=False) as lock:
            return self._read(lock.held)

    def _read(self, locked: bool) -> dict[str, Any]:
        # A change between reading and caching would be hidden by the older state. The lock keeps other
        # threads from that, and a signal handler has cached what it changed.
        before = self._cached
        attrs = self._load()
        if self.cache and self._cached is before:
            self._cached = attrs if locked else None
        return attrs

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        if self.read_only:
            raise ReadOnlyError(f"attributes {self.key!r} are read-only; open with mode 'r+' or 'a'")
        outer = nullcontext() if self.synchronizer is None else outer_lock(self.synchronizer, self.key)
        with outer, metadata_lock(self.store, self.key):
            self._replace(change)

    def asdict(self) -> dict[str, Any]:
        """Return all attributes as a dictionary.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, attributes={"a": 1})
        >>> z.attrs.asdict()
        {'a': 1}
        """
        return dict(self._current())

    def refresh(self) -> None:
        """Read the attributes again from the store, if they are cached.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, attributes={"a": 1})
        >>> other = zchunk.Array(z.store)
        >>> other.attrs["a"], z.attrs["a"]
        (1, 1)
        >>> z.attrs["a"] = 2
        >>> other.attrs.refresh()
        >>> other.attrs["a"]
        2
        """
        if self.cache:
            with metadata_lock(self.store, self.key, changes=False) as lock:
                self._read(lock.held)

    def put(self, d: Mapping[str, Any]) -> None:
        """Replace all attributes by those in `d`, in one write.

        In format 3, NaN and infinities raise `ValueError`: JSON does not have them.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, attributes={"a": 1})
        >>> z.attrs.put({"b": 2})
        >>> z.attrs
        Attributes({'b': 2})
        """
        new = with_string_keys(d)
        self._check(new)
        self._change(lambda attrs: new)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several attributes, in one write; the arguments are those of `dict.update`.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, attributes={"a": 1})
        >>> z.attrs.update({"b": 2}, c=3)
        >>> z.attrs
        Attributes({'a': 1, 'b': 2, 'c': 3})
        """
        new = with_string_keys(dict(*args, **kwargs))
        self._check(new)
        self._change(lambda attrs: attrs | new)

    def clear(self) -> None:
        """Remove all attributes, in one write.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, attributes={"a": 1})
        >>> z.attrs.clear()
        >>> z.attrs
        Attributes({})
        """
        self.put({})

    def __getitem__(self, item: str) -> Any:
        return self._current()[item]

    def __setitem__(self, item: str, value: object) -> None:
        new = with_string_keys({item: value})
        self._check(new)
        self._change(lambda attrs: attrs | new)

    def __delitem__(self, item: str) -> None:
        def without(attrs: dict[str, Any]) -> dict[str, Any]:
            del attrs[item]
            return attrs

        self._change(without)

    def __contains__(self, item: object) -> bool:
        return item in self._current()

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def keys(self) -> KeysView[str]:
        """Return the names of the attributes.

        Examples
        --------
        >>> import zchunk
        >>> z = zchunk.zeros(3, attributes={"a": 1})
        >>> list(z.attrs.keys())
        ['a']
        """
        return self._current().keys()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._current()!r})"

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self)


def with_string_keys(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes whose names are strings, with a warning if some were not."""
    if all(isinstance(name, str) for name in attrs):
        return dict(attrs)
    # zarr 2's words, which programs may filter warnings by.
    message = "only attribute keys of type 'string' will be allowed in the future; others become strings"
    warnings.warn(message, DeprecationWarning, stacklevel=caller_level())
    return {str(name): value for name, value in attrs.items()}


def _copied(value: object) -> Any:
    """Return a JSON value that shares nothing with another one."""
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(member) for member in value] if isinstance(value, list) else value
