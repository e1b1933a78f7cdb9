"""Moving a node whose chunks are in another store than its metadata, so that a killed move can be finished.

No step changes both stores. So the node is nowhere while its chunks are moved: else its readers would take
chunks that are not there for fill values. Until it is in its new place, a record there holds the metadata.
"""

from __future__ import annotations

from zchunk.errors import StoreError
from zchunk.metadata.v2 import parse_json, render_json
from zchunk.runtime.owners import owner, signature
from zchunk.spec.keys import MOVING_KEY, erase_rank, join
from zchunk.storage.base import Store


def check_free(chunk_store: Store, path: str) -> None:
    """Raise `StoreError` if something lies where the chunks of a node are to be moved to."""
    if path in chunk_store or not chunk_store.is_empty(path):
        raise StoreError(
            f"cannot move to {'/' + path!r}: the chunk store {chunk_store!r:.200} holds values there, of no "
            f"array; if nobody needs them, zchunk.storage.rmdir(chunk_store, {path!r}) deletes them"
        )


def move_apart(store: Store, chunk_store: Store, old: str, new: str) -> None:
    """Move a node from one path to another, where nothing is. After an error it is where it was."""
    items = store.get_many([key for key in store if key.startswith(f"{old}/")])
    record = join(new, MOVING_KEY)
    texts = {key: value.decode("latin-1") for key, value in items.items()}
    store[record] = render_json({"from": old, "by": signature().decode(), "metadata": texts})
    try:
        store.erase_prefix(old)
        chunk_store.rename(old, new)
    except BaseException:
        _put(store, items, old, old)
        store.erase_many([record])
        raise
    _put(store, items, old, new)
    store.erase_many([record])


def finish_moving(store: Store, chunk_store: Store, old: str, new: str) -> bool:
    """Finish a move that a killed process has begun; return whether there was one."""
    record = join(new, MOVING_KEY)
    raw = store.get(record)
    begun = None if raw is None else parse_json(raw, record)
    if begun is None or begun["from"] != old or owner(begun["by"].encode()) in ("lives", "unknown"):
        return False
    store.erase_prefix(old)
    if chunk_store.is_empty(new):
        if not chunk_store.is_empty(old):
            chunk_store.rename(old, new)
    else:
        # Some stores copy key by key, and delete what was copied at the end.
        for key in [key for key in chunk_store if key.startswith(f"{old}/")]:
            chunk_store[new + key[len(old) :]] = chunk_store[key]
        chunk_store.erase_prefix(old)
    _put(store, {key: text.encode("latin-1") for key, text in begun["metadata"].items()}, old, new)
    store.erase_many([record])
    return True


def _put(store: Store, items: dict[str, bytes], old: str, at: str) -> None:
    # What makes a node comes after its attributes, and a group after its members.
    for key in sorted(items, key=lambda key: (key.count("/"), erase_rank(key)), reverse=True):
        store[at + key[len(old) :]] = items[key]
