"""Every state that a power cut may leave of what a program has done to files in a folder.

`record` runs a program with `calls.c` before the C library, which notes each change. `states` replays
the notes up to every moment and drops what was not synced, in all combinations or, where there are too many,
in those next to all, none, and their order. The rules are looser than those of any file system in use:

- Bytes of a file that was not synced since are there, or not, or are zeros; other writes to it may be there.
- A name in a folder that was not synced since is there or not, whatever was done before or after. A new file
  that was synced has no name before its folder was synced, too.
- A rename happens as a whole or not at all. It is there for good when either folder was synced.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import NamedTuple

from tests.faults.library import build, environment

KEPT, LOST, ZEROS = "kept", "lost", "zeros"

# Paths, with the bytes of files and None for folders
Tree = frozenset[tuple[str, bytes | None]]


def record(program: str, folder: Path, *arguments: str) -> list[list[str]]:
    """Run a program in a new process, and return what it has done in a folder; `ack` is in its names."""
    library, log = build(folder.parent), folder.parent / "log"
    before = (
        "import os, sys\n"
        "def ack(step):\n"
        "    with open(os.environ['LOG'], 'a') as file:\n"
        "        file.write(f'ack\\t{step}\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + program, str(folder), *arguments],
        env=environment(library) | {"ROOT": str(folder), "LOG": str(log)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return lines_of(log)


def lines_of(log: Path) -> list[list[str]]:
    """Return what was noted, line by line, as fields."""
    return [line.split("\t") for line in log.read_text().splitlines()]


class Node:
    """A file, or a folder."""

    def __init__(self, is_folder: bool) -> None:
        self.is_folder = is_folder


class Name(NamedTuple):
    """A name in a folder."""

    folder: Node
    name: str


@dataclass(eq=False)
class Change:
    """What was done at once: names that are of other nodes now, bytes of a file, or its size."""

    names: dict[Name, Node | None] = field(default_factory=dict)
    file: Node | None = None
    at: int = 0
    data: bytes = b""
    size: int | None = None
    is_safe: bool = False

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (KEPT, LOST, ZEROS) if self.data else (KEPT, LOST)

    def apply(self, data: bytearray, zeros: bool) -> None:
        """Change the bytes of the file; of what is written only the size if they are to be `zeros`."""
        end = self.at + len(self.data) if self.size is None else self.size
        if self.size is not None:
            del data[end:]
        data.extend(bytes(max(end - len(data), 0)))
        if self.data:
            data[self.at : end] = bytes(len(self.data)) if zeros else self.data

    def touches(self, node: Node) -> bool:
        return node is self.file or any(node is name.folder for name in self.names)


class Disk:
    """All changes that were made in a folder, and which of them are safe.

    Parameters
    ----------
    folder : str
        Its path.
    start : Tree
        What is there before, and safe.
    """

    def __init__(self, folder: str, start: Tree = frozenset()) -> None:
        self.changes: list[Change] = []
        self._top = Node(True)
        self._folder = folder
        self._names: dict[Name, Node | None] = {}
        self._syncs: dict[str, list[Change]] = {}
        for path, data in sorted(start, key=lambda item: item[0]):
            self.apply("mkdir" if data is None else "create", f"{folder}/{path}")
            if data:
                self.apply("write", f"{folder}/{path}", "0", data.hex())
        for change in self.changes:
            change.is_safe = True

    def apply(self, call: str, *fields: str) -> None:
        """Take note of a line of the record."""
        if call in ("create", "mkdir"):
            self._name({self._find(fields[0]): Node(call == "mkdir")})
        elif call == "remove":
            self._name({self._find(fields[0]): None})
        elif call == "link":
            self._name({self._find(fields[1]): self._node(fields[0])})
        elif call == "rename":
            self._name({self._find(fields[0]): None, self._find(fields[1]): self._node(fields[0])})
        elif call == "write":
            self.changes.append(Change({}, self._node(fields[0]), int(fields[1]), bytes.fromhex(fields[2])))
        elif call == "truncate":
            self.changes.append(Change({}, self._node(fields[0]), size=int(fields[1])))
        elif call == "sync begins":
            node = self._node(fields[0])
            self._syncs[fields[1]] = [change for change in self.changes if change.touches(node)]
        elif call == "sync ends":
            for change in self._syncs.pop(fields[1]):
                change.is_safe = True
        else:
            raise NotImplementedError(call)

    def _name(self, names: dict[Name, Node | None]) -> None:
        self.changes.append(Change(names))
        self._names |= names

    def _find(self, path: str) -> Name:
        folder, name = os.path.split(path)
        return Name(self._node(folder), name)

    def _node(self, path: str) -> Node:
        inside = os.path.relpath(path, self._folder)
        node = self._top
        for name in [] if inside == "." else inside.split("/"):
            found = self._names[Name(node, name)]
            assert found is not None, path
            node = found
        return node

    def unsafe(self) -> list[Change]:
        """Return the changes that a power cut may undo; forget those that nobody can see any more."""
        reached = self._reached()
        self.changes = [
            change
            for change in self.changes
            if change.file in reached or any(name.folder in reached for name in change.names)
        ]
        return [change for change in self.changes if not change.is_safe]

    def _reached(self) -> set[Node]:
        """Return the files and folders that are there in any state."""
        possible: dict[Name, set[Node | None]] = {}
        for change in self.changes:
            for name, node in change.names.items():
                values = possible.setdefault(name, set())
                if change.is_safe:
                    values.clear()
                values.add(node)
        inside: dict[Node, set[Node]] = {}
        for name, values in possible.items():
            inside.setdefault(name.folder, set()).update(node for node in values if node is not None)
        reached, left = {self._top}, [self._top]
        while left:
            new = inside.get(left.pop(), set()) - reached
            reached |= new
            left += new
        return reached

    def tree(self, choices: dict[Change, str]) -> Tree:
        """Return what is there if these changes come to this, and all others are kept."""
        names: dict[Node, dict[str, Node | None]] = {}
        data: dict[Node, bytearray] = {}
        for change in self.changes:
            choice = choices.get(change, KEPT)
            if choice == LOST:
                continue
            for (folder, name), node in change.names.items():
                names.setdefault(folder, {})[name] = node
            if change.file is not None:
                change.apply(data.setdefault(change.file, bytearray()), choice == ZEROS)

        def below(folder: Node, path: str) -> Iterator[tuple[str, bytes | None]]:
            for name, node in names.get(folder, {}).items():
                if node is not None:
                    yield f"{path}{name}", None if node.is_folder else bytes(data.get(node, b""))
                    yield from below(node, f"{path}{name}/")

        return frozenset(below(self._top, ""))


def choices(
    changes: Sequence[Change], combinations: int, chance: random.Random
) -> Iterator[dict[Change, str]]:
    """Yield what may become of changes: all combinations if there are no more than so many, else a choice."""
    every = [change.outcomes for change in changes]
    if math.prod(map(len, every)) <= combinations:
        for found in product(*every):
            yield dict(zip(changes, found, strict=True))
        return
    lost = dict.fromkeys(changes, LOST)
    for end in range(len(changes) + 1):
        yield dict.fromkeys(changes[end:], LOST)
        yield dict.fromkeys(changes[:end], LOST)
    for change, some in zip(changes, every, strict=True):
        for one in some:
            yield {change: one}
            yield lost | {change: one}
    for _ in range(combinations):
        yield {change: chance.choice(change.outcomes) for change in changes}


def states(
    lines: Sequence[Sequence[str]], folder: Path, combinations: int, start: Tree = frozenset()
) -> dict[Tree, int]:
    """Return every state after a power cut, with the last step that had been acknowledged before; -1: none.

    Until a sync ends states only become more, so they are taken just before; and when a step is acknowledged.
    """
    disk, chance, acknowledged, is_new = Disk(str(folder), start), random.Random(0), -1, True
    found: dict[Tree, int] = {}

    def take() -> None:
        for choice in choices(disk.unsafe(), combinations, chance):
            tree = disk.tree(choice)
            found[tree] = max(found.get(tree, -1), acknowledged)

    for call, *fields in lines:
        if call == "ack":
            acknowledged = int(fields[0])
            take()
        elif call == "sync ends" and is_new:
            take()
            is_new = False
        if call != "ack":
            is_new = is_new or not call.startswith("sync")
            disk.apply(call, *fields)
    take()
    return found


def tree_of(folder: Path) -> Tree:
    """Return what is in a folder."""
    return frozenset(
        (str(path.relative_to(folder)), None if path.is_dir() else path.read_bytes())
        for path in folder.rglob("*")
    )


def put(tree: Tree, folder: Path) -> None:
    """Make a folder with such files. What tells of an erasing comes last: it is newer than what it erases."""
    folder.mkdir()
    for path, data in sorted(tree, key=lambda item: ("erasing." in item[0], item[0])):
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)
