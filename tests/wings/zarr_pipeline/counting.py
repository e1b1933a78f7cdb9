"""How often zchunk works, and how often zarr-python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zchunk.wings.zarr_pipeline.pipeline import calls


@contextmanager
def counted(**expected: int) -> Iterator[None]:
    """Check how many reads and writes are done natively, and by zarr-python; those not named are none."""
    before = dict(calls)
    yield
    found = {name: calls[name] - before[name] for name in calls}
    assert found == dict.fromkeys(found, 0) | expected
