from __future__ import annotations

from pathlib import Path

import zchunk
from tests.wings.command_line.conftest import Run


def test_attributes_are_shown_set_and_deleted(here: Path, run: Run) -> None:
    assert run("attrs", "run.zarr/u", "units").out == "m s-1\n"
    assert run("attrs", "run.zarr/u", "range=[0, 1.5]", "id=\"7\"", "note=two words").code == 0
    attributes = zchunk.open("run.zarr/u").attrs.asdict()
    assert attributes["range"] == [0, 1.5]
    assert (attributes["id"], attributes["note"]) == ("7", "two words")
    assert run("attrs", "run.zarr/u", "--delete", "note", "-d", "id").code == 0
    assert run("attrs", "run.zarr/u", "--json").json.keys() == {"units", "range", "_ARRAY_DIMENSIONS"}
    assert 'units = m s-1' in run("attrs", "run.zarr/u").out


def test_setting_one_and_showing_another(here: Path, run: Run) -> None:
    assert run("attrs", "run.zarr", "a=1", "title").out == "a run\n"


def test_nothing_is_set_if_something_is_wrong(here: Path, run: Run) -> None:
    assert run("attrs", "run.zarr", "a=1", "--delete", "nothing").code == 2
    assert "a" not in zchunk.open("run.zarr").attrs
