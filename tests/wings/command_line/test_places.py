from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

import zchunk
from tests.wings.command_line.conftest import Run
from zchunk.wings.command_line.arguments import UsageError
from zchunk.wings.command_line.places import node_at, options_of, split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run.zarr", ("run.zarr", "")),
        ("/a/run.zip", ("/a/run.zip", "")),
        ("/a/run.zip/g//u/", ("/a/run.zip", "g//u")),
        ("x.n5/u", ("x.n5", "u")),
        ("https://host.zip/run.zarr/u", ("https://host.zip/run.zarr/u", "")),
        ("https://host/run.zip/u", ("https://host/run.zip", "u")),
        ("memory://x.zip/u", ("memory://x.zip", "u")),
        ("file:///a/run.zip/u", ("file:///a/run.zip", "u")),
    ],
)
def test_where_the_store_ends(text: str, expected: tuple[str, str]) -> None:
    assert split(text) == expected


def test_nodes_in_folders_archives_and_urls(here: Path, run: Run) -> None:
    zchunk.copy_all("run.zarr", "run.zip")
    zchunk.copy_all("run.zarr", "run.n5")
    for place in ("run.zarr/u", "run.zip/u", "run.n5/u", (here / "run.zarr" / "u").as_uri()):
        with node_at(Namespace(), place) as node:
            assert node.shape == (4, 6, 8)


def test_urls_of_fsspec(run: Run) -> None:
    pytest.importorskip("fsspec")
    zchunk.save_array("memory://command-line/u", [1, 2, 3])
    done = run("head", "memory://command-line/u", "--json")
    assert done.json["values"] == [1, 2, 3]


def test_options_are_for_urls() -> None:
    args = Namespace(options=[("anon", True)])
    assert options_of(args, "s3://bucket/x") == {"anon": True}
    # `copy` has one place that is a path, and one that is not.
    assert options_of(args, "run.zarr") is None


def test_near_names_in_a_zip_file(here: Path) -> None:
    zchunk.copy_all("run.zarr", "run.zip")
    with pytest.raises(UsageError, match="did you mean 'sub'"), node_at(Namespace(), "run.zip/sup"):
        pass
