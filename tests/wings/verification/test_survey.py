"""Which keys and metadata of a store are not in order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.store_conformance import in_child
from tests.wings.verification import archives
from tests.wings.verification.archives import kinds
from zchunk.runtime.owners import signature
from zchunk.storage.local import leftovers
from zchunk.storage.marks import set_mark
from zchunk.storage.traces import trace_of
from zchunk.wings.verification.survey import _chunk_folder

_CHARACTERS = st.characters(codec="ascii", exclude_characters="\0\\/")
# Consolidated metadata with a key that leaves the store.
_LEAVES = b'{"zarr_consolidated_format": 1, "metadata": {"../a": {}}}'


def found_in(items: dict[str, bytes]) -> dict[str, list[str]]:
    return kinds(zchunk.verify(items))


def archive(zarr_format: int = 2, *names: str) -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    archives.make(store, zarr_format, *(names or ("blosc",)))
    return store


class TestMetadata:
    @pytest.mark.parametrize(
        ("key", "raw", "kind"),
        [
            ("blosc/.zarray", b"{", "metadata-invalid"),
            ("blosc/.zarray", b"\xff", "metadata-invalid"),
            ("blosc/.zarray", b"{}", "metadata-invalid"),
            (".zgroup", b'{"zarr_format": 7}', "metadata-invalid"),
            ("blosc/.zattrs", b"[1]", "attributes-invalid"),
            ("blosc/.zattrs", b"[" * 100_000, "attributes-invalid"),
            ("other/.zattrs", b"{}", "attributes-alone"),
            ("zarr.json", b'{"zarr_format": 3, "node_type": "group"}', "mixed-formats"),
            ("new/zarr.json", b'{"zarr_format": 3, "node_type": "group"}', "mixed-formats"),
            ("blosc/.zgroup", b'{"zarr_format": 2}', "mixed-nodes"),
            ("blosc/group/.zgroup", b'{"zarr_format": 2}', "node-in-array"),
        ],
    )
    def test_format_2(self, key: str, raw: bytes, kind: str) -> None:
        assert found_in(archive() | {key: raw}) == {key: [kind]}

    @pytest.mark.parametrize("raw", [b"", b"{}", b'{"zarr_format": 3, "node_type": "array"}', b"null"])
    @pytest.mark.parametrize("key", ["zarr.json", "blosc/zarr.json"])
    def test_format_3(self, key: str, raw: bytes) -> None:
        found = found_in(archive(3) | {key: raw})
        assert "metadata-invalid" in found[key]
        # Nothing is said of the chunks of an array that is not understood.
        assert not any("/c/" in other for other in found)

    def test_an_unknown_codec(self) -> None:
        store = archive()
        document = json.loads(store["blosc/.zarray"])
        store["blosc/.zarray"] = json.dumps(document | {"compressor": {"id": "quantum"}}).encode()
        assert found_in(store) == {"blosc/.zarray": ["codec-unknown"]}

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_consolidated(self, zarr_format: int) -> None:
        store = archive(zarr_format)
        zchunk.consolidate_metadata(store)
        key = ".zmetadata" if zarr_format == 2 else "zarr.json"
        assert found_in(store) == {}
        group = zchunk.open_group(store, "r+")
        group.create("new", shape=3)
        assert found_in(store) == {key: ["consolidated-stale"]}
        zchunk.consolidate_metadata(store)
        group["blosc"].attrs["units"] = float("nan") if zarr_format == 2 else "km"
        assert found_in(store) == {key: ["consolidated-stale"]}
        zchunk.consolidate_metadata(store)
        assert found_in(store) == {}
        for name in [name for name in store if name.startswith("new/")]:
            del store[name]
        assert found_in(store) == {key: ["consolidated-stale"]}

    @pytest.mark.parametrize("raw", [b"{", b"{}", _LEAVES])
    def test_consolidated_invalid(self, raw: bytes) -> None:
        assert found_in(archive() | {".zmetadata": raw}) == {".zmetadata": ["consolidated-invalid"]}

    def test_consolidated_of_a_folder(self) -> None:
        store = archive()
        zchunk.consolidate_metadata(store)
        assert found_in({f"a/{key}": value for key, value in store.items()}) == {}


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            ("blosc/3.0", "outside-grid"),
            ("blosc/0.99999999999", "outside-grid"),
            ("blosc/0/0", "orphan-chunk"),
            ("blosc/0", "orphan-chunk"),
            ("blosc/00.0", "orphan-chunk"),
            ("blosc/readme.txt", "foreign-key"),
            ("0.0", "orphan-chunk"),
            ("gone/c/0/1", "orphan-chunk"),
            ("gone/1/0", "orphan-chunk"),
            ("gone/7", "foreign-key"),
            ("photos/2024/05/01", "foreign-key"),
            ("README", "foreign-key"),
        ],
    )
    def test_kinds(self, key: str, kind: str) -> None:
        assert found_in(archive() | {key: b"value"}) == {key: [kind]}

    @pytest.mark.parametrize(("zarr_format", "name"), list(archives.every_array()))
    def test_the_chunks_of_an_array_whose_metadata_are_gone(self, zarr_format: int, name: str) -> None:
        store = archive(zarr_format, name)
        chunks = archives.chunk_keys(store, name)
        for key in [f"{name}/.zarray", f"{name}/zarr.json"]:
            store.pop(key, None)
        found = found_in(store)
        assert chunks
        assert all(found[key] in (["orphan-chunk"], ["foreign-key"]) for key in chunks)

    @given(st.text(_CHARACTERS, min_size=1), st.sampled_from("ab"))
    def test_any_other_name(self, name: str, folder: str) -> None:
        if name in (".", "..") or name in archives.ARRAYS[2] or name.startswith(".z") or name == "zarr.json":
            return
        if name in (".unfinished", ".moving", "erasing.partial", ".quarantine"):
            return
        assert found_in(archive() | {f"{folder}/{name}": b"{}"}).keys() == {f"{folder}/{name}"}

    def test_what_was_set_aside_is_counted(self) -> None:
        report = zchunk.verify(archive() | {".quarantine/blosc/0.0": b"damaged"})
        assert report
        assert report.counts["quarantined"] == 1


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("0", ("", ["0"])),
        ("c", ("", ["c"])),
        ("c/0/12", ("", ["c", "0", "12"])),
        ("a/c.0.1", ("a", ["c.0.1"])),
        ("a/b/0.1", ("a/b", ["0.1"])),
        ("a/07", ("a", ["07"])),
        ("a/b.0", None),
        ("a", None),
    ],
)
def test_chunk_folders(name: str, found: Any) -> None:
    assert _chunk_folder(name) == found


class TestWhatProcessesLeave:
    def test_temporary_files(self, tmp_path: Path) -> None:
        store = zchunk.DirectoryStore(tmp_path / "a.zarr")
        archives.make(store, 2, "blosc")
        in_child(lambda: Path(leftovers.partial_path(f"{store.path}/blosc/0.0")).write_bytes(b"half"))
        (dead,) = map(str, Path(store.path).glob("blosc/*.partial"))
        living = leftovers.partial_path(f"{store.path}/blosc/0.1")
        Path(living).write_bytes(b"half")
        report = zchunk.verify(store)
        assert kinds(report) == {dead: ["leftover"], living: ["in-progress"]}
        assert zchunk.verify(store, "blosc").of("leftover")[0].key == dead

    def test_a_trace_of_erasing(self, tmp_path: Path) -> None:
        folder = tmp_path / "a.zarr"
        archives.make(zchunk.DirectoryStore(folder), 2, "blosc")
        in_child(lambda: os.mkdir(leftovers.partial_path(f"{folder}/blosc/{leftovers.ERASING}")))
        assert [f.kind for f in zchunk.verify(folder).findings] == ["erasing"]

    def test_marks_of_the_living_and_the_dead(self, tmp_path: Path) -> None:
        folder = tmp_path / "a.zarr"
        store = zchunk.DirectoryStore(folder)
        archives.make(store, 2, "blosc")
        store["new/0"] = b"chunk"
        mark = set_mark(store, "new")
        # Chunks of an array that is being made are nobody's orphans.
        assert kinds(zchunk.verify(store)) == {"new/.unfinished": ["in-progress"]}
        mark.remove()

        def die() -> None:
            set_mark(zchunk.DirectoryStore(folder), "new")

        in_child(die)
        assert kinds(zchunk.verify(store)) == {"new/.unfinished": ["unfinished"], "new/0": ["orphan-chunk"]}

    def test_traces_by_key(self, tmp_path: Path) -> None:
        store = archive()
        record = json.dumps({"from": "x", "by": signature().decode(), "metadata": {}}).encode()
        alive = store | {"erasing.partial": trace_of(["a"]), "a/.moving": record}
        assert sorted(kind for (kind,) in found_in(alive).values()) == ["erasing", "moving"]

    def test_a_broken_record(self) -> None:
        assert found_in(archive() | {"a/.moving": b"["}) == {"a/.moving": ["unreadable"]}
