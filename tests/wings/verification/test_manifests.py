"""Manifests: what they hold, how they are compared, and which values are not read again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zchunk
from tests.wings.verification import archives
from zchunk.codecs import Crc32c
from zchunk.errors import MetadataError
from zchunk.wings.verification import Difference, Entry, Manifest
from zchunk.wings.verification import manifests as module

VALUES = st.dictionaries(st.sampled_from(["a", "b/c", "b/0.0", "zarr.json"]), st.binary(max_size=20))


@given(VALUES, st.sampled_from(["sha256", "crc32c"]))
def test_digests_and_sizes(values: dict[str, bytes], algorithm: Any) -> None:
    made = zchunk.manifest(dict(values), algorithm=algorithm)
    assert list(made.entries) == sorted(values)
    for key, value in values.items():
        crc = int.from_bytes(Crc32c().encode(value)[-4:], "little")
        digest = hashlib.sha256(value).hexdigest() if algorithm == "sha256" else f"{crc:08x}"
        assert made.entries[key] == Entry(digest, len(value))


@given(VALUES, VALUES)
def test_compare(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    found = zchunk.manifest(dict(before)).compare(zchunk.manifest(dict(after)))
    assert set(found.missing) == before.keys() - after.keys()
    assert set(found.added) == after.keys() - before.keys()
    assert set(found.changed) == {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert bool(found) == (before != after)


def test_large_values_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 7)
    store = zchunk.DirectoryStore(tmp_path / "a.zarr")
    store["a"] = bytes(range(100))
    assert zchunk.manifest(store).entries["a"].digest == hashlib.sha256(bytes(range(100))).hexdigest()


def test_only_new_and_changed_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = zchunk.DirectoryStore(tmp_path / "a.zarr")
    archives.make(store, 2, "blosc")
    first = zchunk.manifest(store)
    # They are new: each may change again at the same time.
    assert {entry.mtime for entry in first.entries.values()} == {None}
    for key in store:
        os.utime(store.file_path(key), (1e9, 1e9))
    first = zchunk.manifest(store)
    first.save(tmp_path / "first.json")
    assert {entry.mtime for entry in first.entries.values()} == {10**18}
    read: list[str] = []
    sha256 = module._sha256
    monkeypatch.setitem(module._ALGORITHMS, "sha256", lambda s, key: (read.append(key), sha256(s, key))[1])
    assert zchunk.manifest(store, previous=tmp_path / "first.json") == first
    assert read == []
    store["blosc/0.0"] = store["blosc/0.1"]
    store["blosc/9.9"] = b"new"
    second = zchunk.manifest(store, previous=first)
    assert sorted(read) == ["blosc/0.0", "blosc/9.9"]
    assert first.compare(second) == Difference([], ["blosc/0.0"], ["blosc/9.9"])
    # Digests of another algorithm are no help.
    assert zchunk.manifest(store, algorithm="crc32c", previous=first).algorithm == "crc32c"


def test_json_and_files(tmp_path: Path) -> None:
    made = zchunk.manifest({"ä/0": b"value", "b": b""})
    assert Manifest.from_json(made.to_json()) == made
    made.save(tmp_path / "m.json")
    assert Manifest.load(tmp_path / "m.json") == made
    assert list(tmp_path.iterdir()) == [tmp_path / "m.json"]
    assert made != zchunk.manifest({})
    assert made != "manifest"
    assert "2 values" in repr(made)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"zchunk_manifest": 2, "algorithm": "sha256", "values": {}},
        {"zchunk_manifest": 1, "algorithm": "md5", "values": {}},
        {"zchunk_manifest": 1, "algorithm": "sha256", "values": []},
        {"zchunk_manifest": 1, "algorithm": "sha256", "values": {"a": 1}},
        {"zchunk_manifest": 1, "algorithm": "sha256", "values": {"a": ["00", "1"]}},
        {"zchunk_manifest": 1, "algorithm": "sha256", "values": {"a": ["00", True]}},
        {"zchunk_manifest": 1, "algorithm": "sha256", "values": {"a": [1, 2, 3, 4]}},
    ],
)
def test_what_is_no_manifest(document: Any, tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="no manifest"):
        Manifest.from_json(document)
    with pytest.raises(MetadataError, match="no manifest"):
        zchunk.manifest({}, previous=document)
    (tmp_path / "m.json").write_bytes(b"{")
    with pytest.raises(MetadataError, match="not JSON"):
        Manifest.load(tmp_path / "m.json")


def test_algorithms() -> None:
    with pytest.raises(ValueError, match="algorithm is 'md5'"):
        zchunk.manifest({}, algorithm="md5")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="make one anew"):
        zchunk.manifest({}).compare(zchunk.manifest({}, algorithm="crc32c"))


def test_a_store_of_chunks(tmp_path: Path) -> None:
    z = zchunk.create(4, 2, store=tmp_path / "a.zarr", chunk_store=zchunk.MemoryStore(), path="a")
    z[:] = 1
    assert list(zchunk.manifest(z).entries) == [".zarray", "0", "1"]
