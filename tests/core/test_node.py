"""What arrays and groups have in common: equality, pickles."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

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


class _Labelled(zchunk.Array):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label = "made"


class _LabelledGroup(zchunk.Group):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label = "made"


@pytest.mark.parametrize("cache_bytes", [None, 1000])
def test_the_constructor_of_a_subclass_is_called_whenever_there_is_a_new_object(
    cache_bytes: int | None,
) -> None:
    group = _LabelledGroup(zchunk.group({}).store, cache_bytes=cache_bytes)
    group["x"] = np.arange(4)
    array = _Labelled(group.store, "x", cache_bytes=cache_bytes)
    nodes = [
        pickle.loads(pickle.dumps(group)),
        copy.copy(group),
        group.create_group("y"),
        group["y"],
        pickle.loads(pickle.dumps(array)),
        copy.copy(array),
        array.view(dtype="u8"),
        array.astype("f4"),
        pickle.loads(pickle.dumps(array.astype("f4"))),
    ]
    assert [node.label for node in nodes] == ["made"] * len(nodes)
    assert (array.astype("f4")[:] == np.arange(4)).all()
    assert array.view(read_only=True).read_only
    assert (copy.copy(array).chunk_cache is array.chunk_cache) or cache_bytes is None
