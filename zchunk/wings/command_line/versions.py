"""`zchunk versions`: what to write in a report of a bug."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser
from zchunk.wings.command_line.commands import Command

# What zchunk works with where it is installed.
_OPTIONAL = (
    "obstore", "fsspec", "redis", "lmdb", "dask", "xarray", "zarr", "h5py", "h5netcdf", "tqdm", "mpi4py",
)  # fmt: skip


def _arguments(parser: Parser) -> None:
    parser.add_json()


def _run(args: argparse.Namespace) -> int:
    found = versions()
    if args.json:
        output.say_json(found)
        return 0
    width = max(map(len, found))
    for name, value in found.items():
        output.say(f"{name:<{width}}  {'not installed' if value is None else value}")
    return 0


def versions() -> dict[str, str | None]:
    """Return versions by name, None for what is not installed.

    Examples
    --------
    >>> versions()["python"] == platform.python_version()
    True
    """
    own = {
        "zchunk": sys.modules["zchunk"].__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(os.cpu_count()),
    }
    return own | {name: _version(name) for name in ("numpy", "numcodecs", *_OPTIONAL)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


COMMANDS = {
    "versions": Command(
        _arguments,
        _run,
        """
zchunk versions
zchunk versions --json
""",
    )
}
