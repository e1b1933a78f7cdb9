"""How a caller may write a dtype, and how chunks are named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from zchunk.creation.spellings import checked_separator, key_encoding, native_type


def test_key_encodings() -> None:
    for given, expected in (
        ("default", ("default", "/")), ("v2", ("v2", ".")), (("v2", "/"), ("v2", "/")),
        ({"name": "default", "separator": "."}, ("default", ".")),
        ({"name": "v2", "configuration": {"separator": "/"}}, ("v2", "/")),
    ):  # fmt: skip
        assert key_encoding(given) == expected


@pytest.mark.parametrize("given", ["v3", ("default", "-"), {"name": "v2", "separator": "x"}, 5])
def test_other_key_encodings_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="chunk_key_encoding is "):
        key_encoding(given)


def test_separators() -> None:
    assert [checked_separator(given) for given in (None, ".", "/")] == [None, ".", "/"]
    with pytest.raises(ValueError, match=r"not '\.' or '/'"):
        checked_separator("-")


def test_dtypes() -> None:
    class OfZarr3:
        def to_native_dtype(self) -> np.dtype[np.int32]:
            return np.dtype("i4")

    for version in (2, 3):
        assert native_type("f8", version) == "f8"
        assert native_type(OfZarr3(), version) == np.dtype("i4")
        assert native_type("complex_float32", version) == "complex_float32"
    assert [native_type(name, 3) for name in ("r24", "string", "variable_length_bytes")] == ["V3", str, bytes]
    assert native_type("r24", 2) == "r24"


@pytest.mark.parametrize(
    ("name", "there"),
    [("bfloat16", "bfloat16"), ("complex_bfloat16", "bcomplex32"), ("complex_float16", "complex32")],
)
def test_dtypes_of_ml_dtypes(name: str, there: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    if hasattr(ml_dtypes, there):
        assert native_type(name, 2) == native_type(name, 3) == np.dtype(getattr(ml_dtypes, there))


def test_an_array_of_format_2_imports_nothing_of_format_3() -> None:
    # What is imported while an array is made counts as memory that writing it takes.
    program = (
        "import sys, zchunk\n"
        "zchunk.create(4, chunks=2, dtype='i4', zarr_format=2)[...] = 1\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "zchunk.creation.spellings" in found
    assert not found & {
        "zchunk.creation.parameters_v3",
        "zchunk.codecs.v3",
        "zchunk.codecs.sharding",
        "zchunk.metadata.v3.codecs",
        "zchunk.metadata.v3.data_types",
    }
