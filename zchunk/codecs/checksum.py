"""The base of codecs that put a checksum of four bytes beside the data, as those of numcodecs do."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from zchunk.codecs.base import LimitedCodec, flat
from zchunk.errors import CodecError


class Checksum(LimitedCodec):
    """A checksum of four bytes, little-endian, behind the data or before them.

    A subclass has the name of the codec, where numcodecs puts the checksum, and `sum_of`.

    Parameters
    ----------
    location : {"start", "end"}, optional
        Where the checksum is.
    """

    codec_id: str
    # Where it is if nothing is said.
    usual: ClassVar[str] = "end"

    def __init__(self, location: str | None = None) -> None:
        location = self.usual if location is None else location
        if location not in ("end", "start"):
            raise CodecError(f"codec {self.codec_id!r}: location is {location!r:.80}, not 'end' or 'start'")
        self.location = location

    @staticmethod
    def sum_of(data: Any) -> int:
        """Return the checksum of a bytes-like object."""
        raise NotImplementedError

    @property
    def native_name(self) -> str:
        """What the kernels call it, which know it only where it usually is."""
        return self.codec_id if self.location == self.usual else "none"

    def encode(self, buf: Any) -> bytes:
        """Return the bytes of `buf` with their checksum.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.codecs.Crc32c().encode(b"value")[:5]
        b'value'
        """
        data = flat(buf)[0]
        stored = self.sum_of(data).to_bytes(4, "little")
        return b"".join((data, stored) if self.location == "end" else (stored, data))

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
        found = self.sum_of(payload)
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
        if self.location != self.usual:
            config["location"] = self.location
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the codec with these parameters (without ``"id"``).

        Examples
        --------
        >>> import zchunk
        >>> zchunk.codecs.Crc32c.from_config({}) == zchunk.codecs.Crc32c()
        True
        """
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checksum) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), self.location))

    def __repr__(self) -> str:
        given = "" if self.location == self.usual else f"location={self.location!r}"
        return f"{type(self).__name__}({given})"
