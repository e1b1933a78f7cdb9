"""What lazy data are read from: the stored arrays below dask graphs and xarray's variables.

To write such data over their own source would erase it, or read what was just written: that is refused.
"""

from __future__ import annotations

import pickle
from types import FunctionType, ModuleType

import numpy as np

from zchunk.core.array import Array


def arrays_in(data: object) -> list[Array]:
    """Return the stored arrays that lazy data are read from, as far as they can be found.

    Parameters
    ----------
    data : object
        A dask graph, or what a variable of xarray holds.
    """
    finder = _Finder()
    try:
        finder.dump(data)
    # What cannot be pickled, a lock for instance, hides at worst what lies below it.
    except Exception:
        pass
    return finder.found


class _Nowhere:
    def write(self, data: object) -> None:
        """Forget some bytes."""


class _Finder(pickle.Pickler):
    """Goes where a pickle goes, through whatever wraps an array, and notes the arrays on the way."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), protocol=5)
        self.found: list[Array] = []

    def persistent_id(self, obj: object) -> str | None:
        """Note an array, and leave out what holds none and may be large, or impossible to pickle."""
        if isinstance(obj, Array):
            self.found.append(obj)
            return "array"
        if isinstance(obj, np.ndarray) and not obj.dtype.hasobject:
            return "values"
        if isinstance(obj, FunctionType):
            defaults = [*(obj.__defaults__ or ()), *(obj.__kwdefaults__ or {}).values()]
            for value in [*defaults, *(obj.__closure__ or ())]:
                self.found += arrays_in(getattr(value, "cell_contents", value))
        return "code" if isinstance(obj, FunctionType | ModuleType | type) else None
