"""Which cases a default run has: pairs of parameters instead of products, fewer examples, and nothing slow.

`python -m pytest` is for everybody and every change, so it takes minutes; `python -m pytest --all` has every
case, and `--rest` those that the default run has left out, in whole or in part: both together are all.
Three things make the difference, and all that a run leaves out is counted as deselected:

- Of a test with several parameters (those of its fixtures are among them) it has the cases in which every
  pair of values occurs, since nearly all faults show with two values. Of one that is marked `each_value` it
  has those in which every value occurs. Of one that is marked `one_in(n)` it has every n-th of these.
- Tests marked `slow` are left out.
- hypothesis tries an eighth of the examples, and other numbers of rounds are smaller too (`rounds`).

The choice depends on nothing but the cases, so it is the same in every process and on every machine. A case
that the command names by its id always runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import combinations

import pytest

# Whether everything runs: set before the test modules are imported, some of which ask for it.
everything = False

SHARE = 8


def rounds(full: int) -> int:
    """Return how often something is tried, of which a full run tries `full`."""
    return full if everything else max(full // SHARE, 1)


def covering(rows: Sequence[tuple[Hashable, ...]], strength: int) -> list[int]:
    """Return the numbers of few rows in which everything occurs that does in any: so many columns together.

    Greedy: always the row that brings the most that is new; of those that bring as much, the one whose values
    were chosen least often, so that both executors, say, have their share; of those the first.
    """
    together = list(combinations(range(len(rows[0])), strength))
    parts = [{(columns, tuple(row[c] for c in columns)) for columns in together} for row in rows]
    missing = set().union(*parts)
    used: Counter[tuple[int, Hashable]] = Counter()

    def rank(number: int) -> tuple[int, int, int]:
        often = sum(used[value] for value in enumerate(rows[number]))
        return -len(parts[number] & missing), often, number

    # Ranks only get worse, so what is first with its present rank is the best of all.
    queue = sorted(map(rank, range(len(rows))))
    chosen = []
    while missing:
        best = heappop(queue)[-1]
        if queue and (now := rank(best)) > queue[0]:
            heappush(queue, now)
            continue
        missing -= parts[best]
        used.update(enumerate(rows[best]))
        chosen.append(best)
    return sorted(chosen)


def rows_of(items: Sequence[pytest.Function]) -> list[tuple[int, ...]]:
    """Return what tells the cases of a test apart: for each the number of the value of each parameter."""
    columns = set()
    for name in sorted({name for item in items for name in item.callspec.params}):
        # Some values cannot be hashed, and the cases share them.
        values = [id(item.callspec.params.get(name)) for item in items]
        numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
        if len(numbers) > 1:
            # Parameters that are given together are one.
            columns.add(tuple(numbers[value] for value in values))
    return list(zip(*sorted(columns), strict=True))


def thinned(items: Sequence[pytest.Function]) -> list[pytest.Function]:
    """Return the cases of one test that a default run has."""
    rows = rows_of(items)
    strength = 1 if items[0].get_closest_marker("each_value") else 2
    few = list(items)
    if rows and len(rows[0]) > strength:
        few = [items[number] for number in covering(rows, strength)]
    share = items[0].get_closest_marker("one_in")
    return few[:: share.args[0]] if share else few


def left_out(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return the cases that only a full run has."""
    slow = {item for item in items if item.get_closest_marker("slow")}
    tests: dict[tuple[pytest.Item | pytest.Collector | None, str], list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and item not in slow:
            tests[item.parent, item.originalname].append(item)
    return slow.union(*(set(cases) - set(thinned(cases)) for cases in tests.values()))


def is_whole(item: pytest.Item) -> bool:
    """Whether a default run tries as much of a case as a full one does."""
    function = getattr(item, "function", None)
    names = getattr(function, "__globals__", {})
    return not (getattr(function, "is_hypothesis_test", False) or "rounds" in names or "choice" in names)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", dest="every_case", help="run every case")
    parser.addoption("--rest", action="store_true", help="run what a default run left out")


def pytest_configure(config: pytest.Config) -> None:
    global everything
    everything = config.getoption("every_case") or config.getoption("rest")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("every_case") or any("::" in argument for argument in config.args):
        return
    out = left_out(items)
    if everything:
        out = {item for item in items if item not in out and is_whole(item)}
    config.hook.pytest_deselected(items=[item for item in items if item in out])
    items[:] = [item for item in items if item not in out]
