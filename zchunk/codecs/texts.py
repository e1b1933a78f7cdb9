"""Codecs as text: ``"zstd"``, ``"zstd:9"``, ``"blosc-lz4"``, read into the configurations of numcodecs.

A name alone means the defaults of the format: those of numcodecs in format 2, those of zarr 3 in format 3.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from zchunk.errors import CodecError

# What the number after the colon is, if it is not the level.
_NUMBERS = {
    "blosc": "clevel",
    "bitround": "keepbits",
    "lz4": "acceleration",
    "lzma": "preset",
    "shuffle": "elementsize",
}
_INTEGER = re.compile("[+-]?[0-9]{1,10}")
# zarr 3's defaults, where they are not numcodecs'.
_OF_FORMAT_3: dict[str, dict[str, Any]] = {
    "blosc": {"cname": "zstd", "shuffle": -1},
    "crc32c": {"location": "end"},
    "gzip": {"level": 5},
    "zstd": {"level": 0},
}


def parse_text(text: str, zarr_format: int = 2, dtype: np.dtype[Any] | None = None) -> dict[str, Any]:
    """Return the configuration of the codec that a text names.

    Parameters
    ----------
    text : str
        A name, after which a colon and a number may stand: the level, or the one parameter of the codec.
        ``blosc-lz4`` is Blosc with the compressor ``lz4`` inside. The names of format 3 for codecs of
        numcodecs, such as ``numcodecs.zlib``, are taken, too.
    zarr_format : {2, 3}, optional
        Whose defaults hold.
    dtype : numpy.dtype, optional
        Of the items, for the filters that need it.

    Raises
    ------
    CodecError
        What follows the colon is no number.

    Examples
    --------
    >>> parse_text("blosc-lz4:9")
    {'id': 'blosc', 'cname': 'lz4', 'clevel': 9}
    >>> parse_text("gzip", 3)
    {'id': 'gzip', 'level': 5}
    """
    name, colon, number = text.strip().partition(":")
    codec_id = name.removeprefix("numcodecs.")
    given: dict[str, Any] = {}
    if codec_id.startswith("blosc-"):
        codec_id, _, given["cname"] = codec_id.partition("-")
    if colon:
        if not _INTEGER.fullmatch(number):
            raise CodecError(f"codec {text!r:.80}: write a number after the colon, as in 'zstd:9'")
        given[_NUMBERS.get(codec_id, "level")] = int(number)
    defaults = _OF_FORMAT_3.get(name.partition("-")[0], {}) if zarr_format == 3 else {}
    if dtype is not None and codec_id == "delta":
        defaults = {"dtype": dtype.str}
    elif dtype is not None and codec_id == "shuffle":
        defaults = {"elementsize": dtype.itemsize}
    return {"id": codec_id, **defaults, **given}
