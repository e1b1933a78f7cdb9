"""What programs import from ``zarr.api``: `synchronous` is `zchunk.zarr3` itself, `asynchronous` an error."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

__all__ = ["synchronous"]

# A package to Python, which looks for modules in it: one is here, and of the other it says what to use.
__path__: list[str] = []

if TYPE_CHECKING:
    import zchunk.zarr3 as synchronous
else:
    synchronous = sys.modules[f"{__name__}.synchronous"] = sys.modules["zchunk.zarr3"]

    def __getattr__(name: str) -> NoReturn:
        if name == "asynchronous":
            import_module(f"{__name__}.asynchronous")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
