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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from zchunk.zarr3 import AsyncArray", r"has no AsyncArray: .*Use Array, in a coroutine"),
        ("from zchunk.zarr3 import AsyncGroup", r"has no AsyncGroup: .*Use Group, in a coroutine"),
        ("from zchunk.zarr3 import abc", r"has no abc: .*a store is any mapping"),
        ("from zchunk.zarr3.abc.store import Store", r"has no abc: .*a store is any mapping"),
        ("import zchunk.zarr3.abc.codec", r"has no abc: .*register_codec"),
        ("from zchunk.zarr3.buffer import cpu", r"has no buffer: stores have bytes"),
        ("from zchunk.zarr3.core.sync import sync", r"has no core\.sync: .*Call the functions"),
        ("from zchunk.zarr3.api.asynchronous import open", r"api\.asynchronous: .*asyncio\.to_thread"),
    ],
)
def test_imports_of_what_has_coroutines_say_what_to_use(text: str, words: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=words):
        exec(text)


def test_the_synchronous_module_is_imported_by_its_own_name() -> None:
    names: dict[str, object] = {}
    exec("from zchunk.zarr3.api.synchronous import open_group", names)
    exec("import zchunk.zarr3.api.synchronous as s", names)
    assert names["open_group"] is zarr.open_group
    assert names["s"] is zarr
