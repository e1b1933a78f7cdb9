"""`CheckpointManager`: saves and restores the state of a program, of one process or of many.

Every public method but those that only look (of `StepFolder`) is collective: all processes call it, in the
same order. Each begins with a meeting, in which a process that has failed says so; so an error on one of them
ends in the same error on all, and a process that leaves a ``with`` block by an exception takes the others
with it.
They are called one at a time, which `turns` sees to.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint import layout, retention
from zchunk.wings.checkpoint.agreement import (
    Agreement,
    Place,
    Said,
    State,
    check_attributes,
    check_time,
    take_apart,
)
from zchunk.wings.checkpoint.codecs import with_checksum
from zchunk.wings.checkpoint.commit import Attempt
from zchunk.wings.checkpoint.communicators import Copies, as_communicator, machine
from zchunk.wings.checkpoint.dask_workers import write_blocks
from zchunk.wings.checkpoint.intervals import Interval
from zchunk.wings.checkpoint.looking import StepFolder
from zchunk.wings.checkpoint.meetings import Meetings
from zchunk.wings.checkpoint.parameters import check_at_least_1, check_one_of, check_seconds, use_threads
from zchunk.wings.checkpoint.pending import Pending
from zchunk.wings.checkpoint.plan import Plan
from zchunk.wings.checkpoint.restarts import cut_to_nothing, find_whole
from zchunk.wings.checkpoint.restoring import Checkpoint, Verify, examine
from zchunk.wings.checkpoint.rewind import Rewind
from zchunk.wings.checkpoint.saving import Saving
from zchunk.wings.checkpoint.staging import Buffers, stage
from zchunk.wings.checkpoint.static import Linked, find_linked, with_static, without
from zchunk.wings.checkpoint.stopping import Signals, TimeLimit, check_signals
from zchunk.wings.checkpoint.turns import OneAtATime, in_turn
from zchunk.wings.checkpoint.verification import RECORD, Step
from zchunk.wings.checkpoint.vote import on_first

if TYPE_CHECKING:
    from zchunk.typing import JSON, CompressorsLike, PathLike

T = TypeVar("T")


class CheckpointManager(OneAtATime, StepFolder):
    """Saves the state of a program in a folder, a step at a time, so that no crash loses what was saved.

    A step is there as a whole or not at all, whatever is killed and when. It is a Zarr group of format 3,
    which any Zarr library reads. Calls come one after the other: one that another thread or a signal handler
    makes meanwhile raises a `CheckpointError`.

    Parameters
    ----------
    directory : path
        The folder of all steps; made by the first save. All processes see the same one.
    comm : communicator, optional
        Of the processes that save together: one of mpi4py, or any object with ``rank``, ``size``,
        ``allgather``, ``bcast``, ``alltoall`` and ``barrier``, such as those of `process_communicators`.
        None: this process alone.
    max_to_keep : int or None, optional
        Keep so many steps; None keeps all.
    keep_every : int, optional
        Keep besides, for good, steps that are multiples of this.
    save_interval_steps, save_interval_seconds : optional
        When `should_save` is true: at multiples of so many steps; when so many seconds have passed.
    async_save : bool, optional
        `save` returns when the state is copied; the rest is done in the background.
    max_pending : int, optional
        So many saves may be in the background; the next one waits. Each takes memory for a copy of the state.
    durability : {"fsync", "atomic"}, optional
        ``"fsync"``: what was saved survives the machine. ``"atomic"``: the processes only.
    compressors : codec, sequence of codecs, "crc32c" or None, optional
        As for `zchunk.create_array`; checksums are added. ``"crc32c"``: checksums alone. None: nothing at
        all.
    files : {"rank", "node"} or int, optional
        How many files an array has at most: one for each process, one for each machine, or so many.
    verify : {"quick", "full", "none"}, optional
        What `restore` checks: that all files are there with their sizes, or all their bytes.
    signals : sequence of int, optional
        Signals that end the program well: `should_stop` is true when one has come. For the main thread.
    time_limit : float or datetime, optional
        Seconds from now, or a moment, when the program will be killed; by default what Slurm says.
    threads : int, optional
        As for `zchunk.set_threads`; by default the cores of the machine divided by the processes on it.
    on_rewind : {"discard", "error"}, optional
        After a step was restored that is not the last one, the next save deletes those after it, or raises;
        `restore` does so itself if it cuts a `Series`.

    Raises
    ------
    TypeError, ValueError
        A parameter has no valid value.

    Examples
    --------
    >>> import numpy as np
    >>> from zchunk.checkpoint import CheckpointManager
    >>> u, first = np.zeros(4), 0
    >>> with CheckpointManager("run.ckpt", save_interval_steps=5) as manager:
    ...     checkpoint = manager.restore()
    ...     if checkpoint is not None:
    ...         u, first = checkpoint.read("u"), checkpoint.step + 1
    ...     for step in range(first, 11):
    ...         u += 1
    ...         if manager.should_save(step):
    ...             _ = manager.save(step, {"u": u})
    >>> manager.all_steps()
    [0, 5, 10]
    """

    def __init__(
        self,
        directory: PathLike,
        comm: Any = None,
        *,
        max_to_keep: int | None = 3,
        keep_every: int | None = None,
        save_interval_steps: int | None = None,
        save_interval_seconds: float | None = None,
        async_save: bool = True,
        max_pending: int = 1,
        durability: Literal["fsync", "atomic"] = "fsync",
        compressors: CompressorsLike | Literal["crc32c"] = "crc32c",
        files: Literal["rank", "node"] | int = "rank",
        verify: Verify = "quick",
        signals: Iterable[int] = (),
        time_limit: float | datetime | None = None,
        threads: int | None = None,
        on_rewind: Literal["discard", "error"] = "discard",
    ) -> None:
        check_at_least_1(
            max_to_keep=max_to_keep, keep_every=keep_every, save_interval_steps=save_interval_steps,
            max_pending=max_pending, threads=threads, files=None if isinstance(files, str) else files,
        )  # fmt: skip
        check_one_of("durability", durability, ("fsync", "atomic"))
        check_one_of("verify", verify, ("quick", "full", "none"))
        check_one_of("on_rewind", on_rewind, ("discard", "error"))
        if isinstance(files, str):
            check_one_of("files", files, ("rank", "node"))
        check_seconds("save_interval_seconds", save_interval_seconds)
        numbers, self._limit = check_signals(signals), TimeLimit(time_limit)
        OneAtATime.__init__(self)
        StepFolder.__init__(self, directory)
        self.max_to_keep, self.keep_every = max_to_keep, keep_every
        self._interval = Interval(save_interval_steps, save_interval_seconds)
        self._async, self._max_pending = async_save, max_pending
        self._sync = durability == "fsync"
        self._verify = verify
        self._copies = Copies(as_communicator(comm), async_save)
        self._comm = self._copies.comm
        machines = self._comm.allgather(machine())
        most = len(set(machines)) if files == "node" else None if files == "rank" else int(files)
        self._threads = use_threads(threads, machines.count(machine()))
        self._pending = Pending(self._comm, self._copies.background, self._limit.save_done)
        self._meetings = Meetings(self._comm, self._pending)
        self._agreement = Agreement(self._comm, with_checksum(compressors), most)
        self._buffers = [Buffers() for _ in range(max_pending)]
        self._rewind = Rewind(self.directory, refuse=on_rewind == "error")
        # Steps that this manager has saved or restored: what is static is linked to no other.
        self._known: set[int] = set()
        self._count = 0
        self._stopping = self._closed = False
        self._pid = os.getpid()
        # Last, so that what fails before leaves no handler.
        self._signals = Signals(numbers)

    # ---- saving

    @in_turn
    def should_save(self, step: int) -> bool:
        """Whether a step is to be saved, by the interval; always true once `should_stop` was.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> manager = CheckpointManager("run.ckpt", save_interval_steps=10)
        >>> manager.should_save(19), manager.should_save(20)
        (False, True)
        """
        if not self._interval.asks_clock:
            return self._is_due(step)
        # One clock for all.
        return self._meet("should_save", lambda: self._is_due(step))[0]

    def _is_due(self, step: int) -> bool:
        return self._stopping or self._interval.is_due(step)

    @in_turn
    def save(
        self,
        step: int,
        state: dict[str, Any],
        *,
        time: float | None = None,
        attrs: Mapping[str, Any] | None = None,
        static: dict[str, Any] | None = None,
        force: bool = False,
    ) -> bool:
        """Save a state as a step. Collective.

        Parameters
        ----------
        step : int
            Number of the step, larger than those that are there.
        state : dict
            Nested dicts, lists and tuples of `Block`; of arrays and scalars that all processes have alike, of
            which the first process saves its own; of `numpy.random.Generator`; of `PerRank`; and, if there is
            one process, of dask arrays, also of those in arrays of xarray, which dask's workers write. It may
            change as soon as this returns. A `Series` is flushed, and its length saved.
        time : float, optional
            Simulated time, kept as an attribute.
        attrs : mapping, optional
            More attributes.
        static : dict, optional
            More of the state, which has not changed since the last step: of arrays that are there with the
            same shape and dtype the files are linked and not written, if this manager has saved or restored
            that step.
        force : bool, optional
            Save, whatever the interval.

        Returns
        -------
        bool
            False if it was not time to save, by the interval.

        Raises
        ------
        CheckpointError
            The step is there, or one after it; or an earlier save in the background has failed on a process
            whose error cannot travel.
        OSError, MemoryError
            A process could not write, or had too little memory for a copy; also of an earlier save in the
            background. All processes raise it: of a save in the background at the next call.
        TypeError, ValueError
            The state cannot be stored, or processes say different things of it. Nothing is written.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.checkpoint import CheckpointManager
        >>> with CheckpointManager("run.ckpt") as manager:
        ...     manager.save(1, {"model": {"weights": np.ones(3)}, "seed": 7}, attrs={"title": "test"})
        True
        """
        begun = self._interval.now()
        apart, given = State.empty(), dict[str, Any]()

        def look() -> Said:
            nonlocal apart, given
            given = {"time": check_time(time), **check_attributes(attrs)}
            apart = take_apart(with_static(state, static), self._comm.rank)
            mine = self._agreement.say(step, force or self._is_due(step), apart, bool(static))
            # Here, so that it takes no further message.
            return mine._replace(place=self._find_place(mine.step)) if mine.due else mine

        said = self._meet("save", look)
        first, place = said[0], said[0].place
        if not first.due or place is None:
            return False
        links = any(one.static for one in said)
        # What is linked is of the last step, so that must be there.
        self._pending.finish(0 if links else self._max_pending - 1)
        plan, document = self._agreement.reach(said, apart)
        for path in sorted(apart.growing):
            # The length that the step has is on the disk before the step.
            apart.growing[path].flush()
        linked: list[Linked] = []
        if links or not place.has_root:
            linked = on_first(self._comm, lambda: self._prepare(plan, static))
        background = self._async and not self._stopping
        attempt = Attempt(self.directory, first.step, place.folder, without(plan, linked), linked, self._sync)
        # Not in the background: what graphs of dask read may change when this returns.
        attempt = attempt._replace(blocks=write_blocks(*attempt[:2], attempt.plan, apart.leaves, self._sync))
        saving = Saving(
            attempt,
            (self._comm.rank, self._comm.size),
            self._attributes(first.step, given, document),
            self._rewind,
            self._superfluous,
        )
        buffers = self._buffers[self._count % self._max_pending]
        failed = saving.take(lambda: stage(attempt.plan, apart.leaves, self._comm, buffers, background))
        self._count += 1
        self._known.add(first.step)
        self._interval.saved(begun)
        self._pending.add(saving, background)
        if not background or (failed is not None and self._comm.size == 1):
            self._pending.finish(0)
        if failed is not None and not isinstance(failed, Exception):
            # Ctrl-C does not wait for the next call, as errors do that all are to raise together.
            raise failed
        return True

    def _find_place(self, step: int) -> Place | None:
        """Check that a step may be saved, and return where; None on all processes but the first."""
        if self._comm.rank:
            return None
        self._rewind.check_new(step, self._pending.steps)
        return Place(layout.new_attempt(self.directory, step), layout.has_root(self.directory))

    def _prepare(self, plan: Plan, static: dict[str, Any] | None) -> list[Linked]:
        """Make the folder of all steps if it is not there; return what is there of the step."""
        layout.make_root(self.directory, self._sync)
        last = self._rewind.latest() if static else None
        if last is None or last not in self._known:
            return []
        return find_linked(Step(self.directory, last), plan, static or {})

    def _attributes(self, step: int, given: dict[str, Any], document: JSON) -> dict[str, Any]:
        record = {"ranks": self._comm.size, "state": document}
        own = {"step": step, "time": None, "wall_clock": datetime.now(UTC).isoformat(timespec="seconds")}
        return {**own, "zchunk_version": sys.modules["zchunk"].__version__, **given, RECORD: record}

    def _superfluous(self, steps: Sequence[int]) -> list[int]:
        return retention.superfluous(steps, self.max_to_keep, self.keep_every)

    # ---- restoring

    @in_turn
    def restore(
        self, step: int | None = None, *, like: Mapping[str, Any] | None = None, verify: Verify | None = None
    ) -> Checkpoint | None:
        """Return the last step that is whole, for reading; None if there is no step at all. Collective.

        Steps that are not whole are passed over with a warning, by all processes alike. The next save moves
        them to ``.tmp/damaged-…`` in the folder, where they stay. Any number of processes can restore what
        any number has saved.

        Parameters
        ----------
        step : int, optional
            This step, and no other.
        like : mapping, optional
            A state such as `save` takes, with `Block` for the parts of today: what is in it is read, into its
            arrays, and is the `state` of the result: see `Checkpoint.fill`. A step of which a process cannot
            read its part is passed over. A `Series` is cut to the length that it had at the step, after later
            steps were taken away as by the next save; to nothing if there is no step.
        verify : {"quick", "full", "none"}, optional
            Instead of that of the manager.

        Returns
        -------
        Checkpoint or None

        Raises
        ------
        CheckpointError
            There is no such step, it is not whole, or none is; a newer zchunk has saved it; processes
            restore different steps; or a `Series` cannot be cut: then none is.
        OSError
            The system refuses to read a step, which may be whole. All processes raise it.
        KeyError, TypeError, ValueError
            `like` does not fit what was saved.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.checkpoint import CheckpointManager
        >>> with CheckpointManager("run.ckpt") as manager:
        ...     manager.restore() is None
        ...     _ = manager.save(3, {"u": np.arange(3)})
        ...     manager.restore(like={"u": np.zeros(3, int)}).state["u"]
        True
        array([0, 1, 2])
        """
        how = self._verify if verify is None else verify
        check_one_of("verify", how, ("quick", "full", "none"))
        self._meet_at("restore", step)
        self._pending.finish(0)
        steps = on_first(self._comm, self.all_steps)
        if step is not None and step not in steps:
            raise CheckpointError(f"there is no step {step} in {self.directory!r}; there are {steps}")
        among = steps if step is None else [step]
        found, reasons = find_whole(self._comm, self.directory, among, how, like)
        if found is None:
            self._warn(f"there is no step in {self.directory!r}: {what}" for what in cut_to_nothing(like))
            return None
        self._warn(f"{reason}; step {found.step} is restored" for reason in reasons)
        self._known.add(found.step)
        self._rewind.restored(found.step, steps, chosen=step is not None)
        found._before_cut = self._leave_later
        found._cut(like)
        return found

    def _warn(self, messages: Iterable[str]) -> None:
        """Warn the caller of `restore`, once for all processes."""
        for message in messages:
            if self._comm.rank == 0:
                # This method, `restore`, and that of `in_turn`.
                warnings.warn(message, RuntimeWarning, stacklevel=4)

    def _leave_later(self, step: int) -> None:
        """Take steps that the run has left out of sight, if it was set back to a step. Collective."""
        self._pending.finish(0)
        leave = self._rewind.leave
        on_first(self._comm, lambda: retention.delete(self.directory, leave(step, self._sync), self._sync))

    @in_turn
    def verify(self, step: int, full: bool = False) -> None:
        """Check that a step is whole. Collective.

        Parameters
        ----------
        step : int
            Number of the step.
        full : bool, optional
            Read all bytes, each process its share; otherwise look at the files only.

        Raises
        ------
        CheckpointError
            It is not, or is not there; or processes verify different steps.
        OSError
            The system refuses to read it.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> with CheckpointManager("run.ckpt", async_save=False) as manager:
        ...     _ = manager.save(1, {"seed": 7})
        ...     manager.verify(1, full=True)
        """
        self._meet_at("verify", step)
        checkpoint, reason = examine(self._comm, self.directory, step, "full" if full else "quick", None)
        if checkpoint is None:
            raise CheckpointError(reason)

    @in_turn
    def delete(self, step: int) -> None:
        """Delete a step. Collective.

        Raises
        ------
        CheckpointError
            It is not there; or processes delete different steps.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> with CheckpointManager("run.ckpt", async_save=False) as manager:
        ...     _ = manager.save(1, {"seed": 7})
        ...     manager.delete(1)
        ...     manager.all_steps()
        []
        """
        self._meet_at("delete", step)

        def delete() -> None:
            trash = retention.discard(self.directory, [step], self._sync) if step in self.all_steps() else []
            if not trash:
                raise CheckpointError(
                    f"there is no step {step} in {self.directory!r}; there are {self.all_steps()}"
                )
            retention.delete(self.directory, trash, self._sync)

        on_first(self._comm, delete)

    # ---- the end

    @in_turn
    def should_stop(self) -> bool:
        """Whether the program is to save and end: a signal has come to a process, or time is nearly over.

        Collective: call it once a step. When it is true, `should_save` is too, and `save` returns when all is
        on the disk.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> CheckpointManager("run.ckpt", time_limit=3600).should_stop()
        False
        """
        self._limit.step_done()
        said = self._meet(
            "should_stop",
            lambda: (self._signals.came or self._limit.is_near(), self._pending.are_written),
        )
        if all(written for _, written in said):
            self._pending.finish_written()
        self._stopping = self._stopping or any(near for near, _ in said)
        return self._stopping

    @in_turn
    def wait_until_finished(self) -> None:
        """Wait for saves in the background; raise the error if one has failed. Collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> with CheckpointManager("run.ckpt") as manager:
        ...     _ = manager.save(1, {"seed": 7})
        ...     manager.wait_until_finished()
        ...     manager.latest_step()
        1
        """
        self._meet("wait_until_finished", lambda: None)
        self._pending.finish(0)

    @in_turn
    def check_for_errors(self) -> None:
        """Raise the error of a save in the background, if one has failed, on all processes. Collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> CheckpointManager("run.ckpt").check_for_errors()
        """
        self._meet("check_for_errors", lambda: None)

    @in_turn
    def close(self) -> None:
        """Wait for saves in the background, and give back signals and communicators. Collective.

        Examples
        --------
        >>> from zchunk.checkpoint import CheckpointManager
        >>> manager = CheckpointManager("run.ckpt")
        >>> manager.close()
        """
        if self._closed:
            return
        try:
            self._meet("close", lambda: None)
            self._pending.finish(0)
        except BaseException as error:
            # What is under way ends well all the same.
            if not self._is_forked():
                self._pending.leave(error)
            raise
        finally:
            self._release()

    def _release(self, free: bool = True) -> None:
        self._closed = True
        self._signals.release()
        if self._threads is not None:
            self._threads.release()
        self._pending.release()
        if free:
            self._copies.free()
        self._comm = self._copies.given

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif not self._closed and not self._is_forked():
            self._leave(error)

    def _leave(self, error: BaseException) -> None:
        """Leave by an error: the next call of other processes raises it."""
        met = False
        try:
            met = self._meetings.leave(error)
        finally:
            self._pending.leave(error)
            # Where the others have not come the message to them is still under way.
            self._release(free=met)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.directory!r}, rank {self._comm.rank} of {self._comm.size})"

    def _meet(self, call: str, work: Callable[[], T]) -> list[T]:
        self._check_open()
        return self._meetings.meet(call, work)

    def _meet_at(self, call: str, step: int | None) -> None:
        self._check_open()
        self._meetings.meet_at(call, step)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"the CheckpointManager of {self.directory!r} is closed")
        if self._is_forked():
            raise CheckpointError(
                f"{self!r} is of process {self._pid}, which has forked this one: its saves are not here; "
                "make one in this process"
            )

    def _is_forked(self) -> bool:
        """Whether this process was forked from the one that has made this."""
        return os.getpid() != self._pid
