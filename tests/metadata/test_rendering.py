"""JSON as the `json` module renders it."""

from __future__ import annotations

import json
import math

import pytest

from zchunk.metadata.rendering import render

SHARED = {"b": [1, [2, {"c": {}}], []], "a": {"z": 'ä"\n\u2028\x00\U0001f600', "é": None}}
OBJECTS = [
    {},
    [],
    "text",
    1.5,
    None,
    True,
    {"x": SHARED, "y": SHARED, "deeper": {"x": SHARED, "list": [SHARED, SHARED]}},
    [0, -1, 10**30, 1e300, -0.0, 5e-324, math.nan, math.inf, -math.inf, False, None, [[[]]], [{}]],
    {"": {"": ""}, "2": 1, "10": 2, "B": 3, "a": 4},
]


@pytest.mark.parametrize("obj", OBJECTS)
@pytest.mark.parametrize("sort_keys", [False, True])
@pytest.mark.parametrize("indent", [2, 4])
def test_it_is_what_json_gives(obj: object, sort_keys: bool, indent: int) -> None:
    want = json.dumps(obj, indent=indent, sort_keys=sort_keys, separators=(",", ": "))
    assert render(obj, indent, sort_keys) == want.encode("ascii")
