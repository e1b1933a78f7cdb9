from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from benchmarks.headline import CASES, headline, times

SVG = "{http://www.w3.org/2000/svg}"


def summary(names: list[str]) -> dict[str, Any]:
    best = {"zchunk": 0.01, "zarr2": 0.04, "zarr3": 0.09, "zarrs": 0.02, "numpy": 0.001}
    return {
        "environment": {"threads": 2, "cache": "warm"},
        "cases": {name: {"best": best} for name in names},
    }


def test_zarr_3_is_its_best_pipeline() -> None:
    (case,) = summary(["box"])["cases"].values()
    # NumPy, which compresses nothing, is no peer.
    assert times(case) == {"zchunk": 10.0, "zarr 2": 40.0, "zarr 3": 20.0}


def test_bars_are_as_long_as_times() -> None:
    root = ET.fromstring(headline(summary([*CASES, "another"])))
    bars = [element for element in root.iter(f"{SVG}rect") if "bar" in element.get("class", "").split()]
    assert len(bars) == 3 * len(CASES)
    own, zarr2, zarr3 = (float(bar.get("width", "")) for bar in bars[:3])
    assert abs(zarr2 - 4 * own) < 0.3
    assert abs(zarr3 - 2 * own) < 0.3
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert [text for text in texts if text in CASES.values()] == [*CASES.values()]


def test_it_is_wide_and_inside_of_its_ground() -> None:
    root = ET.fromstring(headline(summary([*CASES])))
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert width > 2 * height
    for element in root.iter(f"{SVG}text"):
        assert 0 < float(element.get("x", "")) < width
        assert 0 < float(element.get("y", "")) < height


def test_light_and_dark_have_the_same_classes() -> None:
    style = ET.fromstring(headline(summary(["box"]))).find(f"{SVG}style")
    assert style is not None
    light, dark = (style.text or "").split("@media")
    assert "prefers-color-scheme: dark" in dark
    named = [set(re.findall(r"(\.?\w+) \{ fill", part)) for part in (light, dark)]
    assert named[0] == named[1]
