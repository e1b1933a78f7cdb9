"""Memory of large results: what is kept of those that are gone, and that nobody notices."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.sanitizers import not_sanitized
from zchunk._ext.memory import results
from zchunk._ext.selection.slices import plan_basic

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
DEFAULT = zchunk.get_spare_memory()[0]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    gc.collect()
    zchunk.set_spare_memory(0)
    zchunk.set_spare_memory(None)
    # However slow the machine is.
    results.keep_for(600)
    yield
    results.keep_for(0.5)
    zchunk.set_spare_memory(0)
    zchunk.set_spare_memory(None)


def kept() -> int:
    return zchunk.get_spare_memory()[1]


def new(nbytes: int, dtype: Any = "u1") -> np.ndarray[Any, Any]:
    """A result, not filled."""
    n = nbytes // np.dtype(dtype).itemsize
    plan = plan_basic(slice(None), (n,), (n,))
    assert plan is not None
    return plan.empty(np.dtype(dtype), "C")


def address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def handler(array: np.ndarray[Any, Any]) -> str:
    from numpy._core.multiarray import get_handler_name  # type: ignore[attr-defined]

    return str(get_handler_name(array))


def test_memory_serves_again() -> None:
    first = new(8 * MIB)
    where = address(first)
    assert first.flags.owndata
    assert first.flags.writeable
    assert first.base is None
    assert kept() == 0
    del first
    assert kept() == 8 * MIB
    again = new(8 * MIB)
    assert address(again) == where
    assert kept() == 0


def test_small_results_are_numpys() -> None:
    assert handler(new(4 * MIB)) == "zchunk"
    assert handler(new(4 * MIB - 1)) == "default_allocator"
    assert handler(np.empty(8 * MIB, "u1")) == "default_allocator"


def test_a_little_more_than_is_needed_fits() -> None:
    where = address(new(9 * MIB))
    assert kept() == 9 * MIB
    assert address(new(8 * MIB)) == where
    assert kept() == 9 * MIB
    much_less = new(7 * MIB)
    assert address(much_less) != where


def test_a_little_less_does_not_fit() -> None:
    new(8 * MIB)
    larger = new(8 * MIB + 1)
    larger[:] = 1
    del larger
    assert kept() == 16 * MIB + PAGE


def test_sizes_are_kept_side_by_side() -> None:
    large = new(256 * MIB)
    where = address(large)
    del large
    small = new(32 * MIB)
    assert kept() == 256 * MIB
    del small
    assert kept() == 288 * MIB
    assert address(new(256 * MIB)) == where


def test_oldest_goes_first() -> None:
    zchunk.set_spare_memory(24 * MIB)
    results = [new(10 * MIB) for _ in range(3)]
    places = [address(result) for result in results]
    while results:
        del results[0]
    assert kept() == 20 * MIB
    held = [new(10 * MIB), new(10 * MIB)]
    assert [address(result) for result in held] == [places[2], places[1]]


def test_limit() -> None:
    zchunk.set_spare_memory(8 * MIB)
    assert zchunk.get_spare_memory() == (8 * MIB, 0)
    new(8 * MIB + 1)
    assert kept() == 0
    new(8 * MIB)
    assert kept() == 8 * MIB
    zchunk.set_spare_memory(8 * MIB - 1)
    assert kept() == 0
    zchunk.set_spare_memory(None)
    assert zchunk.get_spare_memory() == (DEFAULT, 0)
    zchunk.set_spare_memory(2**80)
    assert zchunk.get_spare_memory()[0] == 2**64 - 1


def test_what_is_no_limit() -> None:
    with pytest.raises(ValueError, match="not -1"):
        zchunk.set_spare_memory(-1)
    with pytest.raises(TypeError):
        zchunk.set_spare_memory(0.5)  # type: ignore[arg-type]
    assert zchunk.get_spare_memory()[0] == DEFAULT


def test_no_memory() -> None:
    with pytest.raises(MemoryError):
        new(2**60)
    assert new(5 * MIB).nbytes == 5 * MIB


@not_sanitized("its shadow memory needs more addresses than the limit")
def test_what_is_kept_makes_room_where_addresses_are_limited() -> None:
    code = """
