"""Turning zchunk on and off in a program that uses zarr-python: `install` and `uninstall`."""

from __future__ import annotations

import os
import warnings
from typing import Any, Self

import zarr

from zchunk.wings.zarr_pipeline import engine as methods
from zchunk.wings.zarr_pipeline.versions import DEFAULT_PATH, NEWEST, OLDEST, is_known

PATH = "zchunk.zarr_pipeline.ZchunkCodecPipeline"
_KEY = "codec_pipeline.path"

# The pipeline that zarr-python used before `install`.
_before: list[str] = []


class Installation:
    """What `install` returns: a context manager, at whose end zchunk is uninstalled."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: Any) -> None:
        uninstall()


def install(engine: bool = False) -> Installation:
    """Let zarr-python use zchunk for the arrays that are opened or made from now on.

    Parameters
    ----------
    engine : bool, default False
        Replace whole reads and writes of `zarr.Array`, too, where the array is one that zchunk reads natively
        and the selection is made of integers and slices.

    Returns
    -------
    Installation
        May be used in a ``with`` statement, at whose end `uninstall` is called.

    Raises
    ------
    RuntimeError
        The engine is asked for, and this version of zarr-python is not known.

    Examples
    --------
    >>> import numpy as np
    >>> import zarr
    >>> import zchunk.zarr_pipeline
    >>> with zchunk.zarr_pipeline.install(engine=True):
    ...     z = zarr.create_array("run.zarr", data=np.arange(6), chunks=2)
    ...     print(z[::2])
    [0 2 4]
    """
    if engine and not is_known():
        raise RuntimeError(
            f"the engine needs zarr-python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, whose insides "
            f"it knows, and this is {zarr.__version__}; use the codec pipeline alone: install()"
        )
    if zarr.config.get(_KEY) != PATH:
        _before[:] = [zarr.config.get(_KEY)]
        zarr.config.set({_KEY: PATH})
    if engine:
        methods.replace_methods()
    return Installation()


def uninstall() -> None:
    """Undo `install`. Arrays that were opened meanwhile keep their pipeline.

    Examples
    --------
    >>> import zchunk.zarr_pipeline
    >>> installed = zchunk.zarr_pipeline.install()
    >>> zchunk.zarr_pipeline.uninstall()
    """
    methods.restore_methods()
    if zarr.config.get(_KEY) == PATH:
        zarr.config.set({_KEY: _before[0] if _before else DEFAULT_PATH})


def install_as_asked() -> None:
    """Install the engine if the environment asks for it: ``ZCHUNK_ZARR_ENGINE=1``."""
    if os.environ.get("ZCHUNK_ZARR_ENGINE", "0") in ("", "0"):
        return
    try:
        install(engine=True)
    except RuntimeError as err:
        warnings.warn(f"ZCHUNK_ZARR_ENGINE: {err}", RuntimeWarning, stacklevel=2)


install_as_asked()
