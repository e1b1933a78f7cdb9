"""`zchunk info`, `tree`, `ls` and `head`: what is there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.core.array import Array
from zchunk.runtime.lazy import LazyModule
from zchunk.spec.keys import DIMENSIONS
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser, UsageError, at_least_1, selection
from zchunk.wings.command_line.commands import Command
from zchunk.wings.command_line.places import array_at, node_at

if TYPE_CHECKING:
    from zchunk.hierarchy import tree as trees
    from zchunk.hierarchy.groups import Group
    from zchunk.wings.command_line import statistics
else:
    # `info` of an array needs none of them.
    trees = LazyModule("zchunk.hierarchy.tree")
    statistics = LazyModule("zchunk.wings.command_line.statistics")

# Items that `head` prints at most, and along each of the last two axes by default.
_MOST_ITEMS = 1_000_000
_FEW = 5


# ---- info


def _info_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("--stats", action="store_true", help="read the values: least, largest, mean, NaNs")
    parser.add_json()
    parser.add_progress()
    parser.add_options()


def _info(args: argparse.Namespace) -> int:
    with node_at(args, args.path) as node:
        if args.stats and not isinstance(node, Array):
            raise UsageError(f"{args.path!r} is a group; --stats reads the values of an array")
        stats = statistics.of_array(node, args.progress) if args.stats and isinstance(node, Array) else {}
        if args.json:
            output.say_json(describe(node) | ({"stats": stats} if stats else {}))
            return 0
        rows = node.info_items() + _more_rows(node)
        rows += [(f"Values: {name}", str(value)) for name, value in stats.items()]
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            output.say(f"{output.coloured(f'{name:<{width}}', 'bold')} : {output.one_line(value)}")
    return 0


def _more_rows(node: Array | Group) -> list[tuple[str, str]]:
    """Return what `info` of the command line has, and that of Python not."""
    rows = []
    if isinstance(node, Array):
        rows.append(("Fill value", repr(output.as_json(node.fill_value))))
        if names := dimensions(node):
            rows.append(("Dimensions", ", ".join(str(name) for name in names)))
    attributes = node.attrs.asdict()
    if attributes:
        rows.append(("Attributes", ", ".join(attributes)))
    return rows


def dimensions(array: Array) -> list[Any] | None:
    """Return the names of an array's axes; None if it has none."""
    names: Any = array.dimension_names
    if names is None:
        names = array.attrs.get(DIMENSIONS)
    return [*names] if isinstance(names, list | tuple) else None


def describe(node: Array | Group) -> dict[str, Any]:
    """Return what an array or group is, as JSON."""
    found: dict[str, Any] = {
        "type": "array" if isinstance(node, Array) else "group",
        "path": node.path,
        "zarr_format": node.zarr_format,
        "store": repr(node.store),
        "attributes": node.attrs.asdict(),
    }
    if not isinstance(node, Array):
        return found | {"arrays": [*node.array_keys()], "groups": [*node.group_keys()]}
    found |= {
        "shape": node.shape,
        "dtype": str(node.dtype),
        "chunks": node.chunks,
        "shards": node.shards,
        "order": node.order,
        "fill_value": node.fill_value,
        "dimensions": dimensions(node),
        "filters": [codec.get_config() for codec in node.filters or ()],
        "compressors": [codec.get_config() for codec in node.compressors],
        "nbytes": node.nbytes,
        "nbytes_stored": int(node.nbytes_stored),
        "nchunks": node.nchunks,
        "nchunks_initialized": node.nchunks_initialized,
    }
    if node.shards is not None:
        found |= {"nshards": node.nshards, "nshards_initialized": node.nshards_initialized}
    return found


# ---- tree


def _tree_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("-L", "--level", type=at_least_1, metavar="N", help="show so many levels")
    parser.add_argument("-n", "--max-nodes", type=at_least_1, metavar="N", help="show so many nodes")
    parser.add_json()
    parser.add_options()


def _tree(args: argparse.Namespace) -> int:
    with node_at(args, args.path) as node:
        if args.json:
            output.say_json(_as_tree(node, args.level))
        else:
            output.say(repr(trees.TreeViewer(node, level=args.level, max_nodes=args.max_nodes)))
    return 0


def _as_tree(top: Array | Group, level: int | None) -> dict[str, Any]:
    # No recursion: there may be more levels than Python's stack has.
    tree: dict[str, Any] = {}
    todo: list[tuple[Array | Group, dict[str, Any], int]] = [(top, tree, 0)]
    while todo:
        node, found, depth = todo.pop()
        if isinstance(node, Array):
            found |= {"type": "array", "shape": node.shape, "dtype": str(node.dtype)}
            continue
        found |= {"type": "group", "members": {}}
        if level is None or depth < level:
            for name, member in node.items():
                found["members"][name] = {}
                todo.append((member, found["members"][name], depth + 1))
    return tree


