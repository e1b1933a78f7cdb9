"""The codecs by name: zchunk's and the user's own first, then numcodecs'."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from zchunk.codecs.base import Codec, NativeCodec
from zchunk.errors import CodecError
from zchunk.runtime.lazy import LazyModule

if TYPE_CHECKING:
    import difflib

    from zchunk.codecs import texts
else:
    # For errors only, and for codecs that are given as text.
    difflib, texts = LazyModule("difflib"), LazyModule("zchunk.codecs.texts")

_registry: dict[str, Any] = {}

# Decoding these runs code that the data chooses. They work where a program registers them, and for
# arrays that are made or opened with such a codec as an argument.
_REFUSED = {"pickle"}

# Parameters that are integers, and what GDAL calls the shuffles of Blosc.
_NUMBERS = {
    "acceleration", "blocksize", "clevel", "elementsize", "keepbits", "level", "preset", "shuffle",
    "typesize",
}  # fmt: skip
_INTEGER = re.compile("[+-]?[0-9]{1,10}")
_SHUFFLES = {"NONE": 0, "BYTE": 1, "BIT": 2}

# Codecs of Zarr data that need a package of their own.
_PACKAGES = {
    "crc32c": "numcodecs[crc32c]",
    "msgpack2": "numcodecs[msgpack]",
    "pcodec": "numcodecs[pcodec]",
    "zfpy": "numcodecs[zfpy]",
    "wavpack": "wavpack-numcodecs",
    "flac": "flac-numcodecs",
}


def register_codec(cls: type[Any], codec_id: str | None = None) -> None:
    """Make a codec class known by its `codec_id`, or by another name.

    Parameters
    ----------
    cls : type
        Has numcodecs' interface: `encode`, `decode`, `get_config` and the class method `from_config`.
        Registering `numcodecs.Pickle` allows every array that this process opens to run code from its data.
    codec_id : str, optional
        Name in the metadata; `cls.codec_id` if not given.

    Examples
    --------
    >>> import zchunk
    >>> class Reverse:
    ...     codec_id = "reverse"
    ...
    ...     def encode(self, buf):
    ...         return bytes(buf)[::-1]
    ...
    ...     def decode(self, buf, out=None):
    ...         return bytes(buf)[::-1]
    ...
    ...     def get_config(self):
    ...         return {"id": self.codec_id}
    ...
    ...     @classmethod
    ...     def from_config(cls, config):
    ...         return cls()
    >>> zchunk.codecs.register_codec(Reverse)
    >>> zchunk.codecs.get_codec({"id": "reverse"}).encode(b"abc")
    b'cba'
    """
    _registry[codec_id or cls.codec_id] = cls


def is_registered(codec: Codec) -> bool:
    """Whether a codec is one of those that `get_codec` makes of its `codec_id`."""
    return _registry.get(codec.codec_id) is type(codec)


def trusted_ids(*codecs: Any) -> frozenset[str]:
    """Return the names of those of a user's codecs that only run where a user hands them over."""
    # Looked up, not asked whether it is a `Codec`: that takes longer than opening an array.
    refused = [codec for codec in codecs if getattr(codec, "codec_id", None) in _REFUSED]
    return frozenset([c.codec_id for c in refused if not isinstance(c, type | RefusedCodec)])


def get_codec(config: Mapping[str, Any], trusted: frozenset[str] = frozenset()) -> Codec:
    """Return the codec that `config`, a JSON object with the codec's name under ``"id"``, describes.

    Parameters
    ----------
    config : mapping
        Name and parameters.
    trusted : frozenset of str, optional
        Codecs that may be made though decoding runs code from the data, such as ``"pickle"``.

    Raises
    ------
    CodecError
        No such codec is known, it does not take these parameters, or decoding would run code from the data.

    Examples
    --------
    >>> import zchunk
    >>> zchunk.codecs.get_codec({"id": "zstd", "level": 3})
    Zstd(level=3, checksum=False)
    """
    if not isinstance(config, Mapping):
        raise CodecError(f"{config!r:.80} is no codec's configuration: a JSON object with a member 'id' is")
    parameters = dict(config)
    codec_id = parameters.pop("id", None)
    if not isinstance(codec_id, str):
        raise CodecError(f"{config!r:.80} names no codec: the member 'id' is missing")
    _refuse(config, trusted)
    cls = _registry.get(codec_id)
    try:
        if cls is None:
            import numcodecs

            codec: Codec = numcodecs.get_codec({"id": codec_id, **parameters})
        else:
            codec = cls.from_config(parameters)
    except CodecError:
        raise
    except Exception as err:
        if cls is None and type(err).__name__ == "UnknownCodecError":
            raise unknown_codec(codec_id) from err
        # A codec from elsewhere may object to its parameters in any way.
        raise CodecError(f"codec {codec_id!r}: {type(err).__name__}: {err}") from err
    return codec


def unknown_codec(codec_id: str) -> CodecError:
    """Return the error for a codec that neither zchunk nor numcodecs has: it says what to install."""
    if codec_id.startswith("imagecodecs_"):
        advice = "pip install imagecodecs, and call imagecodecs.numcodecs.register_codecs() first"
    elif codec_id in _PACKAGES:
        advice = f"pip install {_PACKAGES[codec_id]!r}"
    else:
        near = " or ".join(map(repr, _near(codec_id)))
        return CodecError(
            f"codec {codec_id!r:.80} is known neither to zchunk nor to numcodecs"
            f"{f'; did you mean {near}? Or else' if near else ':'} import the package that has it, or hand "
            "its class to zchunk.codecs.register_codec"
        )
    return CodecError(f"codec {codec_id!r} is not installed: {advice}")


