"""`verify`: an archive in order has no finding, and every damage is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.wings.verification import archives
from tests.wings.verification.archives import flipped, kinds
from zchunk.engine import execute
from zchunk.errors import InvalidKeyError, MetadataError
from zchunk.wings.verification import Report

_DOCUMENTS = [b"{}", b"[]", b"null", b"[" * 100_000, b'{"a": 1e999}']
STORES = ["dict", "memory", "folder", "nested", "zip", "sqlite", "objects"]


def store_of(kind: str, folder: Path) -> Any:
    match kind:
        case "dict":
            return {}
        case "memory":
            return zchunk.MemoryStore()
        case "folder":
            return zchunk.DirectoryStore(folder / "a.zarr")
        case "nested":
            return zchunk.NestedDirectoryStore(folder / "a.zarr")
        case "zip":
            return zchunk.ZipStore(folder / "a.zip", mode="w")
        case "sqlite":
            return zchunk.SQLiteStore(folder / "a.sqlite")
        case "fsspec":
            return zchunk.FSStore(f"memory://{folder}")
        case _:
            return zchunk.ObjectStore(pytest.importorskip("obstore.store").MemoryStore())


class TestInOrder:
    @pytest.mark.each_value
    @pytest.mark.parametrize("kind", STORES)
    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_every_kind_of_array_and_store(self, kind: str, zarr_format: int, tmp_path: Path) -> None:
        store = store_of(kind, tmp_path)
        group = archives.make(store, zarr_format)
        report = zchunk.verify(store)
        assert report, str(report)
        assert report.findings == []
        arrays = archives.ARRAYS[zarr_format]
        assert report.counts["arrays"] == len(arrays)
        assert report.counts["groups"] == 2
        assert report.counts["decoded"] == report.counts["chunks"] > 30
        zchunk.consolidate_metadata(store)
        assert zchunk.verify(group), str(zchunk.verify(group))
        assert zchunk.verify(store, "below").counts["arrays"] == 1

    def test_n5(self, tmp_path: Path) -> None:
        z = zchunk.open_array(tmp_path / "a.n5", mode="w", shape=(4, 5), chunks=(2, 2), dtype="i2")
        z[:] = 1
        report = zchunk.verify(tmp_path / "a.n5")
        assert report, str(report)
        assert report.counts["decoded"] == 6

    def test_a_path_of_a_zip_file(self, tmp_path: Path) -> None:
        with zchunk.ZipStore(tmp_path / "a.zip", mode="w") as store:
            archives.make(store, 2)
        assert zchunk.verify(tmp_path / "a.zip")

    def test_not_deep(self) -> None:
        store = zchunk.MemoryStore()
        archives.make(store, 2, "checked")
        store["checked/0.0"] = b"damaged"
        report = zchunk.verify(store, deep=False)
        assert report
        assert report.counts["decoded"] == 0
        assert not zchunk.verify(store)

    def test_an_array_its_group_and_a_store_of_chunks(self) -> None:
        store, chunks = zchunk.MemoryStore(), zchunk.MemoryStore()
        z = zchunk.create((4, 4), 2, "i4", store=store, chunk_store=chunks, path="a")
        z[...] = 1
        assert zchunk.verify(z)
        assert zchunk.verify(z).counts["decoded"] == 4
        chunks["a/0.0"] = b""
        assert kinds(zchunk.verify(z)) == {"a/0.0": ["chunk-undecodable"]}

    def test_consolidated_groups_are_verified_by_their_stores(self) -> None:
        store = zchunk.MemoryStore()
        archives.make(store, 2, "blosc")
        group = zchunk.consolidate_metadata(store)
        assert zchunk.verify(group)
        store["blosc/.zattrs"] = b"{}"
        assert kinds(zchunk.verify(group)) == {".zmetadata": ["consolidated-stale"]}

    def test_progress_and_threads(self) -> None:
        store = zchunk.MemoryStore()
        archives.make(store, 3)
        seen: list[tuple[int, int]] = []
        before = zchunk.get_threads()
        report = zchunk.verify(store, progress=lambda *now: seen.append(now), threads=1)
        assert zchunk.get_threads() == before
        assert seen[0][0] == 0
        assert seen[-1] == (report.counts["chunks"], report.counts["chunks"])
        with pytest.raises(ValueError, match="threading"):
            zchunk.verify(store, threads=0)

    def test_a_rectilinear_grid(self) -> None:
        document = (
            b'{"zarr_format": 3, "node_type": "array", "shape": [5], "data_type": "int16", "fill_value": 0,'
            b'"chunk_grid": {"name": "rectilinear", "configuration":'
            b'{"kind": "inline", "chunk_shapes": [[2, 3]]}},'
            b'"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},'
            b'"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}'
        )
        store = {"zarr.json": document, "c/0": bytes(4), "c/1": bytes(6)}
        assert zchunk.verify(store), str(zchunk.verify(store))
        store["c/1"] = bytes(4)
        assert kinds(zchunk.verify(store)) == {"c/1": ["chunk-size"]}


class TestDamage:
    @given(st.sampled_from([(2, "checked"), (2, "text"), (3, "checked"), (3, "checked_shards")]), st.data())
    def test_every_flipped_bit_of_chunks_with_checksums(
        self, kind: tuple[int, str], data: st.DataObject
    ) -> None:
        store = zchunk.MemoryStore()
        archives.make(store, *kind)
        key = data.draw(st.sampled_from(archives.chunk_keys(store, kind[1])))
        store[key] = flipped(store[key], data.draw(st.integers(0, 8 * len(store[key]) - 1)))
        report = zchunk.verify(store)
        assert kinds(report).keys() == {key}
        wanted = {"chunk-checksum"} if kind[1] != "checked_shards" else {"chunk-checksum", "shard-index"}
        assert {finding.kind for finding in report.findings} <= wanted

    @given(st.sampled_from(list(archives.every_array())), st.data())
    def test_every_truncated_chunk(self, kind: tuple[int, str], data: st.DataObject) -> None:
        store = zchunk.MemoryStore()
        archives.make(store, *kind)
        key = data.draw(st.sampled_from(archives.chunk_keys(store, kind[1])))
        store[key] = store[key][: data.draw(st.integers(0, len(store[key]) - 1))]
        assert kinds(zchunk.verify(store)).keys() == {key}

    @given(st.sampled_from(list(archives.every_array())), st.binary(min_size=1, max_size=20), st.data())
    def test_what_is_found_is_what_a_read_notices(
        self, kind: tuple[int, str], added: bytes, data: st.DataObject
    ) -> None:
        store = zchunk.MemoryStore()
        group = archives.make(store, *kind)
        key = data.draw(st.sampled_from(archives.chunk_keys(store, kind[1])))
        value = store[key]
        if data.draw(st.booleans()):
            store[key] = value + added
        else:
            at = data.draw(st.integers(0, len(value)))
            store[key] = value[:at] + added + value[at + len(added) :]
        try:
            group[kind[1]][...]
            noticed = False
        except zchunk.errors.ChunkError:
            noticed = True
        report = zchunk.verify(store)
        assert kinds(report).keys() <= {key}
        # Of a chunk at an edge, what lies beyond it is found, too.
        assert noticed <= bool(report.findings)

    @pytest.mark.parametrize("native", [True, False])
    def test_all_bad_chunks_are_found_at_once(self, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(execute, "native_enabled", native)
        store = zchunk.MemoryStore()
        archives.make(store, 2, "blosc", "raw")
        store["blosc/0.0"] = store["blosc/2.2"] = b"not a frame"
        store["below/raw/1.1"] = b""
        found = kinds(zchunk.verify(store))
        assert found == {
            "blosc/0.0": ["chunk-undecodable"],
            "blosc/2.2": ["chunk-undecodable"],
            "below/raw/1.1": ["chunk-size"],
        }

    def test_values_that_cannot_be_read(self) -> None:
        class Failing(zchunk.MemoryStore):
            def __getitem__(self, key: str) -> bytes:
                if key in ("checked/0.0", "gzip/.zarray"):
                    raise OSError(5, "Input/output error")
                return super().__getitem__(key)

        store = Failing()
        archives.make(zchunk.MemoryStore(), 2)
        plain = zchunk.MemoryStore()
        archives.make(plain, 2, "checked", "gzip")
        store.set_many(dict(plain))
        report = zchunk.verify(store)
        assert kinds(report)["checked/0.0"] == ["unreadable"]
        assert "Input/output" in report.of("unreadable")[0].detail

    @given(st.data())
    def test_nothing_that_is_stored_raises(self, data: st.DataObject) -> None:
        store = zchunk.MemoryStore()
        archives.make(store, data.draw(st.sampled_from([2, 3])), "checked", "blosc", "raw")
        zchunk.consolidate_metadata(store)
        names = [".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarr.json", ".unfinished", ".moving"]
        for _ in range(data.draw(st.integers(1, 4))):
            key = data.draw(st.sampled_from(sorted(store)) | st.sampled_from([f"x/{name}" for name in names]))
            how = data.draw(st.sampled_from(["junk", "flip", "cut", "json", "delete"]))
            value = store.get(key, b"")
            if how == "delete":
                store.pop(key, None)
            elif how == "flip" and value:
                store[key] = flipped(value, data.draw(st.integers(0, 8 * len(value) - 1)))
            elif how == "cut":
                store[key] = value[: data.draw(st.integers(0, len(value)))]
            elif how == "json":
                store[key] = data.draw(st.sampled_from(_DOCUMENTS))
            else:
                store[key] = data.draw(st.binary(max_size=30))
        report = zchunk.verify(store)
        assert str(report)
        assert report.to_json()

    def test_a_store_that_is_not_there(self, tmp_path: Path) -> None:
        assert kinds(zchunk.verify(tmp_path / "no.zarr")) == {"": ["nothing-there"]}
        assert kinds(zchunk.verify(tmp_path / "no.zip")) == {"": ["unreadable"]}
        (tmp_path / "bad.zip").write_bytes(b"no zip file")
        assert kinds(zchunk.verify(tmp_path / "bad.zip")) == {"": ["unreadable"]}
        with pytest.raises(InvalidKeyError):
            zchunk.verify({}, "../a")


class TestManifest:
    def test_what_is_missing_changed_and_new(self, tmp_path: Path) -> None:
        store = zchunk.DirectoryStore(tmp_path / "a.zarr")
        archives.make(store, 3, "blosc", "shards")
        made = zchunk.manifest(store)
        made.save(tmp_path / "manifest.json")
        assert zchunk.verify(store, manifest=made)
        # Each of them is valid by itself.
        store["blosc/c/0/0"], store["blosc/c/0/1"] = store["blosc/c/0/1"], store["blosc/c/0/0"]
        del store["blosc/c/1/1"]
        store["blosc/zarr.json"] = store["blosc/zarr.json"] + b" "
        store["README"] = b"text"
        assert kinds(zchunk.verify(store)) == {"README": ["foreign-key"]}
        for given_as in (made, made.to_json(), tmp_path / "manifest.json"):
            found = kinds(zchunk.verify(store, manifest=given_as))
            assert found == {
                "blosc/c/0/0": ["manifest-changed"],
                "blosc/c/0/1": ["manifest-changed"],
                "blosc/c/1/1": ["manifest-missing"],
                "blosc/zarr.json": ["manifest-changed"],
                "README": ["foreign-key", "manifest-added"],
            }
        with pytest.raises(MetadataError, match="no manifest"):
            zchunk.verify(store, manifest={"a": 1})

    def test_of_a_node(self) -> None:
        store = zchunk.MemoryStore()
        group = archives.make(store, 2, "blosc", "checked")
        made = zchunk.manifest(group["blosc"])
        del store["blosc/0.0"]
        del store["checked/0.0"]
        for named in ((store, "blosc"), (group["blosc"],)):
            report = zchunk.verify(*named, manifest=made)
            assert kinds(report) == {"blosc/0.0": ["manifest-missing"]}


def test_a_large_array_is_decoded_by_all_routes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 99, (300, 700))
    for number, shards in enumerate([None, (140, 100)]):
        z = zchunk.array(data, chunks=(7, 10), shards=shards, store=tmp_path / str(number), zarr_format=3)
        report: Report = zchunk.verify(z)
        assert report, str(report)
        assert report.counts["chunks"] == (43 * 70 if shards is None else 21)
