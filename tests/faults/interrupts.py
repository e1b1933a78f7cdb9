"""Signals at every call of every operation: Ctrl-C, a handler that exits, uses arrays, or forks.

Ctrl-C comes at random times, too. It raises KeyboardInterrupt, as an exit raises SystemExit, and leaves what
a kill leaves, but no temporary file, lock or descriptor; the same process can do the operation again. A
handler may read the array that is being changed, which is old or new, and make others. What it forks works
with the same store.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import zchunk
from tests.faults.campaign import Case, Figures, Model, change, do_again, look, model, open_files
from tests.faults.library import Calls, How, Library, Strike, in_child
from tests.faults.operations import World
from tests.faults.pictures import check, difference, picture_of
from tests.faults.places import close, renew, temporary_files
from zchunk.errors import ChangeInProgressError, NodeNotFoundError

_KINDS = Calls.CHANGES | Calls.OPEN | Calls.READ
# Of each operation in each kind of store.
_RANDOM_TIMES = 4
# The node that handlers make beside the others.
_OWN = "of_handler"


def run(chosen: list[Case], folder: Path, every: int = 1) -> Figures:
    """Send signals in all cases, at all calls or at one of so many."""
    figures, library = Figures("interrupts", "signals"), Library()
    for number, case in enumerate(chosen):
        try:
            made = model(case, folder)
            for attempt in (_interrupted, _ended, _handled, _forked):
                if attempt in (_handled, _forked) and not is_for_handlers(case, made):
                    continue
                _run_case(case, attempt, library, folder, made, figures, every, number)
            if every == 1:
                _run_random_times(case, folder, made, figures, number)
        except Exception as error:
            figures.fail(case, f"{type(error).__name__}: {error}")
    figures.count("operations in stores", len(chosen))
    return figures


def is_for_handlers(case: Case, made: Model) -> bool:
    """Whether others can open the store during the operation, and make a node in it that stays."""
    replaces = "" in case.operation.allowed.absent or case.operation.folder or case.operation.erases
    return bool(case.place.is_folder and made.before and not replaces)


def _run_case(
    case: Case, attempt: Callable[..., str], library: Library, folder: Path, made: Model, figures: Figures,
    every: int, number: int,
) -> None:  # fmt: skip
    at = 1 + number % every
    while True:
        renew(made.start, folder / "work")
        ended = in_child(lambda: attempt(case, library, folder / "work", made, at))  # noqa: B023
        if ended.value == "was not struck":
            return
        figures.cases += 1
        if not ended.value:
            what = ended.error or f"signal {ended.signal}"
            figures.fail(f"{case}, {attempt.__name__} at call {at}", what)
            if ended.signal or "hangs" in ended.error:
                return
        else:
            figures.count(ended.value)
        at += every


def _run_random_times(case: Case, folder: Path, made: Model, figures: Figures, number: int) -> None:
    """Interrupt a case some times at moments that are no calls, but anywhere between lines."""
    rng = np.random.default_rng(number)
    start = time.monotonic()
    renew(made.start, folder / "work")
    change(case, folder / "work")
    took = time.monotonic() - start
    for _ in range(_RANDOM_TIMES):
        delay = max(rng.random() * took, 1e-5)
        renew(made.start, folder / "work")
        ended = in_child(lambda: _interrupted_after(case, folder / "work", made, delay))  # noqa: B023
        figures.cases += 1
        if ended.value:
            figures.count(ended.value)
        else:
            figures.fail(f"{case}, after {delay:.6f} s", ended.error or f"signal {ended.signal}")


def _interrupted_after(case: Case, folder: Path, made: Model, delay: float) -> str:
    """Ctrl-C after some time: all is old or new, and the operation can be done again."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        change(case, folder)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        outcome = "interrupted at random times"
    else:
        outcome = "done before that"
    check(look(case, folder), made.before, made.after, case.operation.allowed)
    do_again(case, folder, made)
    return outcome


