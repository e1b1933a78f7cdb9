"""Modules by the names that they had before: pickles that were made then name them.

The names come last: Python asks here only for a module that it found nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class FormerNames:
    """Finds modules by their former names. What is imported stands for the module and has all its names.

    Parameters
    ----------
    homes : mapping of str to str
        Former full names of modules, and the names that they have now.
    """

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = homes

    def install(self) -> None:
        """Have Python ask here for modules that it does not find."""
        sys.meta_path.append(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import the module that was called `name`, None if none was."""
        # As packages, for modules may have been in them.
        return ModuleSpec(name, self, is_package=True) if name in self._homes else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module the names of the one that it stands for."""
        home = import_module(self._homes[module.__name__])

        def find(name: str) -> Any:
            return getattr(home, name)

        module.__dict__["__getattr__"] = find
