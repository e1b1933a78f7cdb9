"""The codec `packbits` beside zarrs, byte for byte and both ways.

zarr 3 finds the chunks, and zarrs reads and writes them. A zarr that does not know the codec is told its
name: it only hands on what the metadata say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import zchunk

zarr = pytest.importorskip("zarr", minversion="3.1")
zarrs = pytest.importorskip("zarrs", reason="zarrs is not installed; it comes with the extra 'test'")
pytestmark = pytest.mark.filterwarnings("ignore")

from zarr.abc.codec import ArrayBytesCodec  # noqa: E402
from zarr.registry import get_codec_class, register_codec  # noqa: E402

# Not left to zarr's own pipeline.
PIPELINE = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": True}


@dataclass(frozen=True)
class _PackBits(ArrayBytesCodec):  # type: ignore[misc]
    """The codec that zarr does not know, which keeps what the metadata say."""

    is_fixed_size: ClassVar[bool] = True
    document: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Any) -> Any:
        return cls(dict(data))

    def to_dict(self) -> dict[str, Any]:
        return self.document

    def compute_encoded_size(self, input_byte_length: int, _spec: Any) -> int:
        return input_byte_length


try:
    get_codec_class("packbits")
except KeyError:
    register_codec("packbits", _PackBits)


def pair(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


# What makes bytes, and the dtype.
CASES: dict[str, tuple[Any, str]] = {
    "plain": ({"name": "packbits"}, "?"),
    "first": (pair("packbits", padding_encoding="first_byte"), "?"),
    "last": (pair("packbits", padding_encoding="last_byte", last_bit=6), "u1"),
    "middle": (pair("packbits", first_bit=1, last_bit=11), "u2"),
    "signed": (pair("packbits", last_bit=5), "i1"),
    "wide": (pair("packbits", padding_encoding="first_byte", last_bit=44), "u8"),
}


def values_of(case: str) -> np.ndarray[Any, Any]:
    dtype = np.dtype(CASES[case][1])
    numbers = np.arange(80).reshape(8, 10) % 31 - (15 if dtype.kind == "i" else 0)
    return (numbers % 3 == 0) if dtype.kind == "b" else numbers.astype(dtype)


def create(path: Path, case: str) -> zchunk.Array:
    serializer, dtype = CASES[case]
    return zchunk.create(
        (8, 10),
        store=str(path),
        chunks=(4, 5),
        dtype=dtype,
        zarr_format=3,
        serializer=serializer,
        compressor=None,
    )


@pytest.mark.parametrize("case", CASES)
def test_both_ways(case: str, tmp_path: Path) -> None:
    """Of whole chunks: zarrs shifts the bits of parts of them."""
    values = values_of(case)
    ours, theirs = create(tmp_path / "ours", case), create(tmp_path / "theirs", case)
    ours[...] = values
    with zarr.config.set(PIPELINE):
        written = zarr.open_array(tmp_path / "theirs", mode="r+")
        written[...] = values
        keys = [f"c/{i}/{j}" for i in range(2) for j in range(2)]
        assert [bytes(ours.store[key]) for key in keys] == [bytes(theirs.store[key]) for key in keys]
        np.testing.assert_array_equal(written[...], ours[...])
    np.testing.assert_array_equal(zchunk.open(str(tmp_path / "theirs"))[...], ours[...])
