"""`zchunk verify`, `repair`, `manifest` and `clean`: trust in what is stored."""

from __future__ import annotations

import argparse
import os
from typing import Any

from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser, UsageError
from zchunk.wings.command_line.commands import Command
from zchunk.wings.command_line.places import options_of, split
from zchunk.wings.verification import Manifest, manifest, repair, verify
from zchunk.wings.verification.report import Report

# What a report says of a place where nothing is.
_ABSENT = ("nothing-there", "unreadable")


def _check_there(report: Report, text: str) -> None:
    """Raise `UsageError` if nothing at all was found at a place: the path is wrong, not the data."""
    absent = report.of(*_ABSENT)
    if absent and len(absent) == len(report.findings) and not report.counts["keys"]:
        detail = absent[0].detail or "no array or group is there"
        raise UsageError(f"nothing to look at in {text!r}: {detail}")


def _place(args: argparse.Namespace) -> dict[str, Any]:
    store, path = split(args.path)
    if "://" not in store and not os.path.exists(store):
        raise UsageError(f"no array or group at {args.path!r}: there is no such file or folder")
    return {"store": store, "path": path, "storage_options": options_of(args, args.path)}


# ---- verify


def _verify_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument(
        "--deep", action=argparse.BooleanOptionalAction, default=True,
        help="decode all chunks, which is the default; --no-deep looks at metadata and keys only",
    )  # fmt: skip
    parser.add_argument("--manifest", metavar="FILE", help="compare with what zchunk manifest has written")
    parser.add_argument(
        "--reference", action="store_true", help="decode a second time, by the codecs' own packages"
    )
    parser.add_argument(
        "--portable", action="store_true", help="warn of what some other implementations do not read"
    )
    parser.add_jobs()
    parser.add_json()
    parser.add_progress()
    parser.add_options()


def _verify(args: argparse.Namespace) -> int:
    report = verify(
        **_place(args),
        deep=args.deep,
        manifest=args.manifest,
        reference=args.reference,
        portable=args.portable,
        progress=args.progress,
        threads=args.jobs,
    )
    _check_there(report, args.path)
    if args.json:
        output.say_json(report.to_json())
    else:
        text = output.for_shells(str(report), args.path)
        output.say(output.coloured(text, "green") if report else text)
    return 0 if report else 1


# ---- repair


def _repair_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("--orphans", choices=("report", "erase"), default="report", help="chunks of no array")
    parser.add_argument(
        "--leftovers", choices=("report", "erase"), default="report", help="of programs that were killed"
    )
    parser.add_argument(
        "--consolidated", choices=("report", "rebuild"), default="report", help="metadata that are stale"
    )
    parser.add_argument(
        "--bad-chunks", choices=("report", "erase", "quarantine"), default="report",
        help="chunks that cannot be decoded; quarantine keeps them below .quarantine/",
    )  # fmt: skip
    parser.add_argument("--apply", action="store_true", help="do it; without this it only says what would be")
    parser.add_json()
    parser.add_progress()
    parser.add_options()


def _repair(args: argparse.Namespace) -> int:
    done = repair(
        **_place(args),
        orphans=args.orphans,
        leftovers=args.leftovers,
        consolidated=args.consolidated,
        bad_chunks=args.bad_chunks,
        dry_run=not args.apply,
        progress=args.progress,
    )
    _check_there(done.report, args.path)
    if args.json:
        output.say_json(done.to_json())
    else:
        output.say(str(done))
        if not args.apply and done.actions:
            output.say("nothing was changed: --apply does it")
    return 1 if done.left else 0


# ---- clean


def _clean_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be deleted")
    parser.add_json()
    parser.add_options()


def _clean(args: argparse.Namespace) -> int:
    done = repair(**_place(args), leftovers="erase", dry_run=args.dry_run)
    _check_there(done.report, args.path)
    failed = [action for action in done.actions if not action.done] if not args.dry_run else []
    if args.json:
        actions = done.to_json()["actions"]
        output.say_json({"dry_run": args.dry_run, "actions": actions})
    else:
        word = "would be deleted" if args.dry_run else "deleted"
        output.say(f"{len(done.actions) - len(failed)} left over {word}")
        for action in done.actions:
            output.say(f"  {output.one_line(f'{action.finding.where}: {action.detail}')}")
    return 1 if failed else 0


# ---- manifest


def _manifest_arguments(parser: Parser) -> None:
    parser.add_place()
    parser.add_argument("output", nargs="?", metavar="FILE", help="write it there, not to standard output")
    parser.add_argument("--algorithm", choices=("sha256", "crc32c"), default="sha256", help="of the digests")
    parser.add_argument("--previous", metavar="FILE", help="an earlier one: read only what has changed since")
    parser.add_argument("--compare", metavar="FILE", help="say what differs from an earlier one; exit code 1")
    parser.add_json()
    parser.add_progress()
    parser.add_options()


def _manifest(args: argparse.Namespace) -> int:
    if args.compare and args.output:
        raise UsageError("--compare writes no manifest; leave out the file")
    before = Manifest.load(args.compare) if args.compare else None
    algorithm = args.algorithm if before is None else before.algorithm
    made = manifest(
        **_place(args), algorithm=algorithm, previous=args.previous, progress=args.progress
    )
    if before is not None:
        found = before.compare(made)
        if args.json:
            output.say_json(found._asdict())
        else:
            for kind, keys in found._asdict().items():
                for key in keys:
                    output.say(f"{kind:<8} {output.one_line(key)}")
        return 1 if found else 0
    if not made.entries:
        raise UsageError(f"nothing is stored at {args.path!r}")
    if args.output:
        made.save(args.output)
    else:
        output.say_json(made.to_json())
    return 0


COMMANDS = {
    "verify": Command(
        _verify_arguments,
        _verify,
        """
zchunk verify run.zarr
zchunk verify run.zarr --no-deep
zchunk verify run.zarr --jobs 8 --manifest run.manifest --json
""",
    ),
    "repair": Command(
        _repair_arguments,
        _repair,
        """
zchunk repair run.zarr --leftovers erase --consolidated rebuild
zchunk repair run.zarr --bad-chunks quarantine --apply
""",
    ),
    "clean": Command(
        _clean_arguments,
        _clean,
        """
zchunk clean run.zarr
zchunk clean run.zarr --dry-run
""",
    ),
    "manifest": Command(
        _manifest_arguments,
        _manifest,
        """
zchunk manifest run.zarr run.manifest
zchunk manifest run.zarr run.manifest --previous run.manifest
zchunk manifest run.zarr --compare run.manifest
""",
    ),
}
