"""Shared by the producers of golden data of format 3: the cases, as metadata, and the values in them.

A producer creates an array from metadata, writes some boxes of it, and reads everything back. What a reader
must see is put together here, from the boxes and the fill value that was asked for.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from record import LETTERS, Archive, noise, smooth


def pair(name: str, **configuration: Any) -> dict[str, Any]:
    """Return the JSON of an extension with a name."""
    return {"name": name, "configuration": configuration}


LITTLE, BIG, CRC = pair("bytes", endian="little"), pair("bytes", endian="big"), {"name": "crc32c"}
ZSTD = pair("zstd", level=3, checksum=False)
INDEX = [LITTLE, CRC]
NUMBERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMBERS += ["float16", "float32", "float64", "complex64", "complex128"]
FIELDS = [["a", "int16"], ["b", "float64"], ["c", "uint8"]]
# Data types, their fill values as JSON and as an item, and NumPy's name.
OTHERS: dict[str, tuple[Any, Any, Any, Any]] = {
    "string": ("string", "", "", object),
    "bytes": ("variable_length_bytes", "", b"", object),
    "text": (pair("fixed_length_utf32", length_bytes=20), "ä語", "ä語", "U5"),
    "terminated": (pair("null_terminated_bytes", length_bytes=3), "YWI=", b"ab", "S3"),
    "raw": (pair("raw_bytes", length_bytes=2), "AQI=", b"\1\2", "V2"),
    "struct": (
        pair("structured", fields=FIELDS),
        "AQAAAAAAAADwPwU=",
        (1, 1.0, 5),
        [("a", "<i2"), ("b", "<f8"), ("c", "u1")],
    ),
    "datetime": (pair("numpy.datetime64", unit="ns", scale_factor=1), "NaT", "NaT", "M8[ns]"),
    "timedelta": (pair("numpy.timedelta64", unit="ms", scale_factor=10), -5, -5, "m8[10ms]"),
}
SMALL_FLOATS = ["bfloat16", "float8_e4m3fn", "float8_e5m2"]


class Case(NamedTuple):
    """An array: its metadata, and what is written."""

    name: str
    document: dict[str, Any]
    dtype: Any
    fill: Any
    values: np.ndarray
    boxes: list[Any]


def sharding(
    inner: Any, codecs: list[Any], location: str = "end", index: list[Any] = INDEX
) -> dict[str, Any]:
    """A shard."""
    return pair(
        "sharding_indexed", chunk_shape=inner, codecs=codecs, index_codecs=index, index_location=location
    )


def document(
    shape: Any, chunks: Any, codecs: list[Any], data_type: Any = "int16", fill: Any = 0, **more: Any
) -> dict[str, Any]:
    """The ``zarr.json`` of an array."""
    obj = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": data_type,
        "chunk_grid": pair("regular", chunk_shape=chunks),
        "chunk_key_encoding": pair("default", separator="/"),
        "fill_value": fill,
        "codecs": codecs,
        "attributes": {"title": "Gray–Scott", "n": [1, 2.5, None]},
    }
    found: dict[str, Any] = json.loads(json.dumps(obj | more))
    return found


def texts(shape: Any, kind: str) -> np.ndarray:
    """Strings, or bytes, of any length."""
    rng = np.random.default_rng(5)
    out = np.empty(shape, object)
    for i in range(out.size):
        text = "".join(rng.choice(LETTERS, size=int(rng.integers(1, 6))))
        out.reshape(-1)[i] = text if kind == "string" else text.encode()
    return out


def cases(floats: bool = False) -> Iterator[Case]:
    """All cases; some of a few data types only if `floats` says that NumPy has them."""
    everything = [(slice(0, 7), slice(0, 5))]
    shape = (7, 5)
    for name in NUMBERS:
        for endian, codec in (("le", LITTLE), ("be", BIG)):
            fill: Any = {"b": True, "c": [1.5, "NaN"], "f": "NaN"}.get(np.dtype(name).kind, 7)
            item = complex(1.5, np.nan) if name.startswith("complex") else np.nan if fill == "NaN" else fill
            obj = document(shape, (4, 4), [sharding((2, 2), [codec])], name, fill)
            yield Case(f"dtype-{name}-{endian}", obj, name, item, noise(shape, name), everything)
    for name, (data_type, fill, item, dtype) in OTHERS.items():
        serializer = {"string": {"name": "vlen-utf8"}, "bytes": {"name": "vlen-bytes"}}.get(name, LITTLE)
        values = texts(shape, name) if dtype is object else noise(shape, dtype)
        obj = document(shape, (4, 3), [serializer, ZSTD], data_type, fill)
        yield Case(f"dtype-{name}", obj, dtype, item, values, [(slice(0, 4), slice(0, 5))])
        obj = document(shape, (4, 4), [sharding((2, 2), [serializer, ZSTD])], data_type, fill)
        yield Case(f"sharded-{name}", obj, dtype, item, values, [(slice(0, 4), slice(0, 5))])
    if floats:
        import ml_dtypes

        for name in SMALL_FLOATS:
            dtype = np.dtype(getattr(ml_dtypes, name))
            values = np.random.default_rng(3).standard_normal(shape).astype(dtype)
            obj = document(shape, (4, 3), [LITTLE, ZSTD], name, 1.5)
            yield Case(f"dtype-{name}", obj, name, 1.5, values, [(slice(0, 4), slice(0, 5))])
    yield from codec_cases()


def codec_cases() -> Iterator[Case]:
    """The ways to store: codecs, shards, keys and shapes."""
    blosc = {"clevel": 5, "typesize": 2, "blocksize": 0}
    codecs: dict[str, list[Any]] = {
        "none": [],
        "gzip": [pair("gzip", level=1)],
        "zstd": [ZSTD],
        "crc32c": [CRC],
        "zstd-crc32c": [ZSTD, CRC],
    }
    for cname in ("lz4", "lz4hc", "blosclz", "zstd", "zlib"):
        for shuffle in ("noshuffle", "shuffle", "bitshuffle"):
            codecs[f"{cname}-{shuffle}"] = [pair("blosc", cname=cname, shuffle=shuffle, **blosc)]
    items = np.concatenate([smooth((200,), "<i2"), noise((200,), "<i2")])
    for name, chain in codecs.items():
        obj = document((400,), (150,), [LITTLE, *chain])
        yield Case(f"codec-{name}", obj, "int16", 0, items, [(slice(0, 400),)])
        obj = document((400,), (200,), [sharding((50,), [LITTLE, *chain])])
        yield Case(f"sharded-codec-{name}", obj, "int16", 0, items, [(slice(0, 230),)])
    shape = (13, 17)
    plane, boxes = smooth(shape, "<i2"), [(slice(0, 7), slice(0, 10)), (slice(5, 13), slice(8, 12))]
    inner = [LITTLE, ZSTD]
    turn = pair("transpose", order=[1, 0])
    shards: dict[str, list[Any]] = {
        "end": [sharding((4, 6), inner)],
        "start": [sharding((4, 6), inner, "start")],
        "index-plain": [sharding((4, 6), inner, "end", [LITTLE])],
        "index-big": [sharding((4, 6), inner, "start", [BIG, CRC])],
        "nested": [sharding((4, 6), [sharding((2, 3), inner, "start")])],
        "nested-start": [sharding((4, 6), [sharding((2, 2), inner)], "start")],
        "transposed-inside": [sharding((4, 6), [turn, *inner])],
        "transposed-outside": [turn, sharding((6, 4), inner)],
        "crc32c-outside": [sharding((4, 6), inner), CRC],
    }
    for name, chain in shards.items():
        obj = document(shape, (12, 12), chain, fill=-1, dimension_names=["y", None])
        yield Case(f"shards-{name}", obj, "int16", -1, plane, boxes)
    for encoding in ("default", "v2"):
        for separator in "./":
            keys = pair(encoding, separator=separator)
            obj = document(shape, (4, 6), [turn, *inner], chunk_key_encoding=keys)
            yield Case(f"keys-{encoding}-{ord(separator)}", obj, "int16", 0, plane, boxes)
    for name, shape, chunks in (("0d", (), ()), ("empty", (3, 0), (2, 1)), ("cube", (5, 7, 11), (2, 3, 4))):
        box = tuple(slice(0, n) for n in shape) or ...
        yield Case(f"shape-{name}", document(shape, chunks, inner), "int16", 0, smooth(shape, "<i2"), [box])


_MEMBERS = ("data_type", "fill_value", "attributes", "dimension_names")


class Archive3(Archive):
    """Collects arrays of format 3."""

    folder = "v3"

    def add(self, case: Case, create: Callable[..., None], write: Callable[..., None], read: Any) -> None:
        """Make one case; a case that the producer cannot make is left out and reported."""
        folder = Path(self.store(case.name))
        wanted = np.zeros(case.values.shape, case.values.dtype)
        wanted[...] = np.array(case.fill, case.values.dtype)
        try:
            create(folder, case.document)
            for box in case.boxes:
                write(folder, box, case.values[box])
                wanted[box] = case.values[box]
            back = read(folder)
        except Exception as err:
            print(f"{self.producer}: no {case.name}: {type(err).__name__}: {str(err)[:100]}")
            self.drop(case.name)
            return
        if case.values.dtype.hasobject:
            right = back.tolist() == wanted.tolist()
        else:
            right = back.tobytes() == wanted.tobytes()
        if not right:
            print(f"{self.producer}: reads its own {case.name} in another way")
            self.drop(case.name)
            return
        self.record(case.name, "", wanted, case.document, case.fill)

    def drop(self, name: str) -> None:
        """Forget a case."""
        del self.cases[name]
        shutil.rmtree(self.root / name, ignore_errors=True)

    def record(self, name: str, path: str, wanted: np.ndarray, obj: dict[str, Any], fill: Any) -> None:
        """Record what a reader must see."""
        values: Any
        if wanted.dtype.hasobject:
            values = [x if isinstance(x, str) else list(x) for x in wanted.reshape(-1)]
        else:
            raw = io.BytesIO()
            np.save(raw, np.frombuffer(wanted.tobytes(), "u1"))
            values = hashlib.sha256(raw.getvalue()).hexdigest()[:16]
            self.values[values] = raw.getvalue()
        self.cases[name][path] = {
            "kind": "array",
            "dtype": wanted.dtype.name if wanted.dtype.kind not in "SU" else wanted.dtype.str,
            "shape": wanted.shape,
            "values": values,
            **{
                member: obj.get(member)
                for member in ("data_type", "fill_value", "attributes", "dimension_names")
            },
        }
