"""The drain loop."""

from collections.abc import Sequence
from typing import Any

import numpy as np

class Job:
    def __init__(
        self,
        array: np.ndarray[Any, Any],
        axes: Sequence[tuple[int, int, int, int, int]],
        order: str,
        spec: tuple[int, int, int, int, int, int, int],
        fill: bytes,
        folder: bytes | None,
        separator: str,
        *,
        writing: bool = False,
        write_empty: bool = True,
        durability: int = 1,
        lock_seed: int = 0,
        threads: int = 1,
    ) -> None: ...
    def give(self, first: int, values: list[bytes | None]) -> None: ...
    def make_room(self, first: int, n: int) -> None: ...
    def take(self) -> list[bytes | None]: ...
    def key(self, k: int) -> str: ...
    @property
    def total(self) -> int: ...
    @property
    def tasks(self) -> int: ...
    def run(self, seconds: float = 0.0) -> bool: ...
    def cancel(self) -> None: ...
    def failure(self) -> tuple[int, int, int, int, int, str] | None: ...
