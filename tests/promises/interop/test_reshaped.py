"""What zarrista wrote with `reshape` and `bitround` is read, and zchunk stores the same bytes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.promises.interop.reshaped import ARCHIVE, CHAINS, CHUNKS, ITEMS


@pytest.mark.parametrize("name", CHAINS)
def test_bytes_are_the_same(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        stored = {key: archive.read(key) for key in archive.namelist() if key.startswith(f"{name}/")}
    theirs = zchunk.open_array(stored, mode="r+", path=name)
    *filters, serializer = CHAINS[name]
    ours: dict[str, bytes] = {}
    array: Any = zchunk.create(
        ITEMS.shape,
        chunks=CHUNKS,
        dtype="i4",
        zarr_format=3,
        store=ours,
        path=name,
        filters=filters,
        serializer=serializer,
        compressors=None,
        fill_value=0,
    )
    array[...] = ITEMS
    if name != "rounded":
        np.testing.assert_array_equal(theirs[...], ITEMS)
    np.testing.assert_array_equal(theirs[1:4, 2:, 3], array[1:4, 2:, 3])
    assert json.loads(ours[f"{name}/zarr.json"])["codecs"][:-1] == CHAINS[name][:-1]
    chunks = {key for key in stored if "/c/" in key}
    assert {key: bytes(ours[key]) for key in chunks} == {key: stored[key] for key in chunks}
    theirs[1:4] = -1
    np.testing.assert_array_equal(theirs[1:4], -1)