import resource, zchunk
from zchunk._ext.memory import results
from zchunk._ext.selection.slices import plan_basic
new = lambda n: plan_basic(slice(None), (n,), (n,)).empty(__import__("numpy").dtype("u1"), "C")
held = [new(40 << 20) for _ in range(5)]
results.keep_for(600)
used = 4096 * int(open("/proc/self/statm").read().split()[0])
held.clear()
assert zchunk.get_spare_memory()[1] == 200 << 20
resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20), -1))
result = new(160 << 20)
del result
assert zchunk.get_spare_memory()[1] <= 40 << 20
assert len(bytearray(160 << 20)) == 160 << 20
"""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_programs_that_hand_out_memory_themselves_are_left_alone() -> None:
    code = """
import ctypes, numpy, zchunk
from numpy._core import _multiarray_umath as own
from numpy._core.multiarray import get_handler_name
from zchunk._ext.selection.slices import plan_basic

def new():
    return plan_basic(slice(None), (8 << 20,), (8 << 20,)).empty(numpy.dtype("u1"), "C")

object_, pointer, text = ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p
of_capsule, new_capsule = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_New
of_capsule.restype, of_capsule.argtypes = pointer, [object_, text]
new_capsule.restype, new_capsule.argtypes = object_, [pointer, text, pointer]
table = ctypes.cast(of_capsule(own._ARRAY_API, None), ctypes.POINTER(pointer))
set_handler = ctypes.PYFUNCTYPE(object_, object_)(table[304])
get_handler = ctypes.PYFUNCTYPE(object_)(table[305])

# NumPy's functions under another name
mine = ctypes.create_string_buffer(ctypes.string_at(of_capsule(get_handler(), b"mem_handler"), 168))
mine[0:5] = b"mine\\0"
before = set_handler(new_capsule(ctypes.addressof(mine), b"mem_handler", None))
result = new()
assert get_handler_name(result) == get_handler_name() == "mine"
set_handler(before)
assert get_handler_name(new()) == "zchunk"
assert get_handler_name() == "default_allocator"
# Before the name of the capsule, which is a constant of this program.
del result
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_resized_copied_pickled() -> None:
    result = new(8 * MIB, "<i4")
    result[:] = np.arange(2 * MIB)
    want = result.copy()
    result.resize((3 * MIB,), refcheck=False)
    assert (result[: 2 * MIB] == want).all()
    assert not result[2 * MIB :].any()
    result.resize((10,), refcheck=False)
    assert result.tolist() == list(range(10))
    assert (pickle.loads(pickle.dumps(want)) == want).all()


def test_what_shrank_is_not_kept() -> None:
    held = []
    before = mappings()
    for i in range(2000):
        result = new(4 * MIB)
        result.resize((10 + i % 90,), refcheck=False)
        result[:] = i % 251
        held.append(result)
    assert all((result == i % 251).all() for i, result in enumerate(held))
    # The C library takes some for what is small.
    assert mappings() < before + 100
    # The mapping that all of them had.
    assert kept() == 4 * MIB
    held.clear()
    assert kept() == 4 * MIB
    assert mappings() < before + 100


def mappings() -> int:
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("no /proc")
    with open("/proc/self/maps") as file:
        return len(file.readlines())


def test_grown_again_after_it_shrank() -> None:
    result = new(8 * MIB)
    result[:] = 5
    for size in (3 * MIB, 4 * MIB - 1, 4 * MIB, 6 * MIB, 1, 0, 100, 9 * MIB):
        n = min(len(result), size)
        result.resize((size,), refcheck=False)
        assert len(result) == size
        assert (result[:n] == 5).all()
        assert not result[n:].any()
        result[:] = 5
    shorter = result.copy()
    shorter.resize((4,), refcheck=False)
    assert shorter.tolist() == [5] * 4


def test_what_nobody_uses_again_goes_back_to_the_system() -> None:
    threads = count_threads()
    for _ in range(2):
        results.keep_for(600)
        result = new(64 * MIB)
        result[:] = 1
        resident = memory_used()
        del result
        assert kept() == 64 * MIB
        results.keep_for(0.5)
        # The same memory.
        result = new(64 * MIB)
        del result
        wait_until(lambda: not kept())
        wait_until(lambda resident=resident: memory_used() < resident - 60 * MIB)
        # And the thread with it.
        wait_until(lambda: count_threads() <= threads)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def memory_used() -> int:
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc")
    with open("/proc/self/statm") as file:
        return PAGE * int(file.read().split()[1])


def count_threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.slow
def test_forks_while_memory_is_given_back() -> None:
    results.keep_for(0.0001)
    for i in range(50):
        for _ in range(i % 7 + 1):
            new((4 + i % 3) * MIB)
        child = os.fork()
        if not child:
            fine = kept() == 0
            result = new(5 * MIB)
            result[:] = 1
            del result
            while kept():
                time.sleep(0.001)
            os._exit(not fine)
        assert os.waitpid(child, 0)[1] == 0


