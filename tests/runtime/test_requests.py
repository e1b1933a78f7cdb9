"""Many requests at a time: their order, how many, and what an error leaves."""

from __future__ import annotations

import signal
import threading
import time
from itertools import count

import pytest

from tests.store_conformance import in_child
from zchunk.runtime import requests
from zchunk.runtime.requests import Window, at_its_pace, each, in_order


class Busy:
    """Work that counts how many threads do it at once."""

    def __init__(self) -> None:
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        self.done: list[int] = []

    def __call__(self, item: int) -> int:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        threading.Event().wait(0.001)
        with self.lock:
            self.now -= 1
            self.done.append(item)
        return item * item


def test_results_come_in_order_and_not_too_many_at_a_time() -> None:
    work = Busy()
    batches = list(in_order(work, range(50), 4))
    assert [result for batch in batches for result in batch] == [n * n for n in range(50)]
    assert all(batches)
    # The caller may help.
    assert work.most <= 5


def test_several_are_under_way_at_a_time() -> None:
    # They end only when all three are there.
    together = threading.Barrier(3)
    each(lambda n: together.wait(60), range(3), 3)


def test_no_more_is_begun_than_is_wanted() -> None:
    items = count(1)
    results = in_order(lambda n: n, items, 3)
    assert next(results)[0] == 1
    results.close()
    assert next(items) <= 13


def test_an_error_comes_where_the_result_would() -> None:
    results = in_order(lambda n: 1 // (3 - n), range(9), 1)
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(result for batch in results for result in batch)
    # Those before it may be there in the same moment, and are not yielded then.
    assert seen == [0, 0, 1][: len(seen)]


class Storage:
    """Work that waits, for items that were not read ahead if that helps."""

    def __init__(self, waits: bool, ahead_helps: bool) -> None:
        self.waits, self.ahead_helps = waits, ahead_helps
        self.ahead: list[int] = []
        self.threads: dict[int, int] = {}

    def read_ahead(self, items: list[int]) -> None:
        self.ahead += items

    def get(self, item: int) -> int:
        self.threads[item] = threading.get_ident()
        if self.waits and not (self.ahead_helps and item in self.ahead):
            time.sleep(0.002)
        return -item

    @property
    def by_others(self) -> int:
        return sum(thread != threading.get_ident() for thread in self.threads.values())


@pytest.mark.parametrize("n", [0, 2, 500])
@pytest.mark.parametrize(("waits", "ahead_helps"), [(False, False), (True, True), (True, False)])
def test_storage_is_read_at_its_pace(
    waits: bool, ahead_helps: bool, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not waits or ahead_helps:
        # However busy the processor is.
        monkeypatch.setattr(requests, "_WAIT_NS", 1_500_000 if waits else 1 << 62)
    storage = Storage(waits, ahead_helps)
    assert list(at_its_pace(storage.get, range(n), storage.read_ahead)) == [-k for k in range(n)]
    assert sorted(storage.threads) == list(range(n))
    slow = waits and n > 3
    assert storage.ahead == (list(range(3, n if ahead_helps else 259)) if slow else [])
    assert (storage.by_others > 0) == (slow and not ahead_helps)


def test_an_error_at_its_pace_comes_where_the_result_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_WAIT_NS", -1)
    results = at_its_pace(lambda n: 1 // (400 - n), range(900), list)
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(results)
    assert len(seen) == 400


def test_all_is_done_when_a_window_ends() -> None:
    work = Busy()
    with Window(work, 3) as window:
        window.add(range(10))
        window.add(range(10, 13))
    assert sorted(work.done) == list(range(13))
    each(work, range(13, 20), 2)
    assert sorted(work.done) == list(range(20))


def test_after_an_error_what_has_begun_is_waited_for() -> None:
    work = Busy()

    def failing(item: int) -> None:
        work(item)
        if item == 2:
            raise OSError("the service fails")

    with pytest.raises(OSError, match="service"):
        each(failing, range(1000), 3)
    assert work.now == 0
    assert len(work.done) < 100


class Interrupted(Exception):
    """Raised by a signal handler, as Ctrl-C is."""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends signals to threads")
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("more", [0, 9])
def test_what_has_begun_is_waited_for_after_ctrl_c(more: int, times: int) -> None:
    """It comes while the caller waits for a helper: at the end, or to add more; and once more after that."""
    caller = threading.get_ident()
    running, go, handled = threading.Event(), threading.Event(), threading.Semaphore(0)
    done: list[int] = []

    def handle(number: int, frame: object) -> None:
        handled.release()
        raise Interrupted

    def work(item: int) -> None:
        if not item:
            running.set()
            assert go.wait(60)
            for _ in range(times):
                # The caller waits by now.
                time.sleep(0.2)
                signal.pthread_kill(caller, signal.SIGUSR1)
                assert handled.acquire(timeout=60)
            # Long enough for it to go on, were it not waiting.
            time.sleep(0.05)
        done.append(item)

    def write() -> None:
        with Window(work, 1) as window:
            window.add([0])
            assert running.wait(60)
            go.set()
            window.add(range(1, 1 + more))

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(Interrupted):
            write()
        assert done == [0]
        each(done.append, [-1], 1)
        assert done == [0, -1]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_has_threads_of_its_own() -> None:
    each(Busy(), range(5), 3)
    assert in_child(lambda: [n for batch in in_order(abs, range(-3, 0), 3) for n in batch]) == [3, 2, 1]
