"""Which versions of zarr-python are known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", minversion="3.1", reason="zchunk.zarr_pipeline needs zarr-python 3.1")

import zchunk.zarr_pipeline  # noqa: E402
from tests.wings.zarr_pipeline.counting import counted  # noqa: E402
from zchunk.wings.zarr_pipeline import versions  # noqa: E402


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3.1.6", (3, 1)), ("3.4", (3, 4)), ("3.10.0rc1", (3, 10)), ("4.0.dev1", (4, 0)), ("unknown", (0, 0))],
)
def test_numbers(text: str, numbers: tuple[int, int]) -> None:
    assert versions.version_of(text) == numbers


def test_this_one_is_known() -> None:
    assert versions.is_known()


@pytest.mark.parametrize("version", ["3.0.10", "3.99.0", "4.1.2"])
def test_others_fall_back_with_one_warning(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zarr, "__version__", version)
    with zchunk.zarr_pipeline.install():
        with pytest.warns(RuntimeWarning, match=f"zchunk knows zarr-python 3.1 to .*, not {version}"):
            z = zarr.create_array({}, shape=4, chunks=2, dtype="i4")
        with warnings.catch_warnings(), counted():
            warnings.simplefilter("error")
            z = zarr.create_array({}, shape=4, chunks=2, dtype="i4")
            z[:] = [1, 2, 3, 4]
            np.testing.assert_array_equal(z[:], [1, 2, 3, 4])
    with pytest.raises(RuntimeError, match=f"the engine needs zarr-python .* this is {version}"):
        zchunk.zarr_pipeline.install(engine=True)
    assert zarr.Array.__getitem__.__module__ != "zchunk.wings.zarr_pipeline.engine"
