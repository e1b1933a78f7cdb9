"""What a new array is to be: the defaults are those of `zchunk.create`."""

from __future__ import annotations

import inspect

import pytest

import zchunk
from zchunk.creation.recipe import ArrayRecipe


def test_defaults_are_those_that_users_see() -> None:
    parameters = inspect.signature(zchunk.create).parameters
    # A user says the place of the index with `shards`.
    fields = ArrayRecipe._field_defaults.items() - {("index_location", "end")}
    assert len(fields) == len(ArrayRecipe._field_defaults) - 1
    for name, default in fields:
        assert parameters[name].default == default, name


def test_it_is_made_of_names_and_does_not_change() -> None:
    recipe = ArrayRecipe((3, 4), dtype="i4")
    assert (recipe.shape, recipe.chunks, recipe.dtype) == ((3, 4), True, "i4")
    with pytest.raises(AttributeError):
        recipe.shape = 5  # type: ignore[misc]
    assert recipe._replace(chunks=2) == ArrayRecipe((3, 4), 2, "i4")
