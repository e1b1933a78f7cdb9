"""Which format is asked for, by zarr's two names, and what is not supported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zchunk.spec.versions import asked_format, check_unsupported


@pytest.mark.parametrize(
    ("given", "version"),
    [((), None), ((2,), 2), ((None, 3), 3), ((3, 3), 3), ((np.int64(2), None), 2)],
)
def test_either_name(given: tuple[Any, ...], version: int | None) -> None:
    found = asked_format(*given)
    assert found == version
    assert type(found) in (int, type(None))


@pytest.mark.parametrize("given", [(1,), (4,), (None, "3"), (None, True), (2, 3), (0, 0)])
def test_no_such_format(given: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="zarr_format"):
        asked_format(*given)


def test_parameters_with_one_value() -> None:
    check_unsupported(np.empty(()), ())
    with pytest.raises(ValueError, match="meta_array is a list"):
        check_unsupported([])
    with pytest.raises(ValueError, match="storage_transformers"):
        check_unsupported(None, [object()])
