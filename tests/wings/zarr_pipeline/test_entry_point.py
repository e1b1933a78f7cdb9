"""What zarr-python loads of zchunk in every program: nothing more than is asked for, and it never fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")

import _zchunk_zarr  # noqa: E402
from zchunk.wings.zarr_pipeline.installation import PATH  # noqa: E402

ROOT = Path(_zchunk_zarr.__file__).parent
PROGRAM = """
import sys, warnings
from importlib.metadata import EntryPoint
import zarr
if {broken}:
    # As if it were built for another Python.
    sys.modules["zchunk"] = None
if {imported}:
    import zchunk.zarr_pipeline
entry = EntryPoint("zchunk", "_zchunk_zarr:ZchunkCodecPipeline", "zarr.codec_pipeline")
names = vars(zarr.registry)
pipelines = names["_pipeline_registry" if "_pipeline_registry" in names else "__pipeline_registry"]
pipelines.lazy_load_list[:] = [entry]
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    for name in "ab":
        z = zarr.create_array(zarr.storage.MemoryStore(), name=name, shape=4, chunks=2, dtype="i4")
        z[:] = [1, 2, 3, 4]
        assert list(z[:]) == [1, 2, 3, 4]
said = [w.message for w in found if "zchunk" in str(w.message)]
print(type(z._async_array.codec_pipeline).__name__, "zchunk.wings" in sys.modules, len(said), *said)
"""


def run(folder: Path, variables: dict[str, str], broken: bool = False, imported: bool = False) -> str:
    own = ("ZARR", "ZCHUNK")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(broken=broken, imported=imported)],
        env=environment | {"PYTHONPATH": str(ROOT)} | variables,
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_zchunk_is_not_imported_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert run(tmp_path, {}) == "BatchedCodecPipeline False 0"


@pytest.mark.parametrize(
    ("variables", "imported", "said"),
    [
        pytest.param({"ZARR_CODEC_PIPELINE__PATH": PATH}, False, "ZchunkCodecPipeline True 0", id="path"),
        pytest.param(
            {"ZCHUNK_ZARR_ENGINE": "1"},
            False,
            "ZchunkCodecPipeline True 0",
            id="engine",
            marks=pytest.mark.slow,
        ),
        pytest.param({}, True, "BatchedCodecPipeline True 0", id="imported", marks=pytest.mark.slow),
    ],
)
def test_zchunk_is_imported_where_it_is(
    variables: dict[str, str], imported: bool, said: str, tmp_path: Path
) -> None:
    assert run(tmp_path, variables, imported=imported) == said


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"ZARR_CODEC_PIPELINE__PATH": PATH}, id="path"),
        pytest.param({"ZCHUNK_ZARR_ENGINE": "1"}, id="engine", marks=pytest.mark.slow),
    ],
)
def test_one_that_cannot_be_imported_leaves_zarr_as_it_is(variables: dict[str, str], tmp_path: Path) -> None:
    found = run(tmp_path, variables, broken=True)
    assert found.startswith("BatchedCodecPipeline False 1 zchunk cannot be imported, zarr-python reads")


def test_it_has_the_name_by_which_pipelines_are_configured() -> None:
    kind = _zchunk_zarr.ZchunkCodecPipeline
    assert f"{kind.__module__}.{kind.__qualname__}" == PATH
