"""Jobs on the array in a shard."""

from typing import Any

import numpy as np

from zchunk._ext.engine import Job

class ShardJob(Job):
    def attach(
        self,
        counts: tuple[int, ...],
        entries: np.ndarray[Any, Any],
        fd: int,
        data: bytes | None,
        base: int,
    ) -> None: ...
    @property
    def bound(self) -> int: ...
    def make_slots(self, buffer: Any) -> None: ...
    def pack(self, entries: np.ndarray[Any, Any], start: int, tail: int) -> bytes | None: ...
    @staticmethod
    def put(shard: bytes, at: int, index: bytes) -> None: ...
