"""Modules that are not here on purpose: importing one says why, and what to use instead.

A module may also say so of a name that is none, since ``from package import name`` looks for a module of this
name, and reports that there is none instead of what the package said.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType


class AbsentModules:
    """Raises the error of imports that cannot be.

    Parameters
    ----------
    reasons : mapping of str to str
        Full names of modules, and what the error says of each.

    Examples
    --------
    >>> AbsentModules({"abacus": "abacus is not needed: use int"}).find_spec("abacus")
    Traceback (most recent call last):
    ModuleNotFoundError: abacus is not needed: use int
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._reasons = reasons

    def install(self) -> None:
        """Have Python ask here for modules that it does not find."""
        sys.meta_path.append(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Raise the error of a module that is absent on purpose; of others Python says it."""
        if name in self._reasons:
            # Without a name, which `from package import name` would take for one that may be missing.
            raise ModuleNotFoundError(self._reasons[name])
