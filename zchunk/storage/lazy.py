"""What is imported when it is first asked for: it brings more modules than all the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zchunk.storage.temporary import TempStore
    from zchunk.storage.urls import path_of_url
    from zchunk.storage.zip import ZipStore

__all__ = ["TempStore", "ZipStore", "path_of_url"]

_MODULES = {
    "TempStore": "zchunk.storage.temporary",
    "ZipStore": "zchunk.storage.zip",
    "path_of_url": "zchunk.storage.urls",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_MODULES[name]), name))


def __dir__() -> list[str]:
    return __all__
