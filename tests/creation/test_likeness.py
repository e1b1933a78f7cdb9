"""What arrays of other libraries say of an array that is made like them, and `open_like`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.codecs import Zlib
from zchunk.creation.likeness import chunks_of

pytestmark = pytest.mark.usefixtures("zarr_format")


class Foreign:
    """An array of another library: NumPy's, with some attributes more."""

    def __init__(self, shape: tuple[int, ...], **attributes: Any) -> None:
        self.data = np.zeros(shape)
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)


@pytest.mark.parametrize(
    ("a", "chunks"),
    [
        (np.zeros((4, 6)), None),
        ([1, 2], None),
        (Foreign((4, 6), chunks=(2, 3)), (2, 3)),
        (Foreign((4, 6), chunks=(np.int64(2), 3)), (2, 3)),
        (Foreign((4, 6), chunks=None), None),
        (Foreign((4, 6), chunks=((2, 2), (3, 3))), None),
        (Foreign((4, 6), chunks=(2,)), None),
        (Foreign((4, 6), chunklen=2), (2, 6)),
        (zchunk.zeros((4, 6), chunks=(3, 2)), (3, 2)),
    ],
)
def test_chunks(a: Any, chunks: Any) -> None:
    assert chunks_of(a) == chunks
    z = zchunk.zeros_like(a)
    assert z.chunks == (chunks or zchunk.zeros(z.shape).chunks)


def test_open_like(tmp_path: Path) -> None:
    a = zchunk.full((4, 6), 3, chunks=(2, 3), dtype="i2", compressor=Zlib(2), order="F")
    z = zchunk.open_like(a, tmp_path / "z")
    assert (z.shape, z.chunks, z.dtype, z.compressor, z.order, z.fill_value) == (
        (4, 6), (2, 3), np.dtype("i2"), Zlib(2), "F", 3,
    )  # fmt: skip
    z[...] = 1
    assert (zchunk.open_like(a, tmp_path / "z")[...] == 1).all()
    assert (zchunk.open_like(a, tmp_path / "z", mode="w", fill_value=7)[...] == 7).all()
    other = zchunk.open_like(np.zeros(5, "f4"), tmp_path / "other", chunks=2)
    assert (other.shape, other.chunks, other.dtype) == ((5,), (2,), np.dtype("f4"))


@pytest.mark.format2
def test_arrays_of_objects() -> None:
    pytest.importorskip("numcodecs")
    a = zchunk.array(["x", "yy", ""], dtype=str, chunks=2, fill_value="")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        like = zchunk.full_like(a)
        assert (like.dtype, like.filters, like.fill_value) == (a.dtype, a.filters, "")
        other = zchunk.full_like(a, dtype="array:i4", fill_value=None)
        assert other.filters is not None
        assert [codec.codec_id for codec in other.filters] == ["vlen-array"]
        assert zchunk.zeros_like(a, dtype="i4").filters is None


def test_like_a_lazy_view() -> None:
    z = zchunk.zeros((20, 6, 4), chunks=(5, 3, 2), dtype="i2", compressor=zchunk.Zstd(2))
    for view, shape, chunks in (
        (z.lazy[::2, 1].T, (4, 10), (2, 5)),
        (z.lazy[:, None, [0, 1]], (20, 1, 2, 4), (5, 1, 2, 2)),
        (z.lazy[[0, 1, 2], [3, 4, 5]], (3, 4), (3, 2)),
        (zchunk.stack([z, z])[:, 0], (2, 6, 4), (2, 3, 2)),
    ):
        new = zchunk.empty_like(view)
        assert (new.shape, new.chunks, new.dtype) == (shape, chunks, z.dtype)
        assert new.compressor == z.compressor
    assert zchunk.zeros_like(z.lazy[0], dtype="f8").dtype == np.float64
