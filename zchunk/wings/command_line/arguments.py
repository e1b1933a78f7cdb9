"""Arguments that several commands take: how each is written, and what is wrong with one that is not so."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, NoReturn

from zchunk.codecs import get_codec
from zchunk.codecs.texts import parse_text
from zchunk.errors import ZchunkError

_SLICE = re.compile(r"([+-]?\d+)?(?::([+-]?\d+)?(?::([+-]?\d+)?)?)?")


class UsageError(Exception):
    """What the user can mend: a command line that makes no sense. Its text is one line."""


class Parser(argparse.ArgumentParser):
    """A parser of the arguments of one command, whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def add_place(self, name: str = "path", text: str = "of an array or group: a path or URL") -> None:
        """Add the argument that says where a node is."""
        self.add_argument(name, help=text)

    def add_json(self) -> None:
        """Add ``--json``."""
        self.add_argument("--json", action="store_true", help="print JSON, for programs")

    def add_options(self) -> None:
        """Add the options of stores at URLs."""
        self.add_argument(
            "-o", "--option", action="append", type=option, metavar="KEY=VALUE", dest="options",
            help="an option of the store at a URL, such as anon=true; may be given several times",
        )  # fmt: skip

    def add_progress(self) -> None:
        """Add ``--progress``."""
        self.add_argument(
            "--progress", action=argparse.BooleanOptionalAction, default=sys.stderr.isatty(),
            help="show how far it is; by default on terminals",
        )  # fmt: skip

    def add_jobs(self) -> None:
        """Add ``--jobs``."""
        self.add_argument(
            "-j", "--jobs", type=at_least_1, metavar="N", help="threads; by default one for each core"
        )

    def add_encoding(self) -> None:
        """Add what a new array may have otherwise than its source."""
        self.add_argument("--format", type=int, choices=(2, 3), help="Zarr format of the new arrays")
        self.add_argument(
            "--chunks", type=chunks, metavar="CHUNKS",
            help="lengths of a chunk: 100,200, time=-1,lat=20, 4MB or auto; -1 is the whole axis",
        )  # fmt: skip
        self.add_argument(
            "--shards", type=shards, metavar="SHARDS",
            help="lengths of a shard (format 3): 1000,2000, auto, or none",
        )  # fmt: skip
        self.add_argument(
            "--compressor", type=codec, metavar="CODEC", default=argparse.SUPPRESS,
            help="codec with its level: zstd:5, blosc-lz4, gzip, or none",
        )  # fmt: skip


def encoding(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `Parser.add_encoding` has read, as parameters of `create`: those that were given."""
    given = {"zarr_format": args.format, "chunks": args.chunks, "shards": args.shards}
    found = {name: value for name, value in given.items() if value is not None}
    if found.get("shards") == "none":
        found["shards"] = None
    elif found.get("shards") and args.format == 2:
        raise UsageError("format 2 has no shards; leave out --shards, or give --format 3")
    if hasattr(args, "compressor"):
        found["compressor"] = args.compressor
    return found


def selection(text: str) -> tuple[Any, ...]:
    """Return the selection that is written as NumPy's, with or without brackets.

    Examples
    --------
    >>> selection("[0, :5, ::-2, ...]")
    (0, slice(None, 5, None), slice(None, None, -2), Ellipsis)
    """
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1].strip()
    return tuple([_item(part.strip(), text) for part in inner.split(",")]) if inner else ()


def _item(part: str, text: str) -> Any:
    if part == "...":
        return Ellipsis
    match = _SLICE.fullmatch(part)
    if not part or match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no selection; write one like '[0, :5, ::2, ...]'")
    if ":" not in part:
        return int(part)
    start, stop, step = (None if number is None else int(number) for number in match.groups())
    if step == 0:
        raise argparse.ArgumentTypeError(f"{text!r} has a step of 0")
    return slice(start, stop, step)


def lengths(text: str, what: str) -> tuple[int, ...]:
    """Return lengths along all axes, of which -1 is the whole axis."""
    try:
        found = tuple([int(part) for part in text.split(",")])
    except ValueError:
        found = (0,)
    if any(n < 1 and n != -1 for n in found):
        raise argparse.ArgumentTypeError(f"{text!r} are no {what}; write them like 100,200 or time=-1,lat=20")
    return found


def chunks(text: str) -> Any:
    """Return chunks, as `create` takes them.

    Examples
    --------
    >>> chunks("100,-1"), chunks("time=1,lat=-1"), chunks("4MB"), chunks("auto")
    ((100, -1), {'time': 1, 'lat': -1}, '4MB', True)
    """
    if text == "auto":
        return True
    if re.fullmatch(r"\d+(\.\d+)?\s*[kKMGT]i?B", text):
        return text
    if "=" not in text:
        return lengths(text, "chunks")
    found = {}
    for part in text.split(","):
        name, _, length = part.partition("=")
        if not name.strip():
            raise argparse.ArgumentTypeError(f"{text!r} has no name before '='")
        (found[name.strip()],) = lengths(length, "chunks")
    return found


def shards(text: str) -> Any:
    """Return shards, as `create` takes them."""
    return text if text in ("auto", "none") else chunks(text)


def codec(text: str) -> str | None:
    """Return a codec as text, None for ``none``."""
    if text == "none":
        return None
    try:
        get_codec(parse_text(text))
    except (ZchunkError, TypeError, ValueError) as err:
        # Before anything is written.
        raise argparse.ArgumentTypeError(str(err)) from None
    return text


def option(text: str) -> tuple[str, Any]:
    """Return name and value of an option of a store.

    Examples
    --------
    >>> option("anon=true"), option("endpoint_url=http://localhost:9000")
    (('anon', True), ('endpoint_url', 'http://localhost:9000'))
    """
    name, found, value = text.partition("=")
    if not found or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no option; write KEY=VALUE")
    words = {"true": True, "false": False, "none": None}
    return name, int(value) if value.isdecimal() else words.get(value.lower(), value)


def at_least_1(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)
