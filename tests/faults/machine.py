"""Random programs on hierarchies, beside a model of NumPy arrays and dicts: a stateful machine of hypothesis.

Each step is done here, or in a forked child, or by a process that goes on working with the same store; or a
call of it fails, or its process is killed at a call. Then everything is as the model says: after a fault, for
each chunk and each document, as before or as afterwards, and the program goes on from there.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from errno import EACCES, EIO, ENOSPC
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

import zchunk
from tests.faults import pictures, steps
from tests.faults.campaign import Figures, Share
from tests.faults.homes import HOMES, Faults, Home, Processes, server
from tests.faults.library import Calls, Ended, How, Library, Strike, in_child
from tests.faults.operations import World
from tests.faults.other import Other
from tests.faults.pictures import Node, Picture, check, difference
from tests.faults.places import Place, close, leftovers_removed
from tests.faults.steps import Step

# What reads a store, and what changes it.
_KINDS = [Calls.CHANGES, Calls.CHANGES | Calls.OPEN | Calls.READ]
_ERRORS = [EIO, ENOSPC, EACCES]
# What becomes of a request: it is refused, or done without an answer.
_ANSWERS: list[dict[str, Any]] = [{"status": 503}, {"drop": True}]
_MOST_CALLS = 40
_PHASES = [Phase.generate, Phase.shrink]
# Programs in each kind of store, and steps of a program.
_PROGRAMS = 200
_LENGTH = 25


class Program(World):
    """A store, and nodes that were opened in it, which are used again as long as they are there."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._nodes: dict[str, Any] = {}
        super().__init__(place, folder)

    def at(self, path: str) -> Any:
        if path not in self._nodes:
            self._nodes[path] = super().at(path)
        return self._nodes[path]

    @property
    def root(self) -> zchunk.Group:
        group: zchunk.Group = self.at("")
        return group

    def forget(self) -> None:
        """Open nodes anew: others have changed them."""
        self._nodes.clear()

    def open_again(self) -> None:
        """Open the store anew."""
        self.forget()
        close(self.store)
        self.store = self.place.open(self.folder)


