"""What programs import from ``zarr.api`` and ``zarr.abc``."""

from __future__ import annotations

import pytest

import zchunk.zarr3 as zarr


def test_modules_of_coroutines_say_what_to_use() -> None:
    assert zarr.api.synchronous is zarr
    with pytest.raises(ImportError, match=r"Use the functions of zchunk\.zarr3.*asyncio\.to_thread"):
        _ = zarr.api.asynchronous
    with pytest.raises(ImportError, match=r"Use the functions of zchunk\.zarr3"):
        exec("from zchunk.zarr3.api import asynchronous")
    with pytest.raises(AttributeError, match="a store is any mapping"):
        _ = zarr.abc  # type: ignore[attr-defined]
