"""What campaigns have in common: cases of operations in kinds of stores, figures, and folders in memory."""

from __future__ import annotations

import gc
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.faults.operations import OPERATIONS, Operation, World, started
from tests.faults.pictures import Picture, difference
from tests.faults.places import PLACES, Place, close, files, leftovers_removed
from zchunk.errors import StoreError

T = TypeVar("T")
MEMORY = Path("/dev/shm")
# Characters of what has failed.
_SHOWN = 2000


class Case(NamedTuple):
    """An operation in a kind of store."""

    name: str
    operation: Operation
    place: Place

    def __str__(self) -> str:
        return f"{self.name} in {self.place.name}"


class Share(NamedTuple):
    """Which part of a campaign is run.

    Parameters
    ----------
    only : sequence of str
        Cases whose names contain one of these texts; all by default.
    every : int
        One of so many tries.
    seed : int
        Which random ones; 0 for those of the default run.
    group : tuple of int
        The n-th of so many groups of cases.
    """

    only: Sequence[str] = ()
    every: int = 1
    seed: int = 0
    group: tuple[int, int] = (0, 1)

    def of(self, cases: Mapping[str, T]) -> dict[str, T]:
        """Return the cases that are run, of these."""
        chosen = [name for name in cases if not self.only or any(text in name for text in self.only)]
        return {name: cases[name] for name in chosen[self.group[0] :: self.group[1]]}


class Figures:
    """How many cases there were, and which have failed.

    Parameters
    ----------
    campaign : str
        Its name.
    noun : str
        What a case is.
    """

    def __init__(self, campaign: str, noun: str) -> None:
        self.campaign, self.noun = campaign, noun
        self.cases = 0
        self.failures: list[str] = []
        self.more: dict[str, int] = {}
        self._began = time.monotonic()

    def fail(self, where: object, what: object) -> None:
        """Note a failure, and print it."""
        self.failures.append(f"{where}: {what}")
        print(f"{self.campaign}: FAILED: {where}: {str(what)[:_SHOWN]}", flush=True)

    def count(self, what: str, by: int = 1) -> None:
        """Count something besides cases."""
        self.more[what] = self.more.get(what, 0) + by

    @staticmethod
    def together(parts: Sequence[Figures]) -> Figures:
        """Return the figures of parts of a campaign as those of one."""
        found = Figures(parts[0].campaign, parts[0].noun)
        found._began = min(part._began for part in parts)
        for part in parts:
            found.cases += part.cases
            found.failures += part.failures
            for what, number in part.more.items():
                found.count(what, number)
        return found

    def __str__(self) -> str:
        """The closing line."""
        more = "".join(f", {number:,} {what}" for what, number in self.more.items())
        took = time.monotonic() - self._began
        return (
            f"{self.campaign}: {self.cases:,} {self.noun}{more}: {len(self.failures)} failures ({took:.0f} s)"
        )


def cases(
    names: Sequence[str] = (), part: float = 1.0, seed: int = 0, group: tuple[int, int] = (0, 1)
) -> list[Case]:
    """Return operations in kinds of stores: all, those whose names contain one of some texts, or a part.

    Of a part each operation has at least one kind of store, and each kind of store some operations. A `group`
    is the n-th of so many.
    """
    found = []
    for number, (name, operation) in enumerate(OPERATIONS.items()):
        fitting = [place for place in PLACES.values() if operation.is_for(place)]
        if part < 1:
            some = max(round(len(fitting) * part), 1)
            first = (number * 7 + seed) % len(fitting)
            fitting = (fitting * 2)[first : first + some]
        found += [Case(name, operation, place) for place in fitting]
    found = [case for case in found if not names or any(text in str(case) for text in names)]
    return found[group[0] :: group[1]]


@contextmanager
def working_folder() -> Iterator[Path]:
    """Yield a folder, in memory where there is room for it: what is killed is a process, not a machine."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="zchunk-faults-", dir=where) as folder:
        yield Path(folder).resolve()


@contextmanager
def opened(case: Case, folder: Path) -> Iterator[World]:
    """Open the store of a case; a warning about an archive whose writer was killed is none here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        world = World(case.place, folder)
        try:
            yield world
        finally:
            close(world.store)


def change(case: Case, folder: Path) -> None:
    """Do the operation, from opening the store to closing it."""
    world = World(case.place, folder)
    try:
        case.operation.change(world)
    finally:
        close(world.store)


def look(case: Case, folder: Path) -> Picture:
    """Return what is there."""
    with opened(case, folder) as world:
        return case.operation.look(world)


def do_again(case: Case, folder: Path, made: Model, is_cut: bool = False) -> Picture:
    """Do the operation again, unless it was done: then all is as without a fault. Return what is there.

    What a writer in place has cut (`is_cut`) may be gone.
    """
    operation = case.operation
    with opened(case, folder) as world:
        done = operation.once and difference(operation.look(world), made.after) is None
        if not done:
            (operation.again or operation.change)(world)
        leftovers_removed(operation.stored(world))
    now = look(case, folder)
    what = difference(now, made.after)
    assert what is None or operation.again is not None or is_cut, f"done again: {what}"
    return now


def open_files(folder: Path) -> set[str]:
    """Return which files of a folder this process has open, each with its descriptor."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if name.startswith(f"{folder}/"):
            found.add(f"{fd} {name}")
    return found


def remove_new_archive(case: Case, folder: Path, made: Model) -> bool:
    """Remove an archive that was never closed, and so has no directory; return whether it is one."""
    archive = folder / "store.zip"
    if made.before or not archive.exists():
        return False
    try:
        look(case, folder)
    except StoreError:
        archive.unlink()
        return True
    return False


class Model(NamedTuple):
    """A case without faults: what is there before and afterwards, and the files."""

    start: Path
    before: Picture
    after: Picture
    old_files: set[str]
    new_files: set[str]


def model(case: Case, folder: Path) -> Model:
    """Do a case without faults, beside where it will be done with them."""
    start, done = folder / "start", folder / "done"
    started(case.operation, case.place, start)
    started(case.operation, case.place, done)
    before = look(case, start)
    change(case, done)
    after = look(case, done)
    with opened(case, done) as world:
        report = case.operation.verify(world)
    assert difference(before, look(case, start)) is None
    assert not after or report, f"without a fault: {report}"
    # A child that collects garbage does not look at, and so copy, what its parent has.
    gc.collect()
    gc.freeze()
    return Model(start, before, after, files(start), files(done))
