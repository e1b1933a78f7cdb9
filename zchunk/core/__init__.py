"""Arrays as a user holds them: `Array` (in `array`), and the parts that it is made of.

`selections` reads and writes, `views` reinterprets, `iteration` goes through rows and chunks, `properties`
says what an array is, `node` and `attributes` are shared with groups, `info` draws the table. Only `Array` is
public, by this name.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.core.array import Array
else:
    __getattr__ = lazy_names(globals(), {"zchunk.core.array": "Array"})

__all__ = ["Array"]
