"""Locks by key."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

class KeyLock:
    @property
    def held(self) -> bool: ...
    def __init__(
        self,
        seed: int,
        key: str,
        refused: Callable[[str], BaseException],
        table: int = 0,
        changes: bool = True,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

class ChunkLocks:
    def __init__(self, seed: int, keys: Iterable[str], refused: Callable[[str], BaseException]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...
