"""The record of how a node is accessed: what a caller says is checked once, before any store is opened."""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zchunk
from zchunk.core.access import Access, access_to
from zchunk.errors import InvalidKeyError

ONCE = {"asked_format", "normalize_path", "access_to"}


def calls_of(function: Callable[[], object]) -> Counter[str]:
    """How often the functions of zchunk are called, by name."""
    found: Counter[str] = Counter()

    def count(frame: Any, event: str, argument: object) -> None:
        if event == "call" and "zchunk" in frame.f_code.co_filename:
            found[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found


WAYS: dict[str, Callable[[str], object]] = {
    "create": lambda path: zchunk.create(3, store=path, path="a", overwrite=True),
    "zeros": lambda path: zchunk.zeros(3, store=path, path="a", zarr_format=2, overwrite=True),
    "create_array": lambda path: zchunk.create_array(path, name="a", shape=3, overwrite=True),
    "array": lambda path: zchunk.array([1], store=path, path="a", overwrite=True),
    "open_array": lambda path: zchunk.open_array(path, mode="r", path="a"),
    "open_array w": lambda path: zchunk.open_array(path, mode="w", path="a", shape=3),
    "open": lambda path: zchunk.open(path, mode="r", path="a"),
    "open w": lambda path: zchunk.open(path, mode="w", path="a", shape=3),
    "open a group": lambda path: zchunk.open(path, mode="r"),
    "group": lambda path: zchunk.group(path),
    "open_group": lambda path: zchunk.open_group(path, mode="r"),
    "create_group": lambda path: zchunk.create_group(path, overwrite=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_caller_says_is_checked_once(way: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.zarr")
    zchunk.open_group(path, mode="w").zeros("a", shape=3)
    found = calls_of(lambda: WAYS[way](path))
    assert {name: found[name] for name in (*ONCE, "open_store")} == dict.fromkeys((*ONCE, "open_store"), 1)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"path": "a/../b"}, InvalidKeyError),
        ({"zarr_format": 4}, ValueError),
        ({"zarr_format": 3, "zarr_version": 2}, ValueError),
        ({"cache_bytes": -1}, ValueError),
        ({"meta_array": [1]}, ValueError),
    ],
    ids=str,
)
def test_nothing_is_touched_where_a_parameter_is_wrong(
    wrong: dict[str, Any], error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "a.zip"
    with zchunk.ZipStore(str(path), mode="w") as store:
        zchunk.array([1, 2], store=store)
    before = path.read_bytes()
    # The mode empties a file that it opens.
    with pytest.raises(error):
        access_to(str(path), mode="w", **wrong)
    assert path.read_bytes() == before


def test_a_record_is_frozen_and_pickles() -> None:
    access = access_to({}, "/a/", is_open=True, read_only=1, cache_bytes=10)  # type: ignore[arg-type]
    assert (access.path, access.read_only, access.version) == ("a", True, None)
    with pytest.raises(AttributeError):
        access.path = "b"  # type: ignore[misc]
    assert isinstance(pickle.loads(pickle.dumps(access)), Access)


def test_the_access_to_a_member_differs_in_path_and_version_alone() -> None:
    access = access_to(None, "a", read_only=True, cache_bytes=10, trusted=frozenset({"pickle"}))
    assert access.at("a/b", 3) == access._replace(path="a/b", version=3)
    assert access.at("a/b", 3, frozenset()) == access._replace(path="a/b", version=3, trusted=frozenset())


@pytest.mark.parametrize("name", ["x.zarr", "x.zip"])
def test_constructors_take_paths(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    zchunk.save_group(path, a=[1, 2], path="g")
    for named in (path, str(path)):
        assert zchunk.Array(named, "g/a", read_only=True)[:].tolist() == [1, 2]
        assert sorted(zchunk.Group(named, "g", read_only=True)) == ["a"]
    for kind in (zchunk.Array, zchunk.Group):
        with pytest.raises((zchunk.errors.ArrayNotFoundError, zchunk.errors.GroupNotFoundError)):
            kind(tmp_path / "nothing.zarr")
    assert not (tmp_path / "nothing.zarr").exists()
