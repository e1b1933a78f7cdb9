"""Names of ``zarr.registry``."""

from zchunk.codecs import get_codec, register_codec

__all__ = ["get_codec", "register_codec"]
