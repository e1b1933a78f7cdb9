"""The library that delays calls: of the files below a folder, and no others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks import slow
from tests import ROOT

READ = """
import os, sys, threading
from benchmarks import slow
folder, other = sys.argv[1:]
assert slow.given()

def read(path):
    fd = os.open(path, os.O_RDONLY)
    assert os.pread(fd, 9, 0) == os.preadv(fd, [bytearray(9)], 0) * b"x" == os.read(fd, 9)
    os.close(fd)

with slow.calls(folder, 0.001):
    read(other)
    none = slow.most()
    with open(other, "rb") as file:
        file.read()
    read(folder + "/file")
    one = slow.most()
with slow.calls(folder, 0.2):
    # As kernels do: by a name below a folder that is open.
    at = os.open(folder, os.O_RDONLY)
    ready = threading.Barrier(4)
    def below():
        ready.wait()
        os.close(os.open("file", os.O_RDONLY, dir_fd=at))
    threads = [threading.Thread(target=below) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    some = slow.most()
read(folder + "/file")
print(none, one, 1 <= some <= 4, some == slow.most())
"""


@pytest.fixture
def loaded(tmp_path):
    env = slow.environment(tmp_path)
    if not env:
        pytest.skip("not Linux, or no C compiler")
    return env


def test_calls_below_the_folder_are_delayed(tmp_path, loaded):
    (tmp_path / "slow").mkdir()
    for path in (tmp_path / "slow" / "file", tmp_path / "other"):
        path.write_bytes(b"x" * 9)
    command = [sys.executable, "-c", READ, str(tmp_path / "slow"), str(tmp_path / "other")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **loaded}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["0", "1", "True", "True"], done.stderr


def test_it_is_built_once(tmp_path, loaded):
    before = (tmp_path / "slow.so").stat().st_mtime_ns
    assert slow.environment(tmp_path) == loaded
    assert (tmp_path / "slow.so").stat().st_mtime_ns == before


def test_without_it_nothing_is_given():
    assert slow.given() == (slow.VARIABLE in os.environ)
