"""`verify` finds every damage, by key and kind, and nothing else; `repair` loses nothing unasked."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.choice import rounds
from tests.faults import damage
from tests.faults.damage import CHECKED, DAMAGES, Damage, chunk, flipped
from tests.store_conformance import in_child
from tests.wings.verification.test_verifying import store_of
from zchunk.runtime.owners import signature
from zchunk.storage.local import leftovers
from zchunk.storage.traces import trace_of

STORES = ["folder", "memory", "dict", "zip", "sqlite", "fsspec", "objects"]
CASES = [
    pytest.param(case, zarr_format, id=f"{case.name}-v{zarr_format}")
    for case in DAMAGES
    for zarr_format in case.zarr_formats
]


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = store_of(request.param, tmp_path)
    yield made
    if request.param == "fsspec":
        made.clear()
    if hasattr(made, "close"):
        made.close()


def kinds(report: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.key, []).append(finding.kind)
    return {key: sorted(listed) for key, listed in found.items()}


@pytest.mark.one_in(12)
@pytest.mark.parametrize("store", STORES, indirect=True)
@pytest.mark.parametrize(("case", "zarr_format"), CASES)
def test_every_damage_is_found(store: Any, case: Damage, zarr_format: int) -> None:
    damage.make(store, zarr_format)
    made = zchunk.manifest(store) if case.manifest else None
    assert zchunk.verify(store, manifest=made), "before"
    expected = case.do(store, zarr_format)
    before = {key: bytes(store[key]) for key in store}
    report = zchunk.verify(store, manifest=made)
    assert kinds(report) == expected, str(report)
    if case.manifest and "new" not in case.name:
        assert zchunk.verify(store), "it takes a manifest to see this"
    # Nothing is changed unless it is asked for; and what is to be kept can be had afterwards.
    zchunk.repair(store, orphans="erase", consolidated="rebuild", bad_chunks="quarantine")
    zchunk.repair(store, dry_run=False)
    assert {key: bytes(store[key]) for key in store} == before
    repaired = zchunk.repair(store, consolidated="rebuild", bad_chunks="quarantine", dry_run=False)
    assert all(action.done for action in repaired.actions), str(repaired)
    kept = [bytes(store[key]) for key in store if key.startswith(".quarantine/")]
    for action in repaired.actions:
        key = action.finding.key
        assert action.action == "rebuild" or any(value in before[key] for value in kept)
    left = zchunk.verify(store)
    assert {f.kind for f in left.findings} & {"chunk-size", "chunk-checksum", "chunk-undecodable"} == set()
    assert left.of("consolidated-stale", "consolidated-invalid") == []


@pytest.mark.parametrize(("zarr_format", "name"), [(f, name) for f in CHECKED for name in CHECKED[f]])
def test_every_bit_of_a_chunk_with_a_checksum(zarr_format: int, name: str) -> None:
    store = zchunk.MemoryStore()
    damage.make(store, zarr_format)
    z = zchunk.open_group(store)[f"below/{name}"]
    key = chunk(zarr_format, name, 1, 1)
    value = store[key]
    bits = random.Random(name).sample(range(8 * len(value)), rounds(400))
    for bit in bits:
        store[key] = flipped(value, bit)
        found = kinds(zchunk.verify(z))
        if not found:
            # A bit that means nothing, such as one of the time in gzip's header.
            assert "checked" not in name
            np.testing.assert_array_equal(z[...], damage.ITEMS)
        else:
            kind = "chunk-checksum" if "checked" in name else "chunk-undecodable"
            assert found == {key: [kind]}


@pytest.mark.filterwarnings("ignore:.*was not closed:UserWarning")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_bit_of_a_zip_file_is_found_or_harmless(zarr_format: int, tmp_path: Path) -> None:
    """The archive has a CRC-32 of every value, so that codecs without a checksum are safe in it."""
    path, values = tmp_path / "a.zip", np.arange(96).reshape(8, 12)
    with zchunk.ZipStore(path, mode="w") as store:
        zchunk.create((8, 12), (4, 6), "i4", None, store=store, zarr_format=zarr_format)[...] = values
    whole = path.read_bytes()
    made = zchunk.manifest(path)
    for bit in random.Random(0).sample(range(8 * len(whole)), rounds(400)):
        path.write_bytes(flipped(whole, bit))
        report = zchunk.verify(path, manifest=made)
        if report:
            # Dates, permissions and the like.
            np.testing.assert_array_equal(zchunk.open_array(path, mode="r")[...], values)


@pytest.mark.parametrize("parameters", [{"compressors": None}, {}, {"checksum": True}, {"shards": (8, 12)}])
def test_a_flipped_bit_in_a_value_of_an_archive(parameters: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zchunk.ZipStore(path, mode="w") as store:
        z = zchunk.create((8, 12), (8, 12), "i4", store=store, zarr_format=3, **parameters)
        z[...] = damage.ITEMS
        value = store["c/0/0"]
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, 8 * (whole.index(value) + 40)))
    report = zchunk.verify(path)
    if "shards" in parameters:
        # Most of its chunks can still be read: it is not taken out.
        assert kinds(report) == {"c/0/0": ["unreadable"]}
        assert "CRC" in report.findings[0].detail
        assert zchunk.repair(path, bad_chunks="erase", dry_run=False).actions == []
        return
    assert kinds(report) == {"c/0/0": ["chunk-checksum"]}
    # The archive gives nothing that could be set aside.
    (action,) = zchunk.repair(path, bad_chunks="quarantine", dry_run=False).actions
    assert not action.done
    assert "CRC" in action.detail
    assert kinds(zchunk.verify(path)) == {"c/0/0": ["chunk-checksum"]}
    zchunk.repair(path, bad_chunks="erase", dry_run=False)
    assert zchunk.verify(path)
    assert (zchunk.open_array(path, mode="r")[...] == 0).all()


def dead_signature(folder: Path) -> bytes:
    """Return the signature of a process that is gone."""
    in_child(lambda: (folder / "signature").write_bytes(signature()))
    return (folder / "signature").read_bytes()


@pytest.mark.each_value
@pytest.mark.parametrize("store", [kind for kind in STORES if kind not in ("memory", "dict")], indirect=True)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_marks_and_traces_of_killed_processes(store: Any, zarr_format: int, tmp_path: Path) -> None:
    damage.make(store, zarr_format)
    by = dead_signature(tmp_path)
    store["below/new/.unfinished"] = by
    store[chunk(zarr_format, "new", 0, 0)] = b"chunk"
    expected = {"below/new/.unfinished": ["unfinished"], chunk(zarr_format, "new", 0, 0): ["orphan-chunk"]}
    assert kinds(zchunk.verify(store)) == expected
    report = zchunk.repair(store, leftovers="erase", orphans="erase", dry_run=False)
    assert len(report.actions) == 2
    assert all(action.done for action in report.actions), str(report)
    assert zchunk.verify(store), str(zchunk.verify(store))


def test_an_erasing_that_was_killed(tmp_path: Path) -> None:
    store = zchunk.SQLiteStore(tmp_path / "a.sqlite")
    damage.make(store, 2)
    # What a killed process writes before it erases.
    store["below/raw/erasing.partial"] = trace_of(["below/raw/.zarray"])
    assert "below/raw/erasing.partial" in kinds(zchunk.verify(store))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_temporary_files_of_killed_writers(zarr_format: int, tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    damage.make(zchunk.DirectoryStore(folder), zarr_format)
    beside = f"{folder}/{chunk(zarr_format, 'raw', 0, 0)}"
    in_child(lambda: Path(leftovers.partial_path(beside)).write_bytes(b"half"))
    (dead,) = [str(path) for path in folder.rglob("*.partial")]
    assert kinds(zchunk.verify(folder)) == {dead: ["leftover"]}
    zchunk.repair(folder, leftovers="erase", dry_run=False)
    assert not os.path.exists(dead)
    assert zchunk.verify(folder)


def test_a_compaction_of_an_archive_that_was_killed(tmp_path: Path) -> None:
    path, other = tmp_path / "a.zip", tmp_path / "b.zip"
    for name in (path, other):
        with zchunk.ZipStore(name, mode="w") as store:
            damage.make(store, 2)
        in_child(lambda name=name: Path(leftovers.partial_path(str(name))).write_bytes(b"half"))  # type: ignore[misc]
    (dead,) = map(str, tmp_path.glob("a.zip.*.partial"))
    assert kinds(zchunk.verify(path)) == {dead: ["leftover"]}
    zchunk.repair(path, leftovers="erase", dry_run=False)
    # Only what belongs to this archive.
    assert [name.name.partition(".zip")[0] for name in tmp_path.glob("*.partial")] == ["b"]
    assert zchunk.verify(path)


def test_an_archive_that_was_not_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zchunk.ZipStore(path, mode="w") as store:
        damage.make(store, 2)
    shutil.copy(path, tmp_path / "copy.zip")
    store = zchunk.ZipStore(path, mode="a")
    store["below/raw/0.0"] = store["below/raw/0.1"]
    # As a kill leaves it.
    shutil.copy(path, tmp_path / "killed.zip")
    store.close()
    with pytest.warns(UserWarning, match="not closed"):
        report = zchunk.verify(tmp_path / "killed.zip")
    assert [finding.kind for finding in report.findings] == ["unclosed"]
    assert "below/raw/0.0" in report.findings[0].detail


class TestN5:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        group = zchunk.open_group(zchunk.N5Store(tmp_path / "a.n5"), "w")
        group.create("x", shape=(4, 6), chunks=(2, 3), dtype="i4", compressors=zchunk.GZip())[...] = 7
        group.create("raw", shape=(4, 6), chunks=(2, 3), dtype="i4", compressors=None)[...] = 7
        return tmp_path / "a.n5"

    def test_in_order(self, folder: Path) -> None:
        report = zchunk.verify(folder)
        assert report, str(report)
        assert (report.counts["arrays"], report.counts["decoded"]) == (2, 8)

    @pytest.mark.parametrize(
        ("file", "change", "expected"),
        [
            ("x/0/0", lambda v: v[:-1], {"x/0.0": ["chunk-undecodable"]}),
            ("x/0/0", lambda v: flipped(v, -90), {"x/0.0": ["chunk-undecodable"]}),
            ("x/0/0", lambda v: flipped(v, 9), {"x/0.0": ["chunk-undecodable"]}),
            ("x/1/0", lambda v: b"", {"x/0.1": ["chunk-undecodable"]}),
            ("raw/0/0", lambda v: v[:-1], {"raw/0.0": ["chunk-undecodable"]}),
            ("raw/0/0", lambda v: v + b"1", {"raw/0.0": ["chunk-undecodable"]}),
            ("raw/5/5", lambda v: b"1", {"raw/5.5": ["outside-grid"]}),
            ("x/attributes.json", lambda v: b"{", {"x/attributes.json": ["metadata-invalid"]}),
            ("x/attributes.json", lambda v: b"[]", {"x/attributes.json": ["metadata-invalid"]}),
            ("x/attributes.json", lambda v: b'{"dimensions": [4]}', {"x/.zarray": ["metadata-invalid"]}),
            ("attributes.json", lambda v: b"\xff", {"attributes.json": ["metadata-invalid"]}),
            ("notes", lambda v: b"text", {"notes": ["foreign-key"]}),
        ],
    )
    def test_damage(self, folder: Path, file: str, change: Any, expected: Any) -> None:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change(path.read_bytes() if path.exists() else b""))
        report = zchunk.verify(folder)
        found = kinds(report)
        assert found == expected, str(report)
