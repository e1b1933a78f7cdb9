"""Programs that end while their threads work with arrays: none hangs or crashes, and data are whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import zchunk
from tests.faults.campaign import Figures, Share, working_folder
from tests.faults.homes import HOMES, Home
from tests.faults.operations import World
from tests.faults.places import close, leftovers_removed

_PATIENCE = 120.0
# A value of which each chunk is full, and an array of so many of them.
_BEGIN = """
import atexit, os, sys, threading
from pathlib import Path
from tests.faults.homes import HOMES
from tests.faults.operations import World

world = World(HOMES[sys.argv[1]].place, Path(sys.argv[2]))
z = world.at("a")
begun = threading.Event()

def work(rounds):
    for value in range(1, rounds):
        z[...] = value
        z.attrs["value"] = value
        begun.set()

def start(rounds, daemon):
    thread = threading.Thread(target=work, args=(rounds,), daemon=daemon)
    thread.start()
    begun.wait()
    return thread
"""
# How the programs end, and with which code.
PROGRAMS = {
    "daemon threads work on at the end": ("start(10**9, True); start(10**9, True)", 0),
    "os._exit in the middle": ("start(10**9, False); os._exit(7)", 7),
    "sys.exit in the middle": ("start(10**9, True); sys.exit(8)", 8),
    "sys.exit in a thread": (
        "t = threading.Thread(target=lambda: (work(3), sys.exit(9))); t.start(); t.join(); work(3)",
        0,
    ),
    "a thread that works on after the end of the first": ("start(9, False)", 0),
    "an error in the middle": ("start(10**9, True); raise ValueError('the end')", 1),
    "what is registered uses arrays": ("atexit.register(work, 4); start(10**9, True)", 0),
    "a fork in the middle": (
        "start(10**9, True)\n"
        "pid = os.fork()\n"
        "work(5)\n"
        "os._exit(0) if not pid else sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
        0,
    ),
}
_HOMES = ("v2", "v3", "shards", "sqlite")


def run(share: Share) -> Figures:
    """Run all programs in some kinds of stores."""
    figures = Figures("exits", "programs")
    tries = {f"{program} in {home}": (program, HOMES[home]) for home in _HOMES for program in PROGRAMS}
    for name, (program, home) in list(share.of(tries).items())[:: share.every]:
        figures.cases += 1
        try:
            with working_folder() as folder:
                _run(program, home, folder)
        except Exception as error:
            figures.fail(name, f"{type(error).__name__}: {error}")
    return figures


def _run(program: str, home: Home, folder: Path) -> None:
    world = World(home.place, folder)
    world.group()
    world.create("a", (8, 4), **home.place.create(chunks=(2, 2)))
    close(world.store)
    code, ends_with = PROGRAMS[program]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _BEGIN + code, home.name, folder],
        capture_output=True, text=True, timeout=_PATIENCE,
    )  # fmt: skip
    assert done.returncode == ends_with, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    said = "Traceback" in done.stderr or "Fatal" in done.stderr
    assert said == (ends_with == 1), done.stderr[-2000:]
    world = World(home.place, folder)
    z = world.at("a")
    for row in range(0, 8, 2):
        for column in range(0, 4, 2):
            part = z[row : row + 2, column : column + 2]
            assert (part == part[0, 0]).all(), part
    z[...] = 5
    assert (z[...] == 5).all()
    z.attrs["value"] = 0
    # A thread that ends with its process leaves what a killed one does.
    leftovers_removed(world.store)
    assert zchunk.verify(world.store), zchunk.verify(world.store)
    close(world.store)
