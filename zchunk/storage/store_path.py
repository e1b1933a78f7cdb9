"""`StorePath`: a store and a path in it, zarr 3's way to name a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zchunk.spec.keys import join, normalize_path
from zchunk.storage.base import Store
from zchunk.storage.mapping import as_store

if TYPE_CHECKING:
    from zchunk.typing import StoreLike


class StorePath:
    """A place in a store. Functions take it where they take a store.

    Parameters
    ----------
    store : Store or mapping
        The store.
    path : str, optional
        The path.

    Examples
    --------
    >>> import zchunk
    >>> from zchunk.storage import StorePath
    >>> place = StorePath(zchunk.MemoryStore()) / "a"
    >>> z = zchunk.zeros(3, store=place)
    >>> z.path, z.store_path == place
    ('a', True)
    """

    __slots__ = ("path", "store")

    def __init__(self, store: StoreLike, path: str = "") -> None:
        self.store: Store = as_store(store)
        self.path: str = normalize_path(path)

    def __truediv__(self, other: str) -> StorePath:
        return StorePath(self.store, _joined(self.path, normalize_path(other)))

    @property
    def read_only(self) -> bool:
        """Whether the store refuses changes."""
        return bool(getattr(self.store, "read_only", False))

    def get(self) -> bytes | None:
        """Return the value of the key, None if there is none.

        Examples
        --------
        >>> from zchunk.storage import StorePath
        >>> StorePath({"a": b"x"}, "a").get()
        b'x'
        """
        return self.store.get(self.path)

    def set(self, value: bytes) -> None:
        """Store a value under the key.

        Examples
        --------
        >>> from zchunk.storage import StorePath
        >>> StorePath({}, "a").set(b"x")
        """
        self.store[self.path] = value

    def delete(self) -> None:
        """Delete the key, if it is there.

        Examples
        --------
        >>> from zchunk.storage import StorePath
        >>> StorePath({}, "a").delete()
        """
        self.store.pop(self.path, None)

    def exists(self) -> bool:
        """Whether the key is there.

        Examples
        --------
        >>> from zchunk.storage import StorePath
        >>> StorePath({}, "a").exists()
        False
        """
        return self.path in self.store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorePath) and self.path == other.path and self.store == other.store

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        root = self.store.root
        where = f"file://{root}" if root is not None else f"memory://{self.store.lock_identity}"
        return _joined(getattr(self.store, "address", where), self.path)

    def __repr__(self) -> str:
        return f"StorePath({type(self.store).__name__}, {str(self)!r})"


def _joined(path: str, name: str) -> str:
    return join(path, name) if name else path


def with_path(store: Any, path: str | bytes | None) -> tuple[Any, str | bytes | None]:
    """Return store and path, where a `StorePath` may be given as the store.

    Examples
    --------
    >>> with_path("a.zarr", "b")
    ('a.zarr', 'b')
    """
    # zarr-python's has the same name and members.
    if isinstance(store, StorePath) or (type(store).__name__ == "StorePath" and hasattr(store, "store")):
        return store.store, _joined(store.path, normalize_path(path))
    return store, path
