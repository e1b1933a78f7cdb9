"""Near names: the error of a parameter that a function does not have says which one was meant.

Python itself says so from 3.13 on. A function that takes any parameters, and looks at them itself, has an
error of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    import difflib
else:
    # For errors only.
    difflib = LazyModule("difflib")

_F = TypeVar("_F", bound=Callable[..., Any])
_UNKNOWN = " got an unexpected keyword argument "


def near(name: str, known: Iterable[str]) -> str:
    """Return what an error adds to a name that is not there: the one that was meant, if any is near.

    Examples
    --------
    >>> near("chunk", ["chunks", "shape"])
    "; did you mean 'chunks'?"
    """
    found = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def says_near_names(function: _F) -> _F:
    """Let a function of fixed parameters name the one that was meant, where it is given another.

    Examples
    --------
    >>> @says_near_names
    ... def open_it(path): ...
    >>> open_it(paht="a")
    Traceback (most recent call last):
    TypeError: open_it() has no parameter 'paht'; did you mean 'path'?
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as err:
            better = explain(err)
            if better is None:
                raise
            raise TypeError(better) from None

    code: CodeType = cast("Any", function).__code__

    def explain(err: TypeError) -> str | None:
        """Return what the error should say; None if it was raised by what the function does."""
        trace = err.__traceback__
        _, unknown, name = str(err).partition(_UNKNOWN)
        if not unknown or trace is None or trace.tb_next is not None:
            return None
        name = name.split("'")[1]
        known = code.co_varnames[: _parameters(code)]
        # Not by the class that a method is written in, which may be a part of the one that users know.
        return f"{code.co_name}() has no parameter {name!r}{near(name, known)}"

    # As if it were in the module of the function: doctest, warnings and errors look where a frame is from.
    own = call.__code__.replace(co_name=code.co_name, co_qualname=code.co_qualname)
    found = FunctionType(own, cast("Any", function).__globals__, code.co_name, None, call.__closure__)
    return cast("_F", update_wrapper(found, function))


def _parameters(code: CodeType) -> int:
    return code.co_argcount + code.co_kwonlyargcount
