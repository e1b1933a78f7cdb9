"""The one way to import late: a module, or a name of a face, is imported when something asks for it.

A program pays at import only for what it uses. Type checkers see none of this: beside each use stands the
plain import, under `TYPE_CHECKING`. Also here: attributes that are worked out late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")


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


class cached_property(Generic[Value]):
    """An attribute that is worked out when it is first asked for, like that of `functools`.

    Before Python 3.12 that one holds a lock of all instances meanwhile: helpers of a signal handler would
    wait for the code that it interrupts. Threads that ask at once all work it out, and get one value.
    """

    def __init__(self, work: Callable[[Any], Value]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        # What is there is found without this call from now on.
        kept: Value = vars(instance).setdefault(self._name, self._work(instance))
        return kept
