"""Arrays and groups as zarr 3 has them, and the configuration by which nodes become so.

They are zchunk's, which do all the work: here is what zarr 3 calls them and shows of them, and where its
groups take a name for something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack

from zchunk.core.array import Array as _Array
from zchunk.core.array_config import ArrayConfig, NewNodes, as_config
from zchunk.hierarchy.groups import Group as _Group
from zchunk.runtime.lazy import LazyModule
from zchunk.zarr3.defaults import COMPRESSOR, config
from zchunk.zarr3.trees import Tree

if TYPE_CHECKING:
    from zchunk.creation.keywords import MemberLike, NewMember
    from zchunk.metadata.array import ArrayMetadata
    from zchunk.metadata.group import ConsolidatedMetadata
    from zchunk.typing import ArrayConfigLike, MemoryOrder, TemplateLike
    from zchunk.zarr3 import metadata
else:
    # For programs that ask for them.
    metadata = LazyModule("zchunk.zarr3.metadata")


def configuration(given: ArrayConfigLike = None) -> ArrayConfig:
    """Return how arrays are used and what new ones are: what a caller says, and zarr 3's defaults.

    Examples
    --------
    >>> configuration().write_empty_chunks
    False
    >>> configuration({"write_empty_chunks": True}).write_empty_chunks
    True
    """
    if isinstance(given, ArrayConfig) and given.new_nodes != NewNodes():
        return given
    base = ArrayConfig(
        config.get("array.order"),
        config.get("array.write_empty_chunks"),
        config.get("array.read_missing_chunks"),
        NewNodes(config.get("default_zarr_format"), COMPRESSOR, own_kind),
        strings=True,
    )
    return as_config(given.to_dict() if isinstance(given, ArrayConfig) else given, base=base)


def own_kind(kind: type[Any]) -> type[Any]:
    """Return the class here for one of zchunk's; others, which users derive, stay what they are.

    Examples
    --------
    >>> import zchunk
    >>> own_kind(zchunk.Group).__module__
    'zchunk.zarr3'
    """
    return _OWN.get(kind, kind)


class Array(_Array):
    """An array: `zchunk.Array` with zarr 3's name, text and metadata.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> z = zarr.zeros(3, dtype="i4", store="a.zarr")
    >>> z.name, z.metadata.data_type
    ('/', Int32(endianness='little'))
    >>> z == zarr.Array.open("a.zarr")
    True
    """

    __module__ = "zchunk.zarr3"

    def __class_getitem__(cls, metadata: object) -> type[Self]:
        # Programs annotate with zarr.Array[...].
        return cls

    @property
    def name(self) -> str:
        """Path with a leading slash."""
        return "/" + self.path

    @property
    def basename(self) -> str:
        """Last part of the name."""
        return self.path.rpartition("/")[2]

    @property
    def order(self) -> MemoryOrder:
        """Layout of the items: in a chunk in format 2, in memory of what is read in format 3."""
        return super().order if self.zarr_format == 2 else self.config.order

    @property
    def metadata(self) -> ArrayMetadata:
        """The array's metadata, with zarr 3's members."""
        return metadata.shown(self._metadata, self.attrs.asdict)

    def __repr__(self) -> str:
        return f"<Array {self.store_path} shape={self.shape} dtype={self.dtype}>"

    @classmethod
    def _configuration(cls, given: ArrayConfigLike = None) -> ArrayConfig:
        return configuration(given)


class Group(_Group):
    """A group: `zchunk.Group` with zarr 3's text, tree and metadata.

    A path is that below the group, also where it begins with a slash.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> g = zarr.Group.from_store("a.zarr")
    >>> g.zarr_format, g.create_group("/b").create_group("/c").path
    (3, 'b/c')
    """

    __module__ = "zchunk.zarr3"

    # Whether `metadata` has the consolidated ones; not where a caller asked to leave these alone.
    _has_consolidated = True

    def _member_path(self, name: Any) -> str:
        return super()._member_path(name.lstrip("/") if isinstance(name, str) else name)

    def _consolidated(self) -> ConsolidatedMetadata | None:
        return super()._consolidated() if self._has_consolidated else None

    def empty(self, name: str, **kwargs: Unpack[NewMember]) -> _Array:
        """Do what `zeros` does: in zarr 3, too, items that were never written read as zeros.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> zarr.group().empty("a", shape=2, dtype="i4")[:]
        array([0, 0], dtype=int32)
        """
        return self.zeros(name, **kwargs)

    def empty_like(self, name: str, data: TemplateLike, **kwargs: Unpack[MemberLike]) -> _Array:
        """Make an array like `data`, with the fill value of an array, and 0 if it has none.

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> g = zarr.group()
        >>> g.empty_like("a", zarr.full(2, 5, dtype="i4"))[:]
        array([5, 5], dtype=int32)
        """
        like = self.full_like if isinstance(data, _Array) else self.zeros_like
        return like(name, data, **kwargs)

    def tree(  # type: ignore[override]
        self,
        expand: bool | None = None,
        level: int | None = None,
        *,
        max_nodes: int = 500,
        plain: bool = False,
    ) -> Tree:
        """Return what shows the hierarchy, as text and as HTML.

        Parameters
        ----------
        expand : None
            An error if it is given, as in zarr 3: the whole tree is shown.
        level : int, optional
            Show only so many levels below the members.
        max_nodes : int, optional
            Show only so many nodes.
        plain : bool, optional
            Show names as the other text, not bold.

        Returns
        -------
        Tree

        Examples
        --------
        >>> import zchunk.zarr3 as zarr
        >>> g = zarr.group()
        >>> z = g.create_array("a/b", shape=3, dtype="f8"), g.create_array("c", shape=2, dtype="f8")
        >>> print(g.tree(), end="")
        /
        ├── a
        │   └── b (3,) float64
        └── c (2,) float64
        """
        if expand is not None:
            _refuse_expand()
        return Tree(self, level, max_nodes, plain)

    def __repr__(self) -> str:
        return f"<Group {self.store_path}>"

    @classmethod
    def _configuration(cls, given: ArrayConfigLike = None) -> ArrayConfig:
        return configuration(given)


def _refuse_expand() -> NoReturn:
    raise NotImplementedError("tree shows all there is, as in zarr 3: leave out expand, give level for less")


def without_consolidated(group: _Group) -> _Group:
    """Return the group, whose `metadata` then have no consolidated ones.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> without_consolidated(zarr.group()).metadata.consolidated_metadata is None
    True
    """
    vars(group)["_has_consolidated"] = False
    return group


_OWN: dict[type[Any], type[Any]] = {_Array: Array, _Group: Group}
