"""Blosc 1 frames."""

from typing_extensions import Buffer

def frame_info(frame: Buffer) -> dict[str, int]: ...
