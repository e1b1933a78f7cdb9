"""What a default run leaves out: every pair of values is still there, and a full run has every case."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import ROOT, choice

rows = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 3)] * width), min_size=1, max_size=40, unique=True)
)


def occurring(found: list[tuple[int, ...]], strength: int) -> set[tuple[tuple[int, int], ...]]:
    return {part for row in found for part in combinations(enumerate(row), strength)}


@given(found=rows, strength=st.sampled_from([1, 2]))
def test_everything_that_occurs_is_covered(found: list[tuple[int, ...]], strength: int) -> None:
    chosen = choice.covering(found, strength)
    assert chosen == sorted(set(chosen))
    assert occurring([found[number] for number in chosen], strength) == occurring(found, strength)
    assert chosen == choice.covering(found, strength)


def test_products_become_few() -> None:
    product = [(a, b, c, d) for a in range(10) for b in range(5) for c in range(3) for d in range(2)]
    assert len(choice.covering(product, 2)) <= 56
    assert len(choice.covering(product, 1)) == 10


def test_hypothesis_tries_more_in_a_full_run() -> None:
    assert choice.rounds(200) == (200 if choice.everything else 25)
    assert choice.rounds(1) == 1
    assert settings.get_profile("default").max_examples == choice.rounds(200)


CASES = """
import pytest

@pytest.fixture(params=[1, 2])
def path(request):
    return request.param

@pytest.mark.parametrize("a", [0, 1, 2])
@pytest.mark.parametrize("b", [[], {}, None])
def test_pairs(a, b, path): pass

@pytest.mark.each_value
@pytest.mark.parametrize("a", [0, 1, 2])
@pytest.mark.parametrize(("b", "c"), [(1, 2), (3, 4)])
class TestValues:
    def test_values(self, a, b, c, path): pass

@pytest.mark.one_in(2)
@pytest.mark.parametrize("a", [0, 1, 2, 3, 4])
def test_share(a): pass

@pytest.mark.parametrize("a", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_slow(a): pass
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "test_cases.py").write_text(CASES)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow\n    each_value\n    one_in\n")
    return str(tmp_path / "test_cases.py")


def collected(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.choice", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [*command, "--collect-only", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"::(test_.*)", done.stdout)


def test_a_full_run_has_what_a_default_run_leaves_out(file: str) -> None:
    few, every = collected(file), collected("--all", file)
    assert len(every) == 3 * 3 * 2 + 3 * 2 * 2 + 5 + 2
    assert set(few) < set(every)
    tests = ("test_pairs", "test_values", "test_share", "test_slow")
    counts = {test: sum(name.startswith(test) for name in few) for test in tests}
    assert counts == {"test_pairs": 10, "test_values": 3, "test_share": 3, "test_slow": 1}
    # What is asked for by its name runs.
    assert collected(f"{file}::test_slow") == ["test_slow[0]", "test_slow[1]"]


WHOLE = """
from hypothesis import given, strategies

def test_once(): pass

@given(strategies.integers())
def test_examples(n): pass
"""
ROUNDS = """
from tests.choice import rounds

def test_rounds(): pass
"""


def test_the_rest_is_what_a_default_run_leaves_out_or_tries_less_of(file: str, tmp_path: Path) -> None:
    rest = collected("--rest", file)
    assert sorted(rest + collected(file)) == sorted(collected("--all", file))
    (tmp_path / "test_whole.py").write_text(WHOLE)
    (tmp_path / "test_rounds.py").write_text(ROUNDS)
    assert collected("--rest", str(tmp_path)) == [*rest, "test_rounds", "test_examples"]
