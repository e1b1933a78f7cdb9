"""Names with parameters: as JSON, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from zchunk.errors import MetadataError
from zchunk.metadata.v3.extension import Extension, check_members, parse_extension, render_extension


@pytest.mark.parametrize(
    ("json", "found"),
    [
        ("gzip", Extension("gzip", {})),
        ({"name": "gzip"}, Extension("gzip", {})),
        ({"name": "gzip", "configuration": {"level": 1}}, Extension("gzip", {"level": 1})),
        ({"name": "x", "must_understand": False}, Extension("x", {})),
    ],
)
def test_read(json: Any, found: Extension) -> None:
    assert parse_extension(json, "codecs") == found


@pytest.mark.parametrize(
    ("json", "reason"),
    [
        (None, "neither a name"),
        (["gzip"], "neither a name"),
        ({"configuration": {}}, "neither a name"),
        ({"name": 1}, "neither a name"),
        ({"name": "gzip", "level": 1}, "unknown members 'level'"),
        ({"name": "gzip", "must_understand": 0}, "must_understand is 0"),
        ({"name": "gzip", "configuration": [1]}, "not an object"),
    ],
)
def test_refused(json: Any, reason: str) -> None:
    with pytest.raises(MetadataError, match=reason) as caught:
        parse_extension(json, "codecs")
    assert str(caught.value).startswith("codecs: ")


def test_members() -> None:
    found = Extension("gzip", {"level": 1, "more": 2})
    check_members(found, "codecs", {"level"}, {"more", "most"})
    with pytest.raises(MetadataError, match="'gzip' lacks 'a', 'b'"):
        check_members(found, "codecs", {"level", "b", "a"}, {"more"})
    with pytest.raises(MetadataError, match="unknown members 'more'"):
        check_members(found, "codecs", {"level"})


def test_written_as_objects() -> None:
    assert render_extension("gzip") == {"name": "gzip"}
    assert render_extension("gzip", {}) == {"name": "gzip", "configuration": {}}
    assert parse_extension(render_extension("gzip", {"level": 1}), "") == Extension("gzip", {"level": 1})
