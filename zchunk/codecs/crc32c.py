"""The crc32c codec: a checksum of four bytes behind the data."""

from __future__ import annotations

from typing import Any

from zchunk._ext.codecs.crc32c import checksum
from zchunk.codecs.base import LimitedCodec, flat
from zchunk.errors import CodecError


class Crc32c(LimitedCodec):
    """CRC-32C (Castagnoli, RFC 3720), stored little-endian beside the bytes.

    Parameters
    ----------
    location : {"end", "start"}, optional
        Where the checksum is. Format 3 only knows the end.

    Examples
    --------
    >>> import zchunk
    >>> codec = zchunk.codecs.Crc32c()
    >>> len(codec.encode(b"value"))
    9
    >>> bytes(codec.decode(codec.encode(b"value")))
    b'value'
    """

    codec_id = "crc32c"

    def __init__(self, location: str = "end") -> None:
        if location not in ("end", "start"):
            raise CodecError(f"codec 'crc32c': location is {location!r:.80}, not 'end' or 'start'")
        self.location = location

    def encode(self, buf: Any) -> bytes:
        """Return the bytes of `buf` with their checksum.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.codecs.Crc32c().encode(b"value")[:5]
        b'value'
        """
        data = flat(buf)[0]
        crc = checksum(data).to_bytes(4, "little")
        return b"".join((data, crc) if self.location == "end" else (crc, data))

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return what `encode` got, without a copy, or in `out`.

        Raises
        ------
        RuntimeError
            The checksum is another than that of the bytes.

        Examples
        --------
        >>> import zchunk
        >>> codec = zchunk.codecs.Crc32c()
        >>> bytes(codec.decode(codec.encode(b"value")))
        b'value'
        """
        data = memoryview(flat(buf)[0]).cast("B")
        n = len(data) - 4
        if n < 0:
            raise RuntimeError(f"{len(data)} bytes are too few to hold a checksum")
        if limit is not None and n > limit:
            raise RuntimeError(f"{n} bytes have a checksum, at most {limit} are possible")
        payload, stored = (data[:n], data[n:]) if self.location == "end" else (data[4:], data[:4])
        expected = int.from_bytes(stored, "little")
        found = checksum(payload)
        if found != expected:
            raise RuntimeError(f"checksum of {n} bytes is 0x{found:08x}, expected 0x{expected:08x}")
        if out is None:
            return payload
        view = memoryview(flat(out)[0]).cast("B")
        if len(view) != n:
            raise RuntimeError(f"it decodes to {n} bytes, expected {len(view)}")
        view[:] = payload
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.codecs.Crc32c().get_config()["id"]
        'crc32c'
        """
        config = {"id": self.codec_id}
        if self.location != "end":
            config["location"] = self.location
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Crc32c:
        """Return the codec with these parameters (without ``"id"``).

        Examples
        --------
        >>> import zchunk
        >>> zchunk.codecs.Crc32c.from_config({}) == zchunk.codecs.Crc32c()
        True
        """
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Crc32c) and self.location == other.location

    def __hash__(self) -> int:
        return hash((Crc32c, self.location))

    def __repr__(self) -> str:
        return "Crc32c()" if self.location == "end" else f"Crc32c(location={self.location!r})"
