"""The one way to import late: a module, or a name of a face, is imported when something asks for it.

A program pays at import only for what it uses. Type checkers see none of this: beside each use stands the
plain import, under `TYPE_CHECKING`. Also here: attributes that are worked out late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from zchunk._ext.threads.late import cached_property

__all__ = ["LazyModule", "cached_property", "lazy_names"]


class LazyModule:
    """Stands for a module that is imported when an attribute of it is first read.

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


def lazy_names(
    namespace: dict[str, Any], homes: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose names are imported when they are first read.

    Imports go one way, so threads that ask for different names at once never wait in a circle.

    Parameters
    ----------
    namespace : dict
        The globals of the module; a name that was read is kept there.
    homes : mapping of str to str
        Full names of modules, and the names that each has, separated by spaces.
    modules : mapping of str to str, optional
        Names that are modules themselves, and their full names.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def __getattr__(name: str) -> Any:
        if name in home:
            found = getattr(import_module(home[name]), name)
        elif modules is not None and name in modules:
            found = import_module(modules[name])
        else:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        return namespace.setdefault(name, found)

    return __getattr__
