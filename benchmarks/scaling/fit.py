"""The rates of the cost model that come closest to measured runs, in relative terms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.scaling.runs import CODECS, Run
from zchunk.wings.profiling.costs import MEASURED, Rates, seconds

SERIAL = np.linspace(0, 1, 41)
REMOTE_REQUEST = np.geomspace(2e-5, 2e-3, 60)
REMOTE_READ = np.geomspace(2e8, 2e10, 30)
# Least seconds of each part, so that noise makes none of them negative.
LEAST = 1e-8


def error(run: Run, rates: Rates) -> float:
    """Return how far the model is from a run, as a share of the run: 0.1 if it says 10 % more."""
    return seconds(run.work, run.place, run.threads, rates) / run.seconds - 1


def squares(runs: Sequence[Run], rates: Rates) -> float:
    """Return the mean square of the errors."""
    return float(np.mean([error(run, rates) ** 2 for run in runs]))


def fit(runs: Sequence[Run]) -> Rates:
    """Return the rates for runs that are not held out: those of files first, then those of requests."""
    near = [run for run in runs if not run.held_out and not run.place.remote]
    far = [run for run in runs if not run.held_out and run.place.remote]
    # One thread alone says nothing of what threads share.
    shares = SERIAL if any(run.threads > 1 for run in near) else [MEASURED.serial]
    rates = min((_linear(near, float(serial)) for serial in shares), key=lambda found: squares(near, found))
    if far:
        pairs = itertools.product(map(float, REMOTE_REQUEST), map(float, REMOTE_READ))
        found = [rates._replace(remote_request=request, remote_read=read) for request, read in pairs]
        rates = min(found, key=lambda one: squares(far, one))
    return rounded(rates)


def rounded(rates: Rates) -> Rates:
    """Return rates with the digits that the model has."""
    found = {name: float(f"{value:.3g}") for name, value in rates._asdict().items() if name != "decode"}
    decode = {codec: float(f"{speed:.3g}") for codec, speed in rates.decode.items()}
    return Rates(**found, decode=MappingProxyType(decode))


def _linear(runs: Sequence[Run], serial: float) -> Rates:
    """Return the rates for a given share that threads do not divide: the model is linear in all others."""
    rows = []
    for run in runs:
        helped = min(run.threads, run.work.requests)
        share = serial + (1 - serial) / helped
        parts = [run.work.requests, run.work.chunks]
        parts += [run.work.decoded if run.work.codec == codec else 0 for codec in CODECS]
        rows.append(np.array([1.0, *(share * np.array(parts, dtype=float))]) / run.seconds)
    costs = _positive(np.array(rows))
    call, request, chunk = (max(float(cost), LEAST) for cost in costs[:3])
    per_byte = [float(cost) or 1e-12 for cost in costs[3:]]
    speeds = {codec: 1 / cost for codec, cost in zip(CODECS, per_byte, strict=True)}
    far = MEASURED.remote_request, MEASURED.remote_read
    return Rates(call, request, *far, chunk, MappingProxyType(speeds), serial)


def _positive(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the least squares of ``rows @ costs - 1`` without negative costs: the worst goes first."""
    kept = list(range(rows.shape[1]))
    costs = np.zeros(rows.shape[1])
    while kept:
        found = np.linalg.lstsq(rows[:, kept], np.ones(len(rows)), rcond=None)[0]
        if found.min() >= 0:
            costs[kept] = found
            break
        del kept[int(np.argmin(found))]
    return costs
