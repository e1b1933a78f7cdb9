"""Turning zchunk on and off: by functions, and by the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")

import zchunk.zarr_pipeline  # noqa: E402
from zchunk.wings.zarr_pipeline import engine  # noqa: E402
from zchunk.wings.zarr_pipeline.installation import PATH  # noqa: E402

DEFAULT = "zarr.core.codec_pipeline.BatchedCodecPipeline"


def configured() -> str:
    return str(zarr.config.get("codec_pipeline.path"))


def test_install_and_uninstall() -> None:
    method = zarr.Array.__getitem__
    assert configured() == DEFAULT
    zchunk.zarr_pipeline.install()
    assert configured() == PATH
    assert zarr.Array.__getitem__ is method
    zchunk.zarr_pipeline.install(engine=True)
    assert zarr.Array.__getitem__ is engine.METHODS["__getitem__"]
    assert zarr.Array.__getitem__.__doc__ == method.__doc__
    # Once more changes nothing.
    zchunk.zarr_pipeline.install(engine=True)
    zchunk.zarr_pipeline.uninstall()
    assert configured() == DEFAULT
    assert zarr.Array.__getitem__ is method
    zchunk.zarr_pipeline.uninstall()
    assert configured() == DEFAULT


def test_context_manager() -> None:
    method = zarr.Array.__setitem__
    with zchunk.zarr_pipeline.install(engine=True):
        assert zarr.Array.__setitem__ is not method
    assert zarr.Array.__setitem__ is method
    with pytest.raises(ZeroDivisionError), zchunk.zarr_pipeline.install(engine=True):
        raise ZeroDivisionError
    assert configured() == DEFAULT
    assert zarr.Array.__setitem__ is method


def test_methods_that_another_library_replaces_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    original = zarr.Array.__getitem__

    def other(self: Any, selection: Any) -> Any:
        return original(self, selection)

    monkeypatch.setattr(zarr.Array, "__getitem__", other)
    with zchunk.zarr_pipeline.install(engine=True):
        assert zarr.Array.__getitem__ is not other
    assert zarr.Array.__getitem__ is other
    with zchunk.zarr_pipeline.install(engine=True):
        monkeypatch.setattr(zarr.Array, "__getitem__", other)
    assert zarr.Array.__getitem__ is other


def test_a_pipeline_that_was_chosen_before_comes_back() -> None:
    with zarr.config.set({"codec_pipeline.path": "another.Pipeline"}):
        with zchunk.zarr_pipeline.install():
            assert configured() == PATH
        assert configured() == "another.Pipeline"


PROGRAM = """
import sys, zarr
z = zarr.create_array("z", shape=4, chunks=2, dtype="i4")
z[:] = 7
assert (z[:] == 7).all()
from zchunk.zarr_pipeline import calls
from zchunk.wings.zarr_pipeline import engine
name = type(z._async_array.codec_pipeline).__name__
replaced = sum(vars(zarr.Array)[name] is method for name, method in engine.METHODS.items())
print(name, calls["native_writes"], calls["native_reads"], replaced)
"""


@pytest.mark.skipif(
    "zchunk" not in entry_points(group="zarr.codec_pipeline").names,
    reason="zchunk was installed before it had the entry point: make setup",
)
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({}, "BatchedCodecPipeline 0 0 0", id="nothing", marks=pytest.mark.slow),
        pytest.param(
            {"ZARR_CODEC_PIPELINE__PATH": PATH},
            "ZchunkCodecPipeline 1 1 0",
            id="pipeline",
            marks=pytest.mark.slow,
        ),
        pytest.param({"ZCHUNK_ZARR_ENGINE": "1"}, "ZchunkCodecPipeline 1 1 12", id="engine"),
    ],
)
def test_environment(variables: dict[str, str], said: str, tmp_path: Path) -> None:
    own = ("ZARR", "ZCHUNK")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=environment | variables, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert found.stdout.strip() == said, found.stderr
