"""What zarr 3 prints for reports of bugs, and its switches of logging."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

_PACKAGES = ("zchunk", "numpy", "numcodecs", "fsspec", "obstore", "s3fs", "gcsfs", "ml_dtypes", "zarr")


def print_debug_info() -> None:
    """Print the versions of what takes part, for reports of bugs.

    Examples
    --------
    >>> import zchunk.zarr3 as zarr
    >>> zarr.print_debug_info()  # doctest: +ELLIPSIS
    platform: ...
    """
    print(f"platform: {platform.platform()}")
    print(f"python: {platform.python_version()}")
    for name in _PACKAGES:
        try:
            print(f"{name}: {version(name)}")
        except PackageNotFoundError:
            print(f"{name}: not installed")


def set_log_level(level: str) -> NoReturn:
    """Raise an error: zchunk logs nothing."""
    raise NotImplementedError("zchunk logs nothing; LoggingStore in zchunk.zarr3.storage tells of accesses")


def set_format(log_format: str) -> NoReturn:
    """Raise an error: zchunk logs nothing."""
    set_log_level(log_format)
