"""Golden data of format 3 by zarr 3, zarrs or tensorstore; ``make.py`` runs it in their environments."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from record import smooth
from record3 import Archive3, cases

warnings.simplefilter("ignore")
ATTRS = {"title": "Gray–Scott", "nested": {"a": [1, 2.5, {"b": "語"}]}, "big": 2**60}


def by_zarr(producer: str) -> None:
    """Write the cases with zarr 3, by its own codecs or those of zarrs."""
    import zarr

    if producer == "zarrs":
        # Strict: it must not leave the work to zarr's own pipeline.
        zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": True})

    def create(folder: Path, obj: dict[str, Any]) -> None:
        metadata = zarr.core.metadata.ArrayV3Metadata.from_dict(obj)
        made = metadata.to_buffer_dict(zarr.core.buffer.default_buffer_prototype())
        folder.mkdir(parents=True)
        (folder / "zarr.json").write_bytes(made["zarr.json"].to_bytes())

    def write(folder: Path, box: Any, values: np.ndarray) -> None:
        zarr.open_array(folder, mode="r+")[box] = values

    def read(folder: Path) -> np.ndarray:
        return np.asarray(zarr.open_array(folder, mode="r")[...])

    archive = Archive3(producer)
    for case in cases():
        archive.add(case, create, write, read)
    if producer == "zarr3":
        for name in ("group", "group-consolidated"):
            groups(archive, name)
    archive.pack()


def groups(archive: Archive3, name: str) -> None:
    """Write a hierarchy, with consolidated metadata or without."""
    import zarr

    store = archive.store(name)
    root = zarr.create_group(store, zarr_format=3, attributes=ATTRS)
    archive.expect_group(name, attrs=ATTRS)
    for path in ("empty", "model", "model/ocean"):
        root.create_group(path, attributes={"path": path})
        archive.expect_group(name, path, {"path": path})
    for path, shards in {"time": None, "model/ocean/sst": (4, 4)}.items():
        values = smooth((6, 4), "<f8")
        z = root.create_array(
            path, shape=(6, 4), chunks=(2, 4), shards=shards, dtype="<f8", fill_value=np.nan, attributes=ATTRS
        )
        z[...] = values
        document = json.loads((Path(store) / path / "zarr.json").read_bytes())
        archive.record(name, path, values, document, np.nan)
    if name == "group-consolidated":
        zarr.consolidate_metadata(store)


def by_tensorstore() -> None:
    """Write the cases with tensorstore."""
    import tensorstore as ts

    def spec(folder: Path) -> dict[str, Any]:
        return {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(folder)}}

    def create(folder: Path, obj: dict[str, Any]) -> None:
        ts.open({**spec(folder), "metadata": obj}, create=True).result()

    def write(folder: Path, box: Any, values: np.ndarray) -> None:
        ts.open(spec(folder), open=True).result()[box] = values

    def read(folder: Path) -> np.ndarray:
        return np.asarray(ts.open(spec(folder), open=True).result().read(order="C").result())

    archive = Archive3("tensorstore")
    for case in cases(floats=True):
        # tensorstore ends the process when it has to create an array of these.
        if case.name.partition("-")[2] not in ("raw", "struct"):
            archive.add(case, create, write, read)
    archive.pack()


if __name__ == "__main__":
    if sys.argv[1] == "tensorstore":
        by_tensorstore()
    else:
        by_zarr(sys.argv[1])
