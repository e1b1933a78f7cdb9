"""Members of a group: a mapping of names to arrays and groups, which finds, lists and visits them."""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import chain, islice
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from zchunk.core.access import Access, check_folder
from zchunk.core.array import Array
from zchunk.core.node import Node
from zchunk.core.properties import find_array
from zchunk.creation.nodes import erase
from zchunk.errors import (
    ArrayNotFoundError,
    ContainsArrayError,
    GroupNotFoundError,
    InvalidKeyError,
    MemberNotFoundError,
    NodeNotFoundError,
    ReadOnlyError,
)
from zchunk.metadata.formats import NodeType, check_group
from zchunk.runtime import requests
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.keys import join, normalize_path, parents
from zchunk.sync import outer_lock

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group

_T = TypeVar("_T")

# Names that a missing one is compared with at most.
_MOST_COMPARED = 1000


def find_group(access: Access) -> Access:
    """Return the record of the group that is in the store. It then has the version of the format.

    Raises
    ------
    GroupNotFoundError
        There is no group at the path.
    ContainsArrayError
        An array is there.
    MixedFormatsError
        Nodes of both formats are at the path, and no version is asked for.
    """
    try:
        fmt = check_group(access.store, access.path, access.version)
    except KeyError:
        which = "" if access.version is None else f" of format {access.version}"
        raise GroupNotFoundError(
            f"no group{which} at path {'/' + access.path!r} in {access.store!r}"
        ) from None
    return access.at(access.path, fmt.version)


def look_for_group(kind: Callable[[Access], _T], access: Access) -> _T | None:
    """Return what `kind` makes of the record of the group that is in the store; None if none is there."""
    try:
        return kind(find_group(access))
    except (GroupNotFoundError, ContainsArrayError):
        return None


