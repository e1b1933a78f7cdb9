"""Locks by key among threads, and among processes by `flock` of a file: those of synchronizers."""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

OF_ANYTHING: int
OF_METADATA: int
OF_CHUNK: int

class KeyLock:
    file: str | None
    def __init__(
        self,
        what: Hashable,
        file: str | None = None,
        rank: int = ...,
        number: int = 0,
        by_program: bool = True,
    ) -> None: ...
    def _of_zchunk(self) -> Self: ...
    @staticmethod
    def _failed(path: str, err: OSError) -> Exception: ...
    @staticmethod
    def _refused(what: Hashable) -> Exception: ...
    def acquire(self, blocking: bool = True) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

class ForeignLock:
    def __init__(
        self,
        lock: AbstractContextManager[Any],
        what: str,
        rank: int,
        number: int,
        refused: Callable[[str], BaseException],
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool | None: ...

def entries() -> dict[Hashable, tuple[int, list[int]]]: ...
