"""Making and opening arrays. The names here are those of zarr 2's module ``creation``.

`arrays` has the functions that make one, `opening` those that open one, or make it if need be. `recipe` is
the record of what an array is to be; `parameters` and `parameters_v3` make its metadata, with `spellings` of
dtypes and names of chunks, `nodes` stores them, and `drafts` are arrays between the two: written to before
their metadata are stored.
`likeness` and `conversion` have the parameters of an array like another, `h5py_names` translates h5py's,
`keywords` has all as types. A program that only opens arrays imports `opening` and `recipe` alone.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.creation.arrays import (
        array,
        create,
        empty,
        empty_like,
        full,
        full_like,
        ones,
        ones_like,
        zeros,
        zeros_like,
    )
    from zchunk.creation.opening import open_array, open_like
else:
    __getattr__ = lazy_names(
        globals(),
        {
            "zchunk.creation.arrays": (
                "array create empty empty_like full full_like ones ones_like zeros zeros_like"
            ),
            "zchunk.creation.opening": "open_array open_like",
        },
    )

__all__ = [
    "array",
    "create",
    "empty",
    "empty_like",
    "full",
    "full_like",
    "ones",
    "ones_like",
    "open_array",
    "open_like",
    "zeros",
    "zeros_like",
]