class Members(Node, MutableMapping[str, "Array | Group"]):
    """A node that is a mapping of names to arrays and groups."""

    def _member_path(self, name: Any) -> str:
        """Return the path in the store that `name` means: from the root if it begins with a slash."""
        if isinstance(name, slice | tuple | EllipsisType):
            raise TypeError(
                f"group {self.name!r} has members by name, not items: {name!r:.80} selects in an array, such "
                "as group['name'][...]"
            )
        path = normalize_path(name)
        if str(name).startswith("/"):
            return path
        return self._key_prefix + path if path else self.path

    def _access_to(self, path: str) -> Access:
        return self._access.at(path, self._format.version)

    def _name_here(self, path: str) -> str:
        """Return what `_member_path` makes a path of."""
        return path.removeprefix(self._key_prefix) if path.startswith(self._key_prefix) else "/" + path

    def _array(self, path: str) -> Array:
        return Array._of(*find_array(self._access_to(path)))

    def _group(self, path: str) -> Group:
        # Every object of this class is a Group, and its members are of the same class.
        return cast("Group", self._of(find_group(self._access_to(path))))

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"group {self.name!r} is read-only; open it with mode 'r+' or 'a'")

    def _changing(self) -> AbstractContextManager[Any]:
        """Return the lock for making, moving and deleting members; `ReadOnlyError` if that is refused."""
        self._check_writable()
        check_folder(self._access)
        # One lock for the whole hierarchy, as in zarr 2: it may be shared with processes that run zarr 2.
        if self.synchronizer is None:
            return nullcontext()
        return outer_lock(self.synchronizer, self._format.group_key)

    @property
    def name(self) -> str:
        """Path with a leading slash, as in h5py."""
        return "/" + self.path

    # ---- by name

    def __getitem__(self, name: str) -> Array | Group:
        """Return the array or group at a path.

        Parameters
        ----------
        name : str
            Path below this group, or from the root if it begins with a slash.

        Raises
        ------
        KeyError
            Nothing is there.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g["a"]["b"] == g["a/b"] == g["a"]["/a/b"] == z
        True
        """
        path = self._member_path(name)
        # Opened at once: to look first what is there would be one access more.
        try:
            return self._array(path)
        except ArrayNotFoundError:
            pass
        try:
            return self._group(path)
        except GroupNotFoundError:
            raise self._no_member(name, path) from None

    def _no_member(self, name: object, path: str) -> MemberNotFoundError:
        return MemberNotFoundError(
            f"no member {name!r:.200} in group {self.name!r}", partial(self._what_is_there, path)
        )

    def _what_is_there(self, path: str) -> str:
        """Return what to say of a path where nothing is: an array above it, or names like the missing one."""
        # From the root, for the first level that is missing is the one to mend.
        for above in [*parents(path), path]:
            kind = self._kind(above)
            if kind == "array":
                return f"; {'/' + above!r} is an array, which has items and no members"
            if kind is None:
                parent, _, missing = above.rpartition("/")
                names = islice(self._names(parent), _MOST_COMPARED)
                near = [join(parent, name) for name in difflib.get_close_matches(missing, names)]
                # As the caller can write them; there are other files beside members.
                shown = [self._name_here(name) for name in near if self._kind(name) is not None]
                return f"; did you mean {' or '.join(map(repr, shown))}?" if shown else ""
        return ""

    def __getattr__(self, name: str) -> Array | Group:
        # Names that Python, NumPy and IPython ask of every object are not members, and are not looked up: the
        # store may be slow. While a pickle is read, there is no store yet.
        if not name.startswith(("__", "_ipython_")) and "_access" in vars(self):
            try:
                return self[name]
            except (KeyError, InvalidKeyError):
                # Python itself shows near names, of those in `dir`, below a traceback.
                raise AttributeError(
                    f"group {self.name!r} has neither an attribute nor a member {name!r}", name=name, obj=self
                ) from None
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        names: list[str] = []
        # Of a group that is gone, too.
        with suppress(NodeNotFoundError):
            names += (name for name in self if name.isidentifier() and not keyword.iskeyword(name))
        return sorted({*super().__dir__(), *names})

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self)

    def __contains__(self, name: object) -> bool:
        """Whether a member is at a path: below this group, or from the root if it begins with a slash."""
        if not isinstance(name, str):
            return False
        return self._format.contains(self.store, self._member_path(name))

    def __delitem__(self, name: str) -> None:
        """Delete the array or group at a path, with all that is below it.

        Raises
        ------
        KeyError
            Nothing is there.
        ReadOnlyError
            The group was opened for reading.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> del g["a"]
        >>> "a/b" in g
        False
        """
        with self._changing():
            path = self._member_path(name)
            if name not in self:
                raise self._no_member(name, path)
            if path == self.path:
                raise ValueError(f"{name!r} names group {self.name!r} itself, not a member to delete")
            erase(self.store, path, self._access.chunk_store)

    # ---- listing

    def _names(self, path: str) -> list[str]:
        """Return the names directly below the path of this group, or of one in it.

        Raises
        ------
        PathNotFoundError
            Nothing is there, since the folder of this group is gone.
        """
        names = self.store.list_dir(path)
        if not names:
            check_folder(self._access)
        return names

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the arrays and groups directly below."""
        for name, _, is_there in self._looked(partial(self._format.contains, self.store), self.path):
            if is_there:
                yield name

    def __len__(self) -> int:
        """Return how many arrays and groups are directly below."""
        return sum(1 for _ in self)

    @says_near_names
    def array_keys(self, recurse: bool = False) -> Iterator[str]:
        """Yield the names of the arrays below.

        Parameters
        ----------
        recurse : bool, optional
            Those in the groups below too, each under its own name without that of its groups.

        Returns
        -------
        iterator of str

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a", shape=3), g.zeros("b/c", shape=3)
        >>> list(g.array_keys())
        ['a']
        >>> list(g.array_keys(recurse=True))
        ['a', 'c']
        """
        for name, _ in self._each(lambda path: self._kind(path) == "array" or None, recurse):
            yield name

    def _kind(self, path: str) -> NodeType | None:
        return self._format.node_type(self.store, path)

    @says_near_names
    def arrays(self, recurse: bool = False) -> Iterator[tuple[str, Array]]:
        """Yield name and array of the arrays that `array_keys` names.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a", shape=3)
        >>> [(name, array.shape) for name, array in g.arrays()]
        [('a', (3,))]
        """
        return self._each(self._array_or_none, recurse)

    def _array_or_none(self, path: str) -> Array | None:
        try:
            return self._array(path)
        except ArrayNotFoundError:
            return None

    def _each(self, look: Callable[[str], _T | None], recurse: bool) -> Iterator[tuple[str, _T]]:
        """Yield name and what `look` returns for its path; where that is None, look into groups if asked."""
        # No recursion, here and in `_below`: there may be more levels than Python's stack has.
        levels = [self._looked(look, self.path)]
        while levels:
            name, path, found = next(levels[-1], ("", "", None))
            if not name:
                levels.pop()
            elif found is not None:
                yield name, found
            elif recurse and self._kind(path) == "group":
                levels.append(self._looked(look, path))

    def _looked(self, look: Callable[[str], _T], parent: str) -> Iterator[tuple[str, str, _T]]:
        """Yield name, path, and what `look` returns for the path, of everything directly below `parent`."""
        names, several = self._names(parent), self.store.concurrency
        paths = [join(parent, name) for name in names]
        if several > 1:
            found = chain.from_iterable(requests.in_order(look, paths, several))
            return zip(names, paths, found, strict=True)
        if self.store.root is None:
            # A mapping of the caller's may be for one thread.
            return zip(names, paths, map(look, paths), strict=True)
        key = self._format.array_key

        def ahead(paths: list[str]) -> None:
            self.store.read_ahead([join(path, key) for path in paths])

        return zip(names, paths, requests.at_its_pace(look, paths, ahead), strict=True)

    def group_keys(self) -> Iterator[str]:
        """Yield the names of the groups directly below.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> made = g.create_groups("a", "b/c")
        >>> list(g.group_keys())
        ['a', 'b']
        """
        for name, _, kind in self._looked(self._kind, self.path):
            if kind == "group":
                yield name

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Yield name and group of the groups directly below.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> a = g.create_group("a")
        >>> list(g.groups()) == [("a", a)]
        True
        """
        for name in self.group_keys():
            yield name, self._group(self._key_prefix + name)

    # ---- visiting

    def _below(self) -> Iterator[Array | Group]:
        """Yield all arrays and groups below, a group before its members, those of a group by name."""
        levels: list[tuple[Members, Iterator[str]]] = [(self, iter(self))]
        while levels:
            group, names = levels[-1]
            name = next(names, None)
            if name is None:
                levels.pop()
                continue
            member = group[name]
            yield member
            if not isinstance(member, Array):
                levels.append((member, iter(member)))

    def visitvalues(self, func: Callable[[Array | Group], _T | None]) -> _T | None:
        """Call `func` with each array and group below, until it returns something.

        Parameters
        ----------
        func : callable
            Takes an `Array` or `Group`. A group comes before its members.

        Returns
        -------
        object
            What `func` returned that was not None; None if it never did.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.visitvalues(print)
        <zchunk.hierarchy.Group '/a'>
        <zchunk.core.Array '/a/b' (3,) float64>
        """
        for member in self._below():
            result = func(member)
            if result is not None:
                return result
        return None

    def visititems(self, func: Callable[[str, Array | Group], _T | None]) -> _T | None:
        """Call `func` with path below this group and object of each array and group, as `visitvalues` does.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.visititems(lambda path, node: path if isinstance(node, zchunk.Array) else None)
        'a/b'
        """
        start = len(self._key_prefix)
        return self.visitvalues(lambda member: func(member.path[start:], member))

    def visit(self, func: Callable[[str], _T | None]) -> _T | None:
        """Call `func` with the path below this group of each array and group, as `visitvalues` does.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.visit(print)
        a
        a/b
        """
        return self.visititems(lambda path, member: func(path))

    def visitkeys(self, func: Callable[[str], _T | None]) -> _T | None:
        """Do what `visit` does.

        Examples
        --------
        >>> import zchunk
        >>> g = zchunk.group()
        >>> z = g.zeros("a/b", shape=3)
        >>> g.visitkeys(print)
        a
        a/b
        """
        return self.visit(func)
