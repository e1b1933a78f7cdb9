"""Random arrays in groups: metadata that an implementation has to write, and items that it has to hold.

The documents are put together here and by no implementation. A case is JSON, so that a program in another
environment, or another language, gets the same one.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import random
from typing import Any

import numpy as np

# Beyond the basic plane, escapes of JSON, and what looks like JSON.
TEXTS = ("", "a", "ä語😀", 'say "hi"\\', "line\nbreak", "é", "[1]", "NaN", "\u0001", "</script>")
NAMES = ("", "a", "group/deeper/array", "größe/b c", "z.1", "_x-y/0", "日本")
FORMATS = (2, 3)
# What JSON makes lists of.
SHAPES = ("shape", "chunks", "inner", "innermost")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
# As format 2 names them, with the byte order at the front.
OTHERS2 = ("S7", "U5", "V5", "M8[ns]", "M8[10us]", "m8[s]", "structured", "string", "bytes")
OTHERS3 = (
    "string",
    "bytes",
    "U5",
    "S7",
    "V5",
    "M8[ns]",
    "m8[10ms]",
    "structured",
    "bfloat16",
    "float8_e5m2",
    "r24",
)
FIELDS = [("a", "i2"), ("b", "f8"), ("c", "u1")]
SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "-0.0": -0.0}
BLOSC = [
    f"blosc-{name}-{shuffle}"
    for name in ("lz4", "lz4hc", "blosclz", "zlib", "zstd")
    for shuffle in ("noshuffle", "shuffle", "bitshuffle")
]
CODECS2 = ("none", "zlib", "gzip", "bz2", "lzma", "lz4", "zstd", *BLOSC)
FILTERS2 = ("none",) * 6 + ("shuffle", "delta", "fletcher32", "crc32", "packbits")
CODECS3 = ("none", "gzip", "zstd", "zstd-checksum", "crc32c", "gzip-crc32c", "numcodecs.zlib", *BLOSC)
LAYOUTS = (
    "plain",
    "plain",
    "end",
    "start",
    "unsaid",
    "nested",
    "plain-index",
    "transpose-outside",
    "crc-outside",
)


@dataclasses.dataclass(frozen=True)
class Case:
    """One array in a hierarchy; limits of implementations ask for the names of what was chosen."""

    number: int
    format: int
    data_type: str
    endian: str
    shape: tuple[int, ...]
    # The unit of storage, and for a shard what is in it, and what is in that.
    chunks: tuple[int, ...]
    inner: tuple[int, ...]
    innermost: tuple[int, ...]
    order: str
    codec: str
    filter: str
    layout: str
    encoding: str
    separator: str
    fill: str
    path: str
    consolidated: bool
    attributes: dict[str, Any]
    group: dict[str, Any]

    @property
    def dtype(self) -> Any:
        """NumPy's type of the items, in the machine's byte order; None for texts and bytes of any length."""
        if self.data_type in ("string", "bytes"):
            return None
        if self.data_type == "structured":
            return np.dtype(FIELDS)
        return np.dtype(
            {"bfloat16": "u2", "float8_e5m2": "u1", "r24": "V3"}.get(self.data_type, self.data_type)
        )

    @property
    def transposed(self) -> bool:
        """Whether the axes of a chunk are in another order than those of the array."""
        return self.order != "C" and len(self.shape) > 1

    @property
    def special(self) -> bool:
        """Whether the fill value is one that JSON has no number for."""
        return self.fill in SPECIAL

    @property
    def fill_item(self) -> Any:
        """The fill value as NumPy or Python has it; that of null is what a missing chunk reads as, zeros."""
        if self.data_type == "string":
            return {"some": "ä語"}.get(self.fill, "")
        if self.data_type == "bytes":
            return {"some": b"ab"}.get(self.fill, b"")
        dtype = self.dtype
        if self.fill in ("zero", "null"):
            return np.zeros((), dtype)[()]
        if self.special:
            value = SPECIAL[self.fill]
            if dtype.kind == "c":
                return np.array(complex(value, 1.5) if self.number % 2 else complex(1.5, value), dtype)[()]
            if dtype.kind in "Mm":
                return np.array("NaT", dtype)[()]
            return np.array(value, dtype)[()]
        some = {"M": 5, "m": -5, "S": b"abc", "U": "ä語", "b": True, "c": 1.5 - 2j, "f": -2.5}
        if self.data_type in ("bfloat16", "float8_e5m2"):
            return np.array(0x3FC0 if self.data_type == "bfloat16" else 0x3E, dtype)[()]
        if dtype.kind == "V":
            return np.frombuffer(bytes(range(1, dtype.itemsize + 1)), dtype)[0]
        if dtype.kind in "iu":
            # More than 53 bits, which a reader by way of floating-point numbers loses.
            return np.array(np.iinfo(dtype).max - 1 if self.number % 2 else 7, dtype)[()]
        return np.array(some[dtype.kind], dtype)[()]

    @property
    def axes(self) -> list[int]:
        """The axes in the order that a chunk has them in."""
        axes = list(range(len(self.shape)))
        return {"C": axes, "F": axes[::-1], "rolled": axes[1:] + axes[:1]}[self.order]

    def document(self) -> dict[str, Any]:
        """The array's metadata without its attributes: ``.zarray`` or ``zarr.json``."""
        document = _document2(self) if self.format == 2 else _document3(self)
        loaded: dict[str, Any] = json.loads(json.dumps(document))
        return loaded

    def message(self) -> dict[str, Any]:
        """What an adapter is told."""
        dtype = self.dtype
        message = {name: value for name, value in vars(self).items() if name != "dtype"}
        message["metadata"] = self.document()
        message["transposed"] = self.transposed
        message["axes"] = self.axes
        message["numpy"] = None if dtype is None else dtype.descr if dtype.names else dtype.str
        fill = np.asarray(self.fill_item, object if dtype is None else dtype)
        message["fill_items"] = encode_items(fill).decode()
        return message

    def items(self, seed: int, shape: tuple[int, ...] | None = None) -> np.ndarray[Any, Any]:
        """Items of every kind: special values, places that hold the fill value only, and -0.0 for 0.0."""
        shape = self.shape if shape is None else shape
        rng = np.random.default_rng([self.number, seed])
        items = _noise(self.data_type, self.dtype, math.prod(shape), rng).reshape(shape)
        if rng.random() < 0.2:
            # Nothing need be stored.
            items[...] = self.fill_item
        for axis, size in enumerate(shape):
            if size > 2 and rng.random() < 0.4:
                half = [slice(None)] * len(shape)
                half[axis] = slice(size // 2) if rng.random() < 0.5 else slice(size // 2, None)
                items[tuple(half)] = self.fill_item
                if self.fill == "zero" and "float" in self.data_type and self.dtype.kind == "f" and axis:
                    items[tuple(half)] = -0.0
        return items


def _noise(name: str, dtype: Any, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if dtype is None:
        texts = [TEXTS[i] for i in rng.integers(0, len(TEXTS), count)]
        out = np.empty(count, object)
        out[:] = texts if name == "string" else [text.encode() for text in texts]
        return out
    if dtype.names:
        out = np.zeros(count, dtype)
        for field in dtype.names:
            out[field] = _noise(dtype[field].name, dtype[field], count, rng)
        return out
    if dtype.kind == "b":
        return rng.random(count) < 0.5
    if dtype.kind == "U":
        return np.array([TEXTS[i][:5] for i in rng.integers(0, len(TEXTS) - 2, count)], dtype)
    if dtype.kind in "fc":
        parts = rng.standard_normal(count * (2 if dtype.kind == "c" else 1))
        parts[::7], parts[3::11], parts[5::13], parts[1::17] = np.nan, np.inf, -np.inf, -0.0
        real = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
        return parts.astype(real).view(dtype)
    out = np.frombuffer(rng.integers(0, 256, count * dtype.itemsize, "u1").tobytes(), dtype).copy()
    if dtype.kind in "mM":
        out[::5] = np.array("NaT", dtype)
    if dtype.kind in "iu" and rng.random() < 0.5:
        out[...] = out % 7  # what compresses
    return out


def case_of(message: dict[str, Any]) -> Case:
    """The case that a message tells of."""
    chosen = {field.name: message[field.name] for field in dataclasses.fields(Case)}
    return Case(**{**chosen, **{name: tuple(chosen[name]) for name in SHAPES}})


# ---- items between programs


def encode_items(items: np.ndarray[Any, Any]) -> bytes:
    """Items as bytes in C order, in the machine's byte order; objects as a list in JSON, bytes in base64."""
    if items.dtype.kind in "OT":
        flat = [
            base64.b64encode(x).decode() if isinstance(x, bytes) else str(x) for x in items.ravel().tolist()
        ]
        return json.dumps(flat).encode()
    items = items.astype(items.dtype.newbyteorder("="), copy=False)
    return base64.b64encode(items.tobytes())


def decode_items(case: Case, shape: tuple[int, ...], data: bytes) -> np.ndarray[Any, Any]:
    """The items that `encode_items` made bytes of."""
    if case.dtype is None:
        flat = json.loads(data)
        out = np.empty(len(flat), object)
        out[:] = flat if case.data_type == "string" else [base64.b64decode(x) for x in flat]
        return out.reshape(shape)
    return np.frombuffer(base64.b64decode(data), case.dtype).reshape(shape)


def same_items(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> bool:
    """Equal bit for bit, but any NaN is a NaN: languages without types for bits do not keep which one."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if found.dtype.hasobject:
        return bool(found.tolist() == wanted.tolist())
    if found.dtype.names:
        return all(same_items(found[name], wanted[name]) for name in found.dtype.names)
    if found.dtype.kind == "c":
        real = np.dtype(f"f{found.dtype.itemsize // 2}")
        found, wanted = (np.ascontiguousarray(x).reshape(-1).view(real) for x in (found, wanted))
    if found.dtype.kind == "f":
        bits = f"u{found.dtype.itemsize}"
        both = np.isnan(found) & np.isnan(wanted)
        found, wanted = (np.ascontiguousarray(x).reshape(x.shape).view(bits) for x in (found, wanted))
        return bool(np.all((found == wanted) | both))
    return found.tobytes() == wanted.tobytes()


# ---- the documents


def _fill2(case: Case) -> Any:
    item = case.fill_item
    if case.fill == "null":
        return None
    if case.data_type in ("string", "U5"):
        return str(item)
    if case.data_type == "bytes":
        return base64.b64encode(item).decode()
    return _number(item, case) if case.dtype.kind not in "SV" else base64.b64encode(item.tobytes()).decode()


def _number(item: Any, case: Case) -> Any:
    kind = item.dtype.kind
    if kind in "Mm":
        return int(item.view("i8"))
    if kind == "c":
        return [_real(item.real), _real(item.imag)]
    return _real(item) if kind == "f" else item.item()


def _real(item: Any) -> Any:
    if np.isnan(item):
        return "NaN"
    return ("Infinity" if item > 0 else "-Infinity") if np.isinf(item) else float(item)


def _document2(case: Case) -> dict[str, Any]:
    sign = ">" if case.endian == "big" else "<"
    if case.dtype is None:
        dtype: Any = "|O"
    elif case.dtype.names:
        dtype = [[name, case.dtype[name].newbyteorder(sign).str] for name in case.dtype.names]
    else:
        dtype = case.dtype.newbyteorder(sign).str
    size = 1 if case.dtype is None else case.dtype.itemsize
    filters: list[dict[str, Any]] = []
    if case.data_type in ("string", "bytes"):
        filters.append({"id": "vlen-utf8" if case.data_type == "string" else "vlen-bytes"})
    made: dict[str, dict[str, Any]] = {
        "shuffle": {"id": "shuffle", "elementsize": size},
        "delta": {"id": "delta", "dtype": dtype, "astype": dtype},
        "fletcher32": {"id": "fletcher32"},
        "crc32": {"id": "crc32"},
        "packbits": {"id": "packbits"},
    }
    if case.filter != "none":
        filters.append(made[case.filter])
    return {
        "zarr_format": 2,
        "shape": case.shape,
        "chunks": case.chunks,
        "dtype": dtype,
        "compressor": _compressor2(case.codec),
        "fill_value": _fill2(case),
        "order": case.order,
        "filters": filters or None,
        "dimension_separator": case.separator,
    }


def _compressor2(codec: str) -> dict[str, Any] | None:
    name, *rest = codec.split("-")
    if name == "blosc":
        shuffle = ("noshuffle", "shuffle", "bitshuffle").index(rest[1])
        return {"id": "blosc", "cname": rest[0], "clevel": 5, "shuffle": shuffle, "blocksize": 0}
    if name == "lzma":
        return {"id": "lzma", "format": 1, "check": -1, "preset": 1, "filters": None}
    return {
        "none": None,
        "zlib": {"id": "zlib", "level": 1},
        "gzip": {"id": "gzip", "level": 1},
        "bz2": {"id": "bz2", "level": 1},
        "lz4": {"id": "lz4", "acceleration": 1},
        "zstd": {"id": "zstd", "level": 1},
    }[name]


def pair(name: str, **configuration: Any) -> dict[str, Any]:
    """An extension's name and configuration."""
    return {"name": name, "configuration": configuration}


def _codec3(codec: str, size: int) -> list[dict[str, Any]]:
    if codec.startswith("blosc"):
        _, name, shuffle = codec.split("-")
        return [pair("blosc", cname=name, clevel=5, shuffle=shuffle, typesize=size, blocksize=0)]
    gzip, crc = pair("gzip", level=1), {"name": "crc32c"}
    return {
        "none": [],
        "gzip": [gzip],
        "zstd": [pair("zstd", level=1, checksum=False)],
        "zstd-checksum": [pair("zstd", level=1, checksum=True)],
        "crc32c": [crc],
        "gzip-crc32c": [gzip, crc],
        "numcodecs.zlib": [pair("numcodecs.zlib", level=1)],
    }[codec]


def _data_type3(case: Case) -> Any:
    name = case.data_type
    if case.dtype is None:
        return {"string": "string", "bytes": "variable_length_bytes"}[name]
    if name == "structured":
        long = {"i2": "int16", "f8": "float64", "u1": "uint8"}
        return pair("structured", fields=[[field, long[kind]] for field, kind in FIELDS])
    if name == "r24":
        return "r24"
    size = case.dtype.itemsize
    if case.dtype.kind in "Mm":
        unit, count = np.datetime_data(case.dtype)
        return pair(
            f"numpy.{'datetime' if case.dtype.kind == 'M' else 'timedelta'}64", unit=unit, scale_factor=count
        )
    named = {"U": "fixed_length_utf32", "S": "null_terminated_bytes", "V": "raw_bytes"}
    return pair(named[case.dtype.kind], length_bytes=size) if case.dtype.kind in named else name


def _fill3(case: Case) -> Any:
    item = case.fill_item
    if case.dtype is None or case.data_type == "U5":
        return base64.b64encode(item).decode() if case.data_type == "bytes" else str(item)
    if case.data_type in ("bfloat16", "float8_e5m2"):
        return 0.0 if case.fill == "zero" else 1.5
    if case.data_type == "r24":
        return list(item.tobytes())
    if case.dtype.kind in "SV":
        return base64.b64encode(item.tobytes() if case.dtype.kind == "V" else bytes(item)).decode()
    if case.dtype.kind in "Mm" and np.isnat(item):
        return "NaT"
    return _number(item, case)


def _document3(case: Case) -> dict[str, Any]:
    little, crc = pair("bytes", endian="little"), {"name": "crc32c"}
    size = 1 if case.dtype is None else case.dtype.itemsize
    serializer = {"string": {"name": "vlen-utf8"}, "bytes": {"name": "vlen-bytes"}}.get(
        case.data_type, pair("bytes", endian=case.endian) if size > 1 else {"name": "bytes"}
    )
    chain = [serializer, *_codec3(case.codec, size)]
    transpose = [pair("transpose", order=case.axes)] if case.transposed else []
    inner, innermost = case.inner, case.innermost
    if case.layout == "transpose-outside":
        inner = tuple(inner[axis] for axis in case.axes)
    elif case.layout != "plain":
        chain = transpose + chain
    if case.layout == "nested":
        chain = [_shard(innermost, chain, [little, crc], "start" if case.number % 2 else "end")]
    if case.layout != "plain":
        index = [little] if case.layout == "plain-index" else [little, crc]
        where = {"start": "start", "unsaid": None}.get(case.layout, "end")
        chain = [_shard(inner, chain, index, where)]
    if case.layout in ("plain", "transpose-outside"):
        chain = transpose + chain
    if case.layout == "crc-outside":
        chain = [*chain, crc]
    named = {"dimension_names": [f"d{i}" for i in range(len(case.shape))]} if case.number % 3 else {}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": case.shape,
        "data_type": _data_type3(case),
        "chunk_grid": pair("regular", chunk_shape=case.chunks),
        "chunk_key_encoding": pair(case.encoding, separator=case.separator),
        "fill_value": _fill3(case),
        "codecs": chain,
        **named,
    }


def _shard(inner: tuple[int, ...], chain: list[Any], index: list[Any], where: str | None) -> dict[str, Any]:
    said = {} if where is None else {"index_location": where}
    return pair("sharding_indexed", chunk_shape=inner, codecs=chain, index_codecs=index, **said)


# ---- drawing


def draw(number: int, format: int | None = None) -> Case:
    """The case of that number: the same one on every machine."""
    rng = random.Random(f"{number} {format}")
    format = format or rng.choice(FORMATS)
    others = OTHERS2 if format == 2 else OTHERS3
    data_type = rng.choice((*INTEGERS, *FLOATS, *COMPLEX, "bool", rng.choice(others), rng.choice(others)))
    shape = rng.choice([(), (0,), (3, 0), (1,), (7,), (101,), (2, 3), (13, 17), (5, 7, 11), (2, 3, 4, 5)])
    shape = tuple(n and max(1, n + rng.randrange(-1, 2)) for n in shape)
    innermost = tuple(rng.randrange(1, 4) for _ in shape)
    inner = tuple(n * rng.randrange(1, 4) for n in innermost)
    layout = rng.choice(LAYOUTS) if format == 3 else "plain"
    if layout == "plain":
        chunks = tuple(rng.randrange(1, n + 3) for n in shape)
    else:
        chunks = tuple(n * rng.randrange(1, 5) for n in inner)
    chosen = np.dtype(data_type).kind if data_type in (*INTEGERS, *FLOATS, *COMPLEX, "bool") else data_type[0]
    filter_ = (
        rng.choice(FILTERS2) if format == 2 and chosen in "iufcb" and data_type not in OTHERS2 else "none"
    )
    if (filter_ == "delta" and chosen not in "iu") or (filter_ == "packbits" and chosen != "b"):
        filter_ = "none"
    fills = ["zero", "some"] + ["null"] * (format == 2) + list(SPECIAL) * (data_type in (*FLOATS, *COMPLEX))
    fills += ["nan"] * (chosen in "Mm")
    path = rng.choice(NAMES)
    return Case(
        number=number,
        format=format,
        data_type=data_type,
        endian=rng.choice(("little", "little", "big")),
        shape=shape,
        chunks=chunks,
        inner=inner,
        innermost=innermost,
        order=rng.choice("CCF") if format == 2 else rng.choice(("C", "C", "F", "rolled")),
        codec=rng.choice(CODECS2 if format == 2 else CODECS3),
        filter=filter_,
        layout=layout,
        encoding="default" if format == 3 and rng.random() < 0.8 else "v2",
        separator=rng.choice("./"),
        fill=rng.choice(fills),
        path=path,
        consolidated=bool(path) and rng.random() < 0.3,
        attributes=_attributes(rng),
        group=_attributes(rng) if path else {},
    )


def _attributes(rng: random.Random) -> dict[str, Any]:
    values: list[Any] = [
        *TEXTS,
        0,
        -1,
        2**53 - 1,
        1.5,
        1e300,
        True,
        None,
        [],
        {},
        [1, "ä", None],
        {"ä": {"b": [2]}},
    ]
    return {rng.choice((*TEXTS[1:], "units")): rng.choice(values) for _ in range(rng.randrange(4))}
