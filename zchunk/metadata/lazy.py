"""The metadata of format 3, imported when the first node of it is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zchunk.later import Later

if TYPE_CHECKING:
    from zchunk.metadata import v3
else:
    v3 = Later("zchunk.metadata.v3")

__all__ = ["v3"]
