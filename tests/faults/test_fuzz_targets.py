"""Targets of fuzzing, with their corpora and mutations of these."""

from __future__ import annotations

import random

import pytest

from tests.choice import rounds
from tests.faults import fuzz_targets
from tests.faults.fuzz_targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_errors_of_its_own(name: str) -> None:
    chance = random.Random(name)
    corpus = fuzz_targets.inputs(name)
    for data in corpus:
        TARGETS[name](data)
    for _ in range(rounds(400)):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 1, 4))] = chance.randbytes(chance.choice((0, 1, 1, 4)))
            data = data or bytearray(b"0")
        TARGETS[name](bytes(data))
