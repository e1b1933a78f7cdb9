"""Arrays of rectilinear chunk grids by zarr 3.4, with its own codecs and with zarrs'.

``make.py`` runs it like the others. The archive is ``data/rectilinear/zarr3.zip``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from record import DATA, Archive, noise, smooth

zarr.config.set({"array.rectilinear_chunks": True})
(DATA / "rectilinear").mkdir(parents=True, exist_ok=True)
archive = Archive("rectilinear/zarr3")

PIPELINES = {
    "zarr": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarrs": "zarrs.ZarrsCodecPipeline",
}
LITTLE = zarr.codecs.BytesCodec(endian="little")
BIG = zarr.codecs.BytesCodec(endian="big")
BLOSC = zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
ZSTD = zarr.codecs.ZstdCodec(level=1)
GZIP = zarr.codecs.GzipCodec(level=1)
CRC = zarr.codecs.Crc32cCodec()


def swap(*order: int) -> Any:
    return zarr.codecs.TransposeCodec(order=order)


def add(
    case: str,
    values: np.ndarray,
    chunks: Any,
    shards: Any = None,
    *,
    compressors: Any = ZSTD,
    written: Any = ...,
    before: tuple[int, ...] | None = None,
    order: str = "C",
    fill: Any = 0,
    **kwargs: Any,
) -> None:
    """Write one case: the part `written` of it, after a resize from the shape `before`."""
    z = zarr.create_array(
        archive.store(case),
        shape=before or values.shape,
        chunks=chunks,
        shards=shards,
        dtype=values.dtype,
        compressors=compressors,
        fill_value=fill,
        zarr_format=3,
        **kwargs,
    )
    if before:
        z.resize(values.shape)
    z[written] = values[written]
    wanted = np.full(values.shape, fill, values.dtype)
    wanted[written] = values[written]
    listed = z.chunks if shards else z.read_chunk_sizes
    archive.expect_array(case, wanted, listed, fill, order=order, read=lambda: np.asarray(z[...]))
    archive.cases[case][""]["shards"] = z.write_chunk_sizes if shards else None
    archive.cases[case][""]["nchunks"] = z.nchunks
    archive.cases[case][""]["nchunks_initialized"] = z.nchunks_initialized


MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
for pipeline, name in PIPELINES.items():
    zarr.config.set({"codec_pipeline.path": name})
    add(f"{pipeline}-1d", smooth((365,), "<f4"), [MONTHS])
    add(f"{pipeline}-2d", noise((10, 7), "<i4"), [[3, 3, 3, 1], [2, 5]])
    add(f"{pipeline}-regular-axis", noise((10, 7), "<f8"), [4, [2, 5]], fill=np.nan)
    add(f"{pipeline}-3d", noise((6, 5, 9), "<u2"), [[1, 2, 3], [5], [2, 2, 2, 2, 1]], compressors=BLOSC)
    add(f"{pipeline}-raw", noise((6, 8), "|u1"), [[2, 4], [8]], compressors=None)
    add(f"{pipeline}-big-endian", noise((6, 8), "<i4"), [[2, 4], [3, 5]], serializer=BIG)
    add(f"{pipeline}-F", noise((6, 8), "<i2"), [[2, 4], [3, 5]], filters=[swap(1, 0)], order="F")
    add(f"{pipeline}-transposed", noise((6, 8, 5), "<i2"), [[2, 4], [3, 5], [4, 1]], filters=[swap(1, 2, 0)])
    add(f"{pipeline}-two-codecs", smooth((40,), "<i8"), [[25, 5, 10]], compressors=[GZIP, CRC])
    add(f"{pipeline}-holes", noise((9, 9), "<i4"), [[4, 5], [2, 7]], written=np.s_[4:, :2], fill=-1)
    add(f"{pipeline}-grown", noise((13, 9), "<i4"), [4, [2, 5]], before=(10, 7))
    add(f"{pipeline}-shrunk", noise((8, 3), "<i4"), [[3, 3, 4], [2, 5]], before=(10, 7))
    add(f"{pipeline}-shards", noise((12, 8), "<i4"), (2, 2), [[4, 8], [2, 6]])
    add(f"{pipeline}-some-shards", noise((12, 8), "<f4"), (2, 2), [[4, 8], [2, 6]], written=np.s_[:5, :3])
    dotted = {"name": "v2", "separator": "."}
    add(f"{pipeline}-v2-keys", noise((9, 9), "<i4"), [[4, 5], [2, 7]], chunk_key_encoding=dotted)

archive.pack()
