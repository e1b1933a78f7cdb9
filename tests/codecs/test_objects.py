"""Arrays of objects and every codec of numcodecs, beside what zarr 2.18.7 wrote; which pickles run.

``tests/promises/golden/make_zarr2_objects.py`` makes the archive.
"""

from __future__ import annotations

import bz2
import json
import lzma
import pickle
import re
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
from tests import GOLDEN, ROOT
from tests.variants import Variant
from zchunk.codecs import NativeCodec
from zchunk.errors import ChunkError, CodecError, MetadataError
from zchunk.metadata import v2

msgpack = pytest.importorskip("msgpack")

ARCHIVE = zipfile.ZipFile(GOLDEN / "objects" / "zarr2.zip")
CASES = sorted({name.partition("/")[0] for name in ARCHIVE.namelist()})


@pytest.fixture
def unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    """numcodecs' own switch, of version 0.16.6, beside what zchunk asks for."""
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)


def objects(items: list[Any]) -> np.ndarray[Any, Any]:
    out = np.empty(len(items), object)
    for i, item in enumerate(items):
        out[i] = item
    return out


def same(a: Any, b: Any) -> bool:
    """Whether two objects are equal and of one type, arrays among them."""
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)


def known(codec: Any, variant: Variant) -> Any:
    """An object codec that there is in a format, which is this one if it can be."""
    names = ("vlen-utf8", "vlen-bytes")
    return codec if variant.kind == "v2" or codec.codec_id in names else numcodecs.VLenUTF8()


def untagged(item: Any) -> Any:
    if isinstance(item, dict) and "bytes" in item:
        return bytes.fromhex(item["bytes"])
    if isinstance(item, dict) and "array" in item:
        return np.array(item["array"], item["dtype"])
    if isinstance(item, dict) and "tuple" in item:
        return tuple(map(untagged, item["tuple"]))
    return item


