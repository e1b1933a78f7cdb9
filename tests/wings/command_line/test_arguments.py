from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest

from zchunk.wings.command_line import arguments
from zchunk.wings.command_line.arguments import Parser, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[0, :5, ::2]", np.s_[0, :5, ::2]),
        ("...", np.s_[...,]),
        ("[-1, ..., 3]", np.s_[-1, ..., 3]),
        ("1:2:3,4:,:-5", np.s_[1:2:3, 4:, :-5]),
        ("[]", ()),
        (" [ : ] ", np.s_[:,]),
    ],
)
def test_selections_are_those_of_numpy(text: str, expected: tuple[Any, ...]) -> None:
    assert arguments.selection(text) == expected


@pytest.mark.parametrize("text", ["[1", "a", "1:2:3:4", "[0,,1]", "::0", "[[1]]", "1.5", "__import__('os')"])
def test_what_is_no_selection(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        arguments.selection(text)


@pytest.mark.parametrize("text", ["", "x", "0", "1,,2", "1,-2", "=3", "time=", "time=x", "time=0"])
def test_what_are_no_chunks(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        arguments.chunks(text)


def test_encoding_has_only_what_was_given() -> None:
    parser = Parser(prog="zchunk copy")
    parser.add_encoding()
    assert arguments.encoding(parser.parse_args([])) == {}
    given = ["--format", "3", "--chunks", "1,2", "--shards", "none", "--compressor", "none"]
    found = arguments.encoding(parser.parse_args(given))
    assert found == {"zarr_format": 3, "chunks": (1, 2), "shards": None, "compressor": None}


def test_errors_of_a_parser_are_one_line() -> None:
    with pytest.raises(UsageError, match="see zchunk info --help"):
        Parser(prog="zchunk info").parse_args(["--what"])


def test_values_of_options() -> None:
    found = dict(map(arguments.option, ["a=true", "b=12", "c=none", "d=x=y", "e="]))
    assert found == {"a": True, "b": 12, "c": None, "d": "x=y", "e": ""}
