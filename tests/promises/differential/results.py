"""What both sides share: results as something that compares in either process, and running a program.

A program is a list of ``(operation, arguments)``; the operations are methods of a machine. Imported by both
sides, also where there is no zchunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def canon(value: Any) -> Any:
    """Return a result as something that compares and pickles in either process."""
    if isinstance(value, (str, bytes)):
        # A scalar of NumPy's too.
        return str(value) if isinstance(value, str) else bytes(value)
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind in "OT":
            # Texts of any length are objects for zarr 2 and zchunk, and of a type of their own for zarr 3.
            return "object", value.shape, [canon(item) for item in value.astype(object).reshape(-1)]
        return value.dtype.str, value.dtype.descr, value.shape, value.tobytes()
    if isinstance(value, (list, tuple)):
        return [canon(item) for item in value]
    if isinstance(value, dict):
        return {key: canon(item) for key, item in value.items()}
    if isinstance(value, float) and value != value:
        return "nan"
    return value


def kinds(err: BaseException) -> set[str]:
    """Return the built-in classes that an error is of, by which programs that run with both catch it."""
    every = {cls.__name__ for cls in type(err).__mro__ if cls.__module__ == "builtins"}
    return every - {"object", "BaseException", "Exception"}


def run_steps(machine: Any, program: list[tuple[Any, ...]]) -> list[Any]:
    """Return each operation's result, or "error", of which kinds, and why."""
    results: list[Any] = []
    for operation, *arguments in program:
        try:
            results.append(canon(getattr(machine, operation)(*arguments)))
        except Exception as err:
            results.append(("error", kinds(err), f"{type(err).__name__}: {err}"))
    return results
