"""Arrays of objects, and every codec of numcodecs, by zarr 2.18.7. ``make.py`` runs it like the others.

The archive is ``data/objects/zarr2.zip``: for every case ``<case>/store/…`` and ``<case>/expected.json``.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr

TARGET = Path(__file__).parent / "data" / "objects" / "zarr2.zip"
EPOCH = (1980, 1, 1, 0, 0, 0)
numcodecs.blosc.use_threads = False


def tagged(item: Any) -> Any:
    """An object as JSON that tells bytes, arrays and tuples from the rest."""
    if isinstance(item, bytes):
        return {"bytes": item.hex()}
    if isinstance(item, np.ndarray):
        return {"array": item.tolist(), "dtype": item.dtype.str}
    if isinstance(item, tuple):
        return {"tuple": [tagged(member) for member in item]}
    return item


def objects(items: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty(int(np.prod(shape)), object)
    for i in range(out.size):
        out[i] = items[i % len(items)]
    return out.reshape(shape)


TEXT = ["", "a", "zarr", "ä語😀", "x" * 300]
BYTES = [b"", b"a", b"\0\xff", b"y" * 300]
ARRAYS = [np.arange(n, dtype="<i4") for n in (1, 0, 5)]
JSON = ["a", 1, None, 2.5, True, {"b": [1]}, [1, 2], "é"]
LABELS = ["red", "green", "blau"]
STRUCTURE = np.dtype([("x", "<f8"), ("y", "O")])
SHAPE, CHUNKS = (5, 4), (2, 3)

Case = tuple[np.ndarray, dict[str, Any]]
cases: dict[str, Case] = {}
for order in "CF":
    for name, items, codec in (
        ("vlen-utf8", TEXT, numcodecs.VLenUTF8()),
        ("vlen-bytes", BYTES, numcodecs.VLenBytes()),
        ("vlen-array", ARRAYS, numcodecs.VLenArray("<i4")),
        ("categorize", LABELS, numcodecs.Categorize(LABELS, dtype=object)),
        ("pickle", [*JSON, (1, b"2")], numcodecs.Pickle(protocol=4)),
    ):
        cases[f"{name}-{order}"] = objects(items, SHAPE), {"object_codec": codec, "order": order}
for name, items, codec in (
    ("json", JSON, numcodecs.JSON()),
    ("json-indent", JSON, numcodecs.JSON(indent=2, ensure_ascii=False, encoding="utf-16-le")),
    ("msgpack", [*JSON, b"b"], numcodecs.MsgPack()),
):
    cases[name] = objects(items, SHAPE), {"object_codec": codec}
for name, fill in {"none": None, "zero": 0, "empty": "", "text": "é"}.items():
    cases[f"fill-{name}"] = objects(TEXT, SHAPE), {"object_codec": numcodecs.VLenUTF8(), "fill_value": fill}
cases["fill-dict"] = objects(JSON, SHAPE), {"object_codec": numcodecs.JSON(), "fill_value": {"a": [1]}}
for name, compressor in {"none": None, "zstd": numcodecs.Zstd(), "bz2": numcodecs.BZ2()}.items():
    more = {"compressor": compressor, "filters": [numcodecs.Zlib(), numcodecs.CRC32()]}
    cases[f"vlen-and-filters-{name}"] = objects(TEXT, SHAPE), {"object_codec": numcodecs.VLenUTF8(), **more}
cases["dtype-str"] = objects(TEXT, SHAPE), {"dtype": str}
cases["dtype-bytes"] = objects(BYTES, SHAPE), {"dtype": bytes}
cases["dtype-array"] = objects(ARRAYS, SHAPE), {"dtype": "array:i4"}
structures = np.array([(1.5, "a"), (2, None), (-3, [1, {}])] * 2, STRUCTURE)
for name, fill in {"zero": 0, "tuple": (0.5, "none")}.items():
    more = {"object_codec": numcodecs.Pickle(protocol=4), "fill_value": fill, "chunks": 4}
    cases[f"structure-{name}"] = structures, more

NUMBERS = np.arange(20, dtype="<i4").reshape(SHAPE)
REALS = NUMBERS / 8
WORDS = np.array(LABELS * 7)[:20].reshape(SHAPE)
FILTERS: list[tuple[Any, np.ndarray]] = [
    (numcodecs.Delta("<i4", "<i2"), NUMBERS),
    (numcodecs.FixedScaleOffset(offset=0, scale=8, dtype="<f8", astype="<i2"), REALS),
    (numcodecs.Quantize(3, "<f8", "<f4"), REALS),
    (numcodecs.AsType("<i8", "<i4"), NUMBERS),
    (numcodecs.PackBits(), NUMBERS % 3 == 0),
    (numcodecs.Categorize(LABELS, dtype=WORDS.dtype, astype="u1"), WORDS),
    (numcodecs.BitRound(10), REALS),
    (numcodecs.Shuffle(4), NUMBERS),
    (numcodecs.CRC32(), NUMBERS),
    (numcodecs.Adler32(), NUMBERS),
    (numcodecs.Fletcher32(), NUMBERS),
    (numcodecs.JenkinsLookup3(), NUMBERS),
    (numcodecs.Base64(), NUMBERS),
    (numcodecs.JSON(), NUMBERS),
    (numcodecs.MsgPack(), NUMBERS),
    (numcodecs.Pickle(protocol=4), NUMBERS),
    *((codec, NUMBERS) for codec in (numcodecs.Blosc(), numcodecs.LZ4(), numcodecs.Zstd())),
    *((codec, NUMBERS) for codec in (numcodecs.Zlib(), numcodecs.GZip(), numcodecs.BZ2(), numcodecs.LZMA())),
]
FILTERS.append((numcodecs.CRC32C(), NUMBERS))
for codec, values in FILTERS:
    compressors = {"plain": None, "zlib": numcodecs.Zlib()}
    for name, compressor in compressors.items():
        cases[f"{codec.codec_id}-filter-{name}"] = values, {"filters": [codec], "compressor": compressor}
    if codec.codec_id not in ("json2", "msgpack2"):
        cases[f"{codec.codec_id}-compressor"] = values, {"compressor": codec}
several = [numcodecs.Delta("<i4"), numcodecs.Shuffle(4), numcodecs.LZMA(), numcodecs.CRC32()]
cases["several-filters"] = NUMBERS, {"filters": [*several, numcodecs.Base64()]}

with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED) as archive:
    for case, (values, how) in sorted(cases.items()):
        store = Path(folder) / case
        how = {"dtype": values.dtype, "chunks": CHUNKS} | how
        z = zarr.create(values.shape, store=str(store), **how)
        # The last row of chunks stays a hole.
        z[:4] = values[:4]
        found = np.asarray(z[...])
        expected = {
            "dtype": "|O" if z.dtype.kind == "O" else np.lib.format.dtype_to_descr(z.dtype),
            "shape": values.shape,
            "fill_value": tagged(z.fill_value.item() if hasattr(z.fill_value, "item") else z.fill_value),
            "values": [tagged(item) for item in found.reshape(-1).tolist()],
        }
        files = {f"{case}/expected.json": json.dumps(expected, indent=1).encode()}
        for file in sorted(store.rglob("*")):
            if file.is_file():
                files[f"{case}/store/{file.relative_to(store).as_posix()}"] = file.read_bytes()
        for name, raw in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), raw, zipfile.ZIP_DEFLATED, 9)
print(f"{TARGET.name}: {len(cases)} cases, {TARGET.stat().st_size / 1e3:.0f} kB")