# ---- ls


def _ls_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("-l", "--long", action="store_true", help="with dtype, shape, chunks and sizes")
    parser.add_json()
    parser.add_options()


def _ls(args: argparse.Namespace) -> int:
    with node_at(args, args.path) as node:
        members = {args.path: node} if isinstance(node, Array) else dict(node.items())
        if args.json:
            output.say_json([{"name": name} | describe(member) for name, member in members.items()])
        elif args.long:
            rows = [_row(name, member) for name, member in members.items()]
            for line in output.lines_of(rows, right=[2, 3]) if rows else ():
                output.say(line)
        else:
            for name, member in members.items():
                is_array = isinstance(member, Array)
                output.say(output.one_line(name) if is_array else output.coloured(f"{name}/", "blue"))
    return 0


def _row(name: str, node: Array | Group) -> tuple[str, ...]:
    name = output.one_line(name)
    if not isinstance(node, Array):
        return "group", "", "", "", f"{name}/", ""
    shape = "x".join(map(str, node.shape)) or "()"
    stored = int(node.nbytes_stored)
    grid = f"chunks {node.metadata.grid_of_chunks.text}"
    if node.shards is not None:
        grid += f" shards {node.metadata.grid.text}"
    return str(node.dtype), shape, output.size(node.nbytes), output.size(max(stored, 0)), name, grid


# ---- head


def _head_arguments(parser: Parser) -> None:
    parser.add_place(text="of an array: a path or URL")
    parser.add_argument(
        "selection", nargs="?", type=selection, help="as NumPy's, in quotes: '[0, :5, ::2]'; by default some"
    )
    parser.add_argument("--digits", type=at_least_1, metavar="N", help="digits behind the point")
    parser.add_json()
    parser.add_options()


def _head(args: argparse.Namespace) -> int:
    with array_at(args, args.path) as array:
        wanted = _some(array) if args.selection is None else args.selection
        view = array.lazy[wanted]
        if view.size > _MOST_ITEMS:
            raise UsageError(
                f"the selection has {view.size:,} items, and head prints at most {_MOST_ITEMS:,}; select "
                "less, or use zchunk export"
            )
        values = np.asarray(array[wanted])
        if args.json:
            output.say_json({"selection": text_of(wanted), "shape": values.shape, "values": values})
            return 0
        if args.selection is None:
            output.say(output.coloured(f"{text_of(wanted)} of {array.shape} {array.dtype}:", "dim"))
        output.say(np.array2string(values, separator=", ", threshold=_MOST_ITEMS, precision=args.digits))
    return 0


def _some(array: Array) -> tuple[Any, ...]:
    """Return a selection of a few items: the first along the last two axes, of the first plane."""
    ndim = array.ndim
    return tuple([0 if n and axis < ndim - 2 else slice(0, _FEW) for axis, n in enumerate(array.shape)])


def text_of(wanted: tuple[Any, ...]) -> str:
    """Return a selection as text.

    Examples
    --------
    >>> text_of((0, slice(None, 5), Ellipsis, slice(8, None, 2)))
    '[0, :5, ..., 8::2]'
    """
    parts = []
    for item in wanted:
        if item is Ellipsis:
            parts.append("...")
        elif isinstance(item, slice):
            first, last, step = ("" if n is None else str(n) for n in (item.start, item.stop, item.step))
            parts.append(f"{first}:{last}" + (f":{step}" if step else ""))
        else:
            parts.append(str(item))
    return f"[{', '.join(parts)}]"


COMMANDS = {
    "info": Command(
        _info_arguments,
        _info,
        """
zchunk info run.zarr/u
zchunk info run.zarr/u --stats
zchunk info s3://bucket/run.zarr --json -o anon=true
""",
    ),
    "tree": Command(
        _tree_arguments,
        _tree,
        """
zchunk tree run.zarr
zchunk tree run.zarr -L 2
""",
    ),
    "ls": Command(
        _ls_arguments,
        _ls,
        """
zchunk ls run.zarr
zchunk ls -l s3://bucket/run.zarr
""",
    ),
    "head": Command(
        _head_arguments,
        _head,
        """
zchunk head run.zarr/u
zchunk head run.zarr/u '[0, :5, ::10]'
zchunk head run.zarr/u '[-1, ..., 3]' --json
""",
    ),
}
