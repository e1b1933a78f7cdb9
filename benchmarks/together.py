"""Reads of one array by many at a time: threads of a process, or processes that were forked or spawned."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.actions import Action
from benchmarks.adapters import load_adapter
from benchmarks.adapters.base import Adapter, Unsupported
from benchmarks.datasets import Layout
from benchmarks.selections import Selection, of_array

# Seconds until all have opened the array, and until all have read it
OPENED, READ = 30.0, 300.0


class Share(NamedTuple):
    """What one of them reads when all have opened the array; the first values are checked if given."""

    path: str
    layout: Layout
    selections: list[Selection]
    want: NDArray[Any] | None

    def read(self, adapter: Adapter, barrier: Any) -> None:
        """Open the array, wait for the others, read, and wait again."""
        handle = adapter.open(self.path, self.layout)
        if self.want is not None:
            found = adapter.select(handle, self.selections[0])
            if not np.array_equal(found, self.want):
                barrier.abort()
                return
        barrier.wait(OPENED)
        for selection in self.selections:
            adapter.select(handle, selection)
        barrier.wait(READ)
        adapter.close(handle)


def _spawned(name: str, threads: int, share: Share, barrier: Any) -> None:
    share.read(load_adapter(name, threads), barrier)


class ReadTogether(Action):
    """Read selections, shared out among threads or processes, which have opened the array."""

    def prepare(self) -> dict[str, Any]:
        self.stored()
        self.selections = self.case.select(self.layout)
        self._read(check=True)
        return {}

    def run(self) -> float:
        return self._read() / self.case.count(self.layout)

    def _shares(self, check: bool) -> list[Share]:
        assert self.case.team is not None
        shares = [self.selections[i :: self.case.team.size] for i in range(self.case.team.size)]
        wants = [of_array(self.data, some[0]) if check else None for some in shares]
        return [Share(self.path, self.layout, *both) for both in zip(shares, wants, strict=True)]

    def _read(self, check: bool = False) -> float:
        assert self.case.team is not None
        shares, kind = self._shares(check), self.case.team.kind
        if kind == "threads":
            barrier = threading.Barrier(len(shares) + 1)
            given = [(self.adapter, barrier)] * len(shares)
            workers = [
                threading.Thread(target=share.read, args=both, daemon=True)
                for share, both in zip(shares, given, strict=True)
            ]
            return self._time_until(workers, barrier)
        context: Any = multiprocessing.get_context(kind)
        shared = context.Barrier(len(shares) + 1)
        target: Callable[..., None] = Share.read if kind == "fork" else _spawned
        processes = [
            context.Process(target=target, args=(*self._first(kind, share), shared), daemon=True)
            for share in shares
        ]
        try:
            return self._time_until(processes, shared)
        finally:
            for process in processes:
                process.kill()

    def _first(self, kind: str, share: Share) -> tuple[Any, ...]:
        return (share, self.adapter) if kind == "fork" else (self.bench.name, self.bench.threads, share)

    def _time_until(self, workers: Sequence[Any], barrier: Any) -> float:
        for worker in workers:
            worker.start()
        try:
            barrier.wait(OPENED)
            begun = time.perf_counter()
            barrier.wait(READ)
            seconds = time.perf_counter() - begun
        except threading.BrokenBarrierError:
            assert self.case.team is not None
            raise Unsupported(f"reads by {self.case.team.kind} fail or do not end") from None
        for worker in workers:
            worker.join(OPENED)
        return seconds


ACTIONS = {"read-together": ReadTogether}
