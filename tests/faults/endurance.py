"""100,000 operations of all kinds in one process: memory, descriptors, threads and files do not grow."""

from __future__ import annotations

import gc
import os
import threading
import traceback
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zchunk
from tests.faults.campaign import Figures, Share, working_folder
from tests.faults.homes import HOMES, Home
from tests.faults.operations import NEW, World
from tests.faults.places import close

_OPERATIONS = 100_000
# In a round.
_KINDS = 20
# Rounds until all that is kept is there: caches, connections, memory of threads.
_WARM = 20
# Bytes: what is lost in each operation shows above this, and what the allocator keeps does not.
_GROWTH = 12 << 20


class State(NamedTuple):
    """What a process has."""

    memory: int
    descriptors: int
    threads: int
    files: int

    @classmethod
    def now(cls, folder: Path) -> State:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = sum(len(names) for _, _, names in os.walk(folder))
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE"),
            len(os.listdir("/proc/self/fd")),
            # Those for requests come as they are needed, up to a fixed number.
            sum(not thread.name.startswith("request_") for thread in threading.enumerate()),
            files,
        )


def round_of(world: World, number: int) -> int:
    """Do some operations of all kinds, after which all is as it was; return how many."""
    z = world.at("a")
    z[...] = NEW + number
    z[4:7, 1] = number
    z.oindex[[1, 8], [0, 5]] = 3
    z.vindex[[0, 4], [2, 5]] = 4
    z.append(NEW[:2])
    z.resize(12, 6)
    z.attrs["n"] = number
    z.attrs.update(m=number)
    assert z[0, 0] == NEW[0, 0] + number
    assert z[::3].shape == (4, 6)
    assert z.vindex[[0, 4], [2, 5]].tolist() == [4, 4]
    world.array("n/x", NEW, overwrite=True, attributes={"n": number})
    assert zchunk.open_array(world.store, "r", path="n/x")[3, 3] == NEW[3, 3]
    world.root.move("n", "m")
    zchunk.copy(world.root["m"], world.root, "n")
    assert sorted(world.root) == ["a", "m", "n"]
    del world.root["m"]
    del world.root["n"]
    try:
        world.at("n")
    except FileNotFoundError:
        pass
    first = world.at("a").blocks[0, 0]
    np.testing.assert_array_equal(first, z[: len(first), : first.shape[1]])
    return _KINDS


def run(share: Share) -> Figures:
    """Work in each kind of store, so many times that there are enough operations."""
    figures = Figures("endurance", "operations")
    for name, home in share.of(HOMES).items():
        try:
            with working_folder() as folder:
                _work(home, folder, max(_OPERATIONS // _KINDS // len(HOMES) // share.every, 5), figures)
        except Exception:
            figures.fail(name, traceback.format_exc(limit=-8))
        figures.count("kinds of stores")
    return figures


def _work(home: Home, folder: Path, rounds: int, figures: Figures) -> None:
    world = World(home.for_program(home.make()), folder)
    world.group()
    world.array("a", NEW)
    for number in range(min(rounds, _WARM)):
        figures.cases += round_of(world, number)
    before = State.now(folder)
    for number in range(rounds):
        figures.cases += round_of(world, number)
    after = State.now(folder)
    assert after.memory <= before.memory + _GROWTH, f"{before} became {after}"
    # A connection or a worker more is no leak; one for each round would be.
    assert after.descriptors <= before.descriptors + 2, f"{before} became {after}"
    assert after.threads <= before.threads + 2, f"{before} became {after}"
    assert after.files <= before.files, f"{before} became {after}"
    close(world.store)
