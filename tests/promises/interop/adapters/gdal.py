"""GDAL's multidimensional API, by ctypes from the library in rasterio's wheel: both formats, numbers."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

_FLAGS = {"multidimensional": 0x10, "update": 0x01}
_TYPES = {"b1": 1, "u1": 1, "u2": 2, "i2": 3, "u4": 4, "i4": 5, "f4": 6, "f8": 7, "c8": 10, "c16": 11}
_TYPES |= {"u8": 12, "i8": 13, "i1": 14, "f2": 15}
_POINTERS = (
    "GDALGetDriverByName",
    "GDALOpenEx",
    "GDALDatasetGetRootGroup",
    "GDALGroupOpenMDArrayFromFullname",
    "GDALMDArrayGetDimensions",
    "GDALCreateMultiDimensional",
    "GDALGroupCreateGroup",
    "GDALGroupCreateDimension",
    "GDALGroupCreateMDArray",
    "GDALExtendedDataTypeCreate",
)


def _load() -> Any:
    folder = Path(rasterio.__file__).parents[1] / "rasterio.libs"
    library = ctypes.CDLL(str(next(folder.glob("libgdal*"))))
    for name in _POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    library.CPLGetLastErrorMsg.restype = ctypes.c_char_p
    library.GDALDimensionGetSize.restype = ctypes.c_uint64
    library.GDALAllRegister()
    library.CPLSetErrorHandler(library.CPLQuietErrorHandler)
    return library


_gdal = _load()


def _pointer(found: int | None) -> ctypes.c_void_p:
    if not found:
        raise RuntimeError(_gdal.CPLGetLastErrorMsg().decode(errors="replace") or "GDAL returns nothing")
    return ctypes.c_void_p(found)


def _options(options: dict[str, str]) -> Any:
    texts = [f"{name}={value}".encode() for name, value in options.items()]
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


class _Dataset:
    """An open data set, which is flushed when it is closed."""

    def __init__(self, pointer: int | None) -> None:
        self.pointer = _pointer(pointer)
        self.root = _pointer(_gdal.GDALDatasetGetRootGroup(self.pointer))

    def __enter__(self) -> _Dataset:
        _gdal.CPLErrorReset()
        return self

    def __exit__(self, *raised: object) -> None:
        _gdal.GDALGroupRelease(self.root)
        failed = _gdal.GDALClose(self.pointer)
        if raised[0] is None and failed:
            raise RuntimeError(_gdal.CPLGetLastErrorMsg().decode(errors="replace"))


def _open(store: str, update: bool) -> _Dataset:
    flags = _FLAGS["multidimensional"] | update * _FLAGS["update"]
    return _Dataset(_gdal.GDALOpenEx(store.encode(), flags, None, None, None))


def _move(function: Any, array: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    starts = [part.start for part in box] if box else [0] * items.ndim
    start = (ctypes.c_uint64 * items.ndim)(*starts)
    count = (ctypes.c_size_t * items.ndim)(*items.shape)
    kind = _pointer(_gdal.GDALExtendedDataTypeCreate(_TYPES[items.dtype.str[1:]]))
    place = items.ctypes.data_as(ctypes.c_void_p)
    done = function(array, start, count, None, None, kind, place, place, ctypes.c_size_t(items.nbytes))
    _gdal.GDALExtendedDataTypeRelease(kind)
    if not done:
        raise RuntimeError(_gdal.CPLGetLastErrorMsg().decode(errors="replace"))


def _array(dataset: _Dataset, store: str, case: Any) -> ctypes.c_void_p:
    # An array that is the root is a member of a root group that GDAL makes up.
    name = f"/{case.path or Path(store).stem}".encode()
    return _pointer(_gdal.GDALGroupOpenMDArrayFromFullname(dataset.root, name, None))


def _shape(array: ctypes.c_void_p) -> tuple[int, ...]:
    count = ctypes.c_size_t()
    dimensions = _gdal.GDALMDArrayGetDimensions(array, ctypes.byref(count))
    if not dimensions:
        return ()
    found = ctypes.cast(dimensions, ctypes.POINTER(ctypes.c_void_p))
    return tuple(_gdal.GDALDimensionGetSize(ctypes.c_void_p(found[i])) for i in range(count.value))


def read(store: str, case: Any, box: Any) -> np.ndarray[Any, Any]:
    """All items, or those in a box."""
    with _open(store, update=False) as dataset:
        array = _array(dataset, store, case)
        shape = tuple(part.stop - part.start for part in box) if box else _shape(array)
        items = np.empty(shape, case.dtype)
        _move(_gdal.GDALMDArrayRead, array, box, items)
        _gdal.GDALMDArrayRelease(array)
    return items


def change(store: str, case: Any, box: Any, items: np.ndarray[Any, Any]) -> None:
    """Assign the items of a box."""
    with _open(store, update=True) as dataset:
        array = _array(dataset, store, case)
        _move(_gdal.GDALMDArrayWrite, array, box, np.ascontiguousarray(items).reshape(items.shape))
        _gdal.GDALMDArrayRelease(array)


def write(store: str, case: Any, items: np.ndarray[Any, Any]) -> None:
    """Create the groups and the array, and assign all items."""
    driver = _pointer(_gdal.GDALGetDriverByName(b"Zarr"))
    made = _options({"FORMAT": f"ZARR_V{case.format}"})
    with _Dataset(_gdal.GDALCreateMultiDimensional(driver, store.encode(), None, made)) as dataset:
        *parents, name = case.path.split("/")
        group = dataset.root
        for parent in parents:
            group = _pointer(_gdal.GDALGroupCreateGroup(group, parent.encode(), None))
        dimensions = [
            _pointer(_gdal.GDALGroupCreateDimension(group, b"d%d" % i, None, None, ctypes.c_uint64(n), None))
            for i, n in enumerate(case.shape)
        ]
        pointers = (ctypes.c_void_p * len(dimensions))(*dimensions)
        kind = _pointer(_gdal.GDALExtendedDataTypeCreate(_TYPES[case.dtype.str[1:]]))
        count = ctypes.c_size_t(len(dimensions))
        options = _options(_creation(case))
        array = _pointer(_gdal.GDALGroupCreateMDArray(group, name.encode(), count, pointers, kind, options))
        if case.fill != "null":
            fill = np.array(case.fill_item, case.dtype)
            if not _gdal.GDALMDArraySetRawNoDataValue(array, fill.ctypes.data_as(ctypes.c_void_p)):
                raise RuntimeError(_gdal.CPLGetLastErrorMsg().decode())
        _move(_gdal.GDALMDArrayWrite, array, None, np.ascontiguousarray(items).reshape(items.shape))
        _gdal.GDALMDArrayRelease(array)


def _creation(case: Any) -> dict[str, str]:
    options = {
        "BLOCKSIZE": ",".join(map(str, case.chunks)),
        "DIM_SEPARATOR": case.separator,
        "CHUNK_MEMORY_LAYOUT": "F" if case.order == "F" else "C",
    }
    name, *rest = case.codec.split("-")
    if case.codec != "none":
        options["COMPRESS"] = name.upper()
    if name == "blosc":
        options["BLOSC_CNAME"] = rest[0]
        options["BLOSC_SHUFFLE"] = {"noshuffle": "NONE", "shuffle": "BYTE", "bitshuffle": "BIT"}[rest[1]]
    if rest == ["checksum"]:
        options["ZSTD_CHECKSUM"] = "YES"
    if case.filter == "delta":
        options["FILTER"] = "DELTA"
    return options


def attributes(store: str, case: Any) -> tuple[Any, Any]:
    """None: those of GDAL have types."""
    return None, None
