"""Metadata of other programs: what can be understood is read, and written again in its one form."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from zchunk.errors import InvalidKeyError, MetadataError


def _changed(path: Path, key: str, **members: Any) -> None:
    document = json.loads((path / key).read_text()) | members
    (path / key).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("f8", "0", 0.0), ("f8", "0.0", 0.0), ("f4", "-1.5e3", -1500.0), ("f8", "nan", math.nan),
        ("f8", "inf", math.inf), ("i4", "0", 0), ("i4", "-7", -7), ("u1", "255", 255), ("i2", "3.0", 3),
        ("?", "0", False), ("?", "1", True), ("c8", "2", 2),
        ("M8[s]", "NaT", np.datetime64("NaT")),
    ],
)  # fmt: skip
def test_numbers_as_text_in_format_2(dtype: str, text: str, value: Any, tmp_path: Path) -> None:
    zchunk.create(2, chunks=1, dtype=dtype, store=tmp_path)
    _changed(tmp_path, ".zarray", fill_value=text)
    z = zchunk.open_array(tmp_path)
    np.testing.assert_array_equal(z[:], np.full(2, value, dtype))
    # Canonical once it is written again.
    z.resize(3)
    stored = json.loads((tmp_path / ".zarray").read_text())["fill_value"]
    assert stored in ("NaN", "Infinity") or not isinstance(stored, str)
    np.testing.assert_array_equal(zchunk.open_array(tmp_path)[:], np.full(3, value, dtype))


@pytest.mark.parametrize(
    ("dtype", "text"), [("i4", "x"), ("u1", "256"), ("f8", ""), ("?", "2"), ("i4", "1.5")]
)
def test_text_that_is_no_number(dtype: str, text: str, tmp_path: Path) -> None:
    zchunk.create(2, chunks=1, dtype=dtype, store=tmp_path)
    _changed(tmp_path, ".zarray", fill_value=text)
    with pytest.raises(MetadataError, match="fill_value"):
        zchunk.open_array(tmp_path)


def test_text_stays_text(tmp_path: Path) -> None:
    zchunk.create(2, chunks=1, dtype=str, fill_value="0", store=tmp_path)
    assert zchunk.open_array(tmp_path)[0] == "0"


@pytest.mark.parametrize("dtype", ["f8", "i4", "?", "c8", "M8[s]", "U3", "S3", "V3", "i4,f8", str, bytes])
def test_no_fill_value_in_format_3(dtype: Any, tmp_path: Path) -> None:
    made = zchunk.create(2, chunks=1, dtype=dtype, store=tmp_path, zarr_format=3)
    expected = made[:].tolist()
    made[0] = made[1]
    _changed(tmp_path, "zarr.json", fill_value=None)
    z = zchunk.open_array(tmp_path)
    assert z[:].tolist() == expected
    z.resize(3)
    assert json.loads((tmp_path / "zarr.json").read_text())["fill_value"] is not None
    assert zchunk.open_array(tmp_path)[:].tolist() == [*expected, expected[0]]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("literal", ["-0", "-0.0", "-0e0"])
def test_a_zero_keeps_its_sign(zarr_format: Any, literal: str, tmp_path: Path) -> None:
    z = zchunk.create(2, chunks=1, dtype="f8", store=tmp_path, zarr_format=zarr_format, fill_value=7.5)
    path = tmp_path / z._format.array_key
    path.write_text(path.read_text().replace("7.5", literal))
    z = zchunk.open_array(tmp_path)
    assert np.signbit(z[:]).all()
    z.resize(3)
    assert np.signbit(zchunk.open_array(tmp_path)[:]).all()
    # To integers it is zero.
    i = zchunk.create(2, dtype="i4", store=tmp_path, zarr_format=zarr_format, fill_value=7, overwrite=True)
    path.write_text(path.read_text().replace('"fill_value": 7', f'"fill_value": {literal}'))
    assert zchunk.open_array(tmp_path)[:].tolist() == [0, 0]
    assert i.shape == (2,)


NUMBERS = [math.nan, math.inf, -math.inf, np.float32("nan"), np.array([1.0, math.nan]), [1, {"a": math.nan}]]


@pytest.mark.parametrize("value", NUMBERS, ids=str)
def test_attributes_of_format_3_are_json(value: Any, tmp_path: Path) -> None:
    group = zchunk.open_group(tmp_path, zarr_format=3, attributes={"a": 1})
    z = group.create("z", shape=2, attributes={"a": 1})
    for node in (group, z):
        for change in (
            lambda node=node: node.attrs.__setitem__("x", value),
            lambda node=node: node.attrs.update(x=value),
            lambda node=node: node.attrs.put({"x": value}),
        ):
            with pytest.raises(ValueError, match="'x'"):
                change()
        assert node.attrs.asdict() == {"a": 1}
    with pytest.raises(ValueError, match="'x'"):
        group.create("new", shape=2, attributes={"x": value})
    with pytest.raises(ValueError, match="'x'"):
        group.create_group("new", attributes={"x": value})
    assert "new" not in group
    # As zarr 2 has it.
    old = zchunk.open_group(tmp_path / "old", attributes={"x": value}, zarr_format=2)
    assert "x" in zchunk.open_group(tmp_path / "old", "r").attrs
    with pytest.raises(ValueError, match="'x'"):
        zchunk.copy(old, group, "new")


def test_what_others_wrote_stays(tmp_path: Path) -> None:
    zchunk.create(2, store=tmp_path, zarr_format=3, attributes={"x": 7.5})
    path = tmp_path / "zarr.json"
    path.write_text(path.read_text().replace("7.5", "NaN"))
    z = zchunk.open_array(tmp_path)
    assert math.isnan(z.attrs["x"])
    z.attrs["y"] = 1
    z.resize(3)
    found = zchunk.open_array(tmp_path).attrs.asdict()
    assert (math.isnan(found["x"]), found["y"]) == (True, 1)


@pytest.mark.parametrize("name", ["__x", "__", "____", "...", "a/__b", "a/..../b"])
def test_names_that_format_3_has_not(name: str) -> None:
    group = zchunk.group(zarr_format=3)
    stored = dict(group.store)
    for make in (
        lambda: group.create_group(name),
        lambda: group.create(name, shape=2),
        lambda: group.__setitem__(name, [1]),
        lambda: zchunk.create(2, store=group.store, path=name, zarr_format=3),
        lambda: zchunk.save(group.store, [1], path=name, zarr_format=3),
    ):
        with pytest.raises(InvalidKeyError, match="format 3"):
            make()
    assert dict(group.store) == stored
    group["x"] = [1]
    with pytest.raises(InvalidKeyError, match="format 3"):
        group.move("x", name)
    assert group["x"][:].tolist() == [1]
    old = zchunk.group(zarr_format=2)
    old[name] = [1]
    assert old[name][:].tolist() == [1]
    group["_x"], group[".x"], group["x__"] = [1], [2], [3]
    assert sorted(group) == [".x", "_x", "x", "x__"]