def test_signals_are_for_the_threads_of_python() -> None:
    # In a process of its own: threads of other libraries do as they like.
    code = """
import os, signal, threading
import numpy as np, zchunk
z = zchunk.array(np.arange(1 << 21), chunks=1 << 18)
z[...].sum()
for task in os.listdir("/proc/self/task") if os.path.exists("/proc/self/task") else ():
    with open(f"/proc/self/task/{task}/status") as file:
        fields = dict(line.split(":\\t", 1) for line in file if ":\\t" in line)
    if int(task) not in {thread.native_id for thread in threading.enumerate()}:
        assert int(fields["SigBlk"], 16) & 1 << signal.SIGUSR1 - 1, fields["Name"]
"""
    # Some builds of NumPy bring threads.
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=env)


@pytest.mark.parametrize("dtype", ["S3", "M8[s]", [("a", "<i2"), ("b", "<f8")], "O", ">f8"])
def test_dtypes_and_orders(dtype: Any) -> None:
    kind = np.dtype(dtype)
    n = 5 * MIB // kind.itemsize
    for order in "CF":
        plan = plan_basic((slice(None), slice(None)), (n, 2), (n, 2))
        assert plan is not None
        result = plan.empty(kind, order)
        assert result.dtype == kind
        assert result.shape == (n, 2)
        assert result.flags.c_contiguous == (order == "C")
        assert result.flags.f_contiguous == (order == "F")
        assert dtype != "O" or result[n - 1, 1] is None
        result[:] = np.zeros((), kind)


@pytest.mark.slow
def test_reads_are_right_and_let_go_after_errors(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 100, (8, 1024, 1024), "i4")
    z = zchunk.array(data, chunks=(1, 512, 512), store=os.fspath(tmp_path))
    for _ in range(2):
        assert (z[...] == data).all()
        assert (z[::2, :, ::-1] == data[::2, :, ::-1]).all()
        assert (z.oindex[[7, 0, 3]] == data[[7, 0, 3]]).all()
        points = np.arange(2 * MIB) % 8
        assert (z.vindex[points, points, points] == data[points, points, points]).all()
    z.chunk_store["7.1.1"] = b"no chunk"
    gc.collect()
    before = kept()
    with pytest.raises(zchunk.errors.ChunkError):
        z[...]
    gc.collect()
    assert kept() >= min(before, data.nbytes)
    assert (z[:7] == data[:7]).all()


def test_forked_child_keeps_nothing_and_results_live() -> None:
    result = new(8 * MIB)
    result[:] = 7
    new(16 * MIB)
    assert kept() == 16 * MIB
    child = os.fork()
    if not child:
        fine = kept() == 0 and bool((result == 7).all())
        del result
        os._exit(0 if fine and kept() == 8 * MIB else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert kept() == 16 * MIB
    assert (result == 7).all()


def test_threads_share_what_is_kept() -> None:
    wrong: list[int] = []

    def work(mark: int) -> None:
        for i in range(30):
            result = new((4 + (mark + i) % 3) * MIB)
            result[:] = mark
            if not (result == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 0 < kept() <= 6 * (4 + 5 + 6) * MIB


class Holder:
    """Has an array as its attribute."""

    def __init__(self, held: Any) -> None:
        self.held = held


def test_only_what_nothing_else_refers_to_is_replaceable() -> None:
    def held(make: Callable[[], Any]) -> bool:
        return results.is_replaceable(Holder(make()), "held")

    assert held(lambda: np.empty(8 * MIB, "u1"))
    assert held(lambda: np.empty((2, 2 * MIB), "i2", order="F"))
    for make in (
        lambda: np.empty(MIB, "u1"),
        lambda: np.empty(8 * MIB, "u1")[1:],
        lambda: np.broadcast_to(np.zeros(1), 8 * MIB),
        lambda: np.ma.zeros(8 * MIB),
        lambda: bytearray(8 * MIB),
        lambda: None,
    ):
        assert not held(make)
    items = np.empty(8 * MIB, "u1")
    holder = Holder(items)
    assert not results.is_replaceable(holder, "held")
    assert not results.is_replaceable(holder, "other")
    del items
    assert results.is_replaceable(holder, "held")
    others = [holder.held]
    assert not results.is_replaceable(holder, "held")
    others.clear()
    holder.held.flags.writeable = False
    assert not results.is_replaceable(holder, "held")
