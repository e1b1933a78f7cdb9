"""What zchunk writes, tensorstore and zarr 3 read bit for bit; what they rewrite, zchunk reads."""

from __future__ import annotations

import ctypes
import json
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.promises.golden.record import (
    COMPLEX,
    FLAT,
    FLOATS,
    INTEGERS,
    NESTED,
    RAW,
    STRINGS,
    TIMES,
    holed,
    noise,
    same,
    smooth,
)

tensorstore = pytest.importorskip("tensorstore")
zarr = pytest.importorskip("zarr", minversion="3")
numcodecs = pytest.importorskip("numcodecs")

pytestmark = [pytest.mark.usefixtures("path"), pytest.mark.filterwarnings("ignore")]

Reader = Callable[[str, np.dtype], np.ndarray]


def read_zarr3(store: str, dtype: np.dtype) -> np.ndarray:
    return np.asarray(zarr.open_array(store, mode="r", zarr_format=2)[...])


def read_tensorstore(store: str, dtype: np.dtype) -> np.ndarray:
    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": store}}
    if not dtype.names:
        return items(tensorstore.open(spec, open=True).result().read(order="C").result(), dtype)
    fields = {}
    for name in dtype.names:
        field = tensorstore.open({**spec, "field": name}, open=True).result().read(order="C").result()
        fields[name] = items(field, dtype[name].base)
    out = np.zeros(fields[dtype.names[0]].shape[:1], dtype)
    for name in dtype.names:
        out[name] = fields[name]
    return out


def items(found: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """What tensorstore reads, as ``dtype``: it gives numbers in native order."""
    if dtype.kind in "SV":
        # One more axis of single bytes, which NumPy gets with item size 0: the memory is what counts.
        raw = ctypes.string_at(found.ctypes.data, math.prod(found.shape))
        return np.frombuffer(raw, dtype).reshape(found.shape[:-1])
    return np.asarray(found).astype(dtype)


READERS: dict[str, Reader] = {"zarr3": read_zarr3, "tensorstore": read_tensorstore}


def refusal(reader: str, dtype: np.dtype, compressor: Any = None, filters: Any = None) -> str | None:
    """Why a peer cannot read such an array at all, or None."""
    parts = [dtype[name] for name in dtype.names or ()]
    if reader == "tensorstore":
        for part in parts or [dtype]:
            if part.kind in "mMU" or part.names:
                return f"tensorstore has no {part}"
        if filters:
            return "tensorstore has no filters"
        if compressor is not None and compressor.codec_id not in ("blosc", "zlib", "gzip", "bz2", "zstd"):
            return f"tensorstore has no {compressor.codec_id}"
        if compressor is not None and compressor.get_config().get("checksum"):
            return "tensorstore has no checksums in zstd"
    elif any(part.subdtype or part.names for part in parts):
        return "zarr 3 has no sub-arrays nor nested structures in v2"
    return None


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(reader: str, store: Path, values: np.ndarray, **written: Any) -> None:
    """Read ``store`` by the peer, and hold it against ``values``."""
    why = refusal(reader, values.dtype, **written)
    if why:
        pytest.skip(why)
    found = READERS[reader](str(store), values.dtype)
    assert (found.dtype, found.shape) == (values.dtype, values.shape)
    assert same(found, values)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["|b1", *INTEGERS, *FLOATS, *COMPLEX, *TIMES, *STRINGS, *RAW])
def test_dtype(tmp_path: Path, reader: str, dtype: str, order: str) -> None:
    values = noise((7, 5), dtype)
    z = zchunk.create(
        values.shape, chunks=(4, 3), dtype=dtype, order=order, fill_value=None, store=str(tmp_path / "z")
    )
    z[...] = values
    check(reader, tmp_path / "z", values)


PLAIN = [("id", "<u2"), ("value", ">f8"), ("flag", "|b1")]
STRUCTS = {"plain": PLAIN, "flat": FLAT, "nested": NESTED, "sub-arrays": [("a", "<i4"), ("b", ">f8", (2, 3))]}


@pytest.mark.parametrize("label", STRUCTS)
def test_structured(tmp_path: Path, reader: str, label: str) -> None:
    values = noise((7,), STRUCTS[label])
    zchunk.array(values, chunks=(4,), fill_value=None, store=str(tmp_path / "z"))
    check(reader, tmp_path / "z", values)


