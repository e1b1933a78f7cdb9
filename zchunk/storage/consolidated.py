"""The metadata of a hierarchy as a store of their own, read at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from zchunk.errors import ReadOnlyError
from zchunk.metadata.consolidated import parse, parse3
from zchunk.metadata.v2 import render_json
from zchunk.spec.keys import CONSOLIDATED_KEY, NODE_KEY, check_key
from zchunk.storage.base import Store
from zchunk.storage.mapping import as_store

if TYPE_CHECKING:
    from zchunk.typing import Bytes


class ConsolidatedMetadataStore(Store):
    """The metadata keys of a store, read-only, from its consolidated metadata in one read.

    Chunks stay in the store itself. Changes of the metadata after the store was consolidated are not seen.

    Parameters
    ----------
    store : MutableMapping
        The store that was consolidated.
    metadata_key : str, optional
        Key of the consolidated metadata: ``.zmetadata``, or the ``zarr.json`` of a group of format 3, in
        which they are.

    Raises
    ------
    KeyError
        If the store has no consolidated metadata there.
    MetadataError
        If they cannot be read.
    ValueError
        If the store is only a path to one, or one of zarr 2's draft of format 3.

    Examples
    --------
    >>> import zchunk
    >>> from zchunk.storage import ConsolidatedMetadataStore
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.group(store).zeros("z", shape=4)
    >>> group = zchunk.consolidate_metadata(store)
    >>> sorted(ConsolidatedMetadataStore(store))
    ['.zgroup', 'z/.zarray']
    """

    quick_lookups = True

    def __init__(self, store: MutableMapping[str, Any], metadata_key: str = CONSOLIDATED_KEY) -> None:
        if isinstance(store, str | os.PathLike):
            raise ValueError(f"{store!r} is a path, not a store; zchunk.open_consolidated takes paths")
        self.store = store
        self.metadata_key = metadata_key
        as_store(store)
        self._entries = self._parse(store[metadata_key])

    def _parse(self, raw: bytes) -> dict[str, dict[str, Any]]:
        where = f"{self.metadata_key!r} in {self.store!r:.80}"
        base, _, name = self.metadata_key.rpartition("/")
        if name != NODE_KEY:
            return parse(raw, where)
        found = parse3(raw, base, where)
        if found is None:
            raise KeyError(self.metadata_key)
        return found

    def __getitem__(self, key: str) -> bytes:
        return render_json(self._entries[check_key(key)])

    def metadata(self, key: str) -> dict[str, Any]:
        return self._entries[check_key(key)]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __setitem__(self, key: str, value: Bytes) -> None:
        raise self._read_only(key)

    def __delitem__(self, key: str) -> None:
        raise self._read_only(key)

    def _read_only(self, key: str) -> ReadOnlyError:
        return ReadOnlyError(
            f"consolidated metadata is read-only ({key!r}); write to the store itself and consolidate again"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.metadata_key!r} of {self.store!r:.80}: {len(self)} keys>"