class Machine(RuleBasedStateMachine):
    """A program in one kind of store. A subclass says which, and where figures go."""

    home: Home
    figures: Figures
    library: Library
    other: Other

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
        self.kept = self.home.make()
        self.program = Program(self.home.for_program(self.kept), self.folder)
        self.model: Picture = {}
        self.faults = 0
        # Whether nothing has failed that must not.
        self.is_well = False

    @initialize(attributes=steps.ATTRIBUTES)
    def begin(self, attributes: dict[str, Any]) -> None:
        self.program.group(**attributes)
        self.model = {"": Node(attributes)}
        self._compare()

    # ---- what is done

    @rule(data=st.data(), of=st.sampled_from(["array", "array", "group"]))
    def make(self, data: st.DataObject, of: str) -> None:
        if of == "group":
            self._do(data, steps.new_group(data.draw, self.model))
        else:
            self._do(data, steps.new_array(data.draw, self.model, self.home.name == "n5"))

    @precondition(lambda self: steps.arrays(self.model))
    @rule(data=st.data(), of=st.sampled_from([steps.write, steps.write_some, steps.resize, steps.append]))
    def change(self, data: st.DataObject, of: Callable[..., Step | None]) -> None:
        self._do(data, of(data.draw, self.model))

    @precondition(lambda self: steps.arrays(self.model))
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        self._do(data, steps.write(data.draw, self.model))

    @rule(data=st.data(), of=st.sampled_from([steps.set_attributes, steps.delete, steps.move, steps.copy]))
    def arrange(self, data: st.DataObject, of: Callable[..., Step | None]) -> None:
        self._do(data, of(data.draw, self.model))

    def _open_again(self) -> None:
        self.program.open_again()
        self.figures.count("stores opened anew")

    def _pickle(self) -> None:
        """Go on with a copy of the store, as a worker of a pool would."""
        if self.home.processes is not Processes.NONE:
            raw = pickle.dumps(self.program.store)
            close(self.program.store)
            self.program.store = pickle.loads(raw)
            self.program.forget()

    # ---- how

    def _do(self, data: st.DataObject, step: Step | None) -> None:
        if step is None:
            return
        self.figures.cases += 1
        before = data.draw(st.sampled_from([_nothing] * 6 + [self._open_again, self._pickle]), label="before")
        before()
        ways = [self._here] * 3
        if self.home.processes is not Processes.NONE:
            ways.append(self._by_another)
            if self.home.processes is not Processes.SPAWNED:
                ways.append(self._in_a_child)
        if not step.refused:
            if self.home.faults is not Faults.NONE:
                ways += [self._fails] * 2
            if self.home.faults is Faults.CALLS and self.home.processes is not Processes.NONE:
                ways += [self._is_killed] * 2
        way = data.draw(st.sampled_from(ways), label="way")
        note(f"{before.__name__}, {way.__name__}: {step}")
        self.is_well = False
        way(data, step)
        self._compare()

    def _here(self, data: st.DataObject, step: Step) -> None:
        steps.do(step, self.program)
        if step.refused:
            self.figures.count("refused")
        self._is_done(step)

    def _is_done(self, step: Step) -> None:
        for path in {**self.model, **step.after}:
            if step.after.get(path) is not self.model.get(path):
                before, after = self.model.get(path), step.after.get(path)
                if before is None or after is None or not before.is_like(after):
                    # What was opened there may be another node.
                    self.program.forget()
        self.model = step.after

    def _in_a_child(self, data: st.DataObject, step: Step) -> None:
        self._apart()
        self._elsewhere(step, in_child(lambda: self._once(step)))

    def _by_another(self, data: st.DataObject, step: Step) -> None:
        self._apart()
        self._elsewhere(step, self.other.do(self.home.name, self.folder, self.kept, step))

    def _elsewhere(self, step: Step, ended: Ended) -> None:
        assert not ended.error, ended.error
        assert not ended.signal, f"signal {ended.signal}"
        self._together()
        self.figures.count("in another process")
        self.model = step.after

    def _fails(self, data: st.DataObject, step: Step) -> None:
        """A call fails: the step raises an error, or it is done."""
        at = data.draw(st.integers(1, _MOST_CALLS), label="at call")
        try:
            self._spoil(data, at)
            step.change(self.program)
        except OSError as error:
            note(f"raised {error!r}")
            self.figures.count("failed")
            self._adopt(step)
        else:
            self._is_done(step)
        finally:
            self._mend()

    def _spoil(self, data: st.DataObject, at: int) -> None:
        """Have a call fail from now on: the n-th."""
        if self.home.faults is Faults.VALUES:
            self.kept.left = at
        elif self.home.faults is Faults.REQUESTS:
            how = data.draw(st.sampled_from(_ANSWERS), label="how")
            server().network.fail(**how, every=at)
        else:
            kinds = data.draw(st.sampled_from(_KINDS), label="kinds")
            error = data.draw(st.sampled_from(_ERRORS), label="error")
            self.library.watch(self.folder, kinds)
            self.library.strike(Strike(at, How.FAIL, kinds, error))

    def _mend(self) -> None:
        if self.home.faults is Faults.VALUES:
            self.kept.left = 0
        elif self.home.faults is Faults.REQUESTS:
            server().network.reset()
        elif self.home.faults is Faults.CALLS:
            self.library.end()

    def _is_killed(self, data: st.DataObject, step: Step) -> None:
        """The process that does it is killed at a call, if it makes so many."""
        at = data.draw(st.integers(1, _MOST_CALLS), label="at call")
        self._apart()

        def work() -> None:
            self.library.watch(self.folder)
            self.library.strike(Strike(at, How.KILL))
            self._once(step)

        ended = in_child(work)
        assert not ended.error, ended.error
        self._together()
        if ended.signal:
            self.figures.count("killed")
            self._adopt(step)
        else:
            self.model = step.after

    def _adopt(self, step: Step) -> None:
        """Go on from what a fault has left, which must be old or new."""
        self._mend()
        self.faults += 1
        self.program.forget()
        now = pictures.take(self.program.store)
        check(now, self.model, step.after, step.allowed)
        self.model = now

    def _apart(self) -> None:
        self.program.forget()
        if self.home.processes is Processes.IN_TURNS:
            close(self.program.store)

    def _once(self, step: Step) -> None:
        """Do a step from opening the store to closing it."""
        world = World(self.home.place, self.folder)
        try:
            steps.do(step, world)
        finally:
            close(world.store)

    def _together(self) -> None:
        if self.home.processes is Processes.IN_TURNS:
            self.program.open_again()

    # ---- what must be so

    def _compare(self) -> None:
        self.is_well = False
        what = difference(pictures.take(self.program.store), self.model)
        assert what is None, what
        for path, node in self.program._nodes.items():
            what = difference({path: pictures.picture_of(node)}, {path: self.model[path]})
            assert what is None, f"what was opened before: {what}"
        self.is_well = True

    def teardown(self) -> None:
        try:
            if self.is_well:
                self._end()
        finally:
            self._stack.close()

    def _end(self) -> None:
        self.program.open_again()
        leftovers_removed(self.program.store)
        self._compare()
        report = zchunk.verify(self.program.store)
        bad = [finding for finding in report.findings if finding.severity == "error" or not self.faults]
        assert not bad, report
        self.program.forget()
        close(self.program.store)


def _nothing() -> None:
    """Go on at once."""


def run(share: Share) -> Figures:
    """Run programs in each kind of store: the same ones each time, unless a seed is given."""
    figures, library = Figures("machine", "steps"), Library()
    options = settings(
        max_examples=max(_PROGRAMS // share.every, 1),
        stateful_step_count=_LENGTH,
        deadline=None,
        database=None,
        derandomize=not share.seed,
        suppress_health_check=list(HealthCheck),
        phases=_PHASES,
        print_blob=False,
    )
    with Other() as other:
        for name, home in share.of(HOMES).items():
            own = {"home": home, "figures": figures, "library": library, "other": other}
            machine: Any = type(f"In {name}", (Machine,), own)
            if share.seed:
                machine = seed(share.seed)(machine)
            try:
                run_state_machine_as_test(machine, settings=options)
            except Exception as error:
                figures.fail(name, "".join(traceback.format_exception(error, limit=-8)))
            figures.count("kinds of stores")
    return figures
