"""Tokens of nodes: equal as long as nothing was written."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

import zchunk
from zchunk.core.tokens import dask_token, token_of


def test_tokens_of_files(tmp_path: Path, variant: object) -> None:
    group = zchunk.open_group(tmp_path / "x")
    array, other = (group.create(name, shape=(4, 6), chunks=(2, 3)) for name in "ab")
    seen = set()

    def tokens() -> tuple[str | None, str | None]:
        found = token_of(group), token_of(array)
        assert None not in found
        again = zchunk.open(tmp_path / "x", "r"), pickle.loads(pickle.dumps(array))
        assert found == tuple(map(token_of, again))
        return found

    for change in (
        lambda: None,
        lambda: array.__setitem__(0, 1),
        lambda: array.__setitem__(0, 2),
        lambda: array.attrs.update(a=1),
        lambda: array.resize(6, 6),
        lambda: array.resize(2, 6),
    ):
        change()
        assert not seen & set(tokens())
        seen |= set(tokens())
    before = tokens()
    other[:] = 1
    assert tokens()[0] != before[0]
    assert tokens()[1] == before[1]
    assert dask_token(array) == array.__dask_tokenize__() == ("zchunk", before[1])


def test_arrays_alike_at_other_places_have_other_tokens(tmp_path: Path) -> None:
    a, b = (zchunk.create(3, store=tmp_path / name) for name in "ab")
    for name in (".zarray",):
        os.utime(tmp_path / "a" / name, ns=(1, 1))
        os.utime(tmp_path / "b" / name, ns=(1, 1))
    assert token_of(a) != token_of(b)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert token_of(zchunk.open(tmp_path / "link")) == token_of(a)


def test_views_have_tokens_of_their_own(tmp_path: Path, variant: object) -> None:
    array = zchunk.create(6, chunks=3, dtype="i4", store=tmp_path / "x")
    views = [array, array.view(dtype="f4"), array.astype("f8"), array.astype("i8"), array.view(shape=5)]
    tokens = list(map(token_of, views))
    assert len(set(tokens)) == len(views)
    assert tokens == [token_of(pickle.loads(pickle.dumps(view))) for view in views]


def test_metadata_that_are_in_another_store(tmp_path: Path) -> None:
    stores = {"store": zchunk.MemoryStore(), "chunk_store": zchunk.DirectoryStore(str(tmp_path))}
    before = token_of(zchunk.create(6, fill_value=1, **stores))
    assert token_of(zchunk.Array(**stores)) == before
    assert token_of(zchunk.create(6, fill_value=2, overwrite=True, **stores)) != before


@pytest.mark.parametrize("store", [zchunk.MemoryStore, dict])
def test_what_is_no_file_is_never_the_same(store: type) -> None:
    array = zchunk.create(3, store=store())
    assert token_of(array) is None
    assert dask_token(array) != dask_token(array)


def test_what_is_not_stored_is_other_data_where_it_is_an_error(tmp_path: Path, variant: object) -> None:
    group = zchunk.open_group(tmp_path)
    array = group.create("a", shape=4, chunks=2)
    strict = zchunk.open_group(tmp_path, mode="r", missing="error")
    assert token_of(strict) != token_of(group)
    assert token_of(strict["a"]) != token_of(array)
    assert token_of(strict["a"]) == token_of(zchunk.open_array(tmp_path / "a", missing="error"))
    assert token_of(array) == token_of(zchunk.open_array(tmp_path / "a", missing="fill"))
