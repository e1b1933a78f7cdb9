"""Reports: tables, JSON, and truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

from zchunk.wings.verification.report import KINDS, Finding, Report


def report() -> Report:
    made = Report("store", "a")
    made.counts["arrays"] = 1
    made.add("b", "foreign-key")
    made.add("a/0", "chunk-checksum", "its checksum\x1b[31m is another")
    made.add("a/c/0", "chunk-size", "short", inner=(0, 1))
    made.sort()
    return made


def test_truth_and_order() -> None:
    assert Report("store")
    made = report()
    assert not made
    assert [finding.severity for finding in made.findings] == ["error", "error", "note"]
    assert made.of("chunk-size")[0].where == "a/c/0 (0, 1)"


def test_the_table_has_a_line_for_each_and_nothing_that_a_terminal_obeys() -> None:
    lines = str(report()).split("\n")
    assert lines[0] == "store, '/a': 1 array, 0 groups, 0 keys, 0 chunks: 2 errors, 1 note"
    assert len(lines) == 5
    assert "\x1b" not in str(report())
    assert "nothing found" in str(Report("store"))
    many = Report("store")
    for number in range(60):
        many.add(str(number), "foreign-key")
    assert str(many).endswith("... and 10 more")


def test_json() -> None:
    found = json.loads(json.dumps(report().to_json()))
    assert found["counts"] == {"arrays": 1}
    assert [f["kind"] for f in found["findings"]] == ["chunk-checksum", "chunk-size", "foreign-key"]
    assert found["findings"][1]["inner"] == [0, 1]


def test_every_kind_has_advice() -> None:
    for kind in KINDS:
        assert Finding("key", kind).advice
        assert Finding("key", kind).severity in ("error", "warning", "note")


def test_the_document_has_every_kind_with_its_severity() -> None:
    text = (Path(__file__).parents[3] / "docs" / "verification.md").read_text()
    said = {}
    for names, severity in re.findall(r"^\| (`[^|]*`) \| (error|warning|note) \|", text, re.MULTILINE):
        said.update(dict.fromkeys(re.findall(r"`([a-z-]+)`", names), severity))
    assert said == {kind: severity for kind, (severity, _) in KINDS.items()}
