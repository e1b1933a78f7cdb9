"""The codecs of Zarr v3 by name: their configurations to and from codecs.

Those of numcodecs are named ``numcodecs.*`` there. Where bytes are the same, zchunk's own take their place.
What puts codecs together, and what they are to each other, is in `zchunk.metadata.v3.codecs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.codecs.base import Codec
from zchunk.codecs.blosc import Blosc
from zchunk.codecs.bound import BoundCodec, ItemCodec
from zchunk.codecs.crc32c import Crc32c
from zchunk.codecs.deflate import GZip
from zchunk.codecs.registry import canonical, get_codec
from zchunk.codecs.texts import parse_text
from zchunk.codecs.transpose import Reshape, Transpose
from zchunk.codecs.zstd import Zstd
from zchunk.errors import CodecError
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    import difflib
else:
    # For errors only.
    difflib = LazyModule("difflib")

ARRAY_ARRAY = "from array to array"
ARRAY_BYTES = "from array to bytes"
BYTES_BYTES = "from bytes to bytes"

_PREFIX = "numcodecs."
_KINDS = {
    "transpose": ARRAY_ARRAY,
    "reshape": ARRAY_ARRAY,
    "scale_offset": ARRAY_ARRAY,
    "cast_value": ARRAY_ARRAY,
    "bitround": ARRAY_ARRAY,
    "packbits": ARRAY_BYTES,
    "bytes": ARRAY_BYTES,
    "sharding_indexed": ARRAY_BYTES,
    "vlen-utf8": ARRAY_BYTES,
    "vlen-bytes": ARRAY_BYTES,
    "blosc": BYTES_BYTES,
    "gzip": BYTES_BYTES,
    "zstd": BYTES_BYTES,
    "crc32c": BYTES_BYTES,
}
# Those that `zchunk.codecs.bound` is the base of.
BOUND = frozenset({"scale_offset", "cast_value", "bitround", "packbits"})
_NUMCODECS = dict.fromkeys(
    ("delta", "fixedscaleoffset", "quantize", "astype", "bitround", "packbits"), ARRAY_ARRAY
)
_NUMCODECS |= dict.fromkeys(("pcodec", "zfpy"), ARRAY_BYTES)
_NUMCODECS |= dict.fromkeys(
    ("blosc", "lz4", "zstd", "zlib", "gzip", "bz2", "lzma", "shuffle", "crc32c")
    + ("crc32", "adler32", "fletcher32", "jenkins_lookup3"),
    BYTES_BYTES,
)
_KINDS |= {_PREFIX + codec_id: kind for codec_id, kind in _NUMCODECS.items()}

_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
_SHUFFLE_NAMES = {number: name for name, number in _SHUFFLES.items()}
# Parameters that numcodecs needs, but zarr-python leaves out, since the items tell.
_ITEMS = {
    "delta": "dtype",
    "fixedscaleoffset": "dtype",
    "quantize": "dtype",
    "astype": "decode_dtype",
}


def kind_of(name: str) -> str:
    """Return what the codec of a name turns into what; `CodecError` if there is no such codec."""
    try:
        return _KINDS[name]
    except KeyError:
        pass
    if name.startswith(_PREFIX):
        # Says why, if it is one of those that run code from the data.
        get_codec({"id": name.removeprefix(_PREFIX)})
        raise CodecError(f"codec {name!r:.80} is none that arrays of format 3 can have")
    raise _unknown(name)


def _unknown(name: str) -> CodecError:
    """Return the error for a codec of format 3 that is not here: which was meant, or which there are."""
    near = difflib.get_close_matches(name, sorted(_KINDS), 2)
    if _PREFIX + name in _KINDS:
        near = [_PREFIX + name]
    if near:
        return CodecError(f"codec {name!r:.80} is not known; did you mean {' or '.join(map(repr, near))}?")
    own = ", ".join(sorted(known for known in _KINDS if not known.startswith(_PREFIX)))
    return CodecError(
        f"codec {name!r:.80} is not known: zchunk has {own} and, as 'numcodecs.zlib', those of numcodecs; "
        "the array can be read by the library that wrote it, and stored again with one of these"
    )


def kind_of_text(text: str) -> str:
    """Return what the codec that a text names turns into what; `CodecError` if there is no such codec."""
    codec_id = parse_text(text)["id"]
    return kind_of(codec_id if codec_id in _KINDS else _PREFIX + codec_id)


def json_of_text(text: str) -> dict[str, Any] | None:
    """Return the JSON of the codec from array to array that format 3 has by the name in a text.

    None if format 3 has none: the name means a codec of numcodecs. ``numcodecs.bitround`` always does.

    Examples
    --------
    >>> json_of_text("bitround:3")
    {'name': 'bitround', 'configuration': {'keepbits': 3}}
    >>> json_of_text("numcodecs.bitround:3")
    """
    name = text.strip().partition(":")[0]
    if name not in BOUND or _KINDS[name] != ARRAY_ARRAY:
        return None
    configuration = parse_text(text)
    return {"name": configuration.pop("id"), "configuration": configuration}


def bytes_codec(name: str, configuration: dict[str, Any], itemsize: int) -> Codec:
    """Return a codec from bytes to bytes, for chunks whose items have `itemsize` bytes."""
    match name:
        case "blosc":
            return _blosc(configuration)
        case "gzip":
            _check(name, configuration, set(), {"level"})
            if configuration.get("level", 5) == -1:
                raise CodecError("codec 'gzip': level is -1, not an integer from 0 to 9")
            return GZip(configuration.get("level", 5))
        case "zstd":
            _check(name, configuration, set(), {"level", "checksum"})
            checksum = configuration.get("checksum", False)
            if not isinstance(checksum, bool):
                raise CodecError(f"codec 'zstd': checksum is {checksum!r:.80}, not true or false")
            return Zstd(configuration.get("level", 0), checksum)
        case "crc32c":
            _check(name, configuration, set(), set())
            return Crc32c()
    if name == _PREFIX + "shuffle":
        configuration = {"elementsize": itemsize} | configuration
    return _numcodec(name, configuration, itemsize)


def _blosc(configuration: dict[str, Any]) -> Blosc:
    _check("blosc", configuration, {"cname", "clevel", "shuffle"}, {"typesize", "blocksize"})
    shuffle = configuration["shuffle"]
    if not isinstance(shuffle, str) or shuffle not in _SHUFFLES:
        raise CodecError(f"codec 'blosc': shuffle is {shuffle!r:.80}, not one of {', '.join(_SHUFFLES)}")
    return Blosc(**configuration | {"shuffle": _SHUFFLES[shuffle]})


def items_codec(name: str, configuration: dict[str, Any], dtype: np.dtype[Any]) -> Codec:
    """Return a codec of numcodecs whose input are items of `dtype`."""
    codec_id = name.removeprefix(_PREFIX)
    if codec_id in _ITEMS:
        configuration = {_ITEMS[codec_id]: dtype.str} | configuration
    return _numcodec(name, configuration)


def _numcodec(name: str, configuration: dict[str, Any], itemsize: int | None = None) -> Codec:
    if "id" in configuration:
        raise CodecError(f"codec {name!r} has no parameter 'id'")
    return get_codec(canonical({"id": name.removeprefix(_PREFIX), **configuration}, itemsize))


def _check(name: str, configuration: dict[str, Any], required: set[str], optional: set[str]) -> None:
    if missing := required - configuration.keys():
        raise CodecError(f"codec {name!r} lacks the parameter {', '.join(sorted(missing))}")
    if unknown := configuration.keys() - required - optional:
        raise CodecError(f"codec {name!r} has no parameter {', '.join(sorted(unknown)):.80}")


def encoded_dtype(codec: Codec, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of what a codec from array to array makes of items of `dtype`."""
    if isinstance(codec, BoundCodec):
        return codec.encoded if isinstance(codec, ItemCodec) else np.dtype("u1")
    match codec.codec_id:
        case "packbits":
            return np.dtype("u1")
        case "delta" | "fixedscaleoffset" | "quantize":
            made = getattr(codec, "astype", dtype)
        case "astype":
            made = getattr(codec, "encode_dtype", dtype)
        case _:
            made = dtype
    return np.dtype(made)


