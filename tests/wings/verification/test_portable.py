"""Where `verify(portable=True)` finds nothing, no implementation has a limit; what is advised has nothing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

import zchunk
from tests.promises.interop import cases
from tests.promises.interop.implementations import IMPLEMENTATIONS, READ
from tests.promises.interop.test_implementations import portable

CASES = [
    dataclasses.replace(cases.draw(number, format), attributes={}, group={})
    for format in cases.FORMATS
    for number in range(400)
]


def found(case: cases.Case) -> list[str]:
    name = ".zarray" if case.format == 2 else "zarr.json"
    store = {f"{case.path}/{name}".lstrip("/"): json.dumps(case.document()).encode()}
    report = zchunk.verify(store, portable=True, deep=False)
    assert {finding.kind for finding in report.findings} <= {"not-portable"}, report.findings
    return [finding.detail for finding in report.findings]


def test_every_implementation_reads_what_is_portable() -> None:
    advised = [made for case in CASES if (made := portable(case)) is not None]
    good = [case for case in CASES if not found(case)]
    assert len(advised) > 100
    assert not [words for case in advised for words in found(case)]
    # Random arrays that are, and arrays that differ from what is advised in one thing only.
    near = [
        dataclasses.replace(case, **{field: value})
        for case in advised[::3]
        for field, value in (("codec", "none"), ("order", "F"), ("endian", "big"), ("fill", "some"))
        if not (field == "order" and case.format == 3)
    ]
    for case in good + advised + [case for case in near if not found(case)]:
        for implementation in IMPLEMENTATIONS:
            if READ in implementation.does and case.format in implementation.formats:
                limit = implementation.limit(case, (READ,))
                # As docs/interoperability.md says.
                assert limit is None or (implementation.name == "zarrista" and "no zlib" in limit.reason), (
                    case
                )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, []),
        ({"path": None}, ["it lies in no group"]),
        ({"shape": (), "chunks": ()}, ["it has no axes"]),
        ({"shape": (0, 4)}, ["an axis has the length 0"]),
        ({"dtype": "f2"}, ["items of float16, not integers of 8 to 32 bits, float32 or float64"]),
        ({"dtype": ">i4"}, ["big-endian items"]),
        ({"dtype": ">i4", "zarr_format": 2}, ["big-endian items"]),
        ({"fill_value": -0.0}, ["the fill value np.float32(-0.0), not 0"]),
        ({"fill_value": None, "zarr_format": 2}, ["the fill value None, not 0"]),
        ({"order": "F", "zarr_format": 2}, ["order F"]),
        ({"chunks": ((1, 3), (2, 2))}, ["chunks of several sizes"]),
        ({"shards": (4, 4)}, ["shards"]),
        ({"filters": ["bitround:3"]}, ["filters: bitround"]),
        ({"chunk_key_encoding": ("v2", "/")}, ["chunk keys by 'v2' with '/', not by 'default' with '/'"]),
        ({"compressor": "lz4", "zarr_format": 2}, ["compressors: lz4, not zlib, or Blosc"]),
        ({"compressor": "gzip", "zarr_format": 2}, ["compressors: gzip, not zlib, or Blosc"]),
        ({"compressor": "zlib", "zarr_format": 2}, []),
        ({"compressors": [zchunk.Zstd(1, True)]}, ["compressors: zstd, not gzip, Zstandard"]),
        ({"compressors": [zchunk.Zstd(1)]}, []),
        ({"compressors": [zchunk.GZip(), {"name": "crc32c"}]}, ["compressors: gzip, crc32c, not"]),
        ({"compressors": [zchunk.Blosc("lz4", shuffle=2)]}, ["compressors: blosc, not"]),
    ],
    ids=str,
)
def test_what_is_not_portable(parameters: dict[str, Any], words: list[str]) -> None:
    store: dict[str, bytes] = {}
    made: dict[str, Any] = {"shape": (4, 4), "chunks": (2, 2), "dtype": "f4", "path": "a", "zarr_format": 3}
    made |= {"fill_value": 0} | ({"compressors": None} if "compressor" not in parameters else {})
    if parameters.get("zarr_format") == 2 and "compressor" not in parameters:
        made["compressor"] = made.pop("compressors", None)
    zchunk.create(store=store, **(made | parameters))
    report = zchunk.verify(store, portable=True)
    details = [finding.detail for finding in report.findings]
    assert len(details) == len(words), details
    assert all(detail.startswith(word) for detail, word in zip(details, words, strict=True)), details
    assert not [f for f in report.findings if f.severity != "warning"]
    assert zchunk.verify(store)