def golden(case: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What is stored, and what a reader must see."""
    if case.startswith("crc32c") and not hasattr(numcodecs, "CRC32C"):
        pytest.skip("numcodecs has it only with another package")
    prefix = f"{case}/store/"
    store = {
        name.removeprefix(prefix): ARCHIVE.read(name)
        for name in ARCHIVE.namelist()
        if name.startswith(prefix)
    }
    return store, json.loads(ARCHIVE.read(f"{case}/expected.json"))


def opened(store: Any, mode: Any = "r", **kwargs: Any) -> zchunk.Array:
    return zchunk.open_array(store, mode, object_codec=numcodecs.Pickle(), **kwargs)


# ---- what zarr 2.18.7 wrote


@pytest.mark.usefixtures("unsafe")
@pytest.mark.parametrize("case", CASES)
def test_what_zarr_2_wrote_is_read(case: str) -> None:
    store, expected = golden(case)
    z = opened(store)
    assert z.shape == tuple(expected["shape"])
    assert z.dtype.kind == "O" if expected["dtype"] == "|O" else z.dtype.names or z.dtype == expected["dtype"]
    fill = z.fill_value.item() if isinstance(z.fill_value, np.generic) else z.fill_value
    assert same(fill, untagged(expected["fill_value"]))
    # zarr reads the integer 0 where text, bytes and arrays were never written; here they are empty.
    mixed = z.metadata.object_codec in ("vlen-utf8", "vlen-bytes", "vlen-array")
    values = [
        z.metadata.fill_object if mixed and type(item) is int and item == 0 else item
        for item in map(untagged, expected["values"])
    ]
    assert same(z[...].reshape(-1).tolist(), values)
    if z.ndim == 2:
        wanted = objects(values).reshape(z.shape)
        for selection in ((slice(1, 5), slice(3, 0, -2)), (2, slice(None)), (slice(None, None, -1), 1)):
            assert same(z[selection].tolist(), wanted[selection].tolist())
        assert same(np.asarray(z[3, 2]).item() if z.dtype.kind != "O" else z[3, 2], wanted[3, 2])


@pytest.mark.usefixtures("unsafe")
@pytest.mark.parametrize("case", CASES)
def test_what_zarr_2_wrote_is_written(case: str) -> None:
    store, _ = golden(case)
    z = opened(store)
    if case != "structure-zero":
        # There zarr stores the user's 0, here it is a structure already. Of zstd's checksum older versions
        # say nothing.
        rendered = v2.render_array(z.metadata)
        assert rendered == re.sub(rb' *"checksum": false,\n', b"", store[".zarray"])
    again = {".zarray": store[".zarray"]}
    opened(again, "r+")[:4] = z[:4]
    assert again.keys() == store.keys()
    # Deflate and the rest of the native codecs may give other bytes of the same meaning. A pickle tells
    # objects that are the same from those that are equal.
    if not any(isinstance(codec, NativeCodec) or codec.codec_id == "pickle" for codec in z.metadata.codecs):
        assert again == store
    assert same(opened(again)[...].tolist(), z[...].tolist())


# ---- creating


@pytest.mark.parametrize(
    ("dtype", "codec"),
    [
        (str, numcodecs.VLenUTF8()), ("str", numcodecs.VLenUTF8()), (bytes, numcodecs.VLenBytes()),
        ("bytes", numcodecs.VLenBytes()), ("array:i4", numcodecs.VLenArray("i4")),
        ("array:<u2", numcodecs.VLenArray("<u2")),
    ],
)  # fmt: skip
def test_dtypes_that_mean_objects(dtype: Any, codec: Any) -> None:
    z = zchunk.create(3, dtype=dtype)
    assert (z.dtype, z.filters, z.itemsize, z.nbytes) == (np.dtype(object), [codec], 8, 24)
    z = zchunk.create(3, dtype=dtype, object_codec=numcodecs.JSON(), filters=[numcodecs.BZ2()])
    assert z.filters == [numcodecs.JSON(), numcodecs.BZ2()]
    assert json.loads(z.store[".zarray"])["filters"][0]["id"] == "json2"
    assert f"Filter [0]         : {numcodecs.JSON()!r}" in repr(z.info)


@pytest.mark.usefixtures("variant")
def test_text_of_any_length() -> None:
    for data in (["a", "bcd", ""], np.array(["a", "bcd", ""]), objects(["a", "bcd", ""])):
        z = zchunk.array(data, dtype=str, chunks=2)
        assert (z.dtype, z[:].tolist()) == (np.dtype(object), ["a", "bcd", ""])
        again = zchunk.array(z, dtype=str)
        assert (again.chunks, again[:].tolist()) == ((2,), ["a", "bcd", ""])
    assert zchunk.array(["a", "bcd"], dtype="U10").dtype == "U10"
    with pytest.raises(TypeError):
        zchunk.array([1, 2], dtype=str)


def test_objects_need_a_codec(tmp_path: Path) -> None:
    for dtype in (object, "O", [("a", "i4"), ("b", "O")]):
        with pytest.raises(ValueError, match="missing object_codec for object array"):
            zchunk.create(3, dtype=dtype, store=tmp_path / "a")
    with pytest.raises(ValueError, match="missing object_codec"):
        zchunk.array(objects(["a"]))
    with pytest.raises(ValueError, match="missing object_codec"):
        zchunk.save(tmp_path / "a", objects(["a"]))
    with pytest.raises(CodecError):
        zchunk.create(3, dtype=object, object_codec="vlen-utf9")
    assert not list(tmp_path.iterdir())
    with pytest.warns(FutureWarning, match="missing object_codec"):
        z = zchunk.create(3, dtype=object, filters=[numcodecs.VLenUTF8()])
    z[0] = "a"
    assert z[0] == "a"
    with pytest.warns(UserWarning, match="only needed for object arrays"):
        assert zchunk.create(3, dtype="i4", object_codec=numcodecs.JSON()).filters is None


def test_arrays_like_one_of_objects(recwarn: pytest.WarningsRecorder) -> None:
    z = zchunk.array(["a", "b"], dtype=str, filters=[numcodecs.BZ2()], fill_value="f")
    for call in (zchunk.empty_like, zchunk.zeros_like, zchunk.full_like):
        assert call(z).filters == [numcodecs.VLenUTF8(), numcodecs.BZ2()]
    assert zchunk.full_like(z)[:].tolist() == ["f", "f"]
    assert not recwarn.list


def test_a_codec_that_leaves_objects() -> None:
    class Same(numcodecs.Shuffle):
        encode = decode = lambda self, buf, out=None: buf  # type: ignore[assignment]

    chain = zchunk.codecs.CodecChain((Same(),), (), np.dtype(object), (2,), "C")
    with pytest.raises(RuntimeError, match="still holds objects"):
        chain.encode(objects(["a", "b"]))


# ---- reading and writing


@pytest.mark.parametrize("fill", [None, 0, "", "x"])
def test_missing_chunks_hold_the_fill_value(fill: Any, variant: Variant) -> None:
    z = zchunk.create((5, 3), chunks=2, dtype=str, fill_value=fill)
    if variant.kind != "v2" or fill == 0:
        # Text is nothing but text.
        fill = fill or ""
    wanted = np.full((5, 3), fill, object)
    assert same(z[...].tolist(), wanted.tolist())
    z[1:3, 1] = ["é", "w"]
    # Of a chunk that is stored VLenUTF8 makes text of everything.
    text = np.full((5, 3), fill or "", object)
    text[1:3, 1] = ["é", "w"]
    assert same(z[:4, :2].tolist(), text[:4, :2].tolist())
    assert same(z[4].tolist(), wanted[4].tolist())
    out = np.empty((3, 5), object).T
    assert z.get_basic_selection(..., out=out) is out
    assert same(out.tolist(), z[...].tolist())


def test_one_item_may_be_a_list_or_an_array() -> None:
    z = zchunk.create(4, chunks=3, dtype=object, object_codec=numcodecs.JSON())
    for i, item in enumerate([[1, 2], {"a": [None]}, "text", [[3]]]):
        z[i] = item
        assert same(z[i], item)
    assert same(z[:].tolist(), [[1, 2], {"a": [None]}, "text", [[3]]])
    z = zchunk.create((), dtype="array:f4")
    z[()] = np.arange(3)
    np.testing.assert_array_equal(z[()], np.arange(3, dtype="f4"))


def test_lists_of_one_length_are_items_in_json_and_msgpack() -> None:
    # numcodecs takes them for another axis, and fails.
    for codec in (numcodecs.JSON(), numcodecs.MsgPack()):
        z = zchunk.array(objects([[1, 2], [3, 4]]), object_codec=codec)
        assert z[:].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("codec", [numcodecs.JSON(), numcodecs.MsgPack(), numcodecs.VLenUTF8()], ids=repr)
def test_columns_in_memory(codec: Any, variant: Variant) -> None:
    codec = known(codec, variant)
    # zarr 2.18 mixes up its own items here, for JSON and MsgPack store the shape.
    data = np.array(list("abcdefghijkl"), object).reshape(4, 3)
    assert zchunk.array(data, chunks=(3, 2), order="F", object_codec=codec)[...].tolist() == data.tolist()
    numbers = np.arange(12).reshape(4, 3)
    if codec.codec_id != "vlen-utf8":
        z = zchunk.array(numbers, chunks=(3, 2), order="F", filters=[codec])
        assert z[...].tolist() == numbers.tolist()


@pytest.mark.usefixtures("variant")
def test_resize_and_append() -> None:
    z = zchunk.create((3, 2), chunks=2, dtype=str, fill_value="f")
    z[...] = "a"
    z.append([["b", "c"]])
    z.resize(3, 2)
    z.resize(6, 3)
    assert z[...].tolist() == [["a", "a", "f"]] * 3 + [["f"] * 3] * 3
    assert zchunk.open_array(z.store, "r").fill_value == "f"


@pytest.mark.parametrize("fill", [None, 0, "", "x"])
def test_chunks_of_nothing_but_the_fill_value(fill: Any, variant: Variant) -> None:
    z = zchunk.create(6, chunks=2, dtype=str, fill_value=fill, write_empty_chunks=False)
    z[:] = ["a", "b", "", "", "x", "x"]
    if variant.kind != "v2" or fill == 0:
        fill = fill or ""
    empty = {"": 1, "x": 2}.get(fill, 3)
    assert z.nchunks_initialized == variant.initialized(z, *(n for n in range(3) if n != empty))
    assert z[:].tolist() == ["a", "b", "", "", "x", "x"]
    z[:] = np.full(6, fill, object)
    # Without a fill value all is stored.
    assert z.nchunks_initialized == (0 if fill is not None else 3)
    assert z[:].tolist() == [fill or ""] * 6


@pytest.mark.usefixtures("unsafe")
def test_structures_with_objects() -> None:
    dtype = np.dtype([("x", "<f8"), ("y", "O")])
    z = zchunk.create(
        5,
        chunks=2,
        dtype=dtype,
        object_codec=numcodecs.Pickle(),
        fill_value=(0.5, None),
        write_empty_chunks=False,
    )
    z[1] = (2, "two")
    assert z[:3].tolist() == [(0.5, None), (2.0, "two"), (0.5, None)]
    z[2:4] = np.array([(1, [1]), (3, {})], dtype)
    z.append(np.zeros(1, dtype))
    assert z[2:].tolist() == [(1.0, [1]), (3.0, {}), (0.5, None), (0.0, 0)]
    z[:2] = z[4]
    assert z.nchunks_initialized == 2
    for value in ([("a", 1)], (1, 2, 3)):
        with pytest.raises((ValueError, TypeError)):
            z[:] = value


DTYPE_WITH_OBJECTS = [("a", "i4"), ("b", "O")]


@pytest.mark.parametrize("codec", [numcodecs.JSON(), numcodecs.MsgPack(), numcodecs.VLenUTF8()])
def test_structures_whose_fill_value_their_codec_does_not_give_back(codec: Any) -> None:
    g = zchunk.group()
    before = dict(g.store)
    kwargs: dict[str, Any] = {"shape": 2, "dtype": DTYPE_WITH_OBJECTS, "object_codec": codec}
    with pytest.raises(MetadataError):
        g.create_dataset("x", fill_value=(1, "a"), **kwargs)
    assert dict(g.store) == before
    z = g.create_dataset("x", **kwargs)
    assert json.loads(g.store["x/.zarray"])["fill_value"] is None
    assert z[:].tolist() == [(0, 0), (0, 0)]
    assert [name for name, _ in g.arrays()] == ["x"]
    assert zchunk.empty_like(z).filters == [codec]
    with pytest.raises(MetadataError):
        g.create_dataset("x", fill_value=(1, "a"), overwrite=True, **kwargs)
    assert "x" in g


@pytest.mark.usefixtures("unsafe")
def test_structures_whose_codec_gives_the_fill_value_back() -> None:
    z = zchunk.create(2, dtype=DTYPE_WITH_OBJECTS, object_codec=numcodecs.Pickle())
    assert json.loads(z.store[".zarray"])["fill_value"]
    nan = float("nan")
    dtype = [("a", "f4"), ("b", "O")]
    z = zchunk.create(2, dtype=dtype, object_codec=numcodecs.Pickle(), fill_value=(nan, None))
    assert repr(z[0].item()) == "(nan, None)"


# ---- pickles


def pickled() -> dict[str, bytes]:
    """An array of objects that a stranger pickled: reading it calls `boom`."""
    store: dict[str, bytes] = {}
    zchunk.create(2, dtype=object, object_codec=numcodecs.Pickle(), compressor=None, store=store)
    store["0"] = pickle.dumps(objects([Boom(), 1]))
    return store


class Boom:
    def __reduce__(self) -> Any:
        return boom, ()


def boom() -> None:
    raise SystemExit("code from the data ran")


@pytest.mark.usefixtures("unsafe")
def test_pickles_are_decoded_by_who_asked_for_it() -> None:
    store = pickled()
    kwargs: list[dict[str, Any]] = [{"filters": [numcodecs.Pickle()]}, {"compressor": numcodecs.Pickle()}]
    for how in kwargs:
        z = zchunk.create(2, dtype="i4", **how)
        z[:] = 1
        assert z[:].tolist() == [1, 1]
        again = zchunk.open_array(z.store, "r", filters=[numcodecs.Pickle()])
        again.refresh()
        assert again[:].tolist() == [1, 1]
    with pytest.raises(SystemExit):
        opened(store)[:]
    z = opened(store, "r+")
    z[:] = ["a", (1,)]
    z.resize(3)
    assert z[:].tolist() == ["a", (1,), 0]
    # A program that unpickles an array lets it run code anyway.
    assert pickle.loads(pickle.dumps(z))[:].tolist() == ["a", (1,), 0]
    with pytest.raises(CodecError):
        pickle.loads(pickle.dumps(zchunk.create(3))).__class__(z.store)[:]
    with pytest.raises(CodecError):
        pickle.loads(pickle.dumps(zchunk.Array(store)))[:]


HOW = r"give object_codec=numcodecs\.Pickle\(\) to open_array"


def refused(z: zchunk.Array) -> None:
    """Check that nothing is decoded, encoded, handed on, or changed through an array of pickles."""
    before = dict(z.store)
    assert z.filters[0].codec_id == "pickle"
    assert z.filters[0].get_config() == numcodecs.Pickle().get_config()
    assert not isinstance(z.filters[0], numcodecs.Pickle)
    assert "pickle" in repr(z.filters[0])
    assert "pickle" in repr(z.info)
    actions: list[Any] = [
        lambda: z[:], lambda: z[0], lambda: z.oindex[[0]], lambda: list(z), lambda: np.asarray(z),
        lambda: zchunk.array(z), lambda: zchunk.empty_like(z), lambda: zchunk.create(3, filters=z.filters),
        lambda: zchunk.create(3, dtype=object, object_codec=z.filters[0]),
        lambda: zchunk.Array(z.store, z.path, chunk_store=z.chunk_store)[:],
        lambda: zchunk.copy(z, zchunk.group(), "b"),
    ]  # fmt: skip
    if not z.read_only:
        actions += [lambda: z.resize(1), lambda: z.append([1])]
    for action in actions:
        with pytest.raises(CodecError, match=HOW):
            action()
    assert dict(z.store) == before


@pytest.mark.usefixtures("unsafe")
def test_a_codec_of_another_array_is_no_word_on_what_is_stored() -> None:
    own = zchunk.array(objects([1]), object_codec=numcodecs.Pickle())
    store = pickled()
    with pytest.raises(CodecError, match=HOW):
        zchunk.open_like(own, store)[:]
    with pytest.raises(SystemExit):
        zchunk.open_like(own, store, object_codec=numcodecs.Pickle())[:]
    made = zchunk.open_like(own, {})
    made[:] = 1
    assert made[:].tolist() == [1]


@pytest.mark.usefixtures("unsafe")
def test_a_hierarchy_with_pickles_in_it_is_used() -> None:
    g = zchunk.group()
    g.array("p", objects([1, "a"]), object_codec=numcodecs.Pickle())
    kwargs: dict[str, Any] = {"dtype": DTYPE_WITH_OBJECTS, "object_codec": numcodecs.Pickle()}
    g.create("s", shape=2, fill_value=(1, "x"), **kwargs)
    g.array("z", [1])
    assert repr(g.tree()).splitlines()[1] == " ├── p (2,) object"
    assert [name for name, _ in g.arrays()] == ["p", "s", "z"] == [z.basename for z in g.values()]
    visited: list[str] = []
    g.visit(visited.append)
    assert visited == ["p", "s", "z"]
    for name in "ps":
        with pytest.raises(CodecError, match=HOW):
            g[name][:]
        with pytest.raises(CodecError, match=HOW):
            g[name].resize(3)
    assert g["s"].fill_value is None
    source = zchunk.group()
    source.array("p", [5])
    assert zchunk.copy_all(source, g, if_exists="skip")[:2] == (0, 1)
    found = g.require_dataset("p", 2, dtype=object, object_codec=numcodecs.Pickle())
    assert found[:].tolist() == [1, "a"]
    with pytest.raises(CodecError, match=HOW):
        g.require_dataset("p", 2, dtype=object)[:]
    found = zchunk.open_array(g.store, "r", path="s", object_codec=numcodecs.Pickle())
    assert found[:].tolist() == [(1, "x"), (1, "x")]
    assert zchunk.copy_all(source, g, if_exists="replace")[:2] == (1, 0)
    assert g["p"][:].tolist() == [5]


@pytest.mark.usefixtures("unsafe")
def test_codecs_with_a_pickle_inside_are_not_made() -> None:
    z = zchunk.create(2, dtype="i4", filters=[numcodecs.Delta("i4")], compressor=None)
    meta = json.loads(z.store[".zarray"])
    meta["filters"][0]["inner"] = [{"x": {"id": "pickle"}}]
    z.store[".zarray"] = v2.render_json(meta)
    z.store["0"] = b"x"
    z = zchunk.Array(z.store)
    assert z.filters[0].get_config() == meta["filters"][0]
    with pytest.raises(CodecError, match=HOW):
        z[:]


@pytest.mark.usefixtures("unsafe")
def test_pickles_are_refused_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    store = pickled()
    for call in (zchunk.Array, zchunk.open, zchunk.open_array):
        refused(call(store))
    with pytest.raises(CodecError, match=HOW):
        zchunk.load(store)
    root = {f"a/{key}": value for key, value in store.items()} | {".zgroup": b'{"zarr_format": 2}'}
    refused(zchunk.open(root)["a"])
    root[".zmetadata"] = v2.render_json(
        {"zarr_consolidated_format": 1, "metadata": {k: json.loads(v) for k, v in root.items() if ".z" in k}}
    )
    refused(zchunk.open_consolidated(root)["a"])
    for config in (
        {"id": "pickle"},
        {"id": "delta", "dtype": "i4", "inner": {"id": "pickle"}},
        {"id": "delta", "dtype": "i4", "inner": [{"x": [{"id": "pickle"}]}]},
    ):
        with pytest.raises(CodecError, match="runs code"):
            zchunk.codecs.get_codec(config)
        with pytest.raises(CodecError):
            zchunk.create(3, filters=[config])
    monkeypatch.setattr(zchunk.codecs.registry, "_registry", dict(zchunk.codecs.registry._registry))
    zchunk.codecs.register_codec(numcodecs.Pickle)
    with pytest.raises(SystemExit):
        zchunk.Array(store)[:]


def test_numcodecs_has_a_say_too() -> None:
    if not hasattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE"):
        pytest.skip("a version without the switch")
    with pytest.raises(ChunkError, match="ALLOW_UNSAFE_PICKLE_DECODE"):
        opened(pickled())[:]


# ---- strangers


@pytest.mark.parametrize("compressor", [None, numcodecs.Zlib()])
@pytest.mark.parametrize(
    "codec",
    [
        numcodecs.VLenUTF8(), numcodecs.VLenBytes(), numcodecs.VLenArray("<i2"), numcodecs.JSON(),
        numcodecs.MsgPack(),
    ],
    ids=lambda codec: codec.codec_id,
)  # fmt: skip
@pytest.mark.variants("v2", "v3", reason="replaces a chunk by its key")
def test_chunks_that_lie(codec: Any, compressor: Any, variant: Variant) -> None:
    codec, key = known(codec, variant), variant.chunk(0)
    items = {
        "vlen-bytes": [b"a", b"bcd", b"", b"x" * 30],
        "vlen-array": [np.arange(n, dtype="<i2") for n in (1, 0, 5, 2)],
    }.get(codec.codec_id, ["a", "bcd", "", "é" * 20])
    z = zchunk.array(objects(items), object_codec=codec, compressor=compressor)
    raw = z.store[key] if compressor is None else compressor.decode(z.store[key])
    rng = np.random.default_rng(0)
    hostile = [raw[:n] for n in range(len(raw))] + [raw + b"\0", b"\xff" * 99, bytes(99)]
    for at in range(0, len(raw)):
        hostile += [raw[:at] + bytes([value]) + raw[at + 1 :] for value in (0, 0x80, 0xFF, rng.integers(256))]
        hostile.append(raw[:at] + b"\xff\xff\xff\xff" + raw[at + 4 :])
    refused = 0
    for data in hostile:
        z.store[key] = data if compressor is None else compressor.encode(data)
        try:
            assert z[:].shape == (4,)
        except ChunkError as err:
            refused += f"chunk {key!r}" in str(err) and repr(codec) in str(err)
    assert refused > len(raw)


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (numcodecs.VLenUTF8(), b"\xff\xff\xff\x7f" + bytes(1000)),
        (numcodecs.VLenBytes(), b"\0\0\0\x10" + bytes(1000)),
        (numcodecs.JSON(), b'[1,"|O",[1000000000]]'),
        (numcodecs.JSON(), b'[1,"|S1000000",[2000]]'),
        (numcodecs.JSON(), b'[1,"<f8",[1000000000]]'),
        (numcodecs.JSON(), b'[1,"<f8",[-1]]'),
        (numcodecs.JSON(), b'["a","b","|O",[1]]'),
        (numcodecs.JSON(), b"[" * 100_000),
        (numcodecs.JSON(), b"{}"),
        (numcodecs.MsgPack(), b"\x93\x01\xa2|O\x91\xce\x3b\x9a\xca\x00"),
        (numcodecs.MsgPack(), b"\xdd\xff\xff\xff\xff"),
        (numcodecs.MsgPack(), b"\x01"),
        (numcodecs.BZ2(), bz2.compress(bytes(10**8))),
        (numcodecs.LZMA(), lzma.compress(bytes(10**8), preset=0)),
        (numcodecs.BZ2(), bz2.compress(bytes(16))[:-3]),
        (numcodecs.Categorize(["a"], "<U100000000"), b"\1\1"),
        (numcodecs.AsType("S1", "S2000000000"), b"abcd"),
    ],
    ids=lambda x: repr(x)[:40],
)
def test_what_is_announced_is_checked_before_memory_is_taken(codec: Any, data: bytes) -> None:
    with pytest.warns(FutureWarning):
        z = zchunk.create(2, dtype=object, filters=[codec], compressor=None)
    z.store["0"] = data
    limited = zchunk.codecs.CodecChain((codec,), (), np.dtype("f8"), (2,), "C")
    for read in (lambda: z[:], lambda: limited.decode(data)):
        tracemalloc.start()
        try:
            with pytest.raises((ChunkError, ValueError, RecursionError, TypeError)):
                read()
            assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
        finally:
            tracemalloc.stop()


def bombs() -> Iterator[tuple[Any, bytes]]:
    """Chunks of two items and some hundred stored bytes."""
    n = 20_000_000
    name = msgpack.packb("|O")
    yield numcodecs.MsgPack(), b"\xdd" + (n + 2).to_bytes(4, "big") + b"\x90" * n + name + b"\x91\x02"
    yield numcodecs.MsgPack(), b"\x94\x01\xdd" + n.to_bytes(4, "big") + b"\x90" * n + name + b"\x91\x02"
    yield numcodecs.MsgPack(), b"\xdc\xff\xff" + b"\x90" * 65_535
    yield numcodecs.MsgPack(), b"\xdd\x00\x40\x00\x00" + b"\x90" * 2**22
    yield numcodecs.JSON(), b"[" + b"[]," * (n // 3) + b'"|O",[2]]'
    yield numcodecs.VLenUTF8(), b"\2\0\0\0" + (2**27).to_bytes(4, "little") + bytes(2**27)


def test_few_bytes_take_little_memory() -> None:
    for codec, text in bombs():
        z = zchunk.create(2, dtype=object, object_codec=codec, compressor=zchunk.Zstd())
        z.store["0"] = stored = zchunk.Zstd().encode(text)
        assert len(stored) < 20_000
        tracemalloc.start()
        try:
            with pytest.raises(ChunkError):
                z[:]
            assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
        finally:
            tracemalloc.stop()


def test_lists_in_text_are_as_many_as_in_lists() -> None:
    text = b"\x93\xdd" + (2**25).to_bytes(4, "big") + b"\x90" * 2**25 + msgpack.packb("|O") + b"\x91\x01"
    filters = [numcodecs.VLenUTF8(), numcodecs.MsgPack()]
    with pytest.warns(FutureWarning):
        z = zchunk.create(2, dtype=object, filters=filters, compressor=zchunk.Zstd())
    z.store["0"] = zchunk.Zstd().encode(text)
    with pytest.raises(ChunkError, match="announces 33554"):
        z[:]


@pytest.mark.parametrize("compressor", [zchunk.Zstd(), zchunk.Blosc("zstd"), zchunk.Blosc()], ids=repr)
@pytest.mark.parametrize("codec", [numcodecs.VLenUTF8(), numcodecs.JSON(), numcodecs.MsgPack()], ids=repr)
def test_equal_items_compress_well_and_come_back(codec: Any, compressor: Any, variant: Variant) -> None:
    n, codec = 200_000, known(codec, variant)
    z = zchunk.create(n, chunks=n, dtype=object, object_codec=codec, compressor=compressor)
    z[:] = "x" * 100
    assert z.nbytes_stored < n * 20
    assert (z[:] == "x" * 100).all()


def test_what_could_not_be_read_is_not_written() -> None:
    z = zchunk.create(2, dtype=object, object_codec=numcodecs.JSON(), compressor=zchunk.Zstd(), fill_value="")
    with pytest.raises(ChunkError, match="no compressor"):
        z[0] = "x" * 2**25
    assert z[:].tolist() == ["", ""]
    z = zchunk.create(2, dtype=object, object_codec=numcodecs.JSON(), compressor=None)
    z[0] = "x" * 2**25
    assert len(z[0]) == 2**25


def test_bytes_never_become_references() -> None:
    for codec in (numcodecs.Zlib(), numcodecs.Shuffle(8)):
        with pytest.warns(FutureWarning):
            z = zchunk.create(2, dtype=object, filters=[codec], compressor=None)
        z.store["0"] = codec.encode(bytes(range(16)))
        with pytest.raises(ChunkError, match="an object codec is missing"):
            z[:]
        with pytest.raises(TypeError):
            z[:] = "a"


def test_metadata_without_an_object_codec() -> None:
    z = zchunk.create(2, dtype=str)
    for filters in (None, []):
        obj = json.loads(z.store[".zarray"]) | {"filters": filters}
        with pytest.raises(MetadataError, match="filters does not begin with their codec"):
            zchunk.Array({".zarray": json.dumps(obj).encode()})


# ---- the user's


def test_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zchunk.codecs.registry, "_registry", dict(zchunk.codecs.registry._registry))
    text = (ROOT / "docs" / "codecs.md").read_text()
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(code, names)
    assert names["names"][:].tolist() == ["a", "zarr", ""]
    assert names["parts"][0].tolist() == [0, 1, 2, 3]
    assert names["notes"][:].tolist() == ["", {"by": "me", "pages": [1, 2]}, ""]
    assert names["z"][:].tolist() == list(range(10))


@pytest.mark.parametrize("register", [zchunk.codecs.register_codec, numcodecs.register_codec])
def test_a_codec_of_ones_own(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Words(numcodecs.abc.Codec):
        codec_id = "words"

        def encode(self, buf: Any) -> bytes:
            return "\n".join(buf.reshape(-1, order="A")).encode()

        def decode(self, buf: Any, out: Any = None) -> Any:
            return np.array(bytes(buf).decode().split("\n"), object)

    monkeypatch.setattr(zchunk.codecs.registry, "_registry", dict(zchunk.codecs.registry._registry))
    monkeypatch.setattr(numcodecs.registry, "codec_registry", dict(numcodecs.registry.codec_registry))
    words = np.array([["a", "bc"], ["", "d"]], object)
    register(Words)
    z = zchunk.array(words, object_codec=Words(), filters=[numcodecs.BZ2()], order="F")
    assert zchunk.Array(z.store)[...].tolist() == words.tolist()
    z.store["0.0"] = numcodecs.BZ2().encode(numcodecs.Zlib().encode(b"a\nb"))
    with pytest.raises(ChunkError, match=r"chunk '0\.0'"):
        z[...]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("dtype", "item"), [(str, "ä語"), (bytes, b"ab")])
def test_one_object_without_axes(dtype: Any, item: Any, zarr_format: int) -> None:
    z = zchunk.create((), dtype=dtype, store={}, zarr_format=zarr_format)
    for value in (item, np.array(item, object)):
        z[...] = value
        assert z[()] == item
        assert type(z[()]) is dtype
        z[()] = dtype()
        assert z[()] == dtype()


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1")
@pytest.mark.parametrize("version", [2, 3])
def test_numpys_strings_are_stored_as_texts(version: Any) -> None:
    words = np.array(["a", "", "größer"], np.dtypes.StringDType())
    made = (
        zchunk.array(words, zarr_format=version, chunks=2),
        zchunk.create(3, dtype=words.dtype, zarr_format=version),
        zchunk.zeros_like(words, zarr_format=version),
        zchunk.create_array(data=words, zarr_format=version),
    )
    for z in made:
        z[:] = words
        assert z[:].tolist() == words.tolist()
        assert (z[:].astype(words.dtype) == words).all()
        document = z.metadata.to_dict()
        if version == 3:
            assert document["data_type"] == "string"
        else:
            assert (document["dtype"], document["filters"][0]["id"]) == ("|O", "vlen-utf8")
    store: dict[str, bytes] = {}
    zchunk.save(store, words, zarr_format=version)
    assert zchunk.load(store).tolist() == words.tolist()
    g = zchunk.group(zarr_format=version)
    g["a"] = words
    assert g["a"][:].tolist() == words.tolist()
