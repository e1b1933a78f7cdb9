"""CRC-32C (Castagnoli) of plain memory."""

from typing import Literal

from typing_extensions import Buffer

def checksum(
    data: Buffer, before: int = 0, *, by: Literal["best", "fold", "instruction", "table"] = "best"
) -> int: ...
def ways() -> list[Literal["fold", "instruction", "table"]]: ...
