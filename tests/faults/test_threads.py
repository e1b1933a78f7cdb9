"""What `make tsan` runs under ThreadSanitizer comes out right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.faults import threads


@pytest.mark.parametrize("kind", threads.KINDS)
def test_threads_beside_each_other(kind: Callable[[str], AbstractContextManager[threads.Work]]) -> None:
    assert threads.run(kind, 0) == threads.THREADS
