"""What an array shows of itself in a notebook: the structure of the drawing, not its pixels."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import zchunk
from zchunk.core import pictures

SVG = "{http://www.w3.org/2000/svg}"


def parsed(z: zchunk.Array) -> ElementTree.Element:
    """The whole of the HTML, which is XML, too."""
    return ElementTree.fromstring(z._repr_html_())


def shaded(root: ElementTree.Element) -> list[float]:
    cells = [cell for cell in root.iter(f"{SVG}polygon") if cell.get("stroke") == "none"]
    return [float(cell.get("fill-opacity", "0")) for cell in cells]


@pytest.mark.parametrize(
    ("shape", "faces"), [((9,), 1), ((9, 7), 1), ((5, 9, 7), 3), ((2, 5, 9, 7), 3), ((1, 1, 5, 9, 7), 3)]
)
def test_a_grid_is_drawn_by_its_last_axes(shape: tuple[int, ...], faces: int) -> None:
    root = parsed(zchunk.zeros(shape, chunks=4))
    outlines = [face for face in root.iter(f"{SVG}polygon") if face.get("stroke") is None]
    assert len(outlines) == faces
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {str(n) for n in shape[-3:]} <= set(texts)
    assert any("of these" in str(text) for text in texts) == (len(shape) > 3)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_without_items_there_is_a_table_alone(shape: tuple[int, ...]) -> None:
    root = parsed(zchunk.zeros(shape))
    assert root.find(f".//{SVG}svg") is None
    assert "float64" in "".join(root.itertext())


def test_lines_are_between_chunks() -> None:
    z = zchunk.zeros((8, 9), chunks=(2, 3))
    path = parsed(z).find(f".//{SVG}path")
    assert path is not None
    assert path.get("d", "").count("M") == 3 + 2


def test_stored_chunks_are_shaded() -> None:
    z = zchunk.zeros((8, 9), chunks=(2, 3))
    assert shaded(parsed(z)) == []
    z[:4, :3] = 1
    assert len(shaded(parsed(z))) == 2
    assert "12 chunks, 2 stored" in z._repr_html_()


def test_a_face_has_the_share_of_what_is_behind_it() -> None:
    z = zchunk.zeros((4, 4, 4), chunks=(1, 4, 4))
    z[0] = 1
    # The front is a quarter stored, a quarter of the top and of the side wholly.
    assert sorted(shaded(parsed(z))) == [0.29, 0.70, 0.70]


def test_shards_have_thick_lines() -> None:
    z = zchunk.zeros((8, 8), chunks=2, shards=4, zarr_format=3)
    widths = [path.get("stroke-width") for path in parsed(z).iter(f"{SVG}path")]
    assert widths == ["0.4", "1.2"]
    z[0, 0] = 1
    assert "4 shards, 1 stored" in z._repr_html_()


def test_rectilinear_grids_have_lines_where_their_chunks_end() -> None:
    z = zchunk.create((10, 10), chunks=[[2, 8], [5, 5]], zarr_format=3)
    axis = pictures._axis(z._metadata, 0)
    assert axis.lines == [0.0, 0.2, 1.0]


def test_many_chunks_are_a_few_cells() -> None:
    z = zchunk.zeros(10_000, chunks=3)
    z[:3000] = 1
    found = pictures.shares(z._current)
    assert found is not None
    assert len(found.shares) <= 32
    assert found.number == 1000
    assert np.isclose(found.shares.mean(), 0.3, atol=0.02)
    assert len(z._repr_html_()) < 20_000


def test_where_listing_takes_long_nothing_is_listed() -> None:
    class Remote(zchunk.storage.KVStore):
        def list_dir(self, path: str = "") -> list[str]:
            raise AssertionError("listed")

    z = zchunk.zeros((4, 4), chunks=2, store=Remote({}))
    assert "4 chunks<" in z._repr_html_()
    assert pictures.shares(zchunk.zeros(10_000, chunks=1)._current) is None


def test_names_are_escaped(tmp_path: Path) -> None:
    z = zchunk.group().zeros("<script>", shape=3, attributes={"_ARRAY_DIMENSIONS": ["<b>"]})
    assert "<script>" not in z._repr_html_()
    assert "&lt;b&gt;" in z._repr_html_()
