"""JSON with line breaks, of what was parsed from JSON: faster than by `json`, whose encoder in C writes none.

Arrays of one hierarchy mostly have the same metadata: a dict that is there many times is rendered once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

_SCALARS: dict[type, Callable[[Any], str]] = {
    str: quoted,
    int: int.__repr__,
    float: json.dumps,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}


def render(obj: Any, indent: int, sort_keys: bool = False) -> bytes:
    """Return what `json.dumps` gives, with separators ``","`` and ``": "``.

    Only for objects, lists, texts, numbers, truth values and None, as `json.loads` gives them.
    """
    return _Renderer(" " * indent, sort_keys).text(obj, "\n").encode("ascii")


class _Renderer:
    def __init__(self, indent: str, sort_keys: bool) -> None:
        self._indent, self._sort_keys = indent, sort_keys
        # Of dicts, by what they are and where their lines begin
        self._texts: dict[tuple[int, str], str] = {}

    def text(self, obj: Any, line: str) -> str:
        """Return the text of an object whose last line begins with `line`, a line break and spaces."""
        if scalar := _SCALARS.get(type(obj)):
            return scalar(obj)
        if not obj:
            return "{}" if isinstance(obj, dict) else "[]"
        deeper = line + self._indent
        if isinstance(obj, dict):
            place = (id(obj), line)
            if (found := self._texts.get(place)) is None:
                found = f"{{{deeper}{f',{deeper}'.join(self._members(obj, deeper))}{line}}}"
                self._texts[place] = found
            return found
        return f"[{deeper}{f',{deeper}'.join([self.text(value, deeper) for value in obj])}{line}]"

    def _members(self, obj: dict[str, Any], line: str) -> list[str]:
        scalars, texts = _SCALARS, list[str]()
        for name, value in sorted(obj.items()) if self._sort_keys else obj.items():
            scalar = scalars.get(type(value))
            texts.append(f"{quoted(name)}: {scalar(value) if scalar else self.text(value, line)}")
        return texts
