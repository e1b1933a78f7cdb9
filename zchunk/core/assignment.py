"""`Closed`: the base of objects that have no attributes but those of their class.

Members of a group can be read as attributes, and ``attrs`` looks like a record of fields. What is assigned
to a name that nothing reads would be lost without an error; here it is an error that says how it is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

_UNKNOWN = object()


class Closed:
    """Base of objects that have no attributes but those of their class.

    Classes of other packages that are made of this one may have any.
    """

    # What to write instead of an assignment, and of a deletion; {name} is what was to be assigned.
    _instead: ClassVar[tuple[str, str]]
    # Of names that are known but cannot be assigned: the same.
    _instead_of: ClassVar[dict[str, tuple[str, str]]] = {}

    # Type checkers know all attributes, and take what is assigned to others for an error themselves.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            if name[0] == "_" or name in self.__dict__:
                object.__setattr__(self, name, value)
                return
            cls = type(self)
            known = getattr(cls, name, _UNKNOWN)
            if getattr(known, "fset", None) is not None or not cls.__module__.startswith("zchunk."):
                object.__setattr__(self, name, value)
                return
            raise AttributeError(_refusal(cls, name, known, 0), name=name, obj=self)

        def __delattr__(self, name: str) -> None:
            cls = type(self)
            if name[0] == "_" or not cls.__module__.startswith("zchunk."):
                object.__delattr__(self, name)
                return
            raise AttributeError(_refusal(cls, name, getattr(cls, name, _UNKNOWN), 1), name=name, obj=self)


def _refusal(cls: type[Closed], name: str, known: object, deleted: int) -> str:
    verb = "deleted" if deleted else "assigned"
    what = f"{name!r} of {'an' if cls.__name__[0] in 'AEIOU' else 'a'} {cls.__name__} cannot be {verb}"
    if name in cls._instead_of:
        return f"{what}: {cls._instead_of[name][deleted]}"
    if callable(known):
        return f"{what}: {name} is a method"
    if known is not _UNKNOWN:
        return f"{what}: it is what it is"
    return f"{what}: {cls._instead[deleted].format(name=name)}"
