"""What zarr 3 calls the members of a group, its metadata, and making many nodes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Unpack, cast

from zchunk.core.access import Access
from zchunk.core.array import Array
from zchunk.core.properties import find_array
from zchunk.creation.nodes import check_absent, init_array, init_group, new_path
from zchunk.errors import ArrayNotFoundError, ContainsGroupError, InvalidKeyError, MixedFormatsError
from zchunk.hierarchy.member_creation import MemberCreation
from zchunk.hierarchy.members import Members, find_group
from zchunk.metadata.array import ArrayMetadata
from zchunk.metadata.formats import get_format
from zchunk.metadata.group import ConsolidatedMetadata, GroupMetadata
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.keys import CONSOLIDATED_KEY, NODE_KEY, join, normalize_path, parents
from zchunk.storage.consolidated import ConsolidatedMetadataStore

if TYPE_CHECKING:
    from zchunk.creation.keywords import RequiredMember
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import DTypeLike, ShapeLike

NodeLike: TypeAlias = "GroupMetadata | ArrayMetadata | Array | Group"


class Zarr3Names(MemberCreation):
    """A group with the methods of zarr 3's."""

    # ---- members

    @says_near_names
    def members(
        self, max_depth: int | None = 0, *, use_consolidated_for_children: bool = True
    ) -> tuple[tuple[str, Array | Group], ...]:
        """Return path and node of the members.

        Parameters
        ----------
        max_depth : int or None, optional
            How many levels below the members themselves to go; None: all.
        use_consolidated_for_children : bool, optional
            Ignored: members are found where the group is opened from.

        Returns
        -------
        tuple of (str, Array or Group)
            Groups come before what is in them.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> [path for path, node in g.members()]
        ['a']
        >>> [path for path, node in g.members(max_depth=None)]
        ['a', 'a/b']
        """
        return tuple(self._members(max_depth))

    def _members(self, max_depth: int | None) -> Iterator[tuple[str, Array | Group]]:
        if max_depth is not None and max_depth < 0:
            raise ValueError(f"max_depth is an integer >= 0 or None, not {max_depth!r}")
        levels: list[tuple[str, Members, Iterator[str]]] = [("", self, iter(self))]
        while levels:
            start, group, names = levels[-1]
            name = next(names, None)
            if name is None:
                levels.pop()
                continue
            node = group[name]
            path = join(start, name)
            yield path, node
            if not isinstance(node, Array) and (max_depth is None or len(levels) <= max_depth):
                levels.append((path, node, iter(node)))

    @says_near_names
    def nmembers(self, max_depth: int | None = 0) -> int:
        """Return how many members there are, so many levels below as `members` goes.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.nmembers(), g.nmembers(None)
        (1, 2)
        """
        return sum(1 for _ in self._members(max_depth))

    def array_values(self) -> Iterator[Array]:
        """Yield the arrays directly below.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a", shape=3)
        >>> list(g.array_values()) == [z]
        True
        """
        return (array for _, array in self.arrays())

    def group_values(self) -> Iterator[Group]:
        """Yield the groups directly below.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> a = g.create_group("a")
        >>> list(g.group_values()) == [a]
        True
        """
        return (group for _, group in self.groups())

    def get_array(self, path: str) -> Array:
        """Return the array at a path.

        Raises
        ------
        ArrayNotFoundError
            Nothing is there.
        ContainsGroupError
            A group is there.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.get_array("a/b") == z
        True
        """
        where = self._member_path(path)
        try:
            return self._array(where)
        except ArrayNotFoundError:
            if self._kind(where) == "group":
                raise ContainsGroupError(
                    f"a group, not an array, is at {'/' + where!r} in {self.store!r}"
                ) from None
            raise

    def get_group(self, path: str) -> Group:
        """Return the group at a path.

        Raises
        ------
        GroupNotFoundError
            Nothing is there.
        ContainsArrayError
            An array is there.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.get_group("a")
        <zchunk.hierarchy.Group '/a'>
        """
        return self._group(self._member_path(path))

    @says_near_names
    def require_array(
        self,
        name: str,
        *,
        shape: ShapeLike,
        dtype: DTypeLike = None,
        exact: bool = False,
        **kwargs: Unpack[RequiredMember],
    ) -> Array:
        """Return an array, made if it is not there: zarr 3's name for `require_dataset`.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group(zarr_format=3)
        >>> z = g.require_array("a", shape=4, dtype="i4", shards=4, chunks=2)
        >>> g.require_array("a", shape=4, dtype="i4") == z
        True
        """
        return self.require_dataset(name, shape, dtype, exact, **kwargs)

    # ---- what it is

    @property
    def metadata(self) -> GroupMetadata:
        """The group's metadata: attributes, version of the format, and metadata that were consolidated.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.group(attributes={"title": "tides"}).metadata.attributes
        {'title': 'tides'}
        """
        extra = self._format.group_extensions(self.store, self.path)
        return GroupMetadata(self.attrs.asdict(), self.zarr_format, self._consolidated(), extra)

    def _consolidated(self) -> ConsolidatedMetadata | None:
        group = self
        if not isinstance(self.store, ConsolidatedMetadataStore):
            if self.zarr_format == 2 and self.path:
                return None
            key = CONSOLIDATED_KEY if self.zarr_format == 2 else join(self.path, NODE_KEY)
            try:
                store = ConsolidatedMetadataStore(self.store, key)
            except KeyError:
                return None
            group = self._of(self._access._replace(store=store))
        return ConsolidatedMetadata.of_paths({path: _alone(node) for path, node in group.members(None)})

    # ---- many nodes at once

    @says_near_names
    def create_hierarchy(
        self, nodes: Mapping[str, NodeLike], *, overwrite: bool = False
    ) -> Iterator[tuple[str, Array | Group]]:
        """Make arrays and groups of metadata, and the groups above them.

        Parameters
        ----------
        nodes : mapping
            By paths below this group: `GroupMetadata`, what `Array.metadata` is, or an array or group, which
            is copied without its chunks and members, and with its attributes.
        overwrite : bool, optional
            Replace what is there.

        Yields
        ------
        tuple of (str, Array or Group)
            Path and node, also of the groups above that were not there.

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            Something is there and `overwrite` is false; nothing was made then.
        InvalidKeyError
            A path is that of the group itself, or can be none.

        Examples
        --------
        >>> import zchunk
        >>> from zchunk.metadata.group import GroupMetadata
        >>> g = zchunk.group(zarr_format=3)
        >>> [path for path, node in g.create_hierarchy({"a/b": GroupMetadata()})]
        ['a', 'a/b']
        """
        if any(not normalize_path(name) for name in nodes):
            raise InvalidKeyError("'' would be the group itself; create_hierarchy makes what is in it")
        with self._changing():
            return make_nodes(self._access, nodes, overwrite, type(self))


