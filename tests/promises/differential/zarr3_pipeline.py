"""Random programs on arrays of zarr-python: alone, with zchunk's codec pipeline, and with its engine.

    python tests/promises/differential/zarr3_pipeline.py [--first SEED] [--count N]

For a Python that has zarr-python 3 and zchunk, and needs nothing else of this tree. Each program makes an
array three times, of the same options, and takes the same steps with each: it reads and writes selections of
every kind, by every method, with values that fit and such that do not, resizes, appends, and works from event
loops and threads. After every step the results are the same, as types, as dtypes and by every byte, or the
errors are, and so are the keys in the stores; at the end all that is stored is, beyond the edge of the array,
too. A seed makes the same program again.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import re
import sys
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr
from zarr import codecs
from zarr.core import sync
from zarr.core.buffer import cpu
from zarr.storage import LocalStore, MemoryStore, ZipStore

import zchunk.zarr_pipeline

MODES = ("alone", "pipeline", "engine")
DTYPES = (
    "?", "i1", "<i2", ">i2", "<i4", ">i4", "<i8", "u1", "<u2", "<u8", "<f2", "<f4", ">f4", "<f8", ">f8",
    "<c8", "<c16", ">c16", "<M8[s]", "<M8[ns]", "<m8[ms]", "S4", "<U3", ">U3",
)  # fmt: skip
STRUCTURE = np.dtype([("x", "<i4"), ("y", "<f8"), ("n", "S3")])
METADATA = (".json", ".zarray", ".zattrs", ".zgroup")
KINDS = {
    "basic": "basic",
    "oindex": "orthogonal",
    "vindex": "coordinate",
    "mask": "mask",
    "blocks": "block",
}
# zarr-python may have written some chunks, or none, when it refuses a value.
WRITES = ("write", "write fields", "async", "append")

Step = tuple[tuple[Any, ...], Callable[[Any], Any]]


# ---- arrays


def options(rng: random.Random) -> dict[str, Any]:
    """Return the parameters of an array."""
    ndim = rng.choice([0, 1, 1, 2, 2, 2, 3, 4])
    shape = tuple(rng.choice([0, 1, 12, *range(1, 10)]) for _ in range(ndim))
    dtype = np.dtype(STRUCTURE if rng.random() < 0.04 else rng.choice(DTYPES))
    zarr_format = rng.choice([2, 3, 3])
    found: dict[str, Any] = {
        "shape": shape,
        "chunks": tuple(rng.randint(1, 5) for _ in shape),
        "dtype": dtype,
        "zarr_format": zarr_format,
    }
    fills = fill_values(dtype)
    if fills and rng.random() < 0.6:
        found["fill_value"] = rng.choice(fills)
    config: dict[str, Any] = {}
    if rng.random() < 0.5:
        config["write_empty_chunks"] = rng.choice([True, False])
    (_add_format2 if zarr_format == 2 else _add_format3)(rng, found, config)
    if config:
        found["config"] = config
    return found


def fill_values(dtype: np.dtype[Any]) -> list[Any]:
    plain: dict[str, list[Any]] = {
        "b": [True, False], "i": [0, 1, 7], "u": [0, 1, 7], "S": [b"", b"1"], "U": ["", "1"],
        "f": [0, 1.5, math.nan, math.inf, -0.0], "c": [0, 1.5, math.nan, math.inf, -0.0],
    }  # fmt: skip
    if dtype.kind in "mM":
        return [np.array("NaT", dtype)[()], np.array(1, "i8").astype(dtype)[()]]
    return plain.get(dtype.kind, [])


def _add_format2(rng: random.Random, found: dict[str, Any], config: dict[str, Any]) -> None:
    dtype = found["dtype"]
    if rng.random() < 0.15:
        found["fill_value"] = None
    found["order"] = rng.choice("CF")
    found["compressors"] = rng.choice(
        [
            None, "auto", numcodecs.Blosc("lz4", 5, rng.choice([0, 1, 2])), numcodecs.Zlib(1),
            numcodecs.Zstd(1), numcodecs.LZ4(), numcodecs.GZip(1),
        ]
    )  # fmt: skip
    if dtype.kind in "iu" and rng.random() < 0.3:
        scaled = numcodecs.FixedScaleOffset(0, 1, dtype.str, dtype.str)
        found["filters"] = [rng.choice([numcodecs.Delta(dtype), numcodecs.Shuffle(dtype.itemsize), scaled])]
    if found["shape"] and rng.random() < 0.5:
        found["chunk_key_encoding"] = {"name": "v2", "separator": rng.choice("/.")}


def _add_format3(rng: random.Random, found: dict[str, Any], config: dict[str, Any]) -> None:
    dtype, ndim = found["dtype"], len(found["shape"])
    if ndim and rng.random() < 0.4:
        found["shards"] = tuple(n * rng.randint(1, 3) for n in found["chunks"])
    shuffle = rng.choice(["noshuffle", "shuffle", "bitshuffle"])
    zstd, crc = codecs.ZstdCodec(level=1), codecs.Crc32cCodec()
    blosc = codecs.BloscCodec(cname="lz4", clevel=3, shuffle=shuffle, typesize=dtype.itemsize)
    gzip = codecs.GzipCodec(level=1)
    found["compressors"] = rng.choice([None, "auto", zstd, gzip, crc, [zstd, crc], blosc])
    if ndim and rng.random() < 0.25:
        found["filters"] = [codecs.TransposeCodec(order=rng.sample(range(ndim), ndim))]
    if rng.random() < 0.3:
        found["chunk_key_encoding"] = {"name": rng.choice(["v2", "default"]), "separator": rng.choice("/.")}
    if dtype.kind in "iufc" and dtype.itemsize > 1 and rng.random() < 0.2:
        found["serializer"] = codecs.BytesCodec(endian=rng.choice(["little", "big"]))
    if rng.random() < 0.3:
        config["order"] = rng.choice("CF")
    if rng.random() < 0.15 and tuple(map(int, zarr.__version__.split(".")[:2])) >= (3, 4):
        config["read_missing_chunks"] = False


def make_store(kind: str, folder: Path, mode: str) -> Any:
    if kind == "memory":
        return MemoryStore()
    return LocalStore(folder / mode) if kind == "folder" else ZipStore(folder / f"{mode}.zip", mode="w")


def keys(store: Any) -> list[str]:
    """Return the keys of chunks."""
    if isinstance(store, MemoryStore):
        found = list(store._store_dict)
    elif isinstance(store, LocalStore):
        found = [str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()]
    else:
        # In which a key may be several times.
        found = list(set(store._zf.namelist()))
    return sorted(key for key in found if not key.endswith(METADATA))


# ---- items


def items(rng: random.Random, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """Return items with repetitions, fill values and odd ones."""
    count = math.prod(shape)
    if dtype.names is not None:
        found = np.zeros(count, dtype)
        for name in dtype.names:
            found[name] = items(rng, dtype[name], (count,))
        return found.reshape(shape)
    most = rng.choice([1, 2, 5, 120])
    numbers = np.array([rng.randrange(most) for _ in range(count)], "i8")
    some = np.array([rng.random() < 0.3 for _ in range(count)], bool)
    if dtype.kind in "SU":
        found = np.array([str(number) if number else "" for number in numbers], dtype)
    elif dtype.kind in "mM":
        found = numbers.astype(dtype)
        if rng.random() < 0.3:
            found[some] = "NaT"
    elif dtype.kind in "fc":
        found = (numbers / 2).astype(dtype)
        if rng.random() < 0.4:
            found[some] = rng.choice([math.nan, -0.0, 0.0, math.inf])
    else:
        found = numbers.astype(dtype)
    return found.reshape(shape)


def value(rng: random.Random, z: Any, kind: str, selection: Any) -> Any:
    """Return what is assigned to a selection: an item, items in several forms, or what is refused."""
    # Of several values for one item zarr-python takes any: its sort of positions is not stable.
    way = rng.random() * (0.4 if _repeats(kind, selection, z.shape) else 1)
    if way < 0.25 or (way < 0.4 and z.fill_value is None):
        one = items(rng, z.dtype, ())[()]
        return one if rng.random() < 0.7 or z.dtype.names else one.item()
    if way < 0.4:
        return z.fill_value
    try:
        shape = np.asarray(method(z, kind, "get")(selection)).shape
    except Exception:
        shape = ()
    if way < 0.5 and shape:
        broadcast = tuple(1 if rng.random() < 0.5 else n for n in shape)
        shape = rng.choice([shape[1:], (1,) * len(shape), broadcast, (*shape, 1)])
    return _formed(rng, items(rng, z.dtype, shape))


def _repeats(kind: str, selection: Any, shape: tuple[int, ...]) -> bool:
    """Whether a selection by positions may have an item several times."""
    if kind not in ("vindex", "oindex"):
        return False
    entries = [
        np.asarray(entry).reshape(-1) % max(n, 1)
        for entry, n in zip(selection, shape, strict=False)
        if not isinstance(entry, slice) and np.asarray(entry).dtype != bool
    ]
    if kind == "oindex":
        return any(len(set(entry.tolist())) < len(entry) for entry in entries)
    if len({len(entry) for entry in entries}) > 1:
        return True
    points = list(zip(*[entry.tolist() for entry in entries], strict=True))
    return len(set(points)) < len(points)


def _formed(rng: random.Random, found: Any) -> Any:
    way = rng.random()
    if way < 0.1 and not found.dtype.names:
        return found.tolist()
    if way < 0.25 and found.dtype.kind in "iuf":
        return found.astype(rng.choice([found.dtype.newbyteorder(), "f8", "i8", "i2"]))
    if way < 0.35:
        return np.asfortranarray(found)
    if way < 0.45 and found.ndim:
        return np.repeat(found, 2, axis=-1)[..., ::2]
    return found


# ---- selections


def select(rng: random.Random, kind: str, z: Any) -> Any:
    """Return a selection of a kind, most of them legal."""
    chunks = z.shards or z.chunks
    if kind == "mask":
        share = rng.choice([0, 0.2, 0.6, 1])
        return np.array([rng.random() < share for _ in range(math.prod(z.shape))], bool).reshape(z.shape)
    if kind == "vindex":
        shape = rng.choice([(3,), (1,), (2, 3), (6,), (0,), (2, 1)])
        return tuple(_points(rng, n, shape) for n in z.shape)
    if kind == "blocks":
        return tuple(_blocks(rng, max(-(-n // c), 1)) for n, c in zip(z.shape, chunks, strict=True))
    if kind == "oindex":
        entries = [_positions(rng, n) if rng.random() < 0.6 else _entry(rng, n) for n in z.shape]
        return tuple(entries[:-1] if rng.random() < 0.1 else entries)
    entries = [_entry(rng, n) for n in z.shape]
    way = rng.random()
    if way < 0.1:
        return ...
    if way < 0.3:
        at = rng.randint(0, len(entries))
        entries[at : rng.randint(at, len(entries))] = [...]
    elif way < 0.45:
        del entries[rng.randint(0, len(entries)) :]
    elif way < 0.47:
        entries.append(0)
    return entries[0] if len(entries) == 1 and rng.random() < 0.5 else tuple(entries)


def _entry(rng: random.Random, n: int) -> Any:
    way = rng.random()
    if way < 0.3:
        return slice(None)
    if way < 0.5:
        return rng.choice([int, np.int64])(rng.randint(-n - (rng.random() < 0.05), max(n - 1, 0)))
    start, stop = (rng.randint(-n - 2, n + 2) if rng.random() < 0.85 else None for _ in range(2))
    step = rng.choice([None, None, 1, 2, 3, 7]) if rng.random() < 0.97 else rng.choice([-1, 0, -2])
    return slice(start, stop, step)


def _positions(rng: random.Random, n: int) -> Any:
    if rng.random() < 0.2:
        return np.array([rng.random() < 0.5 for _ in range(n)], bool)
    low = -n if rng.random() < 0.3 else 0
    entry = [rng.randint(low, max(n - 1, 0)) for _ in range(rng.randint(rng.random() > 0.1, 5))]
    if rng.random() < 0.5:
        entry.sort()
    if rng.random() < 0.03:
        entry.append(n)
    return entry if rng.random() < 0.3 else np.array(entry, "i8" if low else rng.choice(["i8", "i4", "u2"]))


def _points(rng: random.Random, n: int, shape: tuple[int, ...]) -> Any:
    low = -n if rng.random() < 0.2 else 0
    found = np.array([rng.randint(low, max(n - 1, 0)) for _ in range(math.prod(shape))], "i8").reshape(shape)
    way = rng.random()
    return rng.randint(0, max(n - 1, 0)) if way < 0.1 else found.tolist() if way < 0.3 else found


def _blocks(rng: random.Random, count: int) -> Any:
    way = rng.random()
    if way < 0.5:
        return rng.randint(-count, count - (rng.random() > 0.05))
    return slice(None) if way < 0.7 else slice(rng.randint(-count, count), rng.randint(-count, count + 1))


def method(z: Any, kind: str, verb: str) -> Any:
    return getattr(z, f"{verb}_{KINDS[kind]}_selection")


def way_to(z: Any, kind: str, how: str, verb: str) -> Any:
    """Return what reads or writes a selection: a method, or what stands before brackets."""
    if how == "method":
        return method(z, kind, verb)
    if kind == "basic" or (how == "brackets" and kind != "blocks"):
        place = z
    else:
        place = z.vindex if kind == "mask" else getattr(z, kind)
    return getattr(place, f"__{verb}item__")


# ---- steps


def draw(rng: random.Random, z: Any) -> Step:
    """Return a step: what it is, and what does it."""
    kinds = ["read"] * 40 + ["write"] * 35 + ["resize"] * 5 + ["append"] * 4
    kinds += ["async", "array", "read fields", "write fields", "out", "threads", "counts"] * 3
    name = rng.choice(kinds)
    if name in ("resize", "append", "threads") and (not z.shape or type(z.store) is ZipStore):
        name = "read"
    return STEPS[name](rng, z)


def _selected(rng: random.Random, z: Any) -> tuple[str, Any]:
    kind = rng.choice(["basic", "basic", "basic", "oindex", "vindex", "mask", "blocks"])
    return kind, select(rng, kind, z)


def _read(rng: random.Random, z: Any) -> Step:
    (kind, selection), how = _selected(rng, z), rng.choice(["index", "method", "brackets"])
    return ("read", kind, how, selection), lambda a: way_to(a, kind, how, "get")(selection)


def _write(rng: random.Random, z: Any) -> Step:
    (kind, selection), how = _selected(rng, z), rng.choice(["index", "method", "brackets"])
    given = value(rng, z, kind, selection)
    return ("write", kind, how, selection, given), lambda a: way_to(a, kind, how, "set")(selection, given)


def _resize(rng: random.Random, z: Any) -> Step:
    shape = tuple(max(0, n + rng.randint(-4, 5)) for n in z.shape)

    def call(a: Any) -> Any:
        a.resize(shape)
        return a.shape

    return ("resize", shape), call


def _append(rng: random.Random, z: Any) -> Step:
    axis = rng.randrange(len(z.shape))
    given = items(rng, z.dtype, tuple(rng.randint(0, 4) if d == axis else n for d, n in enumerate(z.shape)))
    return ("append", axis, given), lambda a: a.append(given, axis=axis)


def _from_loops(rng: random.Random, z: Any) -> Step:
    kind, selection = _selected(rng, z)
    given, of_program = value(rng, z, kind, selection), rng.random() < 0.5

    async def work(a: Any) -> Any:
        await a._async_array.setitem(selection, given)
        return await a._async_array.getitem(selection)

    run: Callable[[Any], Any] = asyncio.run if of_program else sync.sync
    return ("async", of_program, selection, given), lambda a: run(work(a))


def _array(rng: random.Random, z: Any) -> Step:
    return ("array",), np.asarray


def _read_fields(rng: random.Random, z: Any) -> Step:
    kind, selection = _selected(rng, z)
    fields = rng.choice([["x"], "x", ["y", "x"], []] if z.dtype.names else [[], None, "x"])
    return (
        ("read fields", kind, selection, fields),
        lambda a: method(a, kind, "get")(selection, fields=fields),
    )


def _write_fields(rng: random.Random, z: Any) -> Step:
    (kind, selection), fields, given = _selected(rng, z), rng.choice(["x", ["x"]]), rng.randint(0, 9)
    return (
        ("write fields", kind, selection, fields),
        lambda a: method(a, kind, "set")(selection, given, fields=fields),
    )


def _read_out(rng: random.Random, z: Any) -> Step:
    kind, selection = _selected(rng, z)

    def call(a: Any) -> Any:
        expected = np.asarray(method(a, kind, "get")(selection))
        out = cpu.NDBuffer(np.zeros(expected.shape, expected.dtype))
        method(a, kind, "get")(selection, out=out)
        return out.as_ndarray_like()

    return ("out", kind, selection), call


def _in_threads(rng: random.Random, z: Any) -> Step:
    rows = (z.shards or z.chunks)[0]
    parts = [slice(k, min(k + rows, z.shape[0])) for k in range(0, z.shape[0], rows)]
    given = [items(rng, z.dtype, (part.stop - part.start, *z.shape[1:])) for part in parts]

    def call(a: Any) -> Any:
        results: dict[int, Any] = {}

        def work(k: int) -> None:
            def both() -> Any:
                a[parts[k]] = given[k]
                return a[parts[k]]

            results[k] = outcome(both)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(len(parts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(results.items())

    return ("threads", parts, given), call


def _counts(rng: random.Random, z: Any) -> Step:
    return ("counts",), lambda a: (a.nchunks_initialized, a.nbytes, a.shape)


STEPS: dict[str, Callable[[random.Random, Any], Step]] = {
    "read": _read, "write": _write, "resize": _resize, "append": _append, "async": _from_loops,
    "array": _array, "read fields": _read_fields, "write fields": _write_fields, "out": _read_out,
    "threads": _in_threads, "counts": _counts,
}  # fmt: skip


# ---- programs


def described(found: Any) -> Any:
    if isinstance(found, np.ndarray):
        return "array", str(found.dtype), found.shape, found.tobytes(), found.flags.writeable
    if isinstance(found, np.generic):
        return "item", type(found).__name__, str(found.dtype), found.tobytes()
    return type(found).__name__, repr(found)


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or raises, as it can be compared."""
    try:
        return described(call())
    except Exception as err:
        text = re.sub(r"'(memory|file|zip)://[^']*'", "the store", str(err))
        # Shapes and numbers may be those of any chunk: the error is that of the one that is first to fail.
        plain = text if "chunk(s)" in text else re.sub(r"\([^()]*\)|\d+", "n", text)
        return "error", type(err).__name__, plain


