"""Methods of compression of zip archives, beside `zipfile`."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.choice import rounds
from zchunk.storage import ZipStore

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=rounds(30), deadline=None)
@given(value=st.binary(max_size=3000), repeat=st.sampled_from([0, 1, 100]))
def test_zip_methods_agree_with_zipfile(
    tmp_path_factory: pytest.TempPathFactory, method: int, value: bytes, repeat: int
) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    value *= repeat
    with ZipStore(path, compression=method) as store:
        store["ours/ü"] = value
        assert store["ours/ü"] == value
        assert store.get_range("ours/ü", 3, 50) == value[3:50]
        assert store.size("ours/ü") == len(value)
    with zipfile.ZipFile(path, "a", compression=method) as theirs:
        assert theirs.testzip() is None
        assert theirs.read("ours/ü") == value
        theirs.writestr("theirs", value)
    with ZipStore(path, compression=method) as store:
        assert dict(store) == {"ours/ü": value, "theirs": value}
        store["more"] = value
    with zipfile.ZipFile(path) as theirs:
        assert theirs.testzip() is None
        assert theirs.namelist() == ["ours/ü", "theirs", "more"]