def _strike(library: Library, folder: Path, at: int, number: int) -> None:
    library.watch(folder, _KINDS)
    library.strike(Strike(at, How.SIGNAL, _KINDS, number))


def _exit(signum: int, frame: Any) -> None:
    sys.exit(3)


def _ended(case: Case, library: Library, folder: Path, made: Model, at: int) -> str:
    """A handler exits, which a program may catch."""
    signal.signal(signal.SIGTERM, _exit)
    return _interrupted(case, library, folder, made, at, signal.SIGTERM)


def _interrupted(
    case: Case, library: Library, folder: Path, made: Model, at: int, number: int = signal.SIGINT
) -> str:
    """Ctrl-C: the operation ends, and can be done again."""
    if number == signal.SIGINT:
        # A shell has programs in its background ignore it.
        signal.signal(number, signal.default_int_handler)
    before, raised = open_files(folder), False
    _strike(library, folder, at, number)
    try:
        change(case, folder)
    except (KeyboardInterrupt, SystemExit):
        raised = True
    if library.end() < at:
        assert not raised
        return "was not struck"
    assert raised, "swallowed"
    gc.collect()
    check(look(case, folder), made.before, made.after, case.operation.allowed)
    if case.place.is_folder:
        left = temporary_files(folder)
        assert not left, f"left are {left}"
    # Where fsspec deletes files itself, `shutil.rmtree` leaves open what it has just opened.
    if case.place.is_folder and not case.place.erases_only:
        left_open = open_files(folder) - before
        assert not left_open, f"open are {left_open}"
    do_again(case, folder, made)
    return "interrupted" if number == signal.SIGINT else "ended"


def _signalled(
    case: Case, library: Library, folder: Path, made: Model, at: int, work: Callable[[World], object]
) -> list[Any]:
    """Do the operation; a handler does some work meanwhile. Return what that returned."""
    done: list[Any] = []

    def handle(signum: int, frame: Any) -> None:
        # What it does may make calls, too.
        library.end()
        done.append(work(World(case.place, folder)))

    signal.signal(signal.SIGUSR1, handle)
    _strike(library, folder, at, signal.SIGUSR1)
    change(case, folder)
    library.end()
    return done


def _handled(case: Case, library: Library, folder: Path, made: Model, at: int) -> str:
    """A handler reads all nodes, and makes one."""
    done = _signalled(case, library, folder, made, at, lambda world: _use(case, world, made))
    if not done:
        return "was not struck"
    _check_both(case, folder, made)
    return "handled"


def _forked(case: Case, library: Library, folder: Path, made: Model, at: int) -> str:
    """A handler forks a child, which reads all nodes and makes one."""
    ends = _signalled(
        case, library, folder, made, at, lambda world: in_child(lambda: _use(case, world, made))
    )
    if not ends:
        return "was not struck"
    assert not ends[0].error, ends[0].error
    assert not ends[0].signal, f"signal {ends[0].signal}"
    _check_both(case, folder, made)
    return "forked"


def _use(case: Case, world: World, made: Model) -> None:
    """Read the nodes that there were, which are old or new or gone, and make one."""
    for path in made.before:
        try:
            node = zchunk.open(world.store, "r", path=path)
            found = {path: picture_of(node)}
        except NodeNotFoundError:
            continue
        before = {path: made.before[path]}
        after = {path: made.after[path]} if path in made.after else {}
        check(found, before, after, case.operation.allowed)
    try:
        world.array(_OWN, np.arange(5), chunks=(2,), overwrite=True)
    except ChangeInProgressError:
        # It is the node above that is being changed.
        pass
    close(world.store)


def _check_both(case: Case, folder: Path, made: Model) -> None:
    now = look(case, folder)
    own = now.pop(_OWN, None)
    assert own is None or (own.items is not None and own.items.tolist() == [0, 1, 2, 3, 4]), own
    what = difference(now, made.after)
    assert what is None, what