SHAPES = [
    ((), ()),
    ((3, 0), (2, 1)),
    ((101,), (10,)),
    ((5, 7, 11), (2, 3, 4)),
    ((3, 5), (8, 9)),
    ((12,), (1,)),
]


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("shape", "chunks"), SHAPES)
def test_layout(tmp_path: Path, reader: str, shape: Any, chunks: Any, order: str, separator: str) -> None:
    values = smooth(shape, "<f4")
    store = str(tmp_path / "z")
    z = zchunk.create(
        shape, chunks=chunks, dtype="<f4", order=order, dimension_separator=separator, store=store
    )
    z[...] = values
    check(reader, tmp_path / "z", values)


COMPRESSORS: dict[str, Any] = {
    "none": lambda: None,
    "lz4": lambda: zchunk.codecs.LZ4(),
    "zstd": lambda: zchunk.codecs.Zstd(level=3),
    "zstd-checksum": lambda: zchunk.codecs.Zstd(level=3, checksum=True),
    "zlib": lambda: zchunk.codecs.Zlib(level=1),
    "gzip": lambda: zchunk.codecs.GZip(level=5),
    "bz2": lambda: numcodecs.BZ2(),
    "lzma": lambda: numcodecs.LZMA(preset=1),
}
for cname, shuffle, clevel in product(
    ["blosclz", "lz4", "lz4hc", "zlib", "zstd"], [-1, 0, 1, 2], [0, 1, 5, 9]
):
    COMPRESSORS[f"blosc-{cname}-{clevel}-shuffle{shuffle}"] = lambda c=cname, s=shuffle, n=clevel: (
        zchunk.codecs.Blosc(cname=c, clevel=n, shuffle=s)
    )


@pytest.mark.each_value
@pytest.mark.parametrize("dtype", ["|u1", "<f4", ">f8", "<c16"])
@pytest.mark.parametrize("label", COMPRESSORS)
def test_compressor(tmp_path: Path, reader: str, label: str, dtype: str) -> None:
    # Two chunks that compress (the second with noise within) and one that does not.
    values = np.concatenate([smooth((1700,), dtype), noise((1050,), dtype)]).astype(dtype)
    values[1000:1100] = noise((100,), dtype, 1)
    compressor = COMPRESSORS[label]()
    z = zchunk.create(len(values), chunks=850, dtype=dtype, compressor=compressor, store=str(tmp_path / "z"))
    z[...] = values
    check(reader, tmp_path / "z", values, compressor=compressor)


