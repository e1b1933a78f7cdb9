"""Pictures in headless Chromium: where it puts what `_repr_html_` and the tutorial show, not its pixels."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import zchunk
from tests import ROOT, notebook

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium (Debian: apt install chromium)"),
]

# As a notebook shows it, then what is measured.
PAGE = """<!doctype html><meta charset="utf-8"><style>{style}</style>
<body>{html}<pre id="found"></pre><script>
const box = (e) => {{ const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; }};
const all = (s) => [...document.querySelectorAll(s)];
const look = () => ({{
  boxes: Object.fromEntries(["table table", "svg", "li"].map((s) => [s, all(s).map(box)])),
  drawn: all("svg polygon, svg path, svg rect, svg line").length,
  lines: all("svg").map((e) => getComputedStyle(e).stroke),
  images: all("img").map((e) => [e.naturalWidth, e.naturalHeight]),
  text: document.body.innerText,
  outside: all("svg text").filter((e) => {{
    const t = e.getBoundingClientRect(), s = e.closest("svg").getBoundingClientRect();
    return t.left < s.left - 1 || t.right > s.right + 1 || t.top < s.top - 1 || t.bottom > s.bottom + 1;
  }}).map((e) => e.textContent),
}});
const folded = look();
all("details").forEach((e) => {{ e.open = true; }});
document.getElementById("found").textContent = JSON.stringify([folded, look()]);
</script>"""
DARK = "body { background: #111; color: #eee }"


def look(html: str, folder: Path, style: str = "") -> list[dict[str, Any]]:
    """Return what a browser makes of HTML: as it is first, and with everything unfolded."""
    page = folder / "page.html"
    page.write_text(PAGE.format(html=html, style=style), encoding="utf-8")
    command = [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"]
    command += [f"--user-data-dir={folder}/profile", "--dump-dom", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("the browser does not start here")
    found = re.search(r'<pre id="found">(\[.*?\])</pre>', done.stdout, re.DOTALL)
    if found is None and done.returncode:
        pytest.skip(f"the browser does not start here: {done.stderr[-200:]}")
    assert found, done.stdout
    states: list[dict[str, Any]] = json.loads(unescape(found[1]))
    return states


def test_an_array_is_a_table_beside_a_picture(tmp_path: Path) -> None:
    z = zchunk.zeros((40, 60, 80), chunks=(10, 20, 20), dtype="f4")
    z[:10] = 1
    seen, _ = look(z._repr_html_(), tmp_path, DARK)
    (table,), (picture,) = seen["boxes"]["table table"], seen["boxes"]["svg"]
    assert min(table[2:] + picture[2:]) > 100
    # Beside the table, and both at the same height.
    assert picture[0] >= table[0] + table[2]
    assert abs(picture[1] - table[1]) < 20
    # The grid of three sides with 4 of 48 chunks to be seen, and their outlines in the colour of the text.
    assert seen["drawn"] > 6
    assert seen["lines"] == ["rgb(238, 238, 238)"]
    assert seen["outside"] == []
    assert "(10, 20, 20)" in seen["text"]
    assert "48 chunks, 12 stored" in seen["text"]


def test_a_group_unfolds(tmp_path: Path) -> None:
    group = zchunk.group()
    group.create("a/b/u", shape=(10, 10))
    group.create("v", shape=4)
    folded, unfolded = look(group._repr_html_(), tmp_path)
    assert "u (10, 10) float64" not in folded["text"]
    assert "u (10, 10) float64" in unfolded["text"]
    shown = [box for box in unfolded["boxes"]["li"] if box[3]]
    assert len(shown) == 4
    # Members are further to the right than their group, and one below the other.
    assert shown[1][0] > shown[0][0]
    assert shown[3][1] >= shown[0][1] + shown[0][3]


def test_pictures_of_the_tutorial(tmp_path: Path) -> None:
    cells = notebook.read(ROOT / "docs" / "tutorial.ipynb")["cells"]
    shown = [
        output["data"]
        for cell in cells
        if "picture" in cell["metadata"].get("tags", ())
        for output in cell["outputs"]
    ]
    html = "".join(
        "".join(data["text/html"])
        if "text/html" in data
        else f'<img src="data:image/png;base64,{data["image/png"].strip()}">'
        for data in shown
    )
    folded, unfolded = look(html, tmp_path, DARK)
    # An array, its stored chunks, a selection in two chunkings, a group.
    assert "12 chunks, 4 stored" in folded["text"]
    ((width, height),) = folded["images"]
    assert width > height > 100
    assert folded["text"].count("Amplification") == 2
    assert len(folded["boxes"]["svg"]) == 3
    assert all(min(box[2:]) > 50 for box in folded["boxes"]["svg"])
    assert folded["outside"] == []
    assert "temperature (12, 90, 180) float32" in unfolded["text"]