@contextmanager
def under(mode: str) -> Iterator[None]:
    if mode == "alone":
        yield
    else:
        with zchunk.zarr_pipeline.install(engine=mode == "engine"):
            yield


def everything(z: Any) -> Any:
    """Return all that is stored, of an array that ends where its last chunks do."""
    if not isinstance(z.store, ZipStore):
        z = zarr.open_array(z.store, mode="r+")
        z.resize(tuple(-(-n // c) * c for n, c in zip(z.shape, z.shards or z.chunks, strict=True)))
    return z[...]


def differ(results: dict[str, Any]) -> bool:
    return any(found != results["alone"] for found in results.values())


def run(seed: int, folder: Path, taken: Counter[str]) -> list[Any]:
    """Run a program; return what it was up to a step that differs, and its results; nothing if none does."""
    rng = random.Random(seed)
    parameters, place = options(rng), rng.choice(["memory", "memory", "memory", "folder", "folder", "zip"])
    arrays: dict[str, Any] = {}

    def make(mode: str) -> Any:
        arrays[mode] = zarr.create_array(make_store(place, folder, mode), **parameters)
        return arrays[mode].dtype, arrays[mode].shape

    results = {}
    for mode in MODES:
        with under(mode):
            results[mode] = outcome(partial(make, mode))
    log: list[Any] = [place, parameters]
    for _ in range(rng.randint(3, 10)):
        if differ(results):
            return [*log, results]
        if len(arrays) < len(MODES):
            return []
        what, call = draw(rng, arrays["alone"])
        log.append(what)
        taken[what[0]] += 1
        for mode, z in arrays.items():
            with under(mode):
                results[mode] = outcome(partial(call, z))
        if not differ(results):
            if results["alone"][0] == "error" and what[0] in WRITES:
                taken["refused"] += 1
                return []
            if what[0] != "threads" or "error" not in str(results["alone"]):
                results = {mode: keys(z.store) for mode, z in arrays.items()}
    if not differ(results):
        log.append("all that is stored")
        results = {mode: outcome(partial(everything, z)) for mode, z in arrays.items()}
    for z in arrays.values():
        z.store.close()
    return [*log, results] if differ(results) else []


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=0, help="seed of the first program")
    parser.add_argument("--count", type=int, default=2000, help="how many")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    taken: Counter[str] = Counter()
    failed = 0
    for seed in range(given.first, given.first + given.count):
        # Where one of several writes fails, zarr-python goes on with the others: its caller has the error.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = run(seed, Path(folder), taken)
        if found:
            failed += 1
            print(f"program {seed}: ", *found, sep="\n    ", flush=True)
    native = {name: count for name, count in zchunk.zarr_pipeline.calls.items() if count}
    print(f"{given.count} programs, zarr-python {zarr.__version__}: {failed} differ; {dict(taken)}; {native}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
