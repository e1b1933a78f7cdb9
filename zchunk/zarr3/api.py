"""What programs import from ``zarr.api``: `synchronous` is `zchunk.zarr3` itself, `asynchronous` an error."""

from typing import TYPE_CHECKING, Any

from zchunk.runtime.lazy import lazy_names

_find = lazy_names(globals(), {}, {"synchronous": "zchunk.zarr3"})

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "asynchronous":
            # Not an AttributeError: `from zchunk.zarr3.api import asynchronous` would replace its message.
            raise ImportError(
                "zchunk.zarr3.api has no asynchronous: zchunk reads and writes with threads, not coroutines. "
                "Use the functions of zchunk.zarr3, in a coroutine by asyncio.to_thread"
            )
        return _find(name)
