"""Which versions of zarr-python are known: what its classes hand to each other is no public interface."""

from __future__ import annotations

import re
import warnings

import zarr

# From the first to the last of these, by their first two numbers.
OLDEST, NEWEST = (3, 1), (3, 4)

# The pipeline that zarr-python uses by itself.
DEFAULT_PATH = "zarr.core.codec_pipeline.BatchedCodecPipeline"

_warned: set[str] = set()


def version_of(text: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def is_known() -> bool:
    """Whether the zarr-python of this process is one whose insides are known."""
    return OLDEST <= version_of(zarr.__version__) <= NEWEST


def check_known() -> bool:
    """Do what `is_known` does, and warn the first time if it is not."""
    known, version = is_known(), zarr.__version__
    if not known and version not in _warned:
        _warned.add(version)
        warnings.warn(
            f"zchunk knows zarr-python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, not {version}: "
            "zarr-python reads and writes by itself",
            RuntimeWarning,
            stacklevel=3,
        )
    return known
