"""The tree of a hierarchy, as text and as HTML: of groups of zchunk, of h5py, and of others like them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from zchunk.core.info import escape, human_size
from zchunk.creation.likeness import is_array
from zchunk.storage.consolidated import ConsolidatedMetadataStore
from zchunk.storage.memory import MemoryStore


class Lines(NamedTuple):
    """The text before a node: the branch to it, and the trunk beside the nodes below it."""

    branch: str
    trunk: str


_TEXT = Lines(" ├── ", " │  "), Lines(" └── ", "    ")
# Nodes that a group shows of itself.
_SHOWN = 500
_MORE = " … there are more than max_nodes={}"
_ASCII = Lines(" +-- ", " |  "), Lines(" +-- ", "    ")


class TreeViewer:
    """The tree of a hierarchy, read anew each time it is shown.

    Parameters
    ----------
    group : Group
        zchunk's or h5py's; an array is a tree of one line.
    expand : bool or int, optional
        In HTML: unfold everything, or so many levels.
    level : int, optional
        Show only so many levels.
    max_nodes : int, optional
        Show only so many nodes below the group.

    Examples
    --------
    >>> import zchunk
    >>> g = zchunk.group()
    >>> z = g.zeros("a/b", shape=3)
    >>> print(bytes(g.tree()).decode())
    /
     +-- a
         +-- b (3,) float64
    """

    def __init__(
        self,
        group: object,
        expand: bool | int = False,
        level: int | None = None,
        max_nodes: int | None = None,
    ) -> None:
        self.group = group
        self.expand = expand
        self.level = level
        self.max_nodes = max_nodes

    def __repr__(self) -> str:
        return "\n".join(self._lines(*_TEXT))

    def __bytes__(self) -> bytes:
        return "\n".join(self._lines(*_ASCII)).encode()

    def _are_enough(self, number: int) -> bool:
        """Whether no node is shown after so many, the group itself among them."""
        return self.max_nodes is not None and number > self.max_nodes

    def _members(self, node: object, depth: int) -> list[Any]:
        if not hasattr(node, "values") or (self.level is not None and depth >= self.level):
            return []
        return list(node.values())

    def _lines(self, inner: Lines, last: Lines) -> Iterator[str]:
        for branch, node in self._nodes(inner, last):
            yield _MORE.format(self.max_nodes) if node is None else branch + _label(node)

    def _nodes(self, inner: Lines, last: Lines) -> Iterator[tuple[str, Any]]:
        """Yield the branch to each node, ``""`` to the group, and the node; None where there are too many."""
        # No recursion, here and below: there may be more levels than Python's stack has.
        todo = [(self.group, "", "", 0)]
        for number in itertools.count():
            if not todo:
                return
            if self._are_enough(number):
                yield "", None
                return
            node, branch, trunk, depth = todo.pop()
            yield branch, node
            style = last
            for member in reversed(self._members(node, depth)):
                todo.append((member, trunk + style.branch, trunk + style.trunk, depth + 1))
                style = inner

    def _repr_html_(self) -> str:
        return f'<div class="zarr-tree">{"".join(self._html())}</div>'

    def _html(self) -> Iterator[str]:
        # Nodes with their depth, and the text between and after them.
        todo: list[tuple[Any, int] | str] = [(self.group, 0)]
        number = 0
        while todo:
            step = todo.pop()
            if isinstance(step, str):
                yield step
                continue
            if self._are_enough(number):
                # What is open is closed still.
                yield "…"
                continue
            number += 1
            node, depth = step
            label, members = self._html_label(node), self._members(node, depth)
            if not members:
                yield label
                continue
            unfold = depth == 0 or self.expand is True or depth < (self.expand or 0)
            yield f"<details{' open' if unfold else ''}><summary>{label}</summary><ul>"
            todo.append("</ul></details>")
            for member in reversed(members):
                todo += ["</li>", (member, depth + 1), "<li>"]

    def _html_label(self, node: Any) -> str:
        return escape(_label(node))


class SizedTree(TreeViewer):
    """The tree that a group shows itself as in a notebook: with the bytes of arrays.

    Examples
    --------
    >>> import zchunk
    >>> g = zchunk.group()
    >>> z = g.zeros("a", shape=(1000, 1000))
    >>> "8000000 (7.6M)" in SizedTree(g)._repr_html_()
    True
    """

    def _html_label(self, node: Any) -> str:
        label = super()._html_label(node)
        return f"{label} <small>{human_size(node.nbytes)}</small>" if is_array(node) else label


def group_html(group: Any) -> str | None:
    """Return a foldable tree; None where each node takes a request, and the caller shows the `repr`.

    Examples
    --------
    >>> import zchunk
    >>> g = zchunk.group()
    >>> z = g.zeros("a/b", shape=3)
    >>> group_html(g).count("<summary>")
    2
    """
    store = group.store
    if store.root is None and not isinstance(store, MemoryStore | ConsolidatedMetadataStore):
        return None
    tree = SizedTree(group, max_nodes=_SHOWN)._repr_html_()
    return f'<div class="zchunk-group"><code>{escape(repr(group))}</code>{tree}</div>'


def printable(name: str) -> str:
    """Return a name with escapes for what a terminal would take for a command.

    Examples
    --------
    >>> printable("a\\x1b")
    'a\\\\x1b'
    """
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _label(node: Any) -> str:
    name = printable((node.name or "").rpartition("/")[2] or "/")
    return f"{name} {node.shape} {node.dtype}" if is_array(node) else name
