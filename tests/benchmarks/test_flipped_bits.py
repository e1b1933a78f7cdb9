"""The table of the guide: which codec notices a flipped bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.flipped_bits import BITS, CODECS, main, measure

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


@pytest.mark.parametrize("name", list(CODECS))
def test_the_guide_has_what_is_measured(name: str) -> None:
    found = measure(CODECS[name])
    assert sum(found) == BITS
    assert f"| {name} | {found.noticed} | {found.harmless} | {found.wrong} |" in GUIDE.read_text()
    if "checksum=True" in name:
        assert found.noticed >= BITS - found.harmless
        assert found.wrong == 0


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--bits", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CODECS) + 2
