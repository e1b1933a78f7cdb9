"""What other implementations wrote once is read, and is changed in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.promises.interop import cases, golden, ours

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_implementation_that_writes_is_there() -> None:
    found = list(golden.names())
    assert {name.partition("/")[0] for name in found} == {i.adapter for i in golden.WRITERS}
    assert len(found) == golden.ARRAYS * len(golden.WRITERS)
    assert max(archive.stat().st_size for archive in golden.DATA.glob("*.zip")) < 20_000


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", list(golden.names()))
def test_what_others_wrote_is_read(name: str, tmp_path: Path) -> None:
    adapter = name.partition("/")[0]
    if adapter == "icechunk":
        pytest.importorskip("icechunk")
    path, case, items = golden.unpack(name, tmp_path)
    with ours.place(adapter, path) as store:
        assert cases.same_items(ours.read(store, case, None), items)
        ours.check_fill(store, case)
        other = np.roll(items, 1)
        ours.change(store, case, None, other)
        assert cases.same_items(ours.read(store, case, None), other)
