"""The caller: the frame outside of this package that called into it, for warnings and errors that name it.

How many frames lie between depends on the function that was called, which may be one of many.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

_PACKAGE = __name__.partition(".")[0]


def caller_level() -> int:
    """Return the `stacklevel` by which `warnings.warn`, called beside this, names the caller's line."""
    return sum(1 for _ in _own_frames()) + 1


def function_called() -> str:
    """Return the name of the function of this package that the caller called."""
    names = [frame.f_code.co_name for frame in _own_frames()]
    return names[-1] if names else "function"


def _own_frames() -> Iterator[FrameType]:
    """Yield the frames of this package without a gap, from that of the function which asks for its caller."""
    # Not this one's, nor that of the function above, nor of what runs through the frames.
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module != _PACKAGE and not module.startswith(_PACKAGE + "."):
            return
        yield frame
        frame = frame.f_back
