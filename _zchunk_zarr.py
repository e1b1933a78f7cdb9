"""What zarr-python loads of zchunk for its first array: as little as can be, and nothing that fails.

zarr-python loads every pipeline that is installed, in every program, whichever it uses. So zchunk itself is
imported only by programs that ask for it. One that cannot be imported, being built for another Python or
another NumPy, leaves zarr-python as it is, with one warning where zchunk was asked for. That is why this is
no module of zchunk.
"""

import os
import sys
import warnings
from importlib import import_module

_WANTED = "zchunk.zarr_pipeline"


class ZchunkCodecPipeline:
    """Stands in for the pipeline until the first array that is to have it, or for good if there is none."""

    __module__ = _WANTED

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata, store):
        """Return the pipeline of an array; `NotImplementedError`, for which zarr-python goes on without."""
        found = _find()
        if found is None:
            raise NotImplementedError
        return found.from_array_metadata_and_store(array_metadata, store)

    @classmethod
    def from_codecs(cls, codecs):
        """Return zarr-python's own pipeline, as zchunk's does."""
        found = _find() or import_module("zarr.core.codec_pipeline").BatchedCodecPipeline
        return found.from_codecs(codecs)


_failed = []


def _find():
    """Return the pipeline of zchunk; None, with a warning the first time, if zchunk cannot be imported."""
    if _failed:
        return None
    try:
        return import_module(_WANTED).ZchunkCodecPipeline
    # Whatever it is: extension modules for another NumPy raise ValueError.
    except Exception as err:
        _failed.append(err)
        warnings.warn(
            f"zchunk cannot be imported, zarr-python reads and writes by itself: {type(err).__name__}: {err}",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


def _is_wanted():
    return _WANTED in sys.modules or os.environ.get("ZCHUNK_ZARR_ENGINE", "0") not in ("", "0")


if _is_wanted():
    ZchunkCodecPipeline = _find() or ZchunkCodecPipeline
