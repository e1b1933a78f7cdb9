"""`open`: the modes, for arrays, groups and nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import zchunk
from tests.variants import NO_ARRAYS
from zchunk.errors import (
    ArrayNotFoundError,
    ContainsNodeError,
    GroupNotFoundError,
    PathNotFoundError,
)

pytestmark = pytest.mark.usefixtures("variant")


@NO_ARRAYS
def test_modes_for_nothing(tmp_path: Path) -> None:
    where = tmp_path / "new"
    for mode in ("r", "r+"):
        for call, error in (
            (zchunk.open, PathNotFoundError),
            (zchunk.open_array, ArrayNotFoundError),
            (zchunk.open_group, GroupNotFoundError),
        ):
            with pytest.raises(error):
                call(where, mode)
            with pytest.raises(error):
                call(where, mode, path="a/b")
    for call in (zchunk.load, zchunk.open_consolidated, zchunk.consolidate_metadata):
        with pytest.raises((ValueError, KeyError)):
            call(where)
    for mode in ("r", "r+"):
        for call in (zchunk.open, zchunk.open_array, zchunk.open_group, zchunk.open_consolidated):
            with pytest.raises(PathNotFoundError, match=r"new\.zip"):
                call(f"{where}.zip", mode=mode)
    with pytest.raises(PathNotFoundError):
        zchunk.load(f"{where}.zip")
    for mode in ("a", "w", "w-", "x"):
        with pytest.raises(TypeError, match="shape"):
            zchunk.open_array(where, mode)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["a", "w", "w-", "x"])
def test_modes_that_create(mode: str, tmp_path: Path) -> None:
    z = zchunk.open(tmp_path / "a", mode, shape=3, dtype="i2")
    assert isinstance(z, zchunk.Array)
    z[...] = 1
    assert zchunk.open(tmp_path / "a", "r")[...].tolist() == [1, 1, 1]
    g = zchunk.open(tmp_path / "g", mode)
    assert isinstance(g, zchunk.Group)
    assert zchunk.open_group(tmp_path / "h", mode, path="x/y").path == "x/y"


@NO_ARRAYS
@pytest.mark.parametrize("open_", [zchunk.open, zchunk.open_array, zchunk.open_group])
def test_whether_there_is_a_folder(open_: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    there = "the folder is there, without Zarr metadata in it; it "
    with pytest.raises(FileNotFoundError, match=rf"{there}is empty; mode 'a'.* would create it"):
        open_(tmp_path / "folder", "r")
    for name in "dacb":
        (tmp_path / "folder" / name).write_text("")
    with pytest.raises(FileNotFoundError, match=f"{there}has 'a', 'b', 'c', …; mode"):
        open_(tmp_path / "folder", "r")
    with pytest.raises(FileNotFoundError, match=r"there is no such folder; mode 'a'.* would create it"):
        open_(tmp_path / "nowhere", "r")
    with pytest.raises(FileNotFoundError, match=r"no such folder; did you mean 'folder'\?"):
        open_(tmp_path / "foldr", "r")


@NO_ARRAYS
def test_a_node_of_the_other_format_is_named(tmp_path: Path) -> None:
    zchunk.open_group(tmp_path / "g", "w", zarr_format=2)
    zchunk.open_array(tmp_path / "a", "w", shape=3, zarr_format=3)
    with pytest.raises(GroupNotFoundError, match="a group of format 2 is there; open it with open_group"):
        zchunk.open_group(tmp_path / "g", "r", zarr_format=3)
    with pytest.raises(ArrayNotFoundError, match="an array of format 3 is there; open it with open_array"):
        zchunk.open_array(tmp_path / "a", "r", zarr_format=2)
    memory = dict(zchunk.group(zarr_format=3).store)
    with pytest.raises(PathNotFoundError, match="a group of format 3 is there"):
        zchunk.open(memory, "r", zarr_format=2)


@pytest.mark.parametrize("mode", ["w-", "x"])
@pytest.mark.parametrize("kind", [{}, {"shape": 3}])
def test_modes_that_do_not_replace_speak_of_modes(mode: str, kind: dict[str, int], tmp_path: Path) -> None:
    zchunk.open(tmp_path / "a", "w", **kind)
    given: list[tuple[Callable[..., object], dict[str, int]]] = [
        (zchunk.open, {}),
        (zchunk.open, {"shape": 3}),
        (zchunk.open_group, {}),
        (zchunk.open_array, {}),
        (zchunk.open_array, {"shape": 3}),
    ]
    for open_, shape in given:
        with pytest.raises(ContainsNodeError, match="use mode 'w' to replace it") as caught:
            open_(tmp_path / "a", mode, **shape)
        assert "overwrite" not in str(caught.value)
