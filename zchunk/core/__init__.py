"""Arrays as users hold them: `Array` (in `array`), and the parts that it is made of.

`access` is the record of how a node is accessed, which `node` keeps, for groups too, beside the `attributes`.
`properties` says what an array is, `selections` reads and writes (with `items`), `views` reinterprets,
`iteration` goes through rows and chunks; `lazy_views` are selections that are read later, `concatenation`
puts arrays side by side; `info` draws the table, `tokens` are for dask. `Array` is public.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.core.array import Array
else:
    __getattr__ = lazy_names(globals(), {"zchunk.core.array": "Array"})

__all__ = ["Array"]
