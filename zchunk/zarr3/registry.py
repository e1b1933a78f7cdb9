"""Names of ``zarr.registry``: codecs are made known by zarr 3's function, which takes name and class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from zchunk import codecs
from zchunk.codecs import get_codec

__all__ = ["get_codec", "register_codec"]


def register_codec(key: str, codec_cls: type[Any], *, qualname: str | None = None) -> None:
    """Make a codec class known by a name, as `zchunk.codecs.register_codec` does.

    Parameters
    ----------
    key : str
        Name in the metadata.
    codec_cls : type
        Has numcodecs' interface: `encode`, `decode`, `get_config` and the class method `from_config`.
    qualname : str, optional
        zarr 3's, ignored.

    Raises
    ------
    TypeError
        The class has zarr 3's interface, of coroutines, or is none.

    Examples
    --------
    >>> import numcodecs
    >>> import zchunk.zarr3 as zarr
    >>> zarr.registry.register_codec("our_zlib", numcodecs.Zlib)
    >>> zarr.zeros(3, zarr_format=2, compressor="our_zlib").compressor
    Zlib(level=1)
    """
    missing = [name for name in ("encode", "decode", "get_config") if not hasattr(codec_cls, name)]
    if not isinstance(codec_cls, type) or missing:
        lacks = f"lacks {', '.join(missing)}" if missing else "is no class"
        raise TypeError(
            f"the codec {key!r} is {codec_cls!r:.80}, which {lacks}: zchunk takes codecs of numcodecs' "
            "interface, which has no coroutines"
        )
    codecs.register_codec(codec_cls, key)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> NoReturn:
        if name.startswith(("register_", "get_")):
            raise AttributeError(
                f"zchunk.zarr3.registry has no {name}: zchunk reads and writes by itself, and takes codecs "
                "alone. zarr-python uses zchunk by way of zchunk.zarr_pipeline"
            )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
