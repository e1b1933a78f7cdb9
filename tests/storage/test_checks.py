"""Values of stores as flat bytes."""

from __future__ import annotations

import array
import ctypes
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from zchunk.storage.checks import as_buffer, as_bytes

ITEMS = np.arange(24, dtype="i4").reshape(4, 6)
RECORDS = np.array([(1, 2.5), (3, 4.5)], [("a", "<i2"), ("b", ">f8")])
VALUES = {
    "array": (ITEMS, ITEMS.tobytes()),
    "Fortran array": (np.asfortranarray(ITEMS), ITEMS.tobytes("F")),
    "strided array": (ITEMS[::2, ::3], ITEMS[::2, ::3].tobytes()),
    "big-endian array": (ITEMS.astype(">i4"), ITEMS.astype(">i4").tobytes()),
    "records": (RECORDS, RECORDS.tobytes()),
    "void": (ITEMS.view("V8"), ITEMS.tobytes()),
    "text": (np.array(["a", "bc"]), np.array(["a", "bc"]).tobytes()),
    "dates": (np.arange(3).astype("M8[s]"), np.arange(3).tobytes()),
    "Fortran dates": (np.asfortranarray(ITEMS.astype("M8[s]")), ITEMS.astype("i8").tobytes("F")),
    "no items": (np.zeros((0, 3)), b""),
    "items of no bytes": (np.zeros(3, "S0")[:0], b""),
    "0-d": (np.array(5, "i4"), np.array(5, "i4").tobytes()),
    "scalar": (np.int16(5), np.int16(5).tobytes()),
    "bytearray": (bytearray(b"abc"), b"abc"),
    "view": (memoryview(ITEMS), ITEMS.tobytes()),
    "Fortran view": (memoryview(np.asfortranarray(ITEMS)), ITEMS.tobytes("F")),
    "strided view": (memoryview(b"abcdef")[::2], b"ace"),
    "view of a view": (memoryview(memoryview(RECORDS)), RECORDS.tobytes()),
    "array.array": (array.array("u", "abc"), array.array("u", "abc").tobytes()),
    "ctypes": ((ctypes.c_int32 * 3)(1, 2, 3), np.array([1, 2, 3], "i4").tobytes()),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_taken_as_they_lie_in_memory(name: str) -> None:
    value, raw = VALUES[name]
    assert bytes(as_buffer(value)) == as_bytes(value) == raw
    assert type(as_bytes(value)) is bytes


@pytest.mark.parametrize(
    "name", ["array", "Fortran array", "big-endian array", "records", "bytearray", "view"]
)
def test_contiguous_memory_is_not_copied(name: str) -> None:
    value = VALUES[name][0]
    assert np.shares_memory(
        np.asarray(as_buffer(value)), np.frombuffer(value, "u1") if name == "bytearray" else value
    )


@pytest.mark.parametrize("value", [5, "text", [1], None, np.array([None]), np.zeros(2, [("a", "O")])])
def test_what_has_no_bytes_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="bytes"):
        as_buffer(value)


# What a failed write leaves behind: an error whose traceback has the view of the value, in a cycle.
COLLECTED = """
import gc
from tests.storage.test_checks import VALUES, as_buffer

def write(value):
    data = as_buffer(value)
    more = memoryview(data)
    raise OSError("no space")

def fail(value):
    try:
        write(value)
    except OSError as err:
        kept = err  # in a cycle: the error has the traceback, that the frame, that the error

for value, _ in VALUES.values():
    fail(value)
    fail(memoryview(as_buffer(value)))
    gc.collect()
"""


def test_the_garbage_collector_may_find_a_failed_write() -> None:
    found = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", COLLECTED], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
