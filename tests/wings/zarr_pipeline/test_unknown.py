"""A version of zarr-python in which modules have moved: it goes on as if zchunk were not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")

PROGRAM = """
import sys, warnings, zarr, zarr.core.sync
zarr.__version__ = "9.1.0"
# For those that import it from now on.
del zarr.core.sync
sys.modules["zarr.core.sync"] = None
import zchunk.zarr_pipeline
zarr.config.set({"codec_pipeline.path": "zchunk.zarr_pipeline.ZchunkCodecPipeline"})
zarr.registry.register_pipeline(zchunk.zarr_pipeline.ZchunkCodecPipeline)
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    for name in "ab":
        z = zarr.create_array(zarr.storage.MemoryStore(), name=name, shape=4, chunks=2, dtype="i4")
        z[:] = [1, 2, 3, 4]
        assert list(z[:]) == [1, 2, 3, 4]
print(type(z._async_array.codec_pipeline).__name__, *[w.message for w in found if "zchunk" in str(w.message)])
zchunk.zarr_pipeline.uninstall()
try:
    zchunk.zarr_pipeline.install()
except RuntimeError as err:
    print(err)
"""


def test_zarr_works_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("BatchedCodecPipeline zchunk knows zarr-python 3.1 to")
    assert lines[0].count("not 9.1.0") == 1
    assert "this is 9.1.0" in lines[1]
