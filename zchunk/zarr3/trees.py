"""The tree of a hierarchy as zarr 3 shows it: as text, bold in a terminal, and as HTML for notebooks."""

from __future__ import annotations

import sys
from typing import Any

from zchunk.core.info import escape
from zchunk.creation.likeness import is_array
from zchunk.hierarchy.tree import Lines, TreeViewer, printable

_INNER, _LAST = Lines("├── ", "│   "), Lines("└── ", "    ")
_TRUNCATED = "Truncated at max_nodes={}, some nodes and their children may be missing\n"
_STYLE = (
    "white-space:pre;overflow-x:auto;line-height:normal;"
    "font-family:Menlo,'DejaVu Sans Mono',consolas,'Courier New',monospace"
)


class Tree(TreeViewer):
    """The tree of a group, read anew each time it is shown.

    Parameters
    ----------
    group : Group
        The group.
    level : int, optional
        Show only so many levels below the members.
    max_nodes : int, optional
        Show only so many nodes below the group.
    plain : bool, optional
        Show names as the other text, not bold.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> g = zarr.group()
    >>> z = g.create_array("a/b", shape=3, dtype="f8")
    >>> print(Tree(g, level=0), end="")
    /
    └── a
    """

    def __init__(
        self, group: Any, level: int | None = None, max_nodes: int | None = None, plain: bool = False
    ) -> None:
        super().__init__(group, level=None if level is None else level + 1, max_nodes=max_nodes)
        self.plain = plain

    def __repr__(self) -> str:
        # Codes for bold are of no use in a file.
        bold = not self.plain and sys.stdout.isatty()
        return self._rendered("\x1b[1m{}\x1b[0m" if bold else "{}", str)

    def _repr_html_(self) -> str:
        body = self._rendered("{}" if self.plain else "<b>{}</b>", escape)
        return f'<pre style="{_STYLE}">{body}</pre>\n'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _members(self, node: object, depth: int) -> list[Any]:
        return sorted(super()._members(node, depth), key=lambda member: str(member.basename))

    def _rendered(self, bold: str, escaped: Any) -> str:
        found, note = "", ""
        for branch, node in self._nodes(_INNER, _LAST):
            if node is None:
                note = _TRUNCATED.format(self.max_nodes)
                continue
            name = printable(node.basename if branch else node.name)
            items = f" {node.shape} {node.dtype}" if is_array(node) else ""
            found += f"{branch}{bold.format(escaped(name))}{escaped(items)}\n"
        return note + found
