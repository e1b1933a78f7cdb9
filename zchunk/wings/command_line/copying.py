"""`zchunk copy`, `rechunk` and `consolidate`."""

from __future__ import annotations

import argparse
from typing import Any

from zchunk.convenience.consolidation import consolidate_metadata
from zchunk.convenience.copying import copy_all
from zchunk.convenience.overlap import check_apart
from zchunk.core.array import Array
from zchunk.errors import PathNotFoundError
from zchunk.hierarchy.groups import Group, open_group
from zchunk.metadata.formats import find
from zchunk.runtime.settings import config
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser, UsageError, encoding
from zchunk.wings.command_line.commands import Command
from zchunk.wings.command_line.places import node_at, store_at
from zchunk.wings.rechunking import rechunk


def check_new(args: argparse.Namespace, text: str) -> None:
    """Raise `UsageError` if something is at the place of what is to be made, and may not be replaced."""
    if args.overwrite:
        return
    try:
        # Not to be changed: a zip file would be made.
        with store_at(args, text, "r") as (store, path):
            there = find(store, path) is not None
    except PathNotFoundError:
        there = False
    if there:
        raise UsageError(f"something is at {text!r} already; --overwrite replaces it")


# ---- copy


def _copy_arguments(parser: Parser) -> None:
    parser.add_place("source")
    parser.add_place("dest", "where the copy is to be: a path or URL")
    parser.add_encoding()
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--no-attrs", action="store_true", help="leave out the attributes")
    parser.add_jobs()
    parser.add_progress()
    parser.add_options()


def _copy(args: argparse.Namespace) -> int:
    with node_at(args, args.source) as source, config.set(_threads(args)):
        check_new(args, args.dest)
        if isinstance(source, Array):
            _copy_array(args, source)
        else:
            _copy_group(args, source)
    return 0


def _copy_array(args: argparse.Namespace, source: Array) -> None:
    kwargs = encoding(args)
    if args.no_attrs:
        kwargs["attributes"] = {}
    with store_at(args, args.dest, "a") as (store, path):
        rechunk(
            source, kwargs.pop("chunks", None), store, path=path, overwrite=args.overwrite,
            progress=args.progress, **kwargs,
        )  # fmt: skip
    output.say(f"1 copied, {output.size(source.nbytes)}")


def _copy_group(args: argparse.Namespace, source: Group) -> None:
    """Copy a group to a place where nothing is, or what is there may be replaced."""
    kwargs = encoding(args)
    version = kwargs.pop("zarr_format", source.zarr_format)
    if isinstance(kwargs.get("chunks"), tuple):
        raise UsageError("--chunks of a group are named, as time=1,lat=20, or a size, as 4MB, or auto")
    with store_at(args, args.dest, "a") as (store, path):
        check_apart([source], store, path)
        dest = open_group(store, "w" if args.overwrite else "a", path=path, zarr_format=version)
        copied, _, nbytes = copy_all(
            source, dest, without_attrs=args.no_attrs, progress=args.progress, **kwargs
        )
    output.say(f"{copied} copied, {output.size(nbytes)}")


def _threads(args: argparse.Namespace) -> dict[str, Any]:
    return {} if args.jobs is None else {"threading.max_workers": args.jobs}


# ---- rechunk


def _rechunk_arguments(parser: Parser) -> None:
    parser.add_place("source")
    parser.add_place("dest", "where the result is to be: a path or URL")
    parser.add_encoding()
    parser.add_argument("--max-memory", default="512MB", metavar="SIZE", help="such as 2GB; default 512MB")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_jobs()
    parser.add_progress()
    parser.add_options()


def _rechunk(args: argparse.Namespace) -> int:
    kwargs = encoding(args)
    chunks = kwargs.pop("chunks", None)
    if chunks is None:
        raise UsageError("which chunks? Give --chunks, such as --chunks time=-1,lat=20")
    with node_at(args, args.source) as source, store_at(args, args.dest, "a") as (store, path):
        if not isinstance(source, Array) and isinstance(chunks, tuple):
            raise UsageError("--chunks of a group are named, as time=1,lat=20")
        with config.set(_threads(args)):
            rechunk(
                source, chunks, store, args.max_memory, path=path, overwrite=args.overwrite,
                progress=args.progress, **kwargs,
            )  # fmt: skip
    return 0


# ---- consolidate


def _consolidate_arguments(parser: Parser) -> None:
    parser.add_place(text="of a group: a path or URL")
    parser.add_progress()
    parser.add_options()


def _consolidate(args: argparse.Namespace) -> int:
    with node_at(args, args.path) as node:
        if isinstance(node, Array):
            raise UsageError(f"{args.path!r} is an array; consolidate the group that it is in")
    with store_at(args, args.path, "r+") as (store, path):
        made: Any = consolidate_metadata(store, path=path, progress=args.progress)
        count = _number_of(made)
    output.say(f"metadata of {count} arrays and groups consolidated in {args.path}")
    return 0


def _number_of(group: Any) -> int:
    names: list[str] = []
    group.visit(names.append)
    return len(names) + 1


COMMANDS = {
    "copy": Command(
        _copy_arguments,
        _copy,
        """
zchunk copy run.zarr backup.zarr
zchunk copy old.zarr new.zarr --format 3 --shards auto --compressor zstd:5
zchunk copy run.zarr/u s3://bucket/u.zarr --progress
""",
    ),
    "rechunk": Command(
        _rechunk_arguments,
        _rechunk,
        """
zchunk rechunk maps.zarr series.zarr --chunks time=-1,lat=20 --max-memory 2GB
zchunk rechunk run.zarr/u series.zarr/u --chunks=-1,64,64
""",
    ),
    "consolidate": Command(
        _consolidate_arguments,
        _consolidate,
        """
zchunk consolidate run.zarr
zchunk consolidate s3://bucket/run.zarr
""",
    ),
}
