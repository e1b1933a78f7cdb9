"""OME-Zarr: a microscope image as a pyramid of resolutions, with labels, and a plate of such images.

The program writes version 0.5 (Zarr format 3, in shards) or 0.4 (format 2), as the specification of OME-Zarr
says, so that napari, ome-zarr-py, Vizarr and the like open it. It reads each level back and compares it.

    python examples/ome_zarr.py --out plates
    python examples/ome_zarr.py --out plates --version 0.4
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import zchunk

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
PIXEL = 0.65  # micrometers
CHUNK, SHARD = 64, 256


def cells(size: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Two channels of round cells, and a label for each cell."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), "u2")
    for number in range(1, count + 1):
        cy, cx = rng.integers(0, size, 2)
        radius = rng.integers(size // 40 + 2, size // 16 + 3)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = number
    noise = rng.poisson(20, (2, size, size))
    image = noise + np.stack([(labels > 0) * 400, (labels % 5) * 90])
    return image.astype("u2"), labels


def levels(image: np.ndarray, count: int, *, mean: bool) -> list[np.ndarray]:
    """Return the image, and each time every second pixel of it, or the mean of four."""
    found = [image]
    for _ in range(count - 1):
        last = found[-1]
        if mean:
            *before, height, width = last.shape
            blocks = last.reshape(*before, height // 2, 2, width // 2, 2)
            found.append(blocks.mean(axis=(-3, -1)).astype(last.dtype))
        else:
            found.append(last[..., ::2, ::2])
    return found


def set_attributes(group: zchunk.Group, version: str, **attributes: Any) -> None:
    """Store metadata of OME-Zarr: below "ome" from version 0.5 on."""
    if version == "0.4":
        for value in attributes.values():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict):
                    part["version"] = version
        group.attrs.update(attributes)
    else:
        group.attrs["ome"] = {"version": version, **attributes}


def write_pyramid(
    group: zchunk.Group, pyramid: list[np.ndarray], axes: list[dict[str, str]], version: str
) -> dict[str, Any]:
    """Write the levels as arrays, and return what `multiscales` says of them."""
    datasets = []
    for level, pixels in enumerate(pyramid):
        few = (1,) * (pixels.ndim - 2)
        layout: dict[str, Any] = {"chunks": (*few, CHUNK, CHUNK)}
        if version == "0.4":
            layout |= {"dimension_separator": "/"}
        else:
            layout |= {"shards": (*few, SHARD, SHARD), "dimension_names": [axis["name"] for axis in axes]}
        group.create_dataset(str(level), data=pixels, **layout)
        scale = [1.0] * (pixels.ndim - 2) + [PIXEL * 2**level] * 2
        transformations = [{"type": "scale", "scale": scale}]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    return {"name": group.basename or "image", "axes": axes, "datasets": datasets}


def write_image(group: zchunk.Group, size: int, version: str) -> None:
    """Write an image with labels into a group."""
    image, labels = cells(size)
    multiscales = write_pyramid(group, levels(image, 3, mean=True), AXES, version)
    set_attributes(group, version, multiscales=[multiscales])
    found = group.create_group("labels")
    set_attributes(found, version, labels=["cells"])
    cells_group = found.create_group("cells")
    multiscales = write_pyramid(cells_group, levels(labels, 3, mean=False), AXES[1:], version)
    colors = [{"label-value": n, "rgba": [n * 6 % 256, 255 - n * 6 % 256, 128, 255]} for n in (1, 2, 3)]
    label = {"colors": colors, "source": {"image": "../../"}}
    set_attributes(cells_group, version, multiscales=[multiscales], **{"image-label": label})


def write_plate(group: zchunk.Group, size: int, version: str) -> None:
    """Write two wells with an image each."""
    wells = [{"path": f"A/{n + 1}", "rowIndex": 0, "columnIndex": n} for n in range(2)]
    columns = [{"name": str(n + 1)} for n in range(2)]
    plate = {"name": "plate", "rows": [{"name": "A"}], "columns": columns, "wells": wells, "field_count": 1}
    set_attributes(group, version, plate=plate)
    for well in wells:
        found = group.create_group(well["path"])
        set_attributes(found, version, well={"images": [{"path": "0"}]})
        write_image(found.create_group("0"), size, version)


def check(image: zchunk.Group, size: int) -> None:
    """Compare what is stored with what was to be."""
    wanted, labels = cells(size)
    for level, pixels in enumerate(levels(wanted, 3, mean=True)):
        np.testing.assert_array_equal(image[str(level)][:], pixels)
    np.testing.assert_array_equal(image["labels/cells/1"][:], labels[::2, ::2])


def main() -> None:
    """Write an image and a plate, and check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, help="a folder for image.zarr and plate.zarr")
    parser.add_argument("--version", choices=["0.4", "0.5"], default="0.5")
    parser.add_argument("--size", type=int, default=512, help="pixels of a side, a multiple of 4")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch)
        zarr_format: Any = 2 if options.version == "0.4" else 3
        image = zchunk.open_group(folder / "image.zarr", mode="w", zarr_format=zarr_format)
        write_image(image, options.size, options.version)
        plate = zchunk.open_group(folder / "plate.zarr", mode="w", zarr_format=zarr_format)
        write_plate(plate, options.size // 2, options.version)
        check(zchunk.open_group(folder / "image.zarr", mode="r"), options.size)
        check(zchunk.open_group(folder / "plate.zarr", mode="r")["A/2/0"], options.size // 2)
        print(f"OME-Zarr {options.version}: {image.tree()}")
        if options.out:
            print(f"written to {folder}")


if __name__ == "__main__":
    main()
