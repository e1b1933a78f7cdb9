"""A disk that is really full: a tmpfs of a few pages, on which an operation is tried with ever more of them.

Only root can mount one. What is not enough raises ENOSPC, and leaves all old or new; with space it works.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.campaign import Case, Figures, Model, change, do_again, look, model
from tests.faults.library import in_child
from tests.faults.pictures import check, difference
from tests.faults.places import renew, temporary_files

_SIZE = 4 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
# More pages than any operation here takes.
_ENOUGH = 200


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Yield a small disk; None where none can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def is_for(case: Case) -> bool:
    """Whether a full disk raises an error; LMDB maps its file, or has it as large as the map at once."""
    return case.place.durability != "none" and case.place.name != "lmdb"


def run(chosen: list[Case], folder: Path, every: int = 1) -> Figures:
    """Try all cases with every number of free pages, or one of so many."""
    figures = Figures("full disk", "tries")
    with small_disk(folder / "disk") as disk:
        if disk is None:
            print("full disk: only root can mount one")
            return figures
        chosen = [case for case in chosen if is_for(case)]
        for number, case in enumerate(chosen):
            try:
                made = model(case, folder)
                _run_case(case, disk, made, figures, every, number)
            except Exception as error:
                figures.fail(case, f"{type(error).__name__}: {error}")
    figures.count("operations in stores", len(chosen))
    return figures


def _run_case(case: Case, disk: Path, made: Model, figures: Figures, every: int, number: int) -> None:
    work = disk / "work"
    for free in range(number % every, _ENOUGH, every):
        renew(made.start, work)
        ended = in_child(lambda: _attempt(case, disk, work, made, free))  # noqa: B023
        (disk / "ballast").unlink(missing_ok=True)
        figures.cases += 1
        if ended.value == "raised":
            figures.count("raised")
            continue
        if ended.value != "done":
            figures.fail(f"{case}, {free} pages free", ended.value or ended.error or f"signal {ended.signal}")
        return


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no space. SQLite has words of its own for it."""
    return errno.ENOSPC in (error.errno, getattr(error.__cause__, "errno", None)) or "full" in str(error)


def _attempt(case: Case, disk: Path, folder: Path, made: Model, free: int) -> str:
    found = os.statvfs(disk)
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(found.f_bavail * found.f_frsize - free * _PAGE, 1))
    raised = None
    try:
        change(case, folder)
    except OSError as error:
        raised = error
    assert raised is None or is_full(raised), f"{type(raised).__name__}: {raised}"
    now = look(case, folder)
    if raised is None:
        what = difference(now, made.after)
        assert what is None, f"swallowed: {what}"
    else:
        check(now, made.before, made.after, case.operation.allowed)
        left = temporary_files(folder)
        assert not left, f"{raised} leaves {left}"
    (disk / "ballast").unlink()
    if raised is None:
        return "done"
    do_again(case, folder, made)
    return "raised"
