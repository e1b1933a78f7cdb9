"""`zchunk checkpoints`: the steps in a folder of checkpoints."""

from __future__ import annotations

import argparse
import os
from typing import Any

from zchunk.hierarchy.groups import open_group
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.verification import RECORD
from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser, UsageError
from zchunk.wings.command_line.commands import Command


def _arguments(parser: Parser) -> None:
    parser.add_argument("directory", help="folder of a CheckpointManager")
    parser.add_json()


def _run(args: argparse.Namespace) -> int:
    if not os.path.isdir(args.directory):
        raise UsageError(f"there is no folder {args.directory!r}")
    steps = [_describe(args.directory, step) for step in layout.steps(args.directory)]
    if args.json:
        output.say_json(steps)
        return 0
    if not steps:
        output.say(f"no step is in {args.directory}")
        return 0
    rows = [("step", "time", "saved", "ranks", "arrays", "size")]
    for found in steps:
        time = "" if found["time"] is None else f"{found['time']:g}"
        saved, ranks = str(found["wall_clock"] or ""), str(found["ranks"] or "")
        row = (str(found["step"]), time, saved, ranks, str(found["arrays"]), output.size(found["bytes"]))
        rows.append(row)
    for line in output.lines_of(rows, right=[0, 1, 3, 4, 5]):
        output.say(line)
    return 0


def _describe(directory: str, step: int) -> dict[str, Any]:
    path = layout.step_path(directory, step)
    group = open_group(path, "r")
    attributes = group.attrs.asdict()
    record = attributes.get(RECORD)
    return {
        "step": step,
        "path": path,
        "time": attributes.get("time"),
        "wall_clock": attributes.get("wall_clock"),
        "ranks": record.get("ranks") if isinstance(record, dict) else None,
        "arrays": sum(1 for _ in group.arrays(recurse=True)),
        "bytes": sum(
            os.stat(os.path.join(folder, name)).st_size
            for folder, _, names in os.walk(path)
            for name in names
        ),
    }


COMMANDS = {
    "checkpoints": Command(
        _arguments,
        _run,
        """
zchunk checkpoints run.ckpt
zchunk checkpoints run.ckpt --json
""",
    )
}
