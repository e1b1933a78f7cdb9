"""acquire-zarr: a stream of frames into format 3, written only."""

from __future__ import annotations

from typing import Any

import acquire_zarr
import numpy as np


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Let all items flow into an array."""
    if case.fill not in ("zero", "null"):
        raise NotImplementedError("a fill value")
    chunks = case.inner if case.layout == "end" else case.chunks
    kinds = [acquire_zarr.DimensionType.TIME] + [acquire_zarr.DimensionType.SPACE] * (len(case.shape) - 1)
    dimensions = [
        acquire_zarr.Dimension(
            name=f"d{i}",
            kind=kinds[i],
            array_size_px=0 if i == 0 else n,
            chunk_size_px=chunks[i],
            shard_size_chunks=case.chunks[i] // chunks[i],
        )
        for i, n in enumerate(case.shape)
    ]
    settings = acquire_zarr.ArraySettings(
        output_key=case.path,
        dimensions=dimensions,
        data_type=getattr(acquire_zarr.DataType, case.data_type.upper()),
        compression=_compression(case.codec),
    )
    stream = acquire_zarr.ZarrStream(
        acquire_zarr.StreamSettings(store_path=store, arrays=[settings], overwrite=True)
    )
    stream.append(items, key=case.path)
    stream.close()


def _compression(codec: str) -> Any:
    if codec == "none":
        return None
    _, name, shuffle = codec.split("-")
    return acquire_zarr.CompressionSettings(
        compressor=acquire_zarr.Compressor.BLOSC1,
        codec=getattr(acquire_zarr.CompressionCodec, f"BLOSC_{name.upper()}"),
        level=5,
        shuffle=("noshuffle", "shuffle", "bitshuffle").index(shuffle),
    )
