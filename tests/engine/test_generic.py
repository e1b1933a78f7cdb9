"""The generic executor: any store, any codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.engine.test_execute import same
from tests.variants import Variant

pytestmark = pytest.mark.usefixtures("variant")


@pytest.mark.usefixtures("path")
def test_filters_and_foreign_codecs(tmp_path: Path) -> None:
    numcodecs = pytest.importorskip("numcodecs")
    source = np.arange(50, dtype="<i4").reshape(5, 10) * 3
    z = zchunk.array(
        source, chunks=(2, 4), store=tmp_path, filters=[numcodecs.Delta("<i4")], compressor=numcodecs.LZMA()
    )
    z[1, ::-2] = source[1, ::-2] = 9
    assert same(z[...], source)
    assert same(zchunk.open(tmp_path)[1:, 3], source[1:, 3].copy())


def test_errors_of_a_store_are_raised(variant: Variant) -> None:
    class Failing(dict):  # type: ignore[type-arg]
        def __getitem__(self, key: str) -> Any:
            if key == variant.chunk(2):
                raise PermissionError(key)
            return super().__getitem__(key)

    z = zchunk.zeros(6, chunks=2, store=Failing())
    with pytest.raises(PermissionError):
        z[:]
    with pytest.raises(PermissionError):
        z[4] = 1
    assert z[0] == 0


@pytest.mark.variants("v2", "v3", reason="shards are asked for one by one")
def test_store_sees_bounded_batches() -> None:
    """A large read asks for a bounded number of chunks at a time."""
    asked: list[int] = []

    class Counting(dict):  # type: ignore[type-arg]
        def get_many(self, keys: Any) -> dict[str, bytes]:
            asked.append(len(keys))
            return {key: self[key] for key in keys if key in self}

    z = zchunk.zeros((5000,), chunks=1, dtype="u1", store=Counting())
    z[4000] = 1
    assert z[:].sum() == 1
    assert sum(asked) == 5000
    assert max(asked) <= 1024
