"""Read, replace and remove files below an open folder."""

from typing_extensions import Buffer

def write_file(path: bytes, data: Buffer, durability: int) -> None: ...
