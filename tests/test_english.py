"""Plain English: patterns that the text of this tree does not have, in code, comments and documents.

Sentences have a subject, a verb and an object, in this order. Readers stumbled over each of these patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("zchunk", "_ext", "tests", "docs", "benchmarks", "examples", ".ci")
KINDS = ("*.py", "*.pyx", "*.pxd", "*.pyi", "*.h", "*.c", "*.md", "*.ipynb", "*.txt", "run")
# Licences of others; what Cython makes of `.pyx`; and the patterns themselves.
OTHERS = {ROOT / "THIRD_PARTY_NOTICES.md", Path(__file__).resolve()}

VERBS = "reads|writes|opens|asks|has|is|changes|gives|wants|waits|calls|makes|finds|comes|uses|needs|runs"
PATTERNS = {
    "'who' as a subject; say 'the caller', 'a reader', 'the thread', 'another process'": re.compile(
        rf"\b[Ww]ho ({VERBS})\b|\bWho [a-z]+|\b(for|of|to|if|by|from|than) who\b"
    ),
    "'shall'; say 'must', 'is to' or 'will'": re.compile(r"\b[Ss]hall\b"),
    "'far away' before a name; say 'remote'": re.compile(r"\bfar away `"),
}


def sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for kind in KINDS:
            yield from (ROOT / folder).rglob(kind)
    yield from ROOT.glob("*.md")
    yield ROOT / "Makefile"


def findings(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()} ({advice})"
        for number, line in enumerate(lines, 1)
        for advice, pattern in PATTERNS.items()
        if pattern.search(line)
    ]


def test_text_is_plain() -> None:
    texts = {path for path in sources() if path not in OTHERS and not path.with_suffix(".pyx").exists()}
    texts |= set(ROOT.glob("_ext/*/*.pyx"))
    assert len(texts) > 300
    found = [line for path in sorted(texts) for line in findings(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "Who reads again is helped.",
        "a lock for who changes it",
        "keys that shall be kept",
        "in a bucket far away `s3://`",
    ],
)
def test_what_is_not_plain_is_found(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.md"
    path.write_text(f"A reader asks the store.\n{text}\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (found,) = findings(path)
    assert found.startswith("text.md:2: ")