@pytest.mark.parametrize("cname", ["lz4", "zstd", "blosclz"])
@pytest.mark.parametrize("nbytes", [2**16, 2**17 - 8, 2**17, 2**17 + 8, 2**18 + 16, 2**20 + 24])
def test_large_chunk(tmp_path: Path, reader: str, cname: str, nbytes: int) -> None:
    """Several blocks in a frame, the last one short."""
    values = smooth((nbytes // 8,), "<f8")
    values[500:900] = noise((400,), "<f8")
    z = zchunk.create(
        len(values),
        chunks=len(values),
        dtype="<f8",
        compressor=zchunk.codecs.Blosc(cname=cname),
        store=str(tmp_path / "z"),
    )
    z[...] = values
    check(reader, tmp_path / "z", values)


FILTERS: dict[str, tuple[str, Callable[[], list[Any]]]] = {
    "delta": ("<i4", lambda: [numcodecs.Delta("<i4")]),
    "shuffle": ("<f4", lambda: [numcodecs.Shuffle(4)]),
    "crc32": ("<f8", lambda: [numcodecs.CRC32()]),
    "chain": ("<i4", lambda: [numcodecs.Delta("<i4"), numcodecs.Shuffle(4)]),
}


@pytest.mark.parametrize("label", FILTERS)
def test_filters(tmp_path: Path, reader: str, label: str) -> None:
    """In C order: zarr 3 stores an F chunk behind a filter in an order of its own (zarr-python#4116)."""
    dtype, make = FILTERS[label]
    values = smooth((11, 7), dtype)
    z = zchunk.create(values.shape, chunks=(5, 4), dtype=dtype, filters=make(), store=str(tmp_path / "z"))
    z[...] = values
    check(reader, tmp_path / "z", values, filters=make())


FILLS: list[tuple[str, Any]] = [
    ("<f8", np.nan),
    (">f4", np.inf),
    ("<f2", -np.inf),
    ("<f8", -0.0),
    ("<f4", np.float32(0.1)),
    ("|b1", True),
    ("<i8", 2**63 - 1),
    (">u8", 2**64 - 1),
    (">i2", -42),
    ("<c16", 1.5 - 2j),
    (">c8", complex(0, np.inf)),
    ("<M8[ns]", np.datetime64("NaT", "ns")),
    ("<M8[D]", np.datetime64("1999-12-31")),
    ("<m8[s]", np.timedelta64(7, "s")),
    ("|S5", b"abcde"),  # shorter ones are stored short, as zarr 2 does, and tensorstore refuses them
    ("<U4", "ä語"),
    ("|V3", b"\x01\x02\xff"),
]


@pytest.mark.parametrize(("dtype", "fill"), FILLS, ids=[f"{d}-{f}" for d, f in FILLS])
def test_fill_value(tmp_path: Path, reader: str, dtype: str, fill: Any) -> None:
    values = holed(noise((11, 7), dtype), np.array(fill, dtype), (4, 3))
    z = zchunk.create(values.shape, chunks=(4, 3), dtype=dtype, fill_value=fill, store=str(tmp_path / "z"))
    z[:4, 3:] = values[:4, 3:]
    z[4:8] = values[4:8]
    assert z.nchunks_initialized == 5
    check(reader, tmp_path / "z", values)


def test_growing(tmp_path: Path, reader: str) -> None:
    """What is appended and cut is seen by the peers."""
    values = smooth((9, 6), "<f4")
    z = zchunk.create((0, 6), chunks=(2, 4), dtype="<f4", fill_value=np.nan, store=str(tmp_path / "z"))
    for row in range(0, 9, 3):
        z.append(values[row : row + 3], axis=0)
    check(reader, tmp_path / "z", values)
    z.resize(5, 6)
    z.resize(7, 6)
    wanted = np.concatenate([values[:5], np.full((2, 6), np.nan, "<f4")])
    found = READERS[reader](str(tmp_path / "z"), values.dtype)
    assert np.array_equal(found, wanted, equal_nan=True)


ATTRS = {"title": "Gray–Scott", "nan": float("nan"), "nested": {"a": [1, 2.5, {"b": "語"}]}, "big": 2**70}


@pytest.mark.parametrize("consolidated", [False, True])
def test_zarr3_reads_groups(tmp_path: Path, consolidated: bool) -> None:
    store = str(tmp_path / "g")
    root = zchunk.open_group(store, mode="w")
    root.attrs.put(ATTRS)
    deep = root.create_group("model/ocean")
    deep.attrs["scalar"] = np.float32(0.5)
    z = deep.create("sst", shape=(6, 4), chunks=(4, 4), dtype="<f8", fill_value=np.nan)
    z[:4] = smooth((4, 4), "<f8")
    z.attrs["units"] = "K"
    if consolidated:
        zchunk.consolidate_metadata(store)

    found = zarr.open_group(store, mode="r", zarr_format=2, use_consolidated=consolidated)
    assert json.dumps(found.attrs.asdict(), sort_keys=True) == json.dumps(ATTRS, sort_keys=True)
    assert sorted(path for path, _ in found.members(max_depth=None)) == [
        "model",
        "model/ocean",
        "model/ocean/sst",
    ]
    assert found["model/ocean"].attrs.asdict() == {"scalar": 0.5}
    assert found["model/ocean/sst"].attrs.asdict() == {"units": "K"}
    assert np.array_equal(found["model/ocean/sst"][...], z[...], equal_nan=True)
    assert np.isnan(found["model/ocean/sst"].fill_value)


@pytest.mark.parametrize("peer", ["zarr3", "tensorstore"])
def test_writing_in_turn(tmp_path: Path, peer: str) -> None:
    """zchunk and a peer change the same chunks in turn; both see every change."""
    store = str(tmp_path / "z")
    values = smooth((10, 10), "<f8")
    z = zchunk.create(values.shape, chunks=(4, 4), dtype="<f8", fill_value=np.nan, store=store)
    z[...] = values
    if peer == "zarr3":
        other = zarr.open_array(store, mode="r+", zarr_format=2)
    else:
        spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": store}}
        other = tensorstore.open({**spec, "recheck_cached_data": True}, open=True).result()
    for step in range(4):
        box = (slice(step, step + 5), slice(2 * step, 2 * step + 3))
        values[box] = step
        if step % 2:
            z[box] = step
        else:
            other[box] = np.full(values[box].shape, float(step))
        assert same(z[...], values)
        assert same(READERS[peer](store, values.dtype), values)
