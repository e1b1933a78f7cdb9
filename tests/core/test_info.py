"""The tables of `info`: the rows that zarr 2.18 shows."""

from __future__ import annotations

from pathlib import Path

import pytest

import zchunk
from tests.variants import NO_ARRAYS, Variant, only_v2
from zchunk.core.info import human_size

pytestmark = pytest.mark.usefixtures("variant")


def rows(text: str) -> list[list[str]]:
    return [[part.strip() for part in line.split(" : ", 1)] for line in text.splitlines()]


def test_info_of_an_array(variant: Variant, tmp_path: Path) -> None:
    z = zchunk.create((100, 70), chunks=(40, 30), dtype="<i4", store=tmp_path, path="a/b", compressor=None)
    z[:40, :30] = 1
    assert rows(repr(z.info)) == [
        ["Name", "/a/b"],
        ["Type", "zchunk.core.Array"],
        *([] if variant.kind == "v2" else [["Zarr format", "3"]]),
        ["Data type", "int32"],
        ["Shape", "(100, 70)"],
        ["Chunk shape", "(40, 30)"],
        *([["Shard shape", "(80, 90)"]] if variant.sharded else []),
        ["Order", "C"],
        ["Read-only", "False"],
        ["Compressor", "None"],
        ["Store type", "zchunk.storage.directory.DirectoryStore"],
        ["No. bytes", "28000 (27.3K)"],
        ["No. bytes stored", human_size(z.nbytes_stored)],
        ["Storage ratio", f"{28000 / z.nbytes_stored:.1f}"],
        ["Shards initialized", "1/2"] if variant.sharded else ["Chunks initialized", "1/9"],
    ]


@only_v2("filters that format 3 does not have in this place")
def test_info_of_an_array_at_the_root_with_everything() -> None:
    numcodecs = pytest.importorskip("numcodecs")
    z = zchunk.create(
        3, dtype="i4", store={}, chunk_store={}, synchronizer={}, read_only=True,
        filters=[numcodecs.Delta("i4"), numcodecs.Shuffle(4)], compressor=zchunk.Zstd(3),
    )  # fmt: skip
    assert [name for name, _ in rows(repr(z.info))] == [
        "Type", "Data type", "Shape", "Chunk shape", "Order", "Read-only", "Filter [0]", "Filter [1]",
        "Compressor",
        "Synchronizer type", "Store type", "Chunk store type", "No. bytes", "No. bytes stored",
        "Storage ratio",
        "Chunks initialized",
    ]  # fmt: skip


def test_info_is_aligned_and_made_anew() -> None:
    z = zchunk.zeros(3)
    info = z.info
    lines = repr(info).splitlines()
    assert len({line.index(" : ") for line in lines}) == 1
    z[0] = 1
    assert "1/1" in repr(info)


def test_info_of_a_group(variant: Variant) -> None:
    g = zchunk.group()
    assert rows(repr(g.info)) == [
        ["Name", "/"],
        ["Type", "zchunk.hierarchy.Group"],
        *([] if variant.kind == "v2" else [["Zarr format", "3"]]),
        ["Read-only", "False"],
        ["Store type", "zchunk.storage.memory.MemoryStore"],
        ["No. members", "0"],
        ["No. arrays", "0"],
        ["No. groups", "0"],
    ]
    g.create("y", shape=1)
    g.create("x", shape=1)
    g.create_group("s")
    assert rows(repr(g.info))[-5:] == [
        ["No. members", "3"],
        ["No. arrays", "2"],
        ["No. groups", "1"],
        ["Arrays", "x, y"],
        ["Groups", "s"],
    ]


@NO_ARRAYS
def test_html_is_escaped() -> None:
    g = zchunk.group()
    g.create_group("<b>&")
    html = g.info._repr_html_()
    assert html.startswith('<table class="zarr-info"><tbody><tr><th style="text-align: left">Name</th>')
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html


@NO_ARRAYS
@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0"), (1023, "1023"), (1024, "1024"), (1025, "1025 (1.0K)"), (80000000, "80000000 (76.3M)"),
        (2**30, f"{2**30} (1.0G)"), (2**40 * 3, f"{2**40 * 3} (3.0T)"), (2**50, f"{2**50} (1.0P)"),
    ],
)  # fmt: skip
def test_sizes(nbytes: int, text: str) -> None:
    assert human_size(nbytes) == text
