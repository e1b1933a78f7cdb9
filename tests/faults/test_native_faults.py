"""The extension modules when memory runs out, and what they do with the GIL when files are slow."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("native_faults.c")

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or shutil.which("cc") is None, reason="needs glibc and a C compiler"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs code with `native_faults.c` before the C library, and returns what it prints."""
    library = tmp_path_factory.mktemp("faults") / "native_faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), str(library)]))

    def call(code: str, *argv: object, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, str(library), *map(str, argv)],
            env={**os.environ, "LD_PRELOAD": preload, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


ALLOCATIONS = """
import ctypes, sys
import numpy as np
import zchunk
from zchunk.codecs import LZ4, Blosc, GZip, Zlib, Zstd
from zchunk._ext.codecs import dispatch

fail = ctypes.CDLL(sys.argv[1]).fail_allocation
rng = np.random.default_rng(0)
noise = rng.integers(0, 256, 1 << 19, "u1").view("i4")
# Blocks that do not compress, then some that do: the first are written last.
mixed = np.concatenate([noise, np.arange(1 << 17, dtype="i4"), noise])
CODECS = [Blosc(name, 5, mode) for name in ("lz4", "lz4hc", "blosclz", "zstd", "zlib") for mode in (0, 1, 2)]
CODECS += [Zstd(3), LZ4(), Zlib(1), GZip(1)]
found = dict(same=0, raised=0)


def attempt(work, want):
    number = 0
    while True:
        number += 1
        fail(number)
        try:
            got = work()
        except MemoryError:
            got = None
        made = fail(0)
        if got is None:
            found["raised"] += 1
        else:
            assert got == want, (codec, number)
            found["same"] += 1
        if made < number:
            # All were made.
            assert got is not None
            return


for items in (np.arange(1 << 16, dtype="i4"), mixed):
    for codec in CODECS:
        spec = codec.spec(items.itemsize)
        stored = dispatch.encode(spec, items)
        attempt(lambda: dispatch.decode(spec, dispatch.encode(spec, items), items.nbytes), items.tobytes())
        attempt(lambda: dispatch.decode(spec, stored, items.nbytes), items.tobytes())
print(found["same"], found["raised"])
"""


def test_an_allocation_that_fails_is_a_memory_error_and_no_damage(run: Callable[..., str]) -> None:
    same, raised = map(int, run(ALLOCATIONS).split())
    assert same >= 4 * 19
    assert raised >= 4 * 15


ARRAYS = """
import ctypes, sys
import numpy as np
import zchunk
from zchunk import Blosc

fail = ctypes.CDLL(sys.argv[1]).fail_allocation
zchunk.set_threads(1)
# Chunks so large that a thread does not keep the memory to work on them.
old = np.arange(2 << 20, dtype="i4").reshape(2, 1024, 1024)
new = old[::-1].copy()
new[:, 5:] = np.random.default_rng(0).integers(0, 1 << 30, (2, 1019, 1024))
found = dict(done=0, raised=0)


def attempt(work, check):
    number = 0
    while True:
        number += 1
        fail(number)
        try:
            work()
        except MemoryError:
            raised = True
        else:
            raised = False
        made = fail(0)
        found["raised" if raised else "done"] += 1
        check(raised)
        if made < number:
            assert not raised
            return


def check_chunks(raised):
    items = z[...]
    for got, before, after in zip(items, old, want):
        assert (got == after).all() or (raised and (got == before).all())
    z[...] = old


def check_read(raised):
    assert raised or (out == old).all()
    out[...] = -1


for shards in (None, (2, 1024, 1024)):
    for compressor in (Blosc("lz4", 5, Blosc.BITSHUFFLE), Blosc("zstd", 1), zchunk.Zstd(1)):
        kind = {"zarr_format": 3, "shards": shards, "compressors": [compressor]}
        z = zchunk.create(
            old.shape, chunks=(1, 1024, 1024), dtype="i4", store=f"{sys.argv[2]}/{found}", **kind
        )
        z[...] = old
        for selection in (..., (slice(None), slice(1, None))):
            want = old.copy()
            want[selection] = new[selection]
            attempt(lambda: z.__setitem__(selection, new[selection]), check_chunks)
        out = np.full(old.shape, -1, "i4")
        attempt(lambda: z.get_basic_selection(out=out), check_read)
print(found["done"], found["raised"])
"""


@pytest.mark.slow
def test_arrays_without_memory_hold_what_was_written(run: Callable[..., str], tmp_path: Path) -> None:
    done, raised = map(int, run(ARRAYS, tmp_path).split())
    assert done >= 18
    assert raised >= 18


GIL = """
import sys
import numpy as np
import zchunk

zchunk.set_threads(2)
items = np.arange(64 * 64, dtype="i4").reshape(64, 64)
for durability in ("atomic", "fsync"):
    for sharded in (False, True):
        store = zchunk.DirectoryStore(f"{sys.argv[2]}/{durability}{sharded}", durability=durability)
        kind = {"zarr_format": 3, "shards": (32, 32)} if sharded else {"dimension_separator": "/"}
        z = zchunk.create((64, 64), chunks=(8, 8), dtype="i4", store=store, path="a/b", **kind)
        z[...] = items
        z[3:60, 5] = 7
        z[2], z[...], z[1, 1], z.oindex[[1, 40]]
        z[:] = 0
        z.nchunks_initialized, z.store.rmdir("a")
"""


def test_no_system_call_on_files_is_made_with_the_gil(run: Callable[..., str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    run(GIL, tmp_path, LOG=str(log))
    assert sorted(set(log.read_text().split() if log.exists() else [])) == []
