"""Calls of obstore: where they hang, what they raise, and what they are asked for."""

from __future__ import annotations

import os
import re
from typing import Any

from zchunk.errors import StoreError
from zchunk.spec.keys import is_key
from zchunk.storage.base import Piece
from zchunk.storage.secrets import cleaned

try:
    import obstore
    from obstore import exceptions, store
except ImportError:
    raise ImportError(
        "object stores (s3://, gs://, az://) need the package obstore: pip install obstore"
    ) from None

__all__ = ["exceptions", "obstore", "store"]

# What is raised when a value is not what it was, and when a service cannot tell.
CONDITION_FAILED = (exceptions.PreconditionError, exceptions.AlreadyExistsError)
CONDITION_UNKNOWN = (exceptions.NotSupportedError, NotImplementedError)
CONDITIONS = CONDITION_FAILED + CONDITION_UNKNOWN
_XML_CODE = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)


class _Process:
    """Whether this process may use obstore: its threads do not survive a fork, and waiting for them hangs."""

    used = False
    lost = False

    def enter(self) -> None:
        if self.lost:
            raise StoreError(
                "this process was forked from one that had used an object store, which obstore does not "
                "survive; start processes with 'spawn' or 'forkserver', or fork before the first use"
            )
        self.used = True

    def handed(self) -> None:
        """Note that the program has a store of its own, with which it may have used obstore before."""
        self.used = True

    def after_fork(self) -> None:
        self.lost = self.used


_process = _Process()
# Called before every request: raises `StoreError` where it would hang.
enter = _process.enter
handed = _process.handed
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.after_fork)


def is_panic(err: BaseException) -> bool:
    """Whether an error is a failure inside obstore, which Rust calls a panic and which is no `Exception`."""
    return type(err).__module__ == "pyo3_runtime"


def get(store: Any, path: str, most: int | None = None) -> Any:
    """Return a value as memory of obstore, `ValueError` if it has more than `most` bytes."""
    found = obstore.get(store, path)
    if most is not None and (size := found.range[1]) > most:
        raise ValueError(f"it has {size} bytes, and {most} are possible")
    return found.bytes()


def get_piece(store: Any, path: str, options: Any) -> Piece:
    found = obstore.get(store, path, options=options)
    return Piece(bytes(found.bytes()), int(found.meta["size"]), found.meta["e_tag"])


def get_with_version(store: Any, path: str) -> tuple[bytes, dict[str, Any]]:
    found = obstore.get(store, path)
    version = {name: found.meta.get(name) for name in ("e_tag", "version")}
    return bytes(found.bytes()), {name: value for name, value in version.items() if value is not None}


def list_all(store: Any, prefix: str | None) -> list[str]:
    return [entry["path"] for batch in obstore.list(store, prefix, chunk_size=1000) for entry in batch]


def any_below(store: Any, prefix: str | None) -> bool:
    return any(True for batch in obstore.list(store, prefix, chunk_size=1) if batch)


def any_key_below(store: Any, folder: str) -> bool:
    # Consoles make values that stand for folders: their names end like the folder's.
    start = len(folder) + 1 if folder else 0
    return any(
        is_key(entry["path"][start:])
        for batch in obstore.list(store, folder or None, chunk_size=50)
        for entry in batch
    )


def brief(err: BaseException) -> str:
    """Return what an error says, without secrets."""
    text = str(err).partition("\n\nDebug source")[0]
    before, found, _ = text.partition("<?xml")
    said = _XML_CODE.search(text)
    if found and said:
        before += f"{said[1]}: {said[2]}"
    return cleaned(before).strip()
