"""Consolidated metadata of format 3."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import ConsolidatedMetadataNotFoundError, MetadataError, ReadOnlyError
from zchunk.storage import ConsolidatedMetadataStore


def fill(store: Any, path: str = "") -> zchunk.Group:
    g = zchunk.group(store, path=path, zarr_format=3, attributes={"top": 1})
    g.array("b/c/z", np.arange(4), attributes={"x": 1}, dimension_names=["t"])
    g.create_group("a", attributes={"y": 2})
    g.zeros("b/a", shape=2)
    return g


def test_in_the_document_of_the_group(tmp_path: Path) -> None:
    fill(tmp_path)
    seen: list[tuple[int, int]] = []
    found = zchunk.consolidate_metadata(tmp_path, progress=lambda *a: seen.append(a))
    assert seen[-1] == (6, 6)
    document = json.loads((tmp_path / "zarr.json").read_bytes())
    inline = document["consolidated_metadata"]
    assert (inline["kind"], inline["must_understand"]) == ("inline", False)
    # As zarr 3: by depth, then by path; and groups say that they have no more of their own.
    assert list(inline["metadata"]) == ["a", "b", "b/a", "b/c", "b/c/z"]
    assert inline["metadata"]["b"]["consolidated_metadata"]["metadata"] == {}
    assert document["attributes"] == {"top": 1}
    assert isinstance(found, zchunk.Group)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "zarr.json"]


def test_opening(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(ConsolidatedMetadataNotFoundError, match=r"zarr\.json"):
        zchunk.open_consolidated(tmp_path)
    zchunk.consolidate_metadata(tmp_path)
    for key in list(tmp_path.rglob("zarr.json")):
        if key.parent != tmp_path:
            key.unlink()
    g = zchunk.open_consolidated(tmp_path)
    assert isinstance(g, zchunk.Group)
    assert (list(g), g.attrs.asdict(), g["a"].attrs.asdict()) == (["a", "b"], {"top": 1}, {"y": 2})
    z = g["b/c/z"]
    assert (z[:].tolist(), z.dimension_names, z.attrs.asdict()) == ([0, 1, 2, 3], ("t",), {"x": 1})
    z[0] = 9
    assert zchunk.open_consolidated(tmp_path, path="b/c/z", mode="r")[0] == 9
    assert zchunk.open_consolidated(tmp_path, zarr_format=3) == g
    for change in (lambda: z.resize(9), lambda: z.attrs.update(a=1), lambda: g.create_group("q")):
        with pytest.raises(ReadOnlyError):
            change()
    with pytest.raises(ConsolidatedMetadataNotFoundError):
        zchunk.open_consolidated(tmp_path, zarr_format=2)
    # Plain opening does not need them.
    assert list(zchunk.open_group(tmp_path)) == []


def test_below_a_path() -> None:
    store: dict[str, bytes] = {}
    fill(store, "p/q")
    del store["zarr.json"], store["p/zarr.json"]
    g = zchunk.consolidate_metadata(store, path="p/q")
    assert (g.path, list(g)) == ("p/q", ["a", "b"])
    assert next(iter(json.loads(store["p/q/zarr.json"])["consolidated_metadata"]["metadata"])) == "a"
    assert zchunk.open_consolidated(store, path="p/q")["b/c/z"][1] == 1


def test_again_after_changes_and_attributes_kept() -> None:
    store: dict[str, bytes] = {}
    g = fill(store)
    zchunk.consolidate_metadata(store)
    g.attrs["more"] = 3
    g.zeros("new", shape=1)
    assert "consolidated_metadata" in json.loads(store["zarr.json"])
    again = zchunk.consolidate_metadata(store)
    assert (sorted(again), again.attrs["more"]) == (["a", "b", "new"], 3)


def test_the_store() -> None:
    store: dict[str, bytes] = {}
    fill(store)
    with pytest.raises(KeyError):
        ConsolidatedMetadataStore(store, "zarr.json")
    zchunk.consolidate_metadata(store)
    view = ConsolidatedMetadataStore(store, "zarr.json")
    assert sorted(view) == [
        "a/zarr.json",
        "b/a/zarr.json",
        "b/c/z/zarr.json",
        "b/c/zarr.json",
        "b/zarr.json",
        "zarr.json",
    ]
    assert "consolidated_metadata" not in json.loads(view["zarr.json"])
    for bad in (
        {"../x": {}}, {"a": 3}, {"/": {}}, 3,
    ):  # fmt: skip
        document = json.loads(store["zarr.json"])
        document["consolidated_metadata"]["metadata"] = bad
        with pytest.raises(MetadataError):
            ConsolidatedMetadataStore({"zarr.json": json.dumps(document).encode()}, "zarr.json")


def test_a_group_stands_for_its_store_and_path(tmp_path: Path) -> None:
    chunks = zchunk.MemoryStore()
    group = zchunk.open_group(tmp_path, "w", chunk_store=chunks, path="g")
    group["x"] = np.arange(3)
    for opened in (zchunk.consolidate_metadata(group), zchunk.open_consolidated(group)):
        assert (opened.path, opened["x"][:].tolist()) == ("g", [0, 1, 2])
    # Also one that was opened by older consolidated metadata.
    group["y"] = np.arange(2)
    assert "y" not in opened
    again = zchunk.consolidate_metadata(opened)
    assert again["y"][:].tolist() == [0, 1]
    assert zchunk.consolidate_metadata(group, path="x").shape == (3,)


def _set_attributes(path: Path, locks: Path, first: int) -> None:
    group = zchunk.open_group(path, "r+", synchronizer=zchunk.ProcessSynchronizer(locks), cache_attrs=False)
    for i in range(first, first + 150):
        group.attrs[f"a{i}"] = i


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_that_others_set_meanwhile_stay(zarr_format: Any, tmp_path: Path) -> None:
    path, locks = tmp_path / "x.zarr", tmp_path / "locks"
    group = zchunk.open_group(
        path, "w", synchronizer=zchunk.ProcessSynchronizer(locks), zarr_format=zarr_format
    )
    group.create("x", shape=4, chunks=2)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_set_attributes, args=(path, locks, 1000 * i)) for i in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        zchunk.consolidate_metadata(group)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(zchunk.open_group(path, "r").attrs) == 300
