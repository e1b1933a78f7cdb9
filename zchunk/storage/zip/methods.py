"""How the entries of zip archives are compressed."""

from __future__ import annotations

import bz2
import lzma
import struct
import zipfile
import zlib

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def encode(data: bytes | memoryview, method: int) -> bytes | memoryview:
    """Compress as a zip entry of that method is."""
    if method == zipfile.ZIP_STORED:
        return data
    if method == zipfile.ZIP_DEFLATED:
        return zlib.compress(data, wbits=-15)
    if method == zipfile.ZIP_BZIP2:
        return bz2.compress(data)
    # The old .lzma format has 5 bytes of properties, 8 of size, the stream; zip has a version, the length of
    # the properties, the properties, the stream.
    alone = lzma.compress(data, format=lzma.FORMAT_ALONE)
    return b"\x09\x04" + struct.pack("<H", 5) + alone[:5] + alone[13:]


def decode(packed: bytes, method: int, size: int) -> bytes:
    """Decompress a zip entry, but never to more than `size` bytes."""
    if method == zipfile.ZIP_STORED:
        return packed
    if size == 0:
        # To the decompressors, a limit of 0 may mean none.
        return b""
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-15).decompress(packed, size)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, size)
    if method == zipfile.ZIP_LZMA:
        if len(packed) < 9 or packed[2:4] != b"\5\0":
            raise ValueError("its LZMA header is wrong")
        # A dictionary beyond the value's size is never used, and the claimed one could be 4 GiB.
        dictionary = min(int.from_bytes(packed[5:9], "little"), max(size, 4096))
        header = packed[4:5] + struct.pack("<I", dictionary) + b"\xff" * 8
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(header + packed[9:], size)
    raise ValueError(f"its compression method {method} is not supported")
