"""Tests that cannot run in a build with AddressSanitizer (`make sanitize`) are marked, with the reason."""

from __future__ import annotations

import os

import pytest

SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")


def not_sanitized(reason: str) -> pytest.MarkDecorator:
    """Leave a test out of `make sanitize`."""
    return pytest.mark.skipif(SANITIZED, reason=f"with AddressSanitizer: {reason}")
