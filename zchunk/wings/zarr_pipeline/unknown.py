"""What stands in for the pipeline in a zarr-python whose insides are others: zarr-python works alone.

zarr-python imports every pipeline that is installed when it makes its first array. So importing this one must
not fail, whatever has moved.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, NoReturn

import zarr
from zarr.abc.codec import CodecPipeline

from zchunk.wings.zarr_pipeline.versions import DEFAULT_PATH, NEWEST, OLDEST, check_known

calls: dict[str, int] = {}


class ZchunkCodecPipeline(CodecPipeline):  # type: ignore[misc]
    """Warns, and leaves everything to zarr-python."""

    __module__ = "zchunk.zarr_pipeline"

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata: Any, store: Any) -> NoReturn:
        """Raise `NotImplementedError`, for which zarr-python goes on without.

        Parameters
        ----------
        array_metadata, store
            Of an array.
        """
        check_known()
        raise NotImplementedError

    @classmethod
    def from_codecs(cls, codecs: Iterable[Any]) -> Any:
        """Return zarr-python's own pipeline.

        Parameters
        ----------
        codecs : iterable of zarr.abc.codec.Codec
            In the order of encoding.
        """
        module, _, name = DEFAULT_PATH.rpartition(".")
        return getattr(import_module(module), name).from_codecs(codecs)


def install(engine: bool = False) -> NoReturn:
    """Raise `RuntimeError`: there is nothing to install.

    Parameters
    ----------
    engine : bool, optional
        Makes no difference.
    """
    raise RuntimeError(
        f"zchunk knows zarr-python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, and this is "
        f"{zarr.__version__}; use one of these, or a newer zchunk"
    )


def uninstall() -> None:
    """Do nothing, for nothing is installed."""
