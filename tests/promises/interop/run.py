"""Let zchunk and other implementations write for each other, and print how often they agreed.

python -m tests.promises.interop.run zarr2 zarrista --count 300

One that is not installed is a failure; with --install they are installed first, and those that have no wheel
for this machine are named and left out.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.promises.interop import ours
from tests.promises.interop.cases import Case, decode_items, draw, encode_items, same_items
from tests.promises.interop.environments import command_of, install, version_of
from tests.promises.interop.implementations import CHANGE, IMPLEMENTATIONS, READ, WRITE, Implementation
from tests.servers.folders import nginx
from tests.servers.process import program

# What is tried, and what the implementation has to do for it.
DIRECTIONS = {
    "we write, they read": (READ,),
    "they change ours": (READ, CHANGE),
    "they write, we read": (WRITE,),
    "we change theirs": (WRITE, READ),
}
# Of cases that a limit names, in each direction.
LIMITED = 3
# Seconds after which a program that does not answer is killed.
PATIENCE = 120.0


class Refusal(Exception):
    """An implementation says that it does not do something."""


class Wrong(Exception):
    """What was read is not what was written."""


class Peer:
    """The program of another implementation, started again when it dies.

    Parameters
    ----------
    implementation : Implementation
        Which one.
    scratch : Path
        A folder for items on their way.
    address : str, optional
        Where it finds the folder, if it is not to read files.
    """

    def __init__(self, implementation: Implementation, scratch: Path, address: str | None = None) -> None:
        self.implementation = implementation
        self.scratch = scratch
        self.address = address
        self.items = scratch / f"{implementation.adapter}.items"
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.process is not None:
            self.process.communicate()

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                command_of(self.implementation),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(json.dumps({**call, "items": str(self.items)}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            raise Refusal(f"its program ends, code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("died"):
            self.process.communicate()
        if "error" in answer:
            raise Refusal(answer["error"])
        return answer

    def read(self, store: str, case: Case, box: Any = None) -> tuple[np.ndarray[Any, Any], Any, Any]:
        """The items, and the attributes of the array and of the root group."""
        if self.address is not None:
            store = f"{self.address}/{Path(store).relative_to(self.scratch).as_posix()}"
        answer = self._call({"do": READ, "store": store, "case": case.message(), "box": _bounds(box)})
        try:
            found = decode_items(case, tuple(answer["shape"]), self.items.read_bytes())
        except ValueError as err:
            raise Wrong(f"items of another size: {err}") from None
        return found, answer["attributes"], answer["group"]

    def write(self, store: str, case: Case, items: np.ndarray[Any, Any]) -> None:
        """Let it create the array and write all items."""
        self.items.write_bytes(encode_items(items))
        self._call({"do": WRITE, "store": store, "case": case.message(), "shape": items.shape})

    def change(self, store: str, case: Case, box: Any, items: np.ndarray[Any, Any]) -> None:
        """Let it write the items of a box."""
        self.items.write_bytes(encode_items(items))
        call = {
            "do": CHANGE,
            "store": store,
            "case": case.message(),
            "box": _bounds(box),
            "shape": items.shape,
        }
        self._call(call)


def _bounds(box: Any) -> list[list[int]] | None:
    return None if box is None else [[part.start, part.stop] for part in box]


def _box(case: Case, seed: int) -> Any:
    """A box that cuts chunks, or None where there is none to cut."""
    if not case.shape or 0 in case.shape:
        return None
    rng = np.random.default_rng([case.number, seed])
    starts = [int(rng.integers(0, n)) for n in case.shape]
    return tuple(
        slice(start, int(rng.integers(start + 1, n + 1))) for start, n in zip(starts, case.shape, strict=True)
    )


def _same(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], what: str) -> None:
    if not same_items(found, wanted):
        if found.shape != wanted.shape:
            raise Wrong(f"{what}: shape {found.shape}, not {wanted.shape}")
        pairs = zip(np.ndindex(wanted.shape), found.reshape(-1, 1), wanted.reshape(-1, 1), strict=True)
        different = [(i, a[0], b[0]) for i, a, b in pairs if not same_items(a, b)]
        i, a, b = different[0]
        raise Wrong(f"{what}: {len(different)} of {wanted.size}, at {i}: {a!r}, not {b!r}")


def _has(found: dict[str, Any], attributes: dict[str, Any]) -> None:
    """All that were asked for; an implementation may add some, as zarrs and netCDF do."""
    if {name: found.get(name, "missing") for name in attributes} != attributes:
        raise Wrong(f"attributes {found}, not {attributes}")


class Tries:
    """What is tried with one implementation, with counts of what came of it."""

    def __init__(self, implementation: Implementation, count: int, scratch: Path) -> None:
        self.implementation = implementation
        self.count = count
        self.scratch = scratch
        # By direction: tried, agreed, refused, theirs; and by limit.
        self.counts = {name: collections.Counter[str]() for name in DIRECTIONS}
        self.limited = collections.Counter[tuple[str, str]]()
        self.kept: set[str] = set()
        self.failures: list[str] = []

    def run(self) -> None:
        """Try cases until there are enough of each direction."""
        with contextlib.ExitStack() as stack:
            address = stack.enter_context(self._served()) if self.implementation.http else None
            self.peer = stack.enter_context(Peer(self.implementation, self.scratch, address))
            for number in itertools.count():
                if (
                    all(map(self._enough, DIRECTIONS))
                    or len(self.failures) > 2 * self.count
                    or number > 400 * self.count
                ):
                    return
                formats = self.implementation.formats
                case = draw(number, formats[0] if len(formats) == 1 else None)
                with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                    self._pair(case, os.path.join(folder, "ours.zarr"), self._ours(case))
                    self._pair(case, os.path.join(folder, "theirs.zarr"), self._theirs(case))

    @contextlib.contextmanager
    def _served(self) -> Iterator[str]:
        """The address of the folder on a server that answers with ranges, which must have been asked for."""
        found = program("nginx")
        if found is None:
            raise RuntimeError("nginx is not installed; see `make servers`")
        log = self.scratch / "answers"
        with nginx(found, self.scratch, log) as address:
            yield address
        answers = collections.Counter(log.read_text().split())
        print(f"{self.implementation.name}: answers of the server by their status: {dict(answers)}")
        if not answers["206"]:
            self.failures.append(
                f"{self.implementation.name}: {next(iter(DIRECTIONS))}: wrong: no ranges read\n"
            )

    def _enough(self, direction: str) -> bool:
        if not set(DIRECTIONS[direction]) <= set(self.implementation.does):
            return True
        return self.counts[direction]["unlimited"] >= self.count

    def _pair(self, case: Case, store: str, steps: dict[str, Callable[[str], None]]) -> None:
        """Two directions with the same store: the second only where the first came to an end."""
        for direction, step in steps.items():
            if all(map(self._enough, steps)) or not set(DIRECTIONS[direction]) <= set(
                self.implementation.does
            ):
                return
            limit = self.implementation.limit(case, DIRECTIONS[direction])
            if limit is None and self._enough(direction):
                # Only for what comes after it.
                try:
                    step(store)
                except Exception:
                    return
                continue
            if limit is None:
                self.counts[direction]["unlimited"] += 1
            else:
                self.limited[limit.reason, direction] += 1
                if self.limited[limit.reason, direction] > LIMITED:
                    return
            self.counts[direction]["tried"] += 1
            try:
                step(store)
                self.counts[direction]["agreed"] += 1
                continue
            except Refusal as err:
                kind, why = "refused", str(err)
            except Wrong as err:
                kind, why = "wrong", str(err)
            except Exception as err:
                # zchunk does not do it: right only where their store refuses it, or their metadata are none.
                kind = "wrong" if limit is None else "refused"
                why = f"zchunk: {type(err).__name__}: {err}"
            if limit is not None and (kind == "refused" or limit.wrong):
                self.kept.add(limit.reason)
                self.counts[direction]["refused" if kind == "refused" else "theirs"] += 1
            else:
                self.counts[direction][kind] += 1
                self.failures.append(
                    f"{self.implementation.name}: {direction}: {kind}: {why}\n    {_short(case)}"
                )
            return

    def _ours(self, case: Case) -> dict[str, Callable[[str], None]]:
        items = case.items(0)

        def first(store: str) -> None:
            with self._place(store) as place:
                ours.write(place, case, items)
            self._they_read(store, case, items, case.attributes)

        def second(store: str) -> None:
            changed, box, part = self._changed(case, items)
            self.peer.change(store, case, box, part)
            with self._place(store) as place:
                _same(ours.read(place, case, None), changed, "after their change")

        return {"we write, they read": first, "they change ours": second}

    def _theirs(self, case: Case) -> dict[str, Callable[[str], None]]:
        if not self.implementation.consolidates:
            case = dataclasses.replace(case, consolidated=False)
        items = case.items(1)
        attributes = case.attributes if self.implementation.attributes else {}

        def first(store: str) -> None:
            self.peer.write(store, case, items)
            with self._place(store) as place:
                self._we_read(place, case, items, attributes)

        def second(store: str) -> None:
            changed, box, part = self._changed(case, items)
            with self._place(store) as place:
                ours.change(place, case, box, part)
            self._they_read(store, case, changed, attributes, groups=self.implementation.groups)

        return {"they write, we read": first, "we change theirs": second}

    def _changed(self, case: Case, items: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], Any, Any]:
        box = _box(case, 2)
        changed = items.copy()
        part = case.items(2, changed.shape if box is None else changed[box].shape)
        changed[... if box is None else box] = part
        return changed, box, part

    def _we_read(
        self, store: Any, case: Case, items: np.ndarray[Any, Any], attributes: dict[str, Any]
    ) -> None:
        implementation = self.implementation
        try:
            _same(ours.read(store, case, None), items, "all")
            box = _box(case, 1)
            if box is not None:
                _same(ours.read(store, case, box), items[box], f"box {box}")
            ours.check_fill(store, case)
        except AssertionError as err:
            raise Wrong(str(err)) from None
        array, group = ours.attributes(store, case, implementation.groups)
        if implementation.attributes:
            _has(array, attributes)
            if group is not None:
                _has(group, case.group)

    def _place(self, store: str) -> contextlib.AbstractContextManager[Any]:
        return ours.place(self.implementation.adapter, store)

    def _they_read(
        self,
        store: str,
        case: Case,
        items: np.ndarray[Any, Any],
        attributes: dict[str, Any],
        groups: bool = True,
    ) -> None:
        found, array, group = self.peer.read(store, case)
        _same(found, items, "all")
        box = _box(case, 3)
        if box is not None:
            _same(self.peer.read(store, case, box)[0], items[box], f"box {box}")
        if array is not None:
            _has(array, attributes)
        if group is not None and groups:
            _has(group, case.group)


def _short(case: Case) -> str:
    said = {k: v for k, v in vars(case).items() if k not in ("attributes", "group", "inner", "innermost")}
    return " ".join(f"{k}={v}" for k, v in said.items())


def different(failures: list[str]) -> list[str]:
    """One of each kind of failures, with how many there are of it."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for failure in failures:
        # Names of implementations have numbers, and what differs is said after the first one of the message.
        name, direction, message = failure.partition("\n")[0].split(": ", 2)
        kinds.setdefault((name, direction, re.sub(r"[\d('].*", "", message)[:120]), []).append(failure)
    return [f"{len(alike)} x {min(alike, key=len)}" for alike in kinds.values()]


