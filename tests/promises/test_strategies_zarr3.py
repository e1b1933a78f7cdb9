"""What zarr 3's own hypothesis strategies make, read by zchunk: metadata and every value."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import zchunk
from tests.choice import rounds
from tests.engine.test_execute import executor
from zchunk.errors import MetadataError

pytestmark = pytest.mark.filterwarnings("ignore")
zarr = pytest.importorskip("zarr", minversion="3")
strategies = pytest.importorskip("zarr.testing.strategies")

# The same ones every time, few enough for CI; HYPOTHESIS_PROFILE=thorough asks for more.
_THOROUGH = settings().max_examples >= 1000
BOUNDED = settings(
    max_examples=250 if _THOROUGH else rounds(80),
    derandomize=not _THOROUGH,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def folders(draw: Any) -> Any:
    """Stores in folders: what zarr's strategies make by default is in its memory."""
    return zarr.storage.LocalStore(tempfile.mkdtemp(dir=draw(st.just(ROOT[0]))))


ROOT: list[str] = []


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> None:
    ROOT[:] = [str(tmp_path)]


def bits(items: Any, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    found = np.asarray(items, dtype)
    return found.dtype, found.shape, found.tobytes()


def same_metadata(z: zchunk.Array, theirs: Any) -> None:
    # As it is stored: the sign of a NaN is not.
    theirs = zarr.open_array(theirs.store, path=theirs.path, mode="r")
    assert (z.shape, z.chunks) == (theirs.shape, tuple(max(c, 1) for c in theirs.chunks))
    assert z.dtype == theirs.dtype
    assert z.attrs.asdict() == theirs.attrs.asdict()
    assert z.metadata.zarr_format == theirs.metadata.zarr_format
    assert z.metadata.shards is None or z.shards == theirs.shards
    if theirs.metadata.zarr_format == 3:
        names = theirs.metadata.dimension_names
        assert z.metadata.dimension_names == (None if names is None else tuple(names))
    if theirs.fill_value is None:
        assert z.fill_value is None
    else:
        assert bits(z.fill_value, z.dtype) == bits(theirs.fill_value, z.dtype)


def opened(theirs: Any, mode: Any = "r") -> zchunk.Array:
    """Open their array, or give up: zarr cuts axes without items into chunks of length 0."""
    where = str(theirs.store.root)
    if theirs.fill_value is None and theirs.dtype.kind in "mM":
        # zarr leaves out chunks of NaT, its default, but the metadata do not say that this is the fill value.
        reject()
    if 0 in theirs.chunks and theirs.metadata.zarr_format == 3:
        # Which the specification does not allow (zarr-python#3711), nor does tensorstore.
        with pytest.raises(MetadataError, match=r"chunk.* has 0, not an integer from 1"):
            zchunk.open_array(where, mode=mode, path=theirs.path)
        reject()
    return zchunk.open_array(where, mode=mode, path=theirs.path)


@BOUNDED
@given(data=st.data(), generic=st.booleans())
def test_arrays(data: Any, generic: bool) -> None:
    theirs = data.draw(strategies.arrays(stores=folders()))
    z = opened(theirs)
    same_metadata(z, theirs)
    with executor("generic" if generic else "native"):
        assert bits(z[...], z.dtype) == bits(theirs[...], z.dtype)


@BOUNDED
@given(data=st.data(), generic=st.booleans())
def test_selections(data: Any, generic: bool) -> None:
    theirs = data.draw(strategies.arrays(stores=folders(), attrs=st.none()))
    z = opened(theirs)
    items = theirs[...]
    basic = data.draw(strategies.basic_indices(shape=z.shape))
    with executor("generic" if generic else "native"):
        assert bits(z[basic], z.dtype) == bits(items[basic], z.dtype)
        if z.shape and min(z.shape):
            for_zarr, for_numpy = data.draw(strategies.orthogonal_indices(shape=z.shape))
            assert bits(z.oindex[for_zarr], z.dtype) == bits(items[for_numpy], z.dtype)


@BOUNDED
@given(data=st.data())
def test_writes(data: Any) -> None:
    """What zchunk changes in their arrays, they see."""
    theirs = data.draw(strategies.arrays(stores=folders(), attrs=st.none()))
    z = opened(theirs, "r+")
    wanted = np.array(theirs[...], z.dtype)
    box = data.draw(strategies.basic_indices(shape=z.shape))
    value = wanted.flat[-1] if wanted.size else np.zeros((), z.dtype)[()]
    z[box] = value
    wanted[box] = value
    again = zarr.open_array(theirs.store, path=theirs.path, mode="r")
    assert bits(again[...], z.dtype) == bits(wanted, z.dtype)
    same_metadata(z, again)


@BOUNDED
@given(data=st.data())
def test_array_metadata(data: Any) -> None:
    """Metadata alone: kinds of fill values that no array above was filled with."""
    made = data.draw(strategies.array_metadata())
    documents = made.to_buffer_dict(zarr.core.buffer.default_buffer_prototype())
    store = {key: buffer.to_bytes() for key, buffer in documents.items()}
    z = zchunk.open_array(store, mode="r")
    # As it says itself: the sign of a NaN is not stored.
    made = zarr.open_array(zarr.storage.MemoryStore(dict(documents)), mode="r").metadata
    chunks = made.chunk_grid.chunk_shape if made.zarr_format == 3 else made.chunks
    assert (z.shape, z.chunks) == (made.shape, chunks)
    assert z.dtype == made.dtype.to_native_dtype()
    assert z.attrs.asdict() == json.loads(json.dumps(made.attributes))
    assert bits(z.fill_value, z.dtype) == bits(made.fill_value, z.dtype)


@st.composite
def groups(draw: Any) -> Any:
    """A group with nodes at the paths that zarr's strategies make, consolidated or not."""
    zarr_format = draw(strategies.zarr_formats)
    attributes = draw(strategies.attrs)
    root = zarr.open_group(draw(folders()), mode="w", zarr_format=zarr_format, attributes=attributes)
    for path in draw(st.lists(strategies.keys(max_num_nodes=3), max_size=4, unique=True)):
        above = path.split("/")
        if any(isinstance(root.get("/".join(above[:n])), zarr.Array) for n in range(1, len(above) + 1)):
            continue
        if path in root:
            continue
        if draw(st.booleans()):
            root.create_group(path, attributes=draw(strategies.attrs))
        else:
            items = draw(strategies.numpy_arrays())
            chunks = tuple(max(n // 2, 1) for n in items.shape)
            a = root.create_array(path, shape=items.shape, chunks=chunks, dtype=items.dtype)
            a[...] = items
    if draw(st.booleans()):
        zarr.consolidate_metadata(root.store, zarr_format=zarr_format)
    return root


@BOUNDED
@given(theirs=groups())
def test_groups(theirs: Any) -> None:
    where = str(theirs.store.root)
    for root in (zchunk.open_group(where, mode="r"), zchunk.open(where, mode="r")):
        members = dict(theirs.members(max_depth=None))
        assert root.attrs.asdict() == theirs.attrs.asdict()
        assert sorted(root) == sorted(path for path in members if "/" not in path)
        for path, node in members.items():
            found = root[path]
            if isinstance(node, zarr.Group):
                assert isinstance(found, zchunk.Group)
                assert found.attrs.asdict() == node.attrs.asdict()
            else:
                same_metadata(found, node)
                assert bits(found[...], found.dtype) == bits(node[...], found.dtype)
