"""The drain loop."""

from typing import Any

import numpy as np
from typing_extensions import Buffer

from zchunk._ext.selection.slices import Plan
from zchunk._ext.threads.crew import Shared

class Layout:
    def __init__(
        self,
        chunk_shape: tuple[int, ...],
        order: str,
        spec: tuple[int, ...],
        fill: bytes,
        folder: bytes | None,
        separator: str,
        write_empty: bool = True,
        durability: int = 1,
        prefixed: bool = False,
    ) -> None: ...

class Job(Shared):
    def __init__(
        self,
        layout: Layout,
        selection: Plan,
        array: np.ndarray[Any, Any],
        writing: bool,
        lock_seed: int,
        threads: int,
    ) -> None: ...
    def give(self, first: int, values: list[Buffer | None]) -> None: ...
    def make_room(self, first: int, n: int) -> None: ...
    def take(self) -> list[bytes | None]: ...
    def require(self) -> None: ...
    def key(self, k: int) -> str: ...
    @property
    def total(self) -> int: ...
    @property
    def tasks(self) -> int: ...
    def run(self, seconds: float = 0.0) -> bool: ...
    def cancel(self) -> None: ...
    def failure(self) -> tuple[int, int, int, int, int, str] | None: ...
