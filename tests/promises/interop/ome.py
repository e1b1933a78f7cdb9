"""Open images and plates of OME-Zarr with ome-zarr-models, which validates them, ome-zarr-py and zarrita.js.

    build/ome/bin/python tests/promises/interop/ome.py FOLDER build/interop-node/ome.mjs

The folder is what `examples/ome_zarr.py` writes, the program `ome.mjs` lies beside zarrita. Neither knows
anything of zchunk.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import open_ome_zarr


def check(program: str, path: Path, kind: str, images: int) -> None:
    """Validate a group, and read the pixels of every image in it."""
    model = open_ome_zarr(zarr.open_group(path, mode="r"))
    assert type(model).__name__ == kind, type(model)
    nodes = list(Reader(parse_url(path))())
    pixels = [np.asarray(level) for node in nodes for level in node.data]
    assert len(pixels) >= images, nodes
    assert all(level.any() for level in pixels)
    sums = json.loads(subprocess.check_output(["node", program, path]))
    stored = {name: int(np.asarray(zarr.open_array(path / name, mode="r")[...]).sum()) for name in sums}
    assert len(sums) >= images, sums
    assert sums == stored
    read = f"ome-zarr-py {len(pixels)} arrays of {len(nodes)} nodes, zarrita {len(sums)}"
    print(f"{path.name}: {kind} {model.ome_zarr_version}; {read}")


def main() -> None:
    """Check what the example has written."""
    folder, program = Path(sys.argv[1]), sys.argv[2]
    check(program, folder / "image.zarr", "Image", 6)
    check(program, folder / "image.zarr" / "labels" / "cells", "ImageLabel", 3)
    check(program, folder / "plate.zarr", "HCS", 1)


if __name__ == "__main__":
    main()