HEADS = ("tried", "agreed", "refused", "theirs", "wrong")


def table(runs: list[Tries]) -> list[str]:
    """Rows of Markdown: implementation, direction, counts."""
    rows = ["| implementation | direction | " + " | ".join(HEADS) + " |", "|---|---|" + "---:|" * len(HEADS)]
    for run in runs:
        name = f"{run.implementation.name} {version_of(run.implementation)}"
        for direction, counts in run.counts.items():
            if counts["tried"]:
                rows.append(f"| {name} | {direction} | " + " | ".join(str(counts[h]) for h in HEADS) + " |")
    return rows


def main() -> int:
    """Run what the command line names, by default all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="implementations, by default all")
    parser.add_argument("--count", type=int, default=300, help="arrays in each direction")
    parser.add_argument("--install", action="store_true", help="install what is missing first")
    options = parser.parse_args()
    chosen = [i for i in IMPLEMENTATIONS if not options.names or i.adapter in options.names]
    left_out = install(chosen) if options.install else {}
    runs, missing = [], []
    for implementation in chosen:
        if version_of(implementation) is not None:
            runs.append(_run(implementation, options.count))
        elif implementation.name not in left_out:
            missing.append(implementation.name)
    print("\n".join(table(runs)))
    for run in runs:
        for line in unmet(run):
            print(line)
    for name, reason in left_out.items():
        print(f"without {name}: {reason}")
    failures = sum(len(run.failures) for run in runs) + len(missing)
    agreed = sum(counts["agreed"] for run in runs for counts in run.counts.values())
    if missing:
        print("not installed:", ", ".join(missing))
    print(f"{agreed} passed, {failures} failed")
    return int(bool(failures) or not runs)


def _run(implementation: Implementation, count: int) -> Tries:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        run = Tries(implementation, count, Path(scratch))
        run.run()
    took = time.monotonic() - start
    print(f"{implementation.name}: {took:.0f} s, {len(run.failures)} failures", file=sys.stderr, flush=True)
    for failure in different(run.failures):
        print(failure, file=sys.stderr, flush=True)
    return run


def unmet(run: Tries) -> list[str]:
    """The limits that no case met, or that were never kept: they may be gone."""
    met = {reason for reason, _ in run.limited}
    return [
        f"{run.implementation.name} {how} the limit {limit.reason!r}"
        for limit in run.implementation.limits
        if limit.reason not in run.kept and set(limit.does) & set(run.implementation.does)
        for how in ("always agreed within" if limit.reason in met else "no case met",)
    ]


if __name__ == "__main__":
    sys.exit(main())
