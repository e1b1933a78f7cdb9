"""Jobs on an array whose chunks lie in one file that is not theirs alone, such as an archive."""

from typing_extensions import Buffer

from zchunk._ext.engine.job import Job

class PlacedJob(Job):
    def place(self, first: int, places: list[tuple[int, int, int] | None], fd: int) -> None: ...

def crc32(data: Buffer) -> int: ...
