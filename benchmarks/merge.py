"""Several runs as one: a full run takes long, and some of its cases can be measured again alone."""

from __future__ import annotations

from functools import reduce
from typing import Any

# What differs from run to run; every case has it.
OF_A_RUN = ("date", "commit")


def merge(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the results of all runs; a case in several runs is taken from the last.

    A case comes from one run as a whole, since its values must be measured side by side.

    Raises
    ------
    ValueError
        If the machine, the options or the version of a library are not the same in all runs.
    """
    return reduce(_merge_two, runs)


def _merge_two(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    conditions = [
        {key: value for key, value in run["environment"].items() if key not in OF_A_RUN} for run in (old, new)
    ]
    for before, now in (conditions, *((old[kind], new[kind]) for kind in ("versions", "pythons"))):
        for key in before.keys() & now.keys():
            if before[key] != now[key]:
                raise ValueError(f"runs differ in {key}: {before[key]} and {now[key]}")
    merged = {**old, "failures": _failures(old, new)}
    for kind in ("versions", "pythons", "cases"):
        merged[kind] = {**old[kind], **new[kind]}
    absent = {**old["absent"], **new["absent"]}
    merged["absent"] = {peer: why for peer, why in absent.items() if peer not in merged["versions"]}
    return merged


def _failures(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the failures of both runs, without those of the old run in cases that the new run has, too."""
    failures = {
        peer: {what: error for what, error in errors.items() if what not in new["cases"]}
        for peer, errors in old["failures"].items()
    }
    for peer, errors in new["failures"].items():
        failures[peer] = {**failures.get(peer, {}), **errors}
    return {peer: errors for peer, errors in failures.items() if errors}
