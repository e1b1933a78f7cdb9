"""One of every data type of `zchunk.zarr3`, where zarr 3's tests have one of every data type of zarr's."""

import numpy as np

from zchunk.zarr3 import dtype

zdtype_examples = tuple(
    dtype.parse_dtype(text)
    for text in (
        "bool", "int8", "uint8", "int16", ">i4", "int64", "uint16", "uint32", "uint64", "float16", ">f4",
        "float64", "complex64", "complex128",
    )
) + (
    dtype.VariableLengthUTF8(),
    dtype.VariableLengthBytes(),
    dtype.FixedLengthUTF32(length=1),
    dtype.NullTerminatedBytes(length=1),
    dtype.RawBytes(length=1),
    dtype.DateTime64(unit="s", scale_factor=10),
    dtype.TimeDelta64(unit="s", scale_factor=10),
    dtype.Struct.from_native_dtype(np.dtype([("a", np.float64), ("b", np.int8)])),
)  # fmt: skip
