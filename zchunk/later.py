"""Modules that are imported when something of them is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module that is imported when something of it is asked for.

    Parameters
    ----------
    name : str
        Full name of the module.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)
        return value
