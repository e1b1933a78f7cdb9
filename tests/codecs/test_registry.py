"""Native codecs beside numcodecs, python-lz4 and the standard library; the registry of all codecs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zchunk
from zchunk import codecs
from zchunk.codecs import LZ4, Blosc, Codec, GZip, Zlib, Zstd, as_codec, get_codec, register_codec
from zchunk.codecs import registry as codec_registry
from zchunk.codecs.registry import stored_codec
from zchunk.errors import CodecError

PAIRS = [
    *((LZ4(a), numcodecs.LZ4(a)) for a in (-5, 0, 1, 2, 50)),
    *((Zstd(level), numcodecs.Zstd(level)) for level in (-100, -1, 0, 1, 3, 9, 19, 22)),
    (Zstd(1, checksum=True), numcodecs.Zstd(1, checksum=True)),
    *((Zlib(level), numcodecs.Zlib(level)) for level in range(-1, 10)),
    *((GZip(level), numcodecs.GZip(level)) for level in range(-1, 10)),
    (Blosc(), numcodecs.Blosc()),
    (Blosc("zstd", 3, Blosc.BITSHUFFLE), numcodecs.Blosc("zstd", 3, numcodecs.Blosc.BITSHUFFLE)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda codec: repr(codec))
def test_configuration(ours: Codec, theirs: Any) -> None:
    config = ours.get_config()
    other = dict(theirs.get_config())
    if not getattr(ours, "checksum", True):
        other.pop("checksum", None)  # some readers know no such member
    assert config == other
    assert get_codec(config) == ours
    assert get_codec(theirs.get_config()) == ours
    assert type(as_codec(theirs)) is type(ours)
    assert as_codec(theirs) == ours == as_codec(ours) == as_codec(config)


def test_defaults_are_those_of_numcodecs() -> None:
    for name in ("Blosc", "LZ4", "Zlib", "GZip"):
        assert getattr(codecs, name)().get_config() == getattr(numcodecs, name)().get_config()


@pytest.mark.parametrize(
    "config",
    [
        {"id": "blosc", "cname": "snappy"},
        {"id": "blosc", "cname": ["lz4"]},
        {"id": "blosc", "cname": None},
        {"id": "blosc", "clevel": 10},
        {"id": "blosc", "clevel": -1},
        {"id": "blosc", "clevel": "5"},
        {"id": "blosc", "clevel": True},
        {"id": "blosc", "clevel": 5.0},
        {"id": "blosc", "shuffle": 3},
        {"id": "blosc", "shuffle": -2},
        {"id": "blosc", "shuffle": None},
        {"id": "blosc", "blocksize": -1},
        {"id": "blosc", "blocksize": 2**31},
        {"id": "blosc", "typesize": 0},
        {"id": "blosc", "level": 1},
        {"id": "zlib", "level": 10},
        {"id": "zlib", "level": -2},
        {"id": "gzip", "level": None},
        {"id": "gzip", "clevel": 1},
        {"id": "zstd", "level": 23},
        {"id": "zstd", "level": -(2**40)},
        {"id": "lz4", "acceleration": 2**31},
        {"id": "lz4", "acceleration": "fast"},
        {"id": "delta"},
        {"id": "no-such-codec"},
        {"id": ""},
        {"id": None},
        {"id": 5},
        {"id": ["zlib"]},
        {},
        None,
        "zlib",
        [],
        {"id": "pickle"},
    ],
    ids=repr,
)
def test_bad_configurations(config: Any) -> None:
    with pytest.raises(CodecError) as caught:
        get_codec(config)
    assert str(caught.value)


def test_error_messages_say_what_and_which() -> None:
    with pytest.raises(CodecError, match=r"'blosc'.*clevel is 12, not an integer from 0 to 9"):
        Blosc(clevel=12)
    with pytest.raises(CodecError, match="'zlib' has no parameter 'strength'"):
        get_codec({"id": "zlib", "strength": 1})
    with pytest.raises(CodecError, match="'no-such-codec'"):
        get_codec({"id": "no-such-codec"})
    with pytest.raises(CodecError, match="'pickle' runs code"):
        get_codec({"id": "pickle", "protocol": 5})


def test_every_codec_of_numcodecs() -> None:
    parameters: dict[str, dict[str, Any]] = {
        "astype": {"encode_dtype": "<f4", "decode_dtype": "<f8"},
        "bitround": {"keepbits": 3},
        "categorize": {"labels": ["a"], "dtype": "U1"},
        "delta": {"dtype": "<i4"},
        "fixedscaleoffset": {"offset": 0, "scale": 1, "dtype": "<f8"},
        "quantize": {"digits": 1, "dtype": "<f8"},
        "vlen-array": {"dtype": "<i4"},
    }
    native = {"blosc", "lz4", "zstd", "zlib", "gzip", "crc32", "crc32c"}
    for codec_id in numcodecs.registry.codec_registry:
        if codec_id == "pickle":
            continue
        codec = get_codec({"id": codec_id, **parameters.get(codec_id, {})})
        assert codec.codec_id == codec_id
        assert isinstance(codec, Codec)
        assert type(codec).__module__.startswith("zchunk" if codec_id in native else "numcodecs")
    assert codecs.Delta is numcodecs.Delta
    with pytest.raises(AttributeError, match="NoSuchCodec"):
        _ = codecs.NoSuchCodec


class Flip:
    """A user's codec."""

    codec_id = "flip"

    def encode(self, buf: Any) -> bytes:
        return bytes(255 - b for b in bytes(buf))

    def decode(self, buf: Any, out: Any = None) -> Any:
        return self.encode(buf)

    def get_config(self) -> dict[str, Any]:
        return {"id": self.codec_id}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Flip:
        return cls(**config)


