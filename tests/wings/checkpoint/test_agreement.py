"""What processes agree on at the beginning of a save."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.wings.checkpoint.ranks import checked, on_ranks
from zchunk.checkpoint import Block, PerRank
from zchunk.errors import CheckpointError
from zchunk.wings.checkpoint.agreement import Agreement, Said, check_attributes, take_apart
from zchunk.wings.checkpoint.communicators import Alone


def test_per_rank_values_are_those_of_all() -> None:
    def work(comm: Any) -> Any:
        agreement = Agreement(comm, None, None)
        state = take_apart({"seed": PerRank(comm.rank), "own": PerRank(np.arange(comm.rank + 1))}, comm.rank)
        said = comm.allgather(agreement.say(3, True, state))
        plan, document = agreement.reach(said, state)
        return document, {name: array.parts.owners for name, array in plan.arrays.items()}

    document, owners = checked(on_ranks(2, work))[1]
    arrays = [{"array": "own/0"}, {"array": "own/1"}]
    assert document == {"dict": [["seed", {"per_rank": [0, 1]}], ["own", {"per_rank": arrays}]]}
    assert owners == {"own/0": {(0,): 0}, "own/1": {(0,): 1}}


def test_parts_are_said_again_only_if_they_change() -> None:
    agreement = Agreement(Alone(), None, None)

    def say(state: dict[str, Any]) -> Said:
        apart = take_apart(state, 0)
        said = agreement.say(1, True, apart)
        agreement.reach([said], apart)
        return said

    assert say({"u": np.zeros(3)}).parts is not None
    assert say({"u": np.ones(3), "n": 1}).parts is None
    assert say({"u": np.ones(4)}).parts is not None


def test_a_plan_that_fails_does_not_stand() -> None:
    agreement = Agreement(Alone(), None, None)
    bad = take_apart({"u": Block(np.zeros(2), (0,), (4,))}, 0)
    for _ in range(2):
        with pytest.raises(ValueError, match="have 2 items"):
            agreement.reach([agreement.say(1, True, bad)], bad)


def said(step: int, *names: str) -> Said:
    return Said(step, True, False, {}, dict.fromkeys(names), {})


@pytest.mark.parametrize(
    ("all_said", "text"),
    [
        ([said(1), said(2)], "rank 0 saves step 1, rank 1 saves step 2"),
        ([said(1, "a"), said(1)], r"rank 0 has PerRank at \['a'\], rank 1 at \[\]"),
    ],
)
def test_processes_that_disagree(all_said: list[Said], text: str) -> None:
    with pytest.raises(CheckpointError, match=text):
        Agreement(Alone(), None, None).reach(all_said, take_apart({}, 0))


def test_steps_that_are_none() -> None:
    with pytest.raises(ValueError, match="step is -1"):
        Agreement(Alone(), None, None).say(-1, True, take_apart({}, 0))
    with pytest.raises(TypeError):
        Agreement(Alone(), None, None).say(1.5, True, take_apart({}, 0))  # type: ignore[arg-type]


def test_per_rank_holds_no_block() -> None:
    for value in (Block(np.zeros(2), (0,), (2,)), {"a": PerRank(1)}):
        with pytest.raises(TypeError, match="'p' is a PerRank with a Block"):
            take_apart({"p": PerRank(value)}, 0)


def test_attributes_of_a_caller() -> None:
    assert check_attributes(None) == {}
    assert check_attributes({"title": "x"}) == {"title": "x"}
    with pytest.raises(ValueError, match="attrs has 'step', 'time'"):
        check_attributes({"time": 1, "step": 2})
    with pytest.raises((TypeError, ValueError)):
        check_attributes({"title": object()})