def _alone(node: Array | Members) -> ArrayMetadata | GroupMetadata:
    if isinstance(node, Array):
        return node.metadata
    extra = node._format.group_extensions(node.store, node.path)
    return GroupMetadata(node.attrs.asdict(), node.zarr_format, extra_fields=extra)


class _Described(NamedTuple):
    """A node that is to be made: metadata of an array, or None of a group; version, attributes, the rest."""

    metadata: ArrayMetadata | None
    version: int
    attributes: Mapping[str, Any] = {}
    more: Mapping[str, Any] = {}


def _described(node: Any) -> _Described:
    if isinstance(node, Array):
        return _Described(node._metadata, node.zarr_format, node.attrs.asdict())
    if isinstance(node, ArrayMetadata):
        # Those of `zchunk.zarr3` have more members, and attributes.
        return _Described(node.replace(), node.zarr_format, getattr(node, "attributes", {}))
    if isinstance(node, Members):
        node = _alone(node)
    if isinstance(node, GroupMetadata):
        return _Described(None, node.zarr_format, node.attributes, node.extra_fields)
    raise TypeError(f"a node is made of GroupMetadata, Array.metadata, an array or a group, not {node!r:.80}")


def make_nodes(
    access: Access, nodes: Mapping[str, Any], overwrite: bool, kind: type[Members]
) -> Iterator[tuple[str, Array | Group]]:
    """Make nodes below the path of `access`, and return path and node of each, groups as of class `kind`.

    Raises
    ------
    InvalidKeyError
        A node would be in an array, or there can be no such path.
    MixedFormatsError
        They are of two formats.
    """
    found = {normalize_path(name): _described(node) for name, node in nodes.items()}
    versions = {node.version for node in found.values()}
    if access.version is not None:
        versions.add(access.version)
    if len(versions) > 1:
        raise MixedFormatsError("nodes of two formats cannot be in one hierarchy; make two of them")
    if not found:
        return iter(())
    fmt, store = get_format(versions.pop()), access.store
    for name in list(found):
        new_path(_below(access.path, name), fmt.version)
        for above in parents(name):
            if above in found and found[above].metadata is not None:
                raise InvalidKeyError(f"{name!r} would be in {above!r}, which is to be an array")
            if above and above not in found and fmt.node_type(store, _below(access.path, above)) is None:
                found[above] = _Described(None, fmt.version)
    order = sorted(found, key=lambda name: (name.count("/") if name else -1, name))
    if not overwrite:
        for name in order:
            check_absent(store, _below(access.path, name))
    for name in order:
        metadata, _, attributes, more = found[name]
        path = _below(access.path, name)
        if metadata is None:
            init_group(store, path, overwrite, access.chunk_store, fmt, attributes, more)
        else:
            init_array(store, path, metadata, overwrite, access.chunk_store, attributes)
    return _opened(access, [(name, found[name].metadata is not None) for name in order], fmt.version, kind)


def _below(path: str, name: str) -> str:
    return join(path, name) if name else path


def _opened(
    access: Access, nodes: list[tuple[str, bool]], version: int, kind: type[Members]
) -> Iterator[tuple[str, Array | Group]]:
    for name, is_array in nodes:
        there = access.at(_below(access.path, name), version)
        if is_array:
            yield name, Array._of(*find_array(there))
        else:
            yield name, cast("Group", kind._of(find_group(there)))
