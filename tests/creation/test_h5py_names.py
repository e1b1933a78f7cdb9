"""Parameters by h5py's names: what they make, and what is ignored."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import zchunk
from zchunk.codecs import Blosc, Zlib, Zstd
from zchunk.errors import BadCompressorError, CodecError

WAYS: list[Callable[..., zchunk.Array]] = [
    lambda **kwargs: zchunk.create(100, **kwargs),
    lambda **kwargs: zchunk.array(range(100), **kwargs),
    lambda **kwargs: zchunk.open_array({}, "w", 100, **kwargs),
    lambda **kwargs: zchunk.open({}, "a", shape=100, **kwargs),
    lambda **kwargs: zchunk.zeros_like([0] * 100, **kwargs),
    lambda **kwargs: zchunk.group().create_dataset("a", shape=100, **kwargs),
    lambda **kwargs: zchunk.group().require_dataset("a", shape=100, **kwargs),
]


@pytest.fixture(params=range(len(WAYS)))
def make(request: pytest.FixtureRequest) -> Callable[..., zchunk.Array]:
    return WAYS[request.param]


@pytest.mark.parametrize(
    ("compression", "options", "codec"),
    [
        ("zlib", 9, Zlib(9)),
        ("zlib", None, Zlib()),
        ("zlib", (3,), Zlib(3)),
        ("zlib", {"level": 4}, Zlib(4)),
        ("blosc", ("zstd", 1, 2), Blosc("zstd", 1, 2)),
        ("blosc", {"cname": "zstd", "shuffle": 2}, Blosc("zstd", shuffle=2)),
        ("default", None, Blosc()),
        ("none", None, None),
        (None, None, None),
        (Zstd(3), None, Zstd(3)),
    ],
)
def test_compression(
    compression: Any, options: Any, codec: Any, make: Callable[..., zchunk.Array]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make(compression=compression, compression_opts=options).compressor == codec


def test_codecs_of_numcodecs() -> None:
    pytest.importorskip("numcodecs")
    found: Any = zchunk.create(3, compression="bz2", compression_opts=2).compressor
    assert (found.codec_id, found.level) == ("bz2", 2)


def test_fillvalue() -> None:
    assert zchunk.create(3, fillvalue=42).fill_value == 42
    assert zchunk.open_array({}, "w", 3, fillvalue=None).fill_value is None


def test_compressor_counts(make: Callable[..., zchunk.Array]) -> None:
    with pytest.warns(UserWarning, match="'compression'"):
        assert make(compressor=Zlib(2), compression="zstd").compressor == Zlib(2)
    with pytest.warns(UserWarning, match="'compression_opts'"):
        assert make(compressor=None, compression_opts=1).compressor is None


@pytest.mark.parametrize("name", ["shuffle", "fletcher32", "maxshape"])
def test_what_is_ignored(name: str, make: Callable[..., zchunk.Array]) -> None:
    with pytest.warns(UserWarning, match=f"ignoring keyword argument '{name}'"):
        make(**{name: True})


@pytest.mark.parametrize("maxshape", [None, (None,), [5]])
def test_arrays_can_be_resized_whatever_maxshape_says(maxshape: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z = zchunk.create(3, maxshape=maxshape)
    z.resize(9)
    assert z.maxshape == (None,)


def test_what_is_refused(make: Callable[..., zchunk.Array]) -> None:
    with pytest.raises(TypeError, match="'nope'"):
        make(nope=1)
    with pytest.raises(BadCompressorError, match="compression is 1"):
        make(compression=1)
    with pytest.raises(CodecError, match="'nope'"):
        make(compression="nope")
    with pytest.raises(CodecError, match="pickle"):
        make(compression="pickle")


def test_warnings_name_the_line_of_the_caller() -> None:
    with pytest.warns(UserWarning, match="shuffle") as found:
        zchunk.create(3, shuffle=True)
    assert found[0].filename == __file__


def test_parameters_are_checked_when_an_array_is_there() -> None:
    store = zchunk.zeros(3).store
    with pytest.raises(TypeError, match="'nope'"):
        zchunk.open_array(store, "r", nope=1)


def test_parameters_that_are_no_part_of_the_array_are_near_names_too() -> None:
    with pytest.raises(TypeError, match=r"^create\(\) has no .*did you mean 'config'\?"):
        zchunk.create(4, confg={})  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^require_dataset\(\) has no .*did you mean 'exact'\?"):
        zchunk.group().require_dataset("a", shape=4, exct=True)  # type: ignore[call-arg]
