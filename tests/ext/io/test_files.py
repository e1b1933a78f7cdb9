"""Files that go past the system's cache: the same bytes as ever, whatever the file system takes."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.faults import library
from zchunk.storage import DirectoryStore

MIB = 1 << 20
# Collected before it is written: a file may end before that, there, or after it, and by the way.
ROOM = 4 * MIB
INDEX = 16 * 16 + 4


def write(folder: Path, nbytes: int, location: str, direct: bool) -> Path:
    """Write one shard of up to 16 chunks, which has so many bytes without its index; return its file."""
    store = DirectoryStore(folder, durability="atomic")
    store.direct = direct
    codec = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [MIB],
            "codecs": [{"name": "bytes"}],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": location,
        },
    }
    values = np.random.default_rng(0).integers(1, 256, nbytes, dtype=np.uint8)
    array = zchunk.create(
        nbytes, chunks=16 * MIB, dtype="u1", store=store, zarr_format=3, serializer=codec, compressors=None,
        write_empty_chunks=True,
    )  # fmt: skip
    array[:] = values
    np.testing.assert_array_equal(array[:], values)
    return folder / "c/0"


def is_cached(file: Path) -> bool:
    """Whether the first byte of a file is in the system's cache."""
    fd = os.open(file, os.O_RDONLY)
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def needs_a_disk(folder: Path) -> None:
    """Skip a test where files do not go past the cache."""
    if not sys.platform.startswith("linux"):
        pytest.skip("O_DIRECT is Linux's")
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(place, kind) for place, kind in mounts if folder.resolve().is_relative_to(place)]
    if max(above, key=lambda mount: len(mount[0]))[1] not in ("ext4", "xfs"):
        pytest.skip("the folder of tests is on neither ext4 nor XFS")


@pytest.mark.each_value
@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize(
    "nbytes", [1, MIB, ROOM - INDEX, ROOM - INDEX + 1, 2 * ROOM - INDEX, 9 * MIB + 5]
)
def test_bytes_are_as_ever(tmp_path: Path, nbytes: int, location: str) -> None:
    found = [write(tmp_path / str(direct), nbytes, location, direct).read_bytes() for direct in (True, False)]
    assert found[0] == found[1]


def test_the_cache_is_left_to_others(tmp_path: Path) -> None:
    needs_a_disk(tmp_path)
    store = DirectoryStore(tmp_path)
    assert not store.direct
    values = np.ones(10 * MIB, np.uint8)
    for direct in (True, False):
        store.direct = direct
        array = zchunk.create_array(
            store, name=str(direct), shape=values.shape, dtype="u1", chunks=MIB, shards=10 * MIB,
            compressors=None, zarr_format=3,
        )  # fmt: skip
        array[:] = values
        file = tmp_path / str(direct) / "c/0"
        assert is_cached(file) is not direct


# The n-th write is struck: with `until`, and all after it.
STRUCK = """
from tests.ext.io.test_files import MIB, ROOM, write
at, until, how, code, expected = map(int, sys.argv[1:])
library.watch(folder, Calls.WRITE)
library.strike(Strike(at, How(how), Calls.WRITE, code, until))
try:
    file = write(folder, 9 * MIB + 5, "end", True)
except OSError as error:
    assert error.errno == expected, error
    assert not [path for path in folder.rglob("*") if path.is_file() and path.name != "zarr.json"]
else:
    assert not expected
    library.end()
    other = folder.with_name("other")
    assert file.read_bytes() == write(other, 9 * MIB + 5, "end", False).read_bytes()
"""


FAIL, SHORT = library.How.FAIL, library.How.SHORT


@pytest.mark.skipif(library.reason_not_to() is not None, reason=str(library.reason_not_to()))
@pytest.mark.parametrize(
    ("at", "until", "how", "error", "expected"),
    [
        pytest.param(2, 2, FAIL, errno.EINVAL, 0, id="refused"),
        pytest.param(3, 3, FAIL, errno.EINVAL, 0, id="refused later", marks=pytest.mark.slow),
        pytest.param(2, 9, SHORT, 0, 0, id="short", marks=pytest.mark.slow),
        pytest.param(2, 9, FAIL, errno.EINVAL, errno.EINVAL, id="for ever", marks=pytest.mark.slow),
        pytest.param(3, 9, FAIL, errno.ENOSPC, errno.ENOSPC, id="full"),
    ],
)
def test_a_file_system_may_refuse_or_write_less(
    tmp_path: Path, at: int, until: int, how: library.How, error: int, expected: int
) -> None:
    needs_a_disk(tmp_path)
    # The first write is that of the metadata.
    folder = tmp_path / "array"
    folder.mkdir()
    library.run(folder, STRUCK, str(at), str(until), str(int(how)), str(error), str(expected))


LIMITED = """
import resource
import signal
from tests.ext.io.test_files import MIB, write
# No multiple of anything: the last write is a short one of a size that does not go past the cache.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6 * MIB + 7, resource.RLIM_INFINITY))
try:
    write(folder, 9 * MIB + 5, "end", True)
except OSError as error:
    assert error.errno == errno.EFBIG, error
else:
    raise AssertionError("the limit is not kept")
assert not [path for path in folder.rglob("*") if path.is_file() and path.name != "zarr.json"]
"""


@pytest.mark.skipif(library.reason_not_to() is not None, reason=str(library.reason_not_to()))
def test_a_limit_of_any_size_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "array"
    folder.mkdir()
    library.run(folder, LIMITED)
