"""How much memory rechunking takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zchunk
from tests.wings.rechunking.test_tasks import tall
from zchunk.wings.rechunking.memory import parse_bytes

MEASURE = """
import ctypes, os, sys
import numpy as np, zchunk

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

folder, limit, kwargs = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
zchunk.set_threads(2)
shape = (200, 512, 512)
z = zchunk.create(shape, chunks=(4, 512, 512), dtype="f4", store=folder + "/z")
slab = np.random.default_rng(0).integers(0, 1000, (4, 512, 512)).astype("f4")
for i in range(0, 200, 4):
    z[i : i + 4] = slab + i
# What every process has once, modules and threads, is no matter of the array's.
zchunk.rechunk(zchunk.ones((9, 9), chunks=(1, 9)), (9, 1), folder + "/small")
ctypes.CDLL(None).malloc_trim(0)
before = status("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
found = zchunk.rechunk(z, (200, 16, 16), folder + "/target", limit, **kwargs)
print(status("VmHWM") - before)
for i in range(0, 200, 50):
    assert (found[i] == slab[i % 4] + i // 4 * 4).all()
"""


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"dtype": "f8"}, {"zarr_format": 3, "shards": (200, 32, 32)}],
    ids=["plain", "f8", "shards"],
)
def test_memory_has_the_bound(kwargs: dict[str, Any], tmp_path: Path) -> None:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("measures by /proc/self/clear_refs, which is of Linux")
    limit = 40_000_000
    args = [sys.executable, "-c", MEASURE, str(tmp_path), str(limit), repr(kwargs)]
    peak = int(subprocess.run(args, capture_output=True, text=True, check=True, timeout=60).stdout)
    # Less than a fifth of the array; and it is made use of.
    assert limit / 4 < peak <= limit


def test_too_little_memory() -> None:
    with pytest.raises(ValueError, match="max_memory is 1000 bytes"):
        zchunk.rechunk(tall(), 5, max_memory=1000)


def test_sizes() -> None:
    sizes = {5: 5, "5": 5, "512MB": 512_000_000, "2 GiB": 2**31, "1.5k": 1500, "1Tib": 2**40, "7B": 7}
    assert {size: parse_bytes(size) for size in sizes} == sizes
    for wrong in (0, -1, True, None, "", "MB", "1 XB", "0MB", "1iB", 1.5):
        with pytest.raises(ValueError, match="max_memory"):
            parse_bytes(wrong)
