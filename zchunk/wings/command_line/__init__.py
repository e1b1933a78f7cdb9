"""The command line, `zchunk` and `python -m zchunk`: what a shell asks of arrays, groups and stores.

`main` finds the command in the table of `commands`, and imports only the module that has it: `zchunk info`
begins as fast as a program that opens an array.
"""

from zchunk.wings.command_line.main import main

__all__ = ["main"]
