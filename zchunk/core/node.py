"""Node: what arrays and groups have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from zchunk.core.access import Access
from zchunk.core.assignment import Closed
from zchunk.core.attributes import Attributes
from zchunk.engine.chunk_cache import ChunkCache
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import Format, get_format
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import says_near_names
from zchunk.storage.base import Store
from zchunk.storage.store_path import StorePath

if TYPE_CHECKING:
    from zchunk.core import tokens
    from zchunk.typing import ArrayConfigLike, AttributesLike, Synchronizer, ZarrFormat
else:
    # For dask only.
    tokens = LazyModule("zchunk.core.tokens")


class Node(Closed):
    """Base of `zchunk.Array` and `zchunk.Group`: where it is, and its attributes."""

    _access: Access
    _format: Format
    # What all keys of the node begin with.
    _key_prefix: str
    _instead: ClassVar = (
        'z.attrs["{name}"] = ... sets an attribute that is stored',
        'del z.attrs["{name}"] deletes an attribute that is stored',
    )
    _instead_of: ClassVar = {
        "attrs": (".attrs.put(...) replaces all attributes", ".attrs.clear() deletes all attributes")
    }
    # The public constructor. A subclass may have another.
    _opening: ClassVar[Callable[..., None]] = object.__init__
    # Fields of the record that the public constructor takes, in its order; None is an argument without one.
    _arguments: ClassVar[tuple[str | None, ...]]

    @classmethod
    def _of(cls, access: Access, metadata: ArrayMetadata | None = None) -> Self:
        """Return the node of these records: how it is accessed, and of an array what it is.

        All nodes are made of records. The public constructors look for them in the store first.
        """
        if access.new_nodes.kinds is not None:
            cls = access.new_nodes.kinds(cls)
        node = cls.__new__(cls)
        if cls.__init__ is not cls._opening:
            # A subclass whose constructor sets what its methods need: it gets what the public one takes.
            construct: Callable[..., None] = partial(cls.__init__, node)
            more: dict[str, Any] = {} if access.cache is None else {"cache_bytes": access.cache}
            if access.missing != "fill":
                more["missing"] = access.missing
            fields = access._asdict()
            construct(*(None if name is None else fields[name] for name in cls._arguments), **more)
        node._become(access, metadata)
        return node

    @classmethod
    def _configuration(cls, given: ArrayConfigLike = None) -> ArrayConfigLike:
        """Return the configuration that class methods open nodes with, where a caller says this of it."""
        return given

    def _become(self, access: Access, metadata: ArrayMetadata | None) -> None:
        """Set what the records say. They have the version of the format."""
        assert access.version is not None
        # Not by assignments, which `Closed` looks at, for many nodes are made.
        facts = self.__dict__
        facts["_access"] = access
        facts["_format"] = get_format(access.version)
        facts["_key_prefix"] = access.path + "/" if access.path else ""

    def __dask_tokenize__(self) -> tuple[str, str]:
        return tokens.dask_token(self)

    @property
    def zarr_format(self) -> ZarrFormat:
        """Version of the format, 2 or 3."""
        return self._format.version

    # Programs have these names from zarr 2.
    _version = zarr_format
    _store = property(attrgetter("_access.store"))
    _chunk_store = property(attrgetter("_access.chunk_store"))
    _path = property(attrgetter("_access.path"))
    _read_only = property(attrgetter("_access.read_only"))
    _synchronizer = property(attrgetter("_access.synchronizer"))
    _cache_metadata = property(attrgetter("_access.cache_metadata"))

    @property
    def store(self) -> Store:
        """The store that holds the metadata."""
        return self._access.store

    @property
    def chunk_store(self) -> Store:
        """The store that holds the chunks."""
        access = self._access
        return access.store if access.chunk_store is None else access.chunk_store

    @property
    def path(self) -> str:
        """Path in the store, ``""`` for the root."""
        return self._access.path

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._access.read_only

    @property
    def synchronizer(self) -> Synchronizer | None:
        """What hands out locks by key, or None."""
        return self._access.synchronizer

    @property
    def chunk_cache(self) -> ChunkCache | None:
        """The decoded chunks that are kept, None unless opened with ``cache_bytes``."""
        return self._access.cache

    @property
    def meta_array(self) -> np.ndarray[Any, Any]:
        """An array of the kind that reading gives, NumPy's (zarr 2's name)."""
        return np.empty(())

    @property
    def attrs(self) -> Attributes:
        """User attributes, a mapping that writes through to the store."""
        found: Attributes | None = vars(self).get("_attrs")
        return self._make_attrs() if found is None else found

    def _make_attrs(self) -> Attributes:
        # Made when first asked for: many arrays are only read. All threads get the same ones.
        access, fmt = self._access, self._format
        attrs = Attributes(
            access.store,
            self._key_prefix + fmt.attrs_key,
            access.read_only,
            access.cache_attrs,
            access.synchronizer,
            member=fmt.attrs_member,
        )
        vars(attrs)["_access"] = access
        found: Attributes = vars(self).setdefault("_attrs", attrs)
        return found

    @says_near_names
    def update_attributes(self, new_attributes: AttributesLike) -> Self:
        """Set user attributes, keep the others, and return the node (zarr 3's name for ``attrs.update``).

        Examples
        --------
        >>> import zchunk
        >>> zchunk.group().update_attributes({"title": "tides"}).attrs["title"]
        'tides'
        """
        self.attrs.update(new_attributes)
        return self

    @property
    def store_path(self) -> StorePath:
        """Store and path together (zarr 3's name).

        Examples
        --------
        >>> import zchunk
        >>> zchunk.zeros(3, path="a").store_path.path
        'a'
        """
        return StorePath(self.store, self.path)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Node)
            and (isinstance(other, type(self)) or isinstance(self, type(other)))
            and self.store == other.store
            and self.path == other.path
            and self.read_only == other.read_only
        )

    __hash__ = None  # type: ignore[assignment]
