"""The configuration of an array: what is said of it where, and what it does."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.variants import only_v2
from zchunk.core.array_config import ArrayConfig, NewNodes, as_config
from zchunk.errors import ChunkNotFoundError

pytestmark = only_v2("formats are named")


def test_what_is_said_comes_before_the_settings() -> None:
    assert as_config() == ArrayConfig("C", True, True)
    with zchunk.config.set({"array.order": "F", "array.write_empty_chunks": False}):
        assert as_config() == ArrayConfig("F", False, True)
        assert as_config({"order": "C"}, True) == ArrayConfig("C", True, True)
        assert as_config(None, None, "error") == ArrayConfig("F", False, False)
    base = ArrayConfig("F", True, False, NewNodes(3))
    assert as_config({"write_empty_chunks": False}, base=base) == base._replace(write_empty_chunks=False)
    assert as_config(base, False) == base._replace(write_empty_chunks=False)
    assert as_config(base.to_dict()) == ArrayConfig("F", True, False)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"order": "K"}, "order in config is 'K', not 'C' or 'F'"),
        ({"write_empty_chunks": "no"}, "write_empty_chunks in config is 'no', not True or False"),
        (5, "config is a mapping"),
    ],
)
def test_what_is_not_valid(wrong: Any, message: str) -> None:
    store: dict[str, bytes] = {}
    with pytest.raises(ValueError, match=message):
        zchunk.zeros(4, store=store, config=wrong)
    assert store == {}


def test_names_that_it_has_not() -> None:
    store: dict[str, bytes] = {}
    with pytest.raises(TypeError, match="config has no 'concurrency'; it has order, write_empty_chunks"):
        zchunk.zeros(4, store=store, config={"concurrency": 3})  # type: ignore[typeddict-unknown-key]
    assert store == {}


def test_the_same_thing_twice() -> None:
    with pytest.raises(ValueError, match="write_empty_chunks is given by config and by a parameter"):
        zchunk.zeros(4, config={"write_empty_chunks": True}, write_empty_chunks=True)


def test_zarr3s_that_mean_nothing_here() -> None:
    assert as_config({"sharding_coalesce_max_bytes": 5, "order": None}) == as_config()


@pytest.mark.parametrize("make", [zchunk.create, zchunk.create_array, zchunk.zeros])
def test_functions_that_take_it(make: Any) -> None:
    store: dict[str, bytes] = {}
    z = make(store=store, shape=4, chunks=2, config={"write_empty_chunks": False})
    z[:] = 0
    assert (z.write_empty_chunks, z.nchunks_initialized) == (False, 0)
    for again in (
        zchunk.open(store, config={"read_missing_chunks": False}),
        zchunk.open_array(store, config={"read_missing_chunks": False}),
        zchunk.Array(store, config={"read_missing_chunks": False}),
    ):
        assert again.config == ArrayConfig("C", True, False)
        with pytest.raises(ChunkNotFoundError):
            again[:]


@pytest.mark.parametrize("make", [zchunk.group, zchunk.open_group, zchunk.Group, zchunk.open])
def test_groups_hand_it_on(make: Any) -> None:
    store: dict[str, bytes] = {}
    zchunk.group(store).create_group("a").zeros("b", shape=4)
    g = make(store, config={"write_empty_chunks": False, "order": "F"})
    assert g["a/b"].config == g["a"]["b"].config == ArrayConfig("F", False, True)
    assert g.zeros("c", shape=4).config == g["c"].config == ArrayConfig("F", False, True)
    assert g.zeros("d", shape=4, config={"order": "C"}).config == ArrayConfig("C", False, True)
    assert g.zeros("e", shape=4, write_empty_chunks=True).config == ArrayConfig("F", True, True)
    found = g.require_dataset("c", shape=4, config={"write_empty_chunks": True})
    assert found.config == ArrayConfig("F", True, True)


@pytest.mark.parametrize("shards", [None, (4, 6)])
def test_memory_order(shards: Any) -> None:
    items = np.arange(48).reshape(6, 8)
    z = zchunk.create((6, 8), chunks=(2, 3), shards=shards, dtype="i8", zarr_format=3, config={"order": "F"})
    z[...] = items
    for found, expected in (
        (z[...], items),
        (z[1:5, ::2], items[1:5, ::2]),
        (z.oindex[[0, 3], :], items[[0, 3], :]),
        (z.blocks[-1], items[4:]),
    ):
        assert found.flags.f_contiguous
        assert not found.flags.c_contiguous
        np.testing.assert_array_equal(found, expected)
    again = pickle.loads(pickle.dumps(z))
    assert again.config == z.config
    assert again[...].flags.f_contiguous
    # Nothing of it is stored.
    assert zchunk.open(z.store)[...].flags.c_contiguous


def test_memory_order_of_format_2_is_that_of_the_chunks() -> None:
    z = zchunk.zeros((4, 4), config={"order": "F"})
    assert z[...].flags.c_contiguous
    assert zchunk.zeros((4, 4), order="F", config={"order": "C"})[...].flags.f_contiguous


def test_new_nodes() -> None:
    config = ArrayConfig(new_nodes=NewNodes(3, zchunk.Zstd(level=1)))
    g = zchunk.group(config=config)
    assert g.zarr_format == 3
    assert g.zeros("a", shape=3).compressor == zchunk.Zstd(level=1)
    assert g.create_group("b").zeros("c", shape=3, zarr_format=3).compressors == (zchunk.Zstd(level=1),)
    assert g.zeros("d", shape=3, compressor=None).compressors == ()
    assert g.zeros("e", shape=3, compressors=[zchunk.GZip()]).compressors == (zchunk.GZip(),)
    assert zchunk.group(zarr_format=2, config=config).zeros("a", shape=3).compressor == zchunk.Zstd(level=1)


def test_settings_when_an_array_is_made() -> None:
    with zchunk.config.set({"array.order": "F", "default_zarr_format": 3}):
        z = zchunk.zeros((4, 4))
    assert z.zarr_format == 3
    assert z[...].flags.f_contiguous
