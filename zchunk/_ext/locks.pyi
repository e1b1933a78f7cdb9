"""Striped in-process locks by (store, key)."""

from types import TracebackType
from typing import Self

class Stripe:
    def __init__(self, seed: int, key: str, metadata: bool = False) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...
