"""The internals of xarray that zchunk needs: all names that it imports beside the public ones.

None of them imports zarr. A release of xarray that moves one of them breaks this module, and no other.
"""

from __future__ import annotations

import importlib.util
from inspect import signature
from typing import Any

if importlib.util.find_spec("xarray") is None:
    raise ImportError("zchunk.xarray needs xarray; install it with: pip install xarray")

from xarray import Variable, conventions
from xarray.backends import StoreBackendEntrypoint
from xarray.backends.chunks import grid_rechunk, validate_grid_chunks_alignment
from xarray.backends.common import (
    BACKEND_ENTRYPOINTS,
    AbstractWritableDataStore,
    ArrayWriter,
    BackendArray,
    BackendEntrypoint,
    _encode_variable_name,
    _normalize_path,
    datatree_from_dict_with_io_cleanup,
)
from xarray.backends.writers import _validate_dataset_names, dump_to_store
from xarray.backends.zarr import (
    FillValueCoder,
    _choose_default_mode,
    _validate_and_transpose_existing_dims,
    _validate_datatypes_for_zarr_append,
    encode_zarr_attr_value,
    encode_zarr_variable,
    extract_zarr_variable_encoding,
)
from xarray.coding import variables as coding_variables
from xarray.coding.strings import check_vlen_dtype, create_vlen_dtype
from xarray.core import indexing
from xarray.core.common import contains_cftime_datetimes
from xarray.core.utils import close_on_error

choose_mode = _choose_default_mode
check_append_dtypes = _validate_datatypes_for_zarr_append
check_names = _validate_dataset_names
fit_to_existing = _validate_and_transpose_existing_dims
is_cftime = contains_cftime_datetimes
# Where it is defined depends on the release.
_variables: Any = coding_variables
map_lazily = _variables.lazy_elemwise_func
normalize_path = _normalize_path
stored_name = _encode_variable_name


# A parameter since xarray 2026.
_ENCODING = {"zarr_format": 3} if "zarr_format" in signature(encode_zarr_variable).parameters else {}


def encode_variable(variable: Variable, name: object) -> Variable:
    """Return a variable with the items and attributes that are stored.

    NumPy's text of any length keeps its dtype in both formats, where xarray keeps it in format 3 only.
    """
    encode: Any = encode_zarr_variable
    return encode(variable, name=name, **_ENCODING)  # type: ignore[no-any-return]


def is_text(dtype: Any) -> bool:
    """Return whether items of a dtype are text of any length, to xarray or to NumPy."""
    return dtype.kind == "T" or check_vlen_dtype(dtype) is str


__all__ = [
    "BACKEND_ENTRYPOINTS",
    "AbstractWritableDataStore",
    "ArrayWriter",
    "BackendArray",
    "BackendEntrypoint",
    "FillValueCoder",
    "StoreBackendEntrypoint",
    "check_append_dtypes",
    "check_names",
    "choose_mode",
    "close_on_error",
    "conventions",
    "create_vlen_dtype",
    "datatree_from_dict_with_io_cleanup",
    "dump_to_store",
    "encode_variable",
    "encode_zarr_attr_value",
    "extract_zarr_variable_encoding",
    "fit_to_existing",
    "grid_rechunk",
    "indexing",
    "is_cftime",
    "is_text",
    "map_lazily",
    "normalize_path",
    "stored_name",
    "validate_grid_chunks_alignment",
]
