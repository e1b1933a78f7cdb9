"""Names that are near to one that is not there."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.runtime.near_names import near, says_near_names

GROUP, ARRAY = zchunk.group(), zchunk.zeros(3)
CALLS: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (zchunk.open_group, {"pth": "a"}, r"open_group\(\) has no parameter 'pth'; did you mean 'path'\?"),
    (zchunk.group, {"overwite": True}, r"group\(\) has no .*'overwrite'"),
    (zchunk.create_group, {"attrbutes": {}}, r"create_group\(\) has no .*'attributes'"),
    (zchunk.load, {"store": {}, "zarr_fromat": 3}, r"load\(\) has no .*'zarr_format'"),
    (zchunk.consolidate_metadata, {"store": {}, "metadata_ky": "x"}, r"has no .*'metadata_key'"),
    (zchunk.tree, {"grp": GROUP, "levl": 1}, r"tree\(\) has no .*'level'"),
    (zarr.open_group, {"pth": "a"}, r"open_group\(\) has no .*'path'"),
    (zarr.create_array, {"store": {}, "shap": 3}, r"create_array\(\) has no .*'shape'"),
    (zarr.create_group, {"overwite": True}, r"create_group\(\) has no .*'overwrite'"),
    (zarr.create_hierarchy, {"store": {}, "node": {}}, r"create_hierarchy\(\) has no .*'nodes'"),
    (zarr.load, {"store": {}, "pth": "a"}, r"load\(\) has no .*'path'"),
    (GROUP.create_group, {"name": "a", "overwite": True}, r"create_group\(\) has no .*'overwrite'"),
    (GROUP.members, {"max_dept": 1}, r"^members\(\) has no .*'max_depth'"),
    (GROUP.arrays, {"recure": True}, r"^arrays\(\) has no .*'recurse'"),
    (GROUP.create_groups, {"overwite": True}, r"^create_groups\(\) has no .*'overwrite'"),
    (zarr.group, {"overwite": True}, r"^group\(\) has no .*'overwrite'"),
    (zarr.open_group, {"use_consolidatd": True}, r"^open_group\(\) has no .*'use_consolidated'"),
    (zchunk.concat, {"arrays": [ARRAY], "axs": 0}, r"^concat\(\) has no .*'axis'"),
    (zchunk.stack, {"arrays": [ARRAY], "axs": 0}, r"^stack\(\) has no .*'axis'"),
    (zchunk.verify, {"store": ARRAY, "storag_options": {}}, r"^verify\(\) has no .*'storage_options'"),
    (zchunk.set_threads, {"thread": 2}, r"^set_threads\(\) has no "),
    (ARRAY.append, {"data": [1], "axs": 0}, r"^append\(\) has no .*'axis'"),
    (ARRAY.resize, {"newshape": 2}, r"^resize\(\) has no .*'new_shape'"),
    (ARRAY.view, {"shpe": 2}, r"^view\(\) has no .*'shape'"),
    (ARRAY.islice, {"strt": 2}, r"^islice\(\) has no .*'start'"),
    (ARRAY.hexdigest, {"hash_name": "md5"}, r"^hexdigest\(\) has no .*'hashname'"),
    (ARRAY.read_direct, {"dst": 1}, r"^read_direct\(\) has no .*'dest'"),
    (ARRAY.asstr, {"encodng": "ascii"}, r"^asstr\(\) has no .*'encoding'"),
    (ARRAY.update_attributes, {"newattributes": {}}, r"^update_attributes\(\) has no .*'new_attributes'"),
    (zchunk.Array.open, {"store": {}, "confg": {}}, r"^open\(\) has no .*'config'"),
]


@pytest.mark.parametrize(("function", "given", "words"), CALLS)
def test_functions_of_fixed_parameters_say_which_was_meant(
    function: Callable[..., Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        function(**given)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def inner(*, length: int) -> int:
    return length


@says_near_names
def outer(size: int, *, length: int = 2) -> int:
    """Return a size."""
    return size * inner(length=length) if size else inner(lenth=length)  # type: ignore[call-arg]


def test_other_errors_stay_as_they_are() -> None:
    assert outer(2) == 4
    with pytest.raises(TypeError, match=r"^outer\(\) has no parameter 'x'$"):
        outer(1, x=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'size'"):
        outer()  # type: ignore[call-arg]
    # Raised by what the function does: it is not the caller's parameter.
    with pytest.raises(TypeError, match=r"inner.* got an unexpected keyword argument 'lenth'"):
        outer(0)


def test_the_function_is_what_it_was() -> None:
    assert (outer.__name__, outer.__doc__, outer.__module__) == ("outer", "Return a size.", __name__)
    assert list(inspect.signature(outer).parameters) == ["size", "length"]
    assert pickle.loads(pickle.dumps(outer)) is outer
    assert inspect.isfunction(zchunk.open_group)


def test_near() -> None:
    assert near("chunk", ["chunks"]) == "; did you mean 'chunks'?"
    assert near("x", ["chunks"]) == ""
