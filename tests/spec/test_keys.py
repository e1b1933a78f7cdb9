"""Keys and paths: what may name something in a store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchunk.errors import InvalidKeyError, ZchunkError
from zchunk.spec.keys import ChunkKeyEncoding, check_key, join, normalize_path, parents


@pytest.mark.parametrize("key", [".zarray", "a/b/0.0", "0", "a..b/c", "ä ö", "...", "a/.b"])
def test_legal_keys(key):
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/.", ".", "a\0b", "a\\b", "..\\a", "\ud800"],
)
def test_illegal_keys(key):
    with pytest.raises(InvalidKeyError) as caught:
        check_key(key)
    assert isinstance(caught.value, ZchunkError)
    assert isinstance(caught.value, ValueError)
    assert not isinstance(caught.value, KeyError), "only a missing key is a KeyError"


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        (None, ""), ("", ""), ("/", ""), ("a", "a"), ("/a//b/", "a/b"), ("a\\b", "a/b"), (b"a/b", "a/b"),
        (7, "7"),
    ],
)
def test_paths_have_one_form(path, normal):
    assert normalize_path(path) == normal


@pytest.mark.parametrize("path", ["..", "a/../b", "./a", "a/.", "a\0", "..\\a", "/../etc"])
def test_paths_that_could_escape(path):
    with pytest.raises(InvalidKeyError, match="begin at the root"):
        normalize_path(path)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_normal_path_is_the_root_or_a_legal_key(text):
    try:
        path = normalize_path(text)
    except InvalidKeyError:
        return
    assert path == "" or check_key(path) == path
    assert normalize_path(path) == path


def test_join_and_parents():
    assert join("", "x") == "x"
    assert join("a/b", "x") == "a/b/x"
    assert parents("") == []
    assert parents("a") == [""]
    assert parents("a/b/c") == ["", "a", "a/b"]


@pytest.mark.parametrize("separator", [".", "/"])
@given(coords=st.lists(st.integers(0, 2**62), min_size=1, max_size=5).map(tuple))
def test_chunk_keys_decode_to_their_coordinates(separator, coords):
    encoding = ChunkKeyEncoding("v2", separator)
    assert encoding.decoder(len(coords))(encoding.encode(coords)) == coords
    assert encoding.decoder(len(coords) + 1)(encoding.encode(coords)) is None


def test_chunk_key_of_a_0d_array():
    encoding = ChunkKeyEncoding("v2", ".")
    assert encoding.encode(()) == "0"
    assert encoding.decoder(0)("0") == ()
    assert encoding.decoder(0)("1") is None


@pytest.mark.parametrize("key", [".zarray", "01.2", "1.-2", "1.", "1.²", "1.2.3", "", "a.b", "+1.2", "1.٣"])
def test_what_is_no_chunk_key(key):
    assert ChunkKeyEncoding("v2", ".").decoder(2)(key) is None
