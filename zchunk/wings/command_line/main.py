"""`main`: finds the command, runs it, and makes one line of whatever goes wrong.

Exit codes: 0; 1 if something was found, such as damage or a difference; 2 if the command could not be run.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from zchunk.errors import ZchunkError
from zchunk.runtime.near_names import near
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import UsageError
from zchunk.wings.command_line.commands import TABLE, find_command, parser_of

# As a shell says it of a program that such a signal has ended.
_INTERRUPTED, _PIPE_CLOSED = 130, 141
# Set to anything: errors are raised, for those that look for the place where they come from.
_TRACEBACK = "ZCHUNK_TRACEBACK"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the name of the program; by default those of the process.

    Returns
    -------
    int
        0, or 1 if the command has found something, or 2 if it could not be run.

    Examples
    --------
    >>> from zchunk.wings.command_line import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    zchunk ...
    0
    """
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    name = arguments[0] if arguments and arguments[0] in TABLE else ""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _warner(name)
        try:
            code = _run(name, arguments)
            sys.stdout.flush()
            return code
        except SystemExit as done:
            # After --help.
            return int(done.code or 0)
        except KeyboardInterrupt:
            output.complain(name, "interrupted")
            return _INTERRUPTED
        except BrokenPipeError:
            # The reader, such as `head`, has seen enough. What is left of the text goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _PIPE_CLOSED
        except Exception as err:
            if os.environ.get(_TRACEBACK):
                raise
            output.complain(name, explain(err))
            return 2


def _run(name: str, arguments: list[str]) -> int:
    if name:
        return find_command(name).run(parser_of(name).parse_args(arguments[1:]))
    if not arguments:
        raise UsageError("which command? zchunk --help lists them")
    first = arguments[0]
    if first in ("-h", "--help", "help"):
        if len(arguments) > 1 and arguments[1] in TABLE:
            print(parser_of(arguments[1]).format_help(), end="")
        else:
            print(_help(), end="")
        return 0
    if first in ("-V", "--version"):
        print(f"zchunk {sys.modules['zchunk'].__version__}")
        return 0
    what = "option" if first.startswith("-") else "command"
    raise UsageError(f"there is no {what} {first!r}{near(first, TABLE)}; zchunk --help lists them")


def _help() -> str:
    """Return the text of `zchunk --help`."""
    width = max(map(len, TABLE)) + 2
    lines = [f"  {name:<{width}}{summary}" for name, (_, summary) in TABLE.items()]
    return "\n".join(
        [
            "usage: zchunk COMMAND ...",
            "",
            "Chunked, compressed N-dimensional arrays in the Zarr format.",
            "",
            "commands:",
            *lines,
            "",
            "zchunk COMMAND --help has arguments and examples of each; zchunk --version the version.",
            "Paths may be folders, zip files and URLs, with the path of a node after them:",
            "run.zarr/u, run.zip/u, s3://bucket/run.zarr/u. Exit codes: 0; 1 if something was found",
            "(damage, a difference); 2 if the command could not be run.",
            "",
        ]
    )


def explain(err: BaseException) -> str:
    """Return one line of what has gone wrong.

    Examples
    --------
    >>> explain(FileNotFoundError(2, "No such file or directory", "a.h5"))
    'a.h5: No such file or directory'
    """
    if isinstance(err, OSError) and err.filename is not None and err.strerror is not None:
        text = f"{os.fsdecode(err.filename)}: {err.strerror}"
    elif isinstance(err, MemoryError):
        text = f"there is not enough memory{': ' if str(err) else ''}{err}"
    elif isinstance(err, UsageError | ZchunkError | ImportError | OSError | ValueError | TypeError):
        text = str(err) or type(err).__name__
    else:
        text = f"{type(err).__name__}: {err}"
    return output.one_line(output.for_shells(text))


def _warner(name: str) -> Callable[..., None]:
    def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        output.complain(name, f"warning: {output.one_line(str(message))}")

    return show
