"""What is written for a new node, and for the groups above it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import zchunk
from tests.creation.test_arrays import DEFAULT_ZARRAY, ZGROUP
from tests.creation.test_opening import files
from tests.variants import NO_ARRAYS, only_v2
from zchunk.creation import nodes

pytestmark = pytest.mark.usefixtures("variant")


@only_v2("the bytes that zarr 2 writes")
def test_parents_are_made() -> None:
    store: dict[str, bytes] = {}
    zchunk.create((3, 4), chunks=2, store=store, path="/a//b/")
    assert store == {".zgroup": ZGROUP, "a/.zgroup": ZGROUP, "a/b/.zarray": DEFAULT_ZARRAY}


class Looking(zchunk.DirectoryStore):
    """A store that never says that a place is vacant."""

    def is_vacant(self, path: str = "") -> bool:
        return False


def _nothing(folder: Path) -> None:
    pass


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True)


def _chunks_of_another(folder: Path) -> None:
    for name in ("0", "1", "c"):
        (folder / name).mkdir(parents=True)
        (folder / name / "0").write_bytes(b"chunk")
    (folder / "0.1").write_bytes(b"chunk")


def _foreign(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "photo.jpg").write_bytes(b"jpg")


def _half_erased(folder: Path) -> None:
    zchunk.ones((2, 2), chunks=1, store=folder)
    # A process of another machine, a long time ago.
    mark = folder / "erasing.0000000000000001.partial"
    mark.mkdir()
    os.utime(mark, (0, 0))
    for name in (".zarray", "zarr.json"):
        (folder / name).unlink(missing_ok=True)


def _array(folder: Path) -> None:
    zchunk.ones((2, 2), chunks=1, store=folder)


def _group(folder: Path) -> None:
    zchunk.group(store=folder)


def _broken_link(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(folder.parent / "nowhere")


def _file(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_bytes(b"a file")


def _below_a_file(folder: Path) -> None:
    folder.parent.write_bytes(b"a file")


@pytest.mark.parametrize(
    "state",
    [
        _nothing,
        _empty,
        _chunks_of_another,
        _foreign,
        _half_erased,
        _array,
        _group,
        _broken_link,
        _file,
        _below_a_file,
    ],
)
def test_a_vacant_place_becomes_what_a_search_of_it_makes(
    tmp_path: Path, state: Callable[[Path], None]
) -> None:
    for make in (_make_array, _make_group):
        outcomes = []
        for cls in (zchunk.DirectoryStore, Looking):
            top = tmp_path / f"{cls.__name__}{make.__name__}"
            top.mkdir()
            state(top / "g" / "x")
            store = cls(top)
            try:
                make(store)
                outcome = ""
            except (OSError, ValueError) as error:
                outcome = f"{type(error).__name__}: {error}".replace(repr(store), "").replace(str(top), "")
            outcomes.append((outcome, files(top)))
        assert outcomes[0] == outcomes[1]


def _make_array(store: zchunk.DirectoryStore) -> None:
    zchunk.ones((2, 2), chunks=1, store=store, path="g/x")[0] = 5


def _make_group(store: zchunk.DirectoryStore) -> None:
    zchunk.group(store=store, path="g/x")


@only_v2("separators that stores have in format 2")
def test_store_separator(tmp_path: Path) -> None:
    z = zchunk.ones((2, 2), chunks=1, store=zchunk.NestedDirectoryStore(tmp_path))
    z[...] = 3
    assert "0/1" in files(tmp_path)
    assert json.loads(files(tmp_path)[".zarray"])["dimension_separator"] == "/"
    with pytest.raises(ValueError, match="dimension_separator"):
        zchunk.ones(2, store=zchunk.NestedDirectoryStore(tmp_path), dimension_separator=".", path="x")
    g = zchunk.open_group(zchunk.NestedDirectoryStore(tmp_path / "g"))
    assert g.create("a", shape=(2, 2)).dimension_separator == "/"
    assert g.array("b", np.ones((2, 2))).dimension_separator == "/"


@only_v2("a store that changes .zarray")
def test_stores_that_change_metadata_are_read_back(tmp_path):
    class Changing(zchunk.DirectoryStore):
        def __setitem__(self, key, value):
            if key.endswith(".zarray"):
                value = json.dumps({**json.loads(bytes(value)), "fill_value": 7, "compressor": None}).encode()
            super().__setitem__(key, value)

    z = zchunk.create(4, chunks=2, dtype="i2", store=Changing(tmp_path))
    assert (z.fill_value, z.compressor) == (7, None)
    z[:2] = [1, 2]
    assert zchunk.open(tmp_path, mode="r")[:].tolist() == [1, 2, 7, 7]


@NO_ARRAYS
def test_what_may_lead_through_a_link_is_not_erased(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        nodes._has_links(zchunk.DirectoryStore(tmp_path), "loop", ["loop/c/0"])
