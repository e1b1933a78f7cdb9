"""`zchunk attrs`: show, set or delete the attributes of an array or group."""

from __future__ import annotations

import argparse
import json
from typing import Any

from zchunk.runtime.near_names import near
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser, UsageError
from zchunk.wings.command_line.commands import Command
from zchunk.wings.command_line.places import node_at


def _arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument(
        "keys", nargs="*", metavar="KEY[=VALUE]",
        help="show these only, or set them; a value is JSON, or else text",
    )  # fmt: skip
    parser.add_argument("-d", "--delete", action="append", default=[], metavar="KEY", help="delete it")
    parser.add_json()
    parser.add_options()


def _run(args: argparse.Namespace) -> int:
    new = dict(assignment(text) for text in args.keys if "=" in text)
    shown = [text for text in args.keys if "=" not in text]
    with node_at(args, args.path, "r+" if new or args.delete else "r") as node:
        attributes = node.attrs.asdict()
        for key in [*shown, *args.delete]:
            if key not in attributes | new:
                raise UsageError(f"{args.path!r} has no attribute {key!r}{near(key, attributes)}")
        if new:
            node.attrs.update(new)
        for key in args.delete:
            del node.attrs[key]
        if (new or args.delete) and not shown:
            return 0
        attributes = node.attrs.asdict()
    wanted = {key: attributes[key] for key in shown} if shown else attributes
    if args.json:
        output.say_json(wanted)
    elif len(shown) == 1:
        output.say(_text(wanted[shown[0]]))
    else:
        for key, value in wanted.items():
            output.say(f"{output.coloured(output.one_line(key), 'bold')} = {_text(value)}")
    return 0


def assignment(text: str) -> tuple[str, Any]:
    """Return key and value of an attribute to set.

    Examples
    --------
    >>> assignment("units=m s-1"), assignment("range=[0, 1.5]"), assignment('id="7"')
    (('units', 'm s-1'), ('range', [0, 1.5]), ('id', '7'))
    """
    key, _, value = text.partition("=")
    if not key:
        raise UsageError(f"{text!r} has no key before '='")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _text(value: Any) -> str:
    return output.one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


COMMANDS = {
    "attrs": Command(
        _arguments,
        _run,
        """
zchunk attrs run.zarr/u
zchunk attrs run.zarr/u units
zchunk attrs run.zarr/u units='m s-1' valid_range='[0, 40]'
zchunk attrs run.zarr/u --delete history
""",
    )
}
