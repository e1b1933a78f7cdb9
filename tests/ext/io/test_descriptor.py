"""Descriptors that close themselves."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from zchunk._ext.io.descriptor import Descriptor


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_files_are_closed_by_hand_or_when_nothing_has_them(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "a")
    opened = Descriptor(path, os.O_RDWR | os.O_CREAT, 0o600)
    fd = opened.fd
    os.write(fd, b"v")
    other = Descriptor.duplicate(fd)
    opened.close()
    opened.close()
    assert opened.fd == -1
    assert not is_open(fd)
    assert os.pread(other.fd, 9, 0) == b"v"
    fd = other.fd
    del other
    gc.collect()
    assert not is_open(fd)
    with Descriptor(path, os.O_RDONLY) as opened:
        fd = opened.fd
        assert is_open(fd)
    assert not is_open(fd)
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        Descriptor(os.fsencode(tmp_path / "missing"), os.O_RDONLY)
    with pytest.raises(ValueError, match="null"):
        Descriptor(b"a\0b", os.O_RDONLY)
    with pytest.raises(TypeError):
        Descriptor(None, os.O_RDONLY)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="descriptor"):
        Descriptor.duplicate(-1)
