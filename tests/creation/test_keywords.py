"""The keywords that type checkers know are those that the functions take."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import zchunk
from zchunk import zarr3
from zchunk.creation import h5py_names, keywords
from zchunk.creation.recipe import ArrayRecipe

CREATE = set(inspect.signature(zchunk.create).parameters) - {"kwargs"}
H5PY = set(typing.get_type_hints(keywords.H5pyNames))


def names(typed: Any) -> set[str]:
    return set(typing.get_type_hints(typed))


def test_the_record_has_the_parameters_of_create_and_their_defaults() -> None:
    for name, parameter in inspect.signature(zchunk.create).parameters.items():
        if name in ArrayRecipe._fields and name != "shape":
            assert ArrayRecipe._field_defaults[name] == parameter.default, name
    # Where the index of a shard is, is said in `shards`.
    assert set(ArrayRecipe._fields) - {"index_location"} <= CREATE


def test_typedare_the_parameters_of_create() -> None:
    assert names(keywords.FilledArray) == (CREATE | H5PY) - {"shape"}
    assert names(keywords.FilledArrayLike) == CREATE | H5PY
    place = {"store", "path", "chunk_store", "storage_options"}
    assert names(keywords.FilledMemberLike) == (CREATE | H5PY) - place
    listed = set(inspect.signature(zchunk.create_array).parameters) | {"path"}
    assert names(keywords.OfCreate) == (CREATE | H5PY) - listed


def test_typedare_the_parameters_of_open() -> None:
    array = set(inspect.signature(zchunk.open_array).parameters) - {"kwargs", "store"}
    assert names(keywords.OpenedArray) == (array | H5PY) - {"path"}
    assert names(keywords.OpenedNode) == (array | H5PY) - {"mode", "shape"}
    group = set(inspect.signature(zchunk.open_group).parameters) - {"store", "mode"}
    assert names(keywords.OpenedGroup) == group


def test_h5py_names_are_those_that_are_taken() -> None:
    assert {"compression", "compression_opts", "fillvalue"} == H5PY - h5py_names._IGNORED
    assert h5py_names._IGNORED <= H5PY


def test_typed_are_the_parameters_of_zarr_3() -> None:
    named = set(inspect.signature(zarr3.create).parameters) - {"kwargs", "shape"}
    more = {"chunk_shape", "codecs", "data"}
    assert names(keywords.OtherOfZarr3) | named == (CREATE | H5PY | more | {"mode"}) - {"shape"}
    assert not names(keywords.OtherOfZarr3) & named
    assert names(keywords.NewArrayOfZarr3) - names(keywords.NewArray) == more
    kept = set(inspect.signature(zarr3.create_array).parameters)
    assert names(keywords.KeptOfZarr3) <= kept
    own = set(inspect.signature(zarr3.from_array).parameters) - {"kwargs"}
    assert kept - names(keywords.KeptOfZarr3) == own
