"""Smoke test of an installed zchunk, to be run outside the source tree, in an environment without extras."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import files, version
from pathlib import Path

import numpy as np

import zchunk

SOURCES = Path(__file__).resolve().parent.parent


def run_readme() -> None:
    """Run the program that README shows."""
    (program,) = re.findall(r"^```python\n(.*?)^```", (SOURCES / "README.md").read_text("utf-8"), re.M | re.S)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        names: dict[str, object] = {}
        exec(compile(program, "README.md", "exec"), names)
        assert names["series"].shape == (100,), names["series"]
        os.chdir("/")


def main() -> None:
    package = Path(zchunk.__file__).resolve().parent
    assert SOURCES not in package.parents, f"{package} is the source tree, not an installed package"
    names = {str(f) for f in files("zchunk") or ()}
    assert "zchunk/py.typed" in names, "py.typed is not installed"
    assert "_zchunk_zarr.py" in names, "what zarr-python loads is not installed"
    assert not [n for n in names if n.endswith((".pyx", ".c"))], "Cython sources in the wheel"
    strays = [n for n in names if n.startswith(("tests/", "benchmarks/", "examples/", "_ext/"))]
    assert not strays, f"top-level folders in the wheel: {strays}"

    rng = np.random.default_rng(1)
    data = rng.normal(size=(70, 50, 30)).cumsum(axis=2)
    with tempfile.TemporaryDirectory() as folder:
        group = zchunk.open_group(f"{folder}/smoke.zarr", mode="w")
        for codec in ("lz4", "zstd", "zlib"):
            compressor = zchunk.codecs.Blosc(codec, 5, 1)
            array = group.create(
                codec, shape=data.shape, chunks=(32, 16, 30), dtype="f8", compressor=compressor
            )
            array[...] = data
            array.attrs["units"] = "K"
        again = zchunk.open_group(f"{folder}/smoke.zarr", mode="r")
        for name, array in again.arrays():
            assert array.attrs["units"] == "K", name
            assert np.array_equal(array[...], data), name
            assert np.array_equal(array[3:65:2, -7, ::-1], data[3:65:2, -7, ::-1]), name
        command = [Path(sys.executable).with_name("zchunk"), "head", f"{folder}/smoke.zarr/zstd", "[0, 0, 0]"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert np.isclose(float(shown), data[0, 0, 0]), shown
    run_readme()
    print(f"zchunk {version('zchunk')} in {package}: smoke test passed")


if __name__ == "__main__":
    main()
