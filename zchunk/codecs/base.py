"""What a codec is, and the base of those that run natively."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from zchunk._ext.codecs import dispatch
from zchunk.errors import CodecError

# The tuple that `_ext.chain` takes: kind, level, checksum, stream, shuffle, typesize, blocksize.
Spec = tuple[int, int, int, int, int, int, int]
# With an eighth member, see there.
ChainSpec = tuple[int, ...]


@runtime_checkable
class Codec(Protocol):
    """A codec: numcodecs' interface, which all codecs of Zarr v2 have.

    Examples
    --------
    >>> import numcodecs
    >>> import zchunk
    >>> isinstance(zchunk.Zstd(), zchunk.codecs.Codec)
    True
    >>> isinstance(numcodecs.Delta("i4"), zchunk.codecs.Codec)
    True
    """

    codec_id: str

    def encode(self, buf: Any) -> Any:
        """Return `buf`, anything with the buffer protocol, encoded.

        Examples
        --------
        >>> import zchunk
        >>> type(zchunk.Zstd().encode(b"value"))
        <class 'bytes'>
        """

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return `buf` decoded; into `out` if that is given.

        Examples
        --------
        >>> import zchunk
        >>> codec = zchunk.Zstd()
        >>> codec.decode(codec.encode(b"value"))
        b'value'
        """

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.Zstd(3).get_config()
        {'id': 'zstd', 'level': 3}
        """


def flat(buf: Any) -> tuple[Any, int]:
    """Return the bytes of `buf` as they lie in memory, and its itemsize.

    Arrays that are contiguous in neither order are copied to C order; datetime64 has no buffer of its own.
    """
    if isinstance(buf, np.ndarray):
        if buf.dtype.hasobject:
            raise TypeError(f"an array of {buf.dtype} holds Python objects; give it an object codec first")
        if not (buf.flags.c_contiguous or buf.flags.f_contiguous):
            buf = np.ascontiguousarray(buf)
        if buf.itemsize == 0 or buf.size == 0:
            return b"", buf.itemsize
        return buf.reshape(-1, order="A").view(np.uint8), buf.itemsize
    view = memoryview(buf)
    return view, view.itemsize


class NativeCodec:
    """Base of the codecs whose work is done by `zchunk._ext`, with the interface of numcodecs.

    A subclass gives its parameters as keyword arguments of ``__init__``, kept under the same names. They do
    not change: arrays share codecs.

    Examples
    --------
    >>> import zchunk
    >>> isinstance(zchunk.LZ4(), zchunk.codecs.NativeCodec)
    True
    >>> zchunk.LZ4() == zchunk.LZ4(acceleration=1)
    True
    """

    codec_id: str
    # Largest buffer that can be encoded at once, in bytes; None if only memory limits it.
    max_size: ClassVar[int | None] = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise AttributeError(f"{name} of codec {self!r} cannot change; make another codec")
        super().__setattr__(name, value)

    def spec(self, itemsize: int) -> Spec:
        """Return what `_ext.chain` needs to encode and decode items of `itemsize` bytes.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.Zstd(3).spec(4)[1]
        3
        """
        raise NotImplementedError

    def encode(self, buf: Any) -> bytes:
        """Return `buf`, anything with the buffer protocol, encoded.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> len(zchunk.Blosc().encode(np.zeros(1000))) < 1000
        True
        """
        data, itemsize = flat(buf)
        return dispatch.encode(self.spec(itemsize), data)

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return `buf` decoded.

        Parameters
        ----------
        buf : bytes-like
            What `encode`, or another implementation, has made.
        out : writable buffer, optional
            Filled and returned; its size must be that of the decoded bytes.
        limit : int, optional
            Most bytes that may come out; checked before memory is taken.

        Raises
        ------
        RuntimeError
            The bytes are not what this codec makes, or decode to another size than that of `out`, or to more
            than `limit`.

        Examples
        --------
        >>> import numpy as np
        >>> import zchunk
        >>> codec, data = zchunk.Blosc(), np.arange(3, dtype="i4")
        >>> np.frombuffer(codec.decode(codec.encode(data)), "i4")
        array([0, 1, 2], dtype=int32)
        >>> out = np.empty(3, dtype="i4")
        >>> codec.decode(codec.encode(data), out=out)
        array([0, 1, 2], dtype=int32)
        """
        spec = self.spec(1)
        if out is not None:
            if isinstance(out, np.ndarray) and not (out.flags.c_contiguous or out.flags.f_contiguous):
                raise ValueError(f"out has strides {out.strides}; only contiguous memory can be decoded into")
            dispatch.decode_into(spec, buf, flat(out)[0] if isinstance(out, np.ndarray) and out.size else out)
            return out
        nbytes = dispatch.decoded_size(spec, buf)
        if nbytes < 0:
            return self._decode_unsized(buf, limit)
        if limit is not None and nbytes > limit:
            raise RuntimeError(f"it announces {nbytes} decoded bytes, at most {limit} are possible")
        return dispatch.decode(spec, buf, nbytes)

    def _decode_unsized(self, buf: Any, limit: int | None) -> bytes:
        raise RuntimeError(f"{len(memoryview(buf))} bytes are no {self.codec_id} data: the size is missing")

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as JSON, with the codec's name under ``"id"``.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.GZip(9).get_config()
        {'id': 'gzip', 'level': 9}
        """
        return {"id": self.codec_id, **{name: getattr(self, name) for name in self._parameters()}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the codec with these parameters (without ``"id"``).

        Examples
        --------
        >>> import zchunk
        >>> zchunk.GZip.from_config({"level": 9})
        GZip(level=9)
        """
        if unknown := set(config) - set(cls._parameters()):
            names = ", ".join(sorted(map(repr, unknown)))
            raise CodecError(f"codec {cls.codec_id!r} has no parameter {names}")
        return cls(**config)

    @classmethod
    @cache
    def _parameters(cls) -> tuple[str, ...]:
        return tuple(inspect.signature(cls).parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Codec) or isinstance(other, type):
            return NotImplemented
        return self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.get_config().items())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self._parameters())})"


class LimitedCodec:
    """Base of other codecs of zchunk whose `decode` takes a `limit`, as that of `NativeCodec` does."""

    def decode(self, buf: Any, out: Any = None, *, limit: int | None = None) -> Any:
        """Return `buf` decoded, which takes no more than `limit` bytes."""
        raise NotImplementedError


def check_int(codec: str, name: str, value: object, low: int, high: int) -> int:
    """Return `value` if it is an integer from `low` to `high`, else raise `CodecError`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise CodecError(f"codec {codec!r}: {name} is {value!r:.80}, not an integer from {low} to {high}")
    return int(value)
