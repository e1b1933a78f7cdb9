"""What arrays and groups have in common: equality, pickles."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import zchunk

pytestmark = pytest.mark.usefixtures("path", "variant")


def test_equality(tmp_path: Path) -> None:
    z = zchunk.zeros(3, store=tmp_path)
    assert z == zchunk.open_array(tmp_path)
    assert z != zchunk.open_array(tmp_path, "r")
    assert z != zchunk.zeros(3, store=tmp_path / "other")
    assert z != 3
    d: dict[str, bytes] = {}
    assert zchunk.zeros(3, store=d) == zchunk.open(d)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int, tmp_path: Path) -> None:
    z = zchunk.create(
        6, chunks=2, store=tmp_path, path="a", cache_metadata=False, cache_attrs=False,
        write_empty_chunks=False,
        chunk_store=tmp_path / "chunks",
    )  # fmt: skip
    z[:] = range(6)
    z.attrs["x"] = 1
    copied = pickle.loads(pickle.dumps(z, protocol))
    assert copied == z
    np.testing.assert_array_equal(copied[:], range(6))
    assert copied.attrs.asdict() == {"x": 1}
    assert (copied.attrs.cache, copied.write_empty_chunks, copied.chunk_store) == (
        False,
        False,
        z.chunk_store,
    )
    copied[0] = 9
    assert z[0] == 9
    z.read_only = True
    assert pickle.loads(pickle.dumps(z, protocol)).read_only
    assert copy.copy(z) == z
