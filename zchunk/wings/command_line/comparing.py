"""`zchunk diff`: what differs between two arrays or groups, value by value."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zchunk.core.array import Array
from zchunk.runtime.progress import reporting_progress
from zchunk.spec.keys import DIMENSIONS
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser
from zchunk.wings.command_line.commands import Command
from zchunk.wings.command_line.looking import dimensions
from zchunk.wings.command_line.places import node_at
from zchunk.wings.command_line.regions import regions

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group
    from zchunk.runtime.progress import Advance


class Difference(NamedTuple):
    """One difference.

    Parameters
    ----------
    path : str
        Of the node, below the two that are compared.
    what : str
        ``"only in a"``, ``"shape"``, ``"attribute units"``, ``"values"`` and the like.
    a, b : object
        What each has.
    """

    path: str
    what: str
    a: Any = None
    b: Any = None

    def __str__(self) -> str:
        """Return a line."""
        where = f"/{self.path}"
        if self.what.startswith("only"):
            return output.one_line(f"{where}: {self.what}")
        return output.one_line(f"{where}: {self.what}: {output.as_json(self.a)} -> {output.as_json(self.b)}")


def _arguments(parser: Parser) -> None:
    parser.add_place("a")
    parser.add_place("b")
    parser.add_argument("--no-values", action="store_true", help="compare metadata and attributes only")
    parser.add_argument("--layout", action="store_true", help="also chunks, shards, codecs and format")
    parser.add_argument("--rtol", type=float, default=0.0, help="relative tolerance of numbers")
    parser.add_argument("--atol", type=float, default=0.0, help="absolute tolerance of numbers")
    parser.add_json()
    parser.add_progress()
    parser.add_options()


def _run(args: argparse.Namespace) -> int:
    with node_at(args, args.a) as a, node_at(args, args.b) as b:
        ours, theirs = _nodes(a), _nodes(b)
        both = [path for path in ours if path in theirs]
        total = sum(node.nbytes for path in both if isinstance(node := ours[path], Array))
        with reporting_progress(args.progress and not args.no_values, lambda: total, "B") as advance:
            found = [Difference(path, "only in a") for path in ours if path not in theirs]
            found += [Difference(path, "only in b") for path in theirs if path not in ours]
            for path in both:
                found += differences(path, ours[path], theirs[path], args, advance)
    if args.json:
        output.say_json([difference._asdict() for difference in found])
    else:
        for difference in found:
            output.say(str(difference))
    return 1 if found else 0


def _nodes(top: Array | Group) -> dict[str, Array | Group]:
    """Return a node and all below it, by path."""
    nodes: dict[str, Array | Group] = {"": top}
    if not isinstance(top, Array):
        # A function that returns None goes on to the next node.
        top.visititems(lambda path, node: nodes.__setitem__(path, node))
    return dict(sorted(nodes.items()))


def differences(
    path: str, a: Array | Group, b: Array | Group, args: argparse.Namespace, advance: Advance
) -> Iterator[Difference]:
    """Yield what differs between two nodes, without those below them."""
    kinds = ["array" if isinstance(node, Array) else "group" for node in (a, b)]
    if kinds[0] != kinds[1]:
        yield Difference(path, "kind", *kinds)
        return
    if args.layout and a.zarr_format != b.zarr_format:
        yield Difference(path, "format", a.zarr_format, b.zarr_format)
    if isinstance(a, Array) and isinstance(b, Array):
        yield from _of_metadata(path, a, b, args.layout)
    mine, theirs = _attributes(a), _attributes(b)
    for key in sorted(mine.keys() | theirs.keys()):
        if key not in mine or key not in theirs or not _same(mine[key], theirs[key]):
            yield Difference(path, f"attribute {key}", mine.get(key), theirs.get(key))
    if isinstance(a, Array) and isinstance(b, Array) and not args.no_values and a.shape == b.shape:
        yield from _of_values(path, a, b, args, advance)


def _attributes(node: Array | Group) -> dict[str, Any]:
    """Return the attributes, without the names of axes, which formats keep at different places."""
    found = node.attrs.asdict()
    found.pop(DIMENSIONS, None)
    return found


def _of_metadata(path: str, a: Array, b: Array, layout: bool) -> Iterator[Difference]:
    pairs: dict[str, tuple[Any, Any]] = {
        "shape": (a.shape, b.shape),
        "dtype": (str(a.dtype), str(b.dtype)),
        "dimensions": (dimensions(a), dimensions(b)),
    }
    if layout:
        pairs["chunks"], pairs["shards"] = (a.chunks, b.chunks), (a.shards, b.shards)
        pairs["fill value"] = (a.fill_value, b.fill_value)
        for name in ("filters", "compressors"):
            pairs[name] = _codecs(a, name), _codecs(b, name)
    for what, (mine, theirs) in pairs.items():
        if not _same(mine, theirs):
            yield Difference(path, what, mine, theirs)


def _codecs(array: Array, name: str) -> list[str]:
    return [repr(codec) for codec in getattr(array, name) or ()]


def _same(a: Any, b: Any) -> bool:
    """Whether two things of JSON are the same; NaN is the same as NaN."""
    return bool(output.as_json(a) == output.as_json(b))


def _of_values(
    path: str, a: Array, b: Array, args: argparse.Namespace, advance: Advance
) -> Iterator[Difference]:
    count, first, most = 0, None, 0.0
    for region in regions(a):
        mine, theirs = np.asarray(a[region]), np.asarray(b[region])
        advance(math.prod(mine.shape) * a.dtype.itemsize)
        unequal = differ(mine, theirs, args.rtol, args.atol)
        number = int(np.count_nonzero(unequal))
        if not number:
            continue
        count += number
        if first is None:
            place = tuple(int(index) for index in np.argwhere(unequal)[0])
            at = tuple(s.start + index for s, index in zip(region, place, strict=True))
            first = at, mine[place], theirs[place]
        if mine.dtype.kind in "iufc" and theirs.dtype.kind in "iufc":
            with np.errstate(all="ignore"):
                gaps = np.abs(mine[unequal].astype("c16") - theirs[unequal].astype("c16"))
            most = max(most, float(np.nanmax(gaps, initial=0.0)))
    if first is not None:
        at, mine, theirs = first
        largest = f", largest difference {most:.6g}" if most else ""
        what = f"{count:,} of {a.size:,} values{largest}, first at {list(at)}"
        yield Difference(path, what, mine, theirs)


def differ(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], rtol: float = 0, atol: float = 0) -> Any:
    """Return where the items of two arrays differ; NaN is equal to NaN.

    Examples
    --------
    >>> import numpy as np
    >>> differ(np.array([1.0, np.nan, 3.0]), np.array([1.1, np.nan, 3.0]), atol=0.01).tolist()
    [True, False, False]
    """
    if a.dtype.kind in "biufc" and b.dtype.kind in "biufc" and (rtol or atol):
        return ~np.isclose(a, b, rtol, atol, equal_nan=True)
    unequal: Any = a != b
    if a.dtype.hasobject or b.dtype.hasobject:
        # Items may be arrays.
        pairs = np.frompyfunc(lambda x, y: not np.array_equal(x, y), 2, 1)
        unequal = np.asarray(pairs(a, b), bool)
    elif a.dtype.kind in "fcmM":
        unequal = unequal & ~((a != a) & (b != b))
    return np.asarray(unequal)


COMMANDS = {
    "diff": Command(
        _arguments,
        _run,
        """
zchunk diff a.zarr b.zarr
zchunk diff run.zarr/u s3://bucket/run.zarr/u --rtol 1e-6
zchunk diff old.zarr new.zarr --no-values --layout --json
""",
    )
}