def _near(codec_id: str) -> list[str]:
    """Return the names of codecs that are nearly this one."""
    from numcodecs.registry import codec_registry

    known = {*_registry, *codec_registry, *_PACKAGES}
    return sorted(difflib.get_close_matches(codec_id.lower(), sorted(known)))


def stored_codec(
    config: Mapping[str, Any], trusted: frozenset[str] = frozenset(), itemsize: int | None = None
) -> Codec:
    """Return the codec that stored metadata describe, as `get_codec` does, for items of `itemsize` bytes.

    Parameters may be written as GDAL and NCZarr write them (see `canonical`); the codec has them as they
    should be.

    One that would run code from the data comes as a `RefusedCodec`, so that the array can be looked at.
    """
    try:
        _refuse(config, trusted)
    except CodecError as err:
        if isinstance(config.get("id"), str):
            return RefusedCodec(config, str(err))
    return get_codec(canonical(config, itemsize), trusted)


def canonical(config: Mapping[str, Any], itemsize: int | None) -> Mapping[str, Any]:
    """Return the configuration of a codec as numcodecs writes it, from what others write.

    GDAL has numbers as text, names the shuffles of Blosc, and has LZMA's delta, which each chunk says itself;
    NCZarr means the size of the items by a shuffle of elements of size 0.
    """
    found = {name: _number(name, value) for name, value in config.items()}
    if found.get("id") == "blosc" and isinstance(found.get("shuffle"), str):
        found["shuffle"] = _SHUFFLES.get(found["shuffle"].upper(), found["shuffle"])
    if found.get("id") == "shuffle" and found.get("elementsize") == 0 and itemsize:
        found["elementsize"] = itemsize
    if found.get("id") == "lzma":
        found.pop("delta", None)
    return found


def _number(name: str, value: object) -> Any:
    if name in _NUMBERS and isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return value


class RefusedCodec:
    """What stands for a codec that is not made, since decoding would run code from the data.

    Parameters
    ----------
    config : mapping
        Configuration of the codec.
    reason : str
        Message of the errors that its use raises.
    """

    def __init__(self, config: Mapping[str, Any], reason: str) -> None:
        self.codec_id: str = config["id"]
        self._config = dict(config)
        self._reason = reason

    def encode(self, buf: Any) -> Any:
        """Raise `CodecError`."""
        raise CodecError(self._reason)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Raise `CodecError`."""
        raise CodecError(self._reason)

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``."""
        return deepcopy(self._config)

    def __repr__(self) -> str:
        return f"<refused codec {self._config!r:.80}>"


def check_allowed(codecs: Iterable[Codec]) -> None:
    """Raise `CodecError` if one of the codecs is a `RefusedCodec`."""
    for codec in codecs:
        if isinstance(codec, RefusedCodec):
            codec.encode(None)


def _refuse(config: object, trusted: frozenset[str]) -> None:
    """Raise `CodecError` if a codec that runs code is named, also in the parameters of another codec."""
    if isinstance(config, Mapping):
        codec_id = config.get("id")
        if isinstance(codec_id, str) and codec_id in _REFUSED - _registry.keys() - trusted:
            raise CodecError(
                f"codec {codec_id!r} runs code that is stored in the data, and is refused; if you trust the "
                "data, give object_codec=numcodecs.Pickle() to open_array, or call "
                "zchunk.codecs.register_codec(numcodecs.Pickle)"
            )
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for member in config:
        _refuse(member, trusted)


def as_codec(obj: object, zarr_format: int = 2, dtype: np.dtype[Any] | None = None) -> Codec:
    """Return a user's codec argument, a codec, its configuration or its name, as a codec.

    Those of numcodecs that zchunk has natively become zchunk's.

    Parameters
    ----------
    obj : codec, mapping or str
        A text is a name, with a level or without: ``"zstd"``, ``"zstd:9"``, ``"blosc-lz4"``.
    zarr_format : {2, 3}, optional
        Whose defaults a name means: numcodecs' or zarr 3's.
    dtype : numpy.dtype, optional
        Of the items, for the names of filters that need it.

    Raises
    ------
    CodecError
        It is no codec, or none is known by this name.

    Examples
    --------
    >>> import numcodecs
    >>> import zchunk
    >>> zchunk.codecs.as_codec(numcodecs.Zstd(3))
    Zstd(level=3, checksum=False)
    >>> zchunk.codecs.as_codec({"id": "lz4"})
    LZ4(acceleration=1)
    >>> zchunk.codecs.as_codec("zstd:9")
    Zstd(level=9, checksum=False)
    """
    if isinstance(obj, NativeCodec):
        return obj
    if isinstance(obj, str):
        return get_codec(texts.parse_text(obj, zarr_format, dtype))
    if isinstance(obj, Mapping):
        return get_codec(obj)
    if isinstance(obj, RefusedCodec):
        check_allowed([obj])
    if isinstance(obj, type) or not isinstance(obj, Codec):
        raise CodecError(f"{obj!r:.80} is no codec: encode, decode, get_config or codec_id is missing")
    if type(obj).__module__.partition(".")[0] == "numcodecs" and obj.codec_id in _registry:
        return get_codec(obj.get_config())
    return obj
