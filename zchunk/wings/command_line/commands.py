"""The table of commands: their names, where each is, and what it does in a line.

A command is a record of a function that adds its arguments to a parser, and one that runs it. The records are
in the modules, which are imported for the command that is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from zchunk.wings.command_line.arguments import Parser

# Name, module and summary, in the order of `zchunk --help`.
TABLE: dict[str, tuple[str, str]] = {
    "info": ("looking", "what an array or group is: shape, chunks, codecs, what is stored"),
    "tree": ("looking", "the arrays and groups of a hierarchy, as a tree"),
    "ls": ("looking", "the members of a group, one in a line"),
    "head": ("looking", "the first values, or those of a selection"),
    "attrs": ("attributes", "show, set or delete attributes"),
    "copy": ("copying", "copy an array or a group, to another format or with other codecs if asked"),
    "rechunk": ("copying", "write an array or a group again in other chunks, within a bound of memory"),
    "consolidate": ("copying", "collect the metadata of a hierarchy under one key"),
    "import": ("importing", "make an array or a group of a file of HDF5, NetCDF, NumPy or zip"),
    "export": ("exporting", "write an array or a group to a file of NumPy, CSV, NetCDF or HDF5"),
    "diff": ("comparing", "what differs between two arrays or groups"),
    "verify": ("checking", "whether a store is in order and every chunk can be decoded"),
    "repair": ("checking", "mend what verify finds, and only what is asked for"),
    "manifest": ("checking", "digests of all values of a store, or whether they are as they were"),
    "clean": ("checking", "delete what programs that were killed have left over"),
    "checkpoints": ("checkpoints", "the steps in a folder of checkpoints"),
    "bench": ("measuring", "how fast arrays are written and read on this machine"),
    "versions": ("versions", "versions of zchunk and of what it uses, for reports of bugs"),
    "completion": ("completion", "completion for a shell: bash or zsh"),
}


class Command(NamedTuple):
    """What a command is.

    Parameters
    ----------
    add_arguments : callable
        Adds its arguments to a parser.
    run : callable
        Runs it, and returns the exit code.
    examples : str
        Lines for the end of its help.
    """

    add_arguments: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    examples: str


def find_command(name: str) -> Command:
    """Return the record of a command, whose module is imported for it."""
    found: Command = import_module(f"zchunk.wings.command_line.{TABLE[name][0]}").COMMANDS[name]
    return found


def parser_of(name: str) -> Parser:
    """Return the parser of a command's arguments.

    Examples
    --------
    >>> parser_of("info").parse_args(["run.zarr", "--json"]).json
    True
    """
    command, summary = find_command(name), TABLE[name][1]
    # Some have examples of more than a line.
    examples = "\n".join(f"  {line}" for line in command.examples.strip().splitlines())
    parser = Parser(
        prog=f"zchunk {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return parser
