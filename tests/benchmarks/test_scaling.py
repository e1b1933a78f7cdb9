"""The cost model: its fit, what it says of plans, and the document. Nothing here depends on times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scaling import fit, plans, report, runs
from zchunk.wings.profiling.costs import MEASURED, OBJECTS, PAGE_CACHE, Rates, Work, seconds

TRUE = Rates(5e-5, 1e-5, 2e-4, 1e9, 3e-6, {"raw": 3e9, "lz4": 2e9, "zstd": 1e9, "deflate": 3e8}, 0.25)


def made(rates: Rates) -> list[runs.Run]:
    """Runs as they would be with these rates."""
    found = []
    for stored in runs.LOCAL:
        count = 128 // stored.chunks[0] * 8
        files = 2 if stored.shards else count
        work = Work(files, count, 10**7, 1 << 24, stored.codec)
        for threads in (1, 2):
            took = seconds(work, PAGE_CACHE, threads, rates)
            found.append(runs.Run(stored.name, work, PAGE_CACHE, threads, took, stored.held_out))
    for requests in (64, 640):
        work = Work(requests, requests, 10**7, 1 << 24, "lz4")
        found.append(runs.Run("far", work, OBJECTS, 2, seconds(work, OBJECTS, 2, rates), requests == 64))
    return found


def test_rates_are_found_again() -> None:
    measured = made(TRUE)
    found = fit.fit(measured)
    assert found.serial == pytest.approx(TRUE.serial)
    assert found.request == pytest.approx(TRUE.request, rel=1e-3)
    assert {**found.decode} == pytest.approx({**TRUE.decode}, rel=1e-3)
    assert max(abs(fit.error(run, found)) for run in measured) < 0.06
    assert report.within(measured, found)


def test_a_model_that_is_wrong_is_not_within() -> None:
    assert not report.within(made(TRUE), TRUE._replace(decode=dict.fromkeys(TRUE.decode, 1e8)))


def test_no_rate_is_negative() -> None:
    measured = [run._replace(seconds=run.seconds * (1 + 0.5 * (-1) ** n)) for n, run in enumerate(made(TRUE))]
    found = fit.fit(measured)
    assert min(found.call, found.request, found.chunk, *found.decode.values()) > 0


def test_runs_are_counted_as_profile_counts(tmp_path: Path) -> None:
    measured = runs.local(tmp_path, 16, 1, busy=True)
    assert {run.work.codec for run in measured} == {*runs.CODECS}
    assert any(run.held_out for run in measured)
    for run in measured:
        assert run.work.decoded >= 16 * 128 * 256 * 4 / (2 if "half" in run.name else 1)


def test_simulation_and_model_agree_where_the_limit_binds() -> None:
    median, last = plans.simulate(100, 50, 16, 0.05, 1000.0)
    assert 4.95 <= median <= last < 5.5
    alone, _ = plans.simulate(1, 6400, 64, 0.05, np.inf)
    assert alone == pytest.approx(5, rel=0.1)


def test_sizes_of_a_layout() -> None:
    layout = plans.Layout(plans.MIB, plans.GIB)
    assert (layout.name, layout.index) == ("1 MiB in 1 GiB", 1024 * 16 + 4)
    assert layout.objects == -(-(10**15) // 2**30)
    assert plans.size(1536) == "1.5 KiB"


def test_tables_go_where_they_belong() -> None:
    text = "a\n<!-- x -->\nold\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n"
    text = report.put(report.put(text, "x", "1"), "y", "2")
    assert text == "a\n<!-- x -->\n1\n<!-- end -->\nb\n<!-- y -->\n2\n<!-- end -->\n"
    with pytest.raises(ValueError, match="0 places"):
        report.put(text, "z", "3")


def test_the_document_is_of_the_rates_in_the_model() -> None:
    text = report.DOCUMENT.read_text()
    rates = report.rates(MEASURED).splitlines()
    assert [line for line in rates if line not in text] == []
    small = plans.Metadata(700.0, 1e-5)
    for name, content in plans.tables(MEASURED, small).items():
        assert f"<!-- {name} -->" in text
        if name != "metadata":
            assert content in text, name
