"""The tree of a hierarchy, as text and as HTML: of zchunk's groups, h5py's, and any that are like them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from zchunk.display import escape


class _Lines(NamedTuple):
    """What stands before a node: the branch to it, and the trunk beside what is below it."""

    branch: str
    trunk: str


_TEXT = _Lines(" ├── ", " │  "), _Lines(" └── ", "    ")
_ASCII = _Lines(" +-- ", " |  "), _Lines(" +-- ", "    ")


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
    """

    def __init__(self, group: Any, expand: bool | int = False, level: int | None = None) -> None:
        self.group = group
        self.expand = expand
        self.level = level

    def __repr__(self) -> str:
        return "\n".join(self._lines(self.group, *_TEXT))

    def __bytes__(self) -> bytes:
        return "\n".join(self._lines(self.group, *_ASCII)).encode()

    def _members(self, node: Any, depth: int) -> list[Any]:
        if not hasattr(node, "values") or (self.level is not None and depth >= self.level):
            return []
        return list(node.values())

    def _lines(self, node: Any, inner: _Lines, last: _Lines, depth: int = 0) -> Iterator[str]:
        yield _label(node)
        members = self._members(node, depth)
        for i, member in enumerate(members):
            style = inner if i + 1 < len(members) else last
            first, *below = self._lines(member, inner, last, depth + 1)
            yield style.branch + first
            for line in below:
                yield style.trunk + line

    def _repr_html_(self) -> str:
        return f'<div class="zarr-tree">{self._html(self.group)}</div>'

    def _html(self, node: Any, depth: int = 0) -> str:
        label = escape(_label(node))
        items = "".join(f"<li>{self._html(member, depth + 1)}</li>" for member in self._members(node, depth))
        if not items:
            return label
        unfold = depth == 0 or self.expand is True or depth < self.expand
        return f"<details{' open' if unfold else ''}><summary>{label}</summary><ul>{items}</ul></details>"


def _label(node: Any) -> str:
    name: str = (node.name or "").rpartition("/")[2] or "/"
    return f"{name} {node.shape} {node.dtype}" if hasattr(node, "shape") else name


def tree(grp: Any, expand: bool | int = False, level: int | None = None) -> TreeViewer:
    """Return what shows the hierarchy in a group of zchunk's or h5py's, as text and as HTML.

    Parameters
    ----------
    grp : Group
        The group.
    expand : bool or int, optional
        In HTML: unfold everything, or so many levels.
    level : int, optional
        Show only so many levels.

    Returns
    -------
    TreeViewer
    """
    return TreeViewer(grp, expand, level)