def is_serializer(codec: Codec) -> bool:
    """Whether a filter turns items into bytes."""
    if isinstance(codec, BoundCodec):
        return codec.serializes
    codec_id = codec.codec_id
    # Those of numcodecs that are called as ones of format 3 are not these.
    own = None if codec_id in BOUND else _KINDS.get(codec_id)
    return codec_id == "byteswap" or ARRAY_BYTES in (own, _NUMCODECS.get(codec_id))


def is_bytes_codec(codec: Codec) -> bool:
    """Whether a codec, of any format, turns bytes into bytes."""
    codec_id = codec.codec_id
    return BYTES_BYTES in (_KINDS.get(codec_id), _NUMCODECS.get(codec_id))


def render_codec(codec: Codec, itemsize: int) -> tuple[str, dict[str, Any] | None]:
    """Return name and configuration of a codec, as zarr-python 3 writes them.

    Parameters
    ----------
    codec : Codec
        Any but a shard and the byte order.
    itemsize : int
        Bytes of an item that it encodes.

    Raises
    ------
    CodecError
        Format 3 has no name for it.
    """
    match codec:
        case Blosc(shuffle=shuffle):
            if shuffle < 0:
                shuffle = 2 if itemsize == 1 else 1
            return "blosc", {
                "typesize": codec.typesize or itemsize,
                "cname": codec.cname,
                "clevel": codec.clevel,
                "shuffle": _SHUFFLE_NAMES[shuffle],
                "blocksize": codec.blocksize,
            }
        case GZip(level=level):
            return "gzip", {"level": 6 if level < 0 else level}
        case Zstd():
            return "zstd", {"level": codec.level, "checksum": codec.checksum}
        case Crc32c(location="end"):
            return "crc32c", None
        case Transpose(order=order):
            return "transpose", {"order": list(order)}
        case Reshape():
            return "reshape", {"shape": codec.get_config()["shape"]}
        case BoundCodec():
            return codec.codec_id, codec.configuration or None
    codec_id = codec.codec_id
    if codec_id in ("vlen-utf8", "vlen-bytes"):
        return codec_id, {}
    if codec_id in _NUMCODECS:
        return _PREFIX + codec_id, {k: v for k, v in codec.get_config().items() if k != "id"}
    raise CodecError(f"codec {codec!r:.80} has no name in Zarr v3")