def test_a_users_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_registry, "_registry", dict(codec_registry._registry))
    with pytest.raises(CodecError):
        get_codec({"id": "flip"})
    register_codec(Flip)
    register_codec(Flip, "other-name")
    assert isinstance(get_codec({"id": "flip"}), Flip)
    assert isinstance(get_codec({"id": "other-name"}), Flip)
    with pytest.raises(CodecError, match=r"flip.*TypeError"):
        get_codec({"id": "flip", "angle": 3})
    flip = Flip()
    assert as_codec(flip) is flip
    # Also one that is known to numcodecs only.
    monkeypatch.setitem(numcodecs.registry.codec_registry, "third", Flip)
    assert isinstance(get_codec({"id": "third"}), Flip)


def test_what_is_no_codec() -> None:
    for obj in (None, 5, "zilb", object(), Zlib, [Zlib()]):
        with pytest.raises(CodecError):
            as_codec(obj)
    delta = numcodecs.Delta("<i4")
    assert as_codec(delta) is delta


# ---- as other programs write configurations


FOREIGN = [
    ({"id": "shuffle", "elementsize": 0}, {"id": "shuffle", "elementsize": 4}),
    ({"id": "shuffle", "elementsize": "4"}, {"id": "shuffle", "elementsize": 4}),
    ({"id": "shuffle", "elementsize": "0"}, {"id": "shuffle", "elementsize": 4}),
    ({"id": "shuffle", "elementsize": 2}, {"id": "shuffle", "elementsize": 2}),
    ({"id": "zlib", "level": "4"}, {"id": "zlib", "level": 4}),
    ({"id": "zstd", "level": "-1"}, {"id": "zstd", "level": -1}),
    ({"id": "lz4", "acceleration": "1"}, {"id": "lz4", "acceleration": 1}),
    ({"id": "lzma", "preset": "6"}, {"id": "lzma", "preset": 6, "format": 1, "check": -1, "filters": None}),
    (
        {"id": "lzma", "preset": 6, "delta": 1},
        {"id": "lzma", "preset": 6, "format": 1, "check": -1, "filters": None},
    ),
    *(
        (
            {"id": "blosc", "cname": "lz4", "clevel": "5", "shuffle": given, "blocksize": "0"},
            {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": meant, "blocksize": 0},
        )
        for given, meant in (("NONE", 0), ("BYTE", 1), ("BIT", 2), ("bit", 2), ("1", 1), (2, 2))
    ),
]


@pytest.mark.format2
@pytest.mark.parametrize(("stored", "meant"), FOREIGN, ids=str)
@pytest.mark.parametrize("member", ["filters", "compressor"])
def test_configurations_of_others(stored: dict[str, Any], meant: dict[str, Any], member: str) -> None:
    data = np.arange(40, dtype="i4")
    reference = numcodecs.get_codec(dict(meant))
    store: dict[str, Any] = {"0": bytes(reference.encode(data))}
    written = {"filters": [meant], "compressor": None} if member == "filters" else {"compressor": meant}
    plain = {"filters": None, "compressor": None} | written
    document = {
        "zarr_format": 2, "shape": [40], "chunks": [40], "dtype": "<i4", "fill_value": 0, "order": "C",
        **plain,
    }  # fmt: skip
    foreign = [stored] if member == "filters" else stored
    store[".zarray"] = json.dumps(document | {member: foreign}).encode()
    z = zchunk.open_array(store, mode="r+")
    assert np.array_equal(z[:], data)
    z[3] = 7
    assert np.frombuffer(reference.decode(store["0"]), "i4")[3] == 7
    # Metadata that are written again are as they should be.
    z.resize(41)
    again = json.loads(store[".zarray"])
    assert again[member] == ([meant] if member == "filters" else meant)


@pytest.mark.parametrize(
    "config",
    [
        {"id": "zlib", "level": "four"},
        {"id": "zlib", "level": ""},
        {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": "BITS"},
        {"id": "zlib", "level": "12345678901234567890"},
    ],
    ids=str,
)
def test_what_is_no_number_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        stored_codec(config)


def test_shuffles_of_format_3_mean_the_items(tmp_path: Path) -> None:
    data = np.arange(40, dtype="i4")
    z = zchunk.create(
        40, dtype="i4", chunks=40, store=tmp_path / "z", zarr_format=3,
        compressors=[{"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}],
    )  # fmt: skip
    z[:] = data
    path = tmp_path / "z" / "zarr.json"
    path.write_text(path.read_text().replace('"elementsize": 4', '"elementsize": 0'))
    assert np.array_equal(zchunk.open_array(tmp_path / "z", mode="r")[:], data)


@pytest.mark.parametrize(
    ("codec_id", "told"),
    [
        ("wavpack", "is not installed: pip install 'wavpack-numcodecs'"),
        ("imagecodecs_jpegxl", "is not installed: pip install imagecodecs, and call"),
        ("unheard-of", "known neither to zchunk nor to numcodecs: import the package"),
    ],
)
def test_codecs_that_are_not_installed_say_what_to_install(codec_id: str, told: str) -> None:
    with pytest.raises(CodecError, match=told):
        get_codec({"id": codec_id})


def test_zarr_3s_names_that_are_nobody_elses() -> None:
    import zchunk.zarr3

    for name in ("BloscCodec", "BytesCodec", "ShardingCodec", "VLenUTF8Codec", "ZstdCodec"):
        assert getattr(zchunk.codecs, name) is getattr(zchunk.zarr3.codecs, name)
