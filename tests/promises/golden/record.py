"""Shared by the producers: values to store, a record of what a reader must see, one archive per producer.

An archive holds, for every case, ``<case>/store/…`` (a hierarchy as the producer wrote it) and
``<case>/expected.json``; the arrays of values are in ``values/<digest>.npy``, once each. A record is what
was asked for, not what the producer's metadata says, and every producer reads its own data back first.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
EPOCH = (1980, 1, 1, 0, 0, 0)

INTEGERS = ["|i1", "|u1", "<i2", ">u2", "<i4", ">i4", "<u4", "<i8", ">i8", "<u8", ">u8"]
FLOATS = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]
COMPLEX = ["<c8", ">c8", "<c16", ">c16"]
TIMES = ["<M8[ns]", ">M8[us]", "<M8[10ns]", "<M8[D]", ">M8[25s]", "<M8[Y]", "<m8[s]", ">m8[10ms]", "<m8[W]"]
STRINGS = ["|S1", "|S7", "<U1", "<U5", ">U3"]
RAW = ["|V1", "|V5", "|V16"]
FLAT = [("id", "<u2"), ("value", ">f8"), ("flag", "|b1"), ("name", "|S5")]
NESTED = [("t", "<M8[s]"), ("pos", [("xyz", "<f4", (3,)), ("label", "<U2")]), ("m", ">i2", (2, 3))]

# Every letter that U can hold, outside the basic plane too.
LETTERS = list("abcxyz AZ09äß€語😀")


def smooth(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A field as models write it: neighbours are close. Only + and *: the same bits on every machine."""
    dtype = np.dtype(dtype)
    field = np.zeros(shape)
    for axis, n in enumerate(shape):
        x = (np.arange(n) / 64.0 - 0.375) * (axis + 1)
        field = field + (x * x * x - x + 0.25).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    if dtype.kind == "c":
        return (field + 1j * (field * field)).astype(dtype)
    return (field if dtype.kind == "f" else field * 50 + 60).astype(dtype)


def noise(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    """Values that do not compress, of any dtype, special values among them."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng([seed, *dtype.str.encode()])
    out = np.zeros(shape, dtype)
    if dtype.names:
        for i, name in enumerate(dtype.names):
            out[name] = noise(out[name].shape, out[name].dtype, seed + i + 1)
    elif dtype.kind == "b":
        out[...] = rng.random(shape) < 0.5
    elif dtype.kind == "U":
        letters = rng.choice(LETTERS, size=(out.size, max(dtype.itemsize // 4, 1)))
        out.flat = ["".join(row[: rng.integers(0, len(row) + 1)]) for row in letters]
    elif dtype.kind in "fc":
        parts = rng.standard_normal(out.size * (2 if dtype.kind == "c" else 1))
        parts[::7], parts[3::11], parts[5::13], parts[1::17] = np.nan, np.inf, -np.inf, -0.0
        real = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype.newbyteorder("=")
        out[...] = parts.astype(real).view(dtype.newbyteorder("=")).reshape(shape)
    else:
        raw = rng.integers(0, 256, out.size * dtype.itemsize, "u1").tobytes()
        out = np.frombuffer(raw, dtype).reshape(shape).copy()
        if dtype.kind in "mM":
            out.reshape(-1)[::5] = np.array("NaT", dtype)
    return out


def case_name(dtype: str) -> str:
    """A dtype string as part of a folder's name."""
    for sign, word in {"<": "le-", ">": "be-", "|": "", "[": "-", "]": ""}.items():
        dtype = dtype.replace(sign, word)
    return dtype


def holed(values: np.ndarray, fill: Any, chunks: tuple[int, ...]) -> np.ndarray:
    """``values`` with the first chunk, and everything in the last row of chunks, left at the fill value."""
    out = values.copy()
    out[tuple(slice(0, c) for c in chunks)] = fill
    out[(values.shape[0] - 1) // chunks[0] * chunks[0] :] = fill
    return out


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal dtype, shape and bits: NaN payloads and signs of zero count."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


class Archive:
    """Collects the cases of one producer and packs them."""

    # Where among the data the archive is.
    folder = ""

    def __init__(self, producer: str) -> None:
        self.producer = producer
        self._dir = tempfile.TemporaryDirectory()
        self.root = Path(self._dir.name)
        self.cases: dict[str, dict[str, Any]] = {}
        self.values: dict[str, bytes] = {}

    def store(self, case: str) -> str:
        """The folder where the case's hierarchy is to be written; a case can be made once."""
        if case in self.cases:
            raise ValueError(f"two cases are named {case!r}")
        self.cases[case] = {}
        return str(self.root / case / "store")

    def expect_array(
        self,
        case: str,
        values: np.ndarray,
        chunks: Any,
        fill: Any = 0,
        *,
        order: str = "C",
        path: str = "",
        separator: str = ".",
        compressor: Any = None,
        filters: Any = None,
        attrs: Any = None,
        read: Callable[[], np.ndarray],
    ) -> None:
        """Record an array. ``read`` is the producer's own way to read it back."""
        back = read()
        if not same(np.asarray(back), values):
            raise AssertionError(f"{self.producer} reads its own {case!r} as {back!r}, not {values!r}")
        raw = io.BytesIO()
        np.save(raw, values, allow_pickle=False)
        digest = hashlib.sha256(raw.getvalue()).hexdigest()[:16]
        self.values[digest] = raw.getvalue()
        if fill is not None:
            scalar = np.zeros((), values.dtype)
            scalar[...] = fill
            fill = base64.b64encode(scalar.tobytes()).decode()
        self.cases[case][path] = {
            "kind": "array",
            "values": digest,
            "chunks": list(chunks),
            "fill_value": fill,
            "order": order,
            "dimension_separator": separator,
            "compressor": compressor,
            "filters": filters,
            "attributes": attrs or {},
        }

    def expect_group(self, case: str, path: str = "", attrs: Any = None) -> None:
        """Record a group."""
        self.cases[case][path] = {"kind": "group", "attributes": attrs or {}}

    def pack(self) -> None:
        """Write the archive, the same bytes for the same content."""
        (DATA / self.folder).mkdir(parents=True, exist_ok=True)
        files: dict[str, bytes] = {f"values/{k}.npy": v for k, v in self.values.items()}
        for case, nodes in self.cases.items():
            files[f"{case}/expected.json"] = json.dumps(nodes, indent=1, sort_keys=True).encode()
        for file in self.root.rglob("*"):
            if file.is_file():
                files[file.relative_to(self.root).as_posix()] = file.read_bytes()
        target = DATA / self.folder / f"{self.producer}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(files):
                archive.writestr(zipfile.ZipInfo(name, EPOCH), files[name], zipfile.ZIP_DEFLATED, 9)
        size = target.stat().st_size
        print(f"{target.name}: {len(self.cases)} cases, {len(files)} files, {size / 1e3:.0f} kB")
