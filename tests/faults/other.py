"""A process that works with the stores of the one that starts it, and does what that says: it is no fork."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import zchunk
from tests import ROOT
from tests.faults.homes import HOMES, Processes
from tests.faults.library import Ended
from tests.faults.operations import World
from tests.faults.places import close
from tests.faults.steps import Step, do


class Other:
    """The process, as seen from the one that starts it, when it first needs it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def do(self, home: str, folder: Path, kept: Any, step: Step) -> Ended:
        """Have it do a step in a store, and wait."""
        if self._process is None:
            command = [sys.executable, "-W", "ignore", "-m", "tests.faults.other"]
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((home, folder, kept, step._replace(after={})), self._process.stdin)
        self._process.stdin.flush()
        ended: Ended = pickle.load(self._process.stdout)
        return ended


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    zchunk.set_threads(1)
    # It goes on with the store of the last step, if that is the same.
    where, world = None, None
    while True:
        try:
            name, folder, kept, step = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            home = HOMES[name]
            if (name, folder) != where or world is None:
                where, world = (name, folder), World(home.for_program(kept), folder)
            do(step, world)
            if home.processes is Processes.IN_TURNS:
                close(world.store)
                world = None
            ended = Ended()
        except BaseException:
            ended, world = Ended(error=traceback.format_exc(limit=-12)), None
        pickle.dump(ended, answers)
        answers.flush()


if __name__ == "__main__":
    main()
