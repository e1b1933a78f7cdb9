"""The metadata of format 3, imported when the first node of it is met."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zchunk.metadata import v3


class _Lazy:
    """The module `zchunk.metadata.v3`, imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module("zchunk.metadata.v3"), name)
        setattr(self, name, value)
        return value


if not TYPE_CHECKING:
    v3 = _Lazy()

__all__ = ["v3"]
