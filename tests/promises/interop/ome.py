"""Open images and plates of OME-Zarr with ome-zarr-models, which validates them, and with ome-zarr-py.

    build/ome/bin/python tests/promises/interop/ome.py FOLDER

The folder is what `examples/ome_zarr.py` writes. The program knows nothing of zchunk.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import open_ome_zarr


def check(path: Path, kind: str, images: int) -> None:
    """Validate a group, and read the pixels of every image in it."""
    model = open_ome_zarr(zarr.open_group(path, mode="r"))
    assert type(model).__name__ == kind, type(model)
    nodes = list(Reader(parse_url(path))())
    pixels = [np.asarray(level) for node in nodes for level in node.data]
    assert len(pixels) >= images, nodes
    assert all(level.any() for level in pixels)
    print(f"{path.name}: {kind} {model.ome_zarr_version}, {len(nodes)} nodes, {len(pixels)} arrays")


def main() -> None:
    """Check what the example has written."""
    folder = Path(sys.argv[1])
    check(folder / "image.zarr", "Image", 6)
    check(folder / "image.zarr" / "labels" / "cells", "ImageLabel", 3)
    check(folder / "plate.zarr", "HCS", 1)


if __name__ == "__main__":
    main()
