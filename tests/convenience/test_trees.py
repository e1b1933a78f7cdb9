"""The tree of a hierarchy that is named by its store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zchunk
from zchunk.errors import PathNotFoundError


def test_tree_of_whatever_names_a_hierarchy(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    with pytest.raises(PathNotFoundError):
        zchunk.tree(path)
    zchunk.save(path, a=np.arange(3))
    group = zchunk.open_group(path)
    for named in (path, str(path), group, group.store, dict(group.store)):
        assert str(zchunk.tree(named)) == "/\n └── a (3,) int64"
    assert str(zchunk.tree(group["a"])) == "a (3,) int64"
