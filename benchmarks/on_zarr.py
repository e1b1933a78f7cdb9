"""zarr-python on zchunk beside zarr-python alone: a table of its own, with targets of its own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from benchmarks.adapters import WITH_ZCHUNK

# The pipelines of zarr-python that are to be had without zchunk.
ALONE = ("zarr3", "zarr3_fused", "zarrs")
PIPELINE, ENGINE = WITH_ZCHUNK
# How much longer the engine may take than zchunk without zarr-python.
OVER_ZCHUNK = 1.3


class Goal(NamedTuple):
    """The largest shares of the best time of zarr-python alone, for cases whose names are alike."""

    names: tuple[str, ...]
    pipeline: float
    engine: float


GOALS = (
    Goal(("read-field-lz4*", "sharded-*-read"), 0.6, 0.4),
    Goal(("write-*", "sharded-*-write", "tiny-write"), 0.85, 0.85),
    Goal(("box", "sharded-*-boxes"), 0.6, 0.5),
    Goal(("plane-*",), 0.3, 0.1),
    Goal(("point", "point-large", "small-point"), 0.5, 0.1),
    Goal(("tiny-read",), 0.6, 0.2),
)


def goal(name: str) -> Goal | None:
    """Return the goal of a case by its name, None if it has none."""
    return next((goal for goal in GOALS if any(fnmatchcase(name, known) for known in goal.names)), None)


def row(name: str, case: dict[str, Any]) -> list[float | str | None] | None:
    """Return the ratios of a case, each with what it may be; None if what is compared was not measured.

    The last is the machine's limit over the best time of zarr-python alone: a target below it asks for more
    than decoding whole chunks leaves.
    """
    best = case["best"]
    alone = [best[peer] for peer in ALONE if peer in best]
    if not alone or case["unit"] != "seconds" or not any(peer in best for peer in WITH_ZCHUNK):
        return None
    wanted = goal(name)
    cells: list[float | str | None] = []
    for peer, most in ((PIPELINE, wanted and wanted.pipeline), (ENGINE, wanted and wanted.engine)):
        ratio = best[peer] / min(alone) if peer in best else None
        cells += [ratio, _verdict(ratio, most)]
    ratio = best[ENGINE] / best["zchunk"] if ENGINE in best and best.get("zchunk") else None
    limit = case["limit_sum"] / min(alone) if "limit_sum" in case else None
    return [*cells, ratio, _verdict(ratio, OVER_ZCHUNK if wanted else None), limit]


def _verdict(ratio: float | None, most: float | None) -> str:
    if ratio is None or most is None:
        return ""
    return f"≤ {most:.2f}: {'met' if ratio <= most else '**not met**'}"
