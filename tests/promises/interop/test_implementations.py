"""Every implementation has an adapter, and its limits are of cases that are drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.promises.interop import cases, implementations
from tests.promises.interop.implementations import IMPLEMENTATIONS, NUMBERS, READ, WRITE, Implementation

ADAPTERS = Path(__file__).parent / "adapters"
DOCUMENT = Path(__file__).parents[3] / "docs" / "interoperability.md"
DRAWN = {format: [cases.draw(number, format) for number in range(3000)] for format in cases.FORMATS}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=lambda i: i.name)
def test_each_has_an_adapter_and_cases(implementation: Implementation) -> None:
    suffix = "mjs" if implementation.language == "node" else "py"
    assert (ADAPTERS / f"{implementation.adapter}.{suffix}").exists()
    drawn = [case for format in implementation.formats for case in DRAWN[format]]
    for limit in implementation.limits:
        assert any(map(limit.when, drawn)), limit.reason
    free = [case for case in drawn if implementation.limit(case, (READ, WRITE)) is None]
    assert len(free) > 5, "hardly any case is left"


def test_each_has_a_name_of_its_own() -> None:
    assert len({i.name for i in IMPLEMENTATIONS}) == len(IMPLEMENTATIONS)
    # zarrita.js twice: from files, and over HTTP.
    assert len({i.adapter for i in IMPLEMENTATIONS}) == len(IMPLEMENTATIONS) - 1 == 13


def portable(case: cases.Case) -> cases.Case | None:
    """Return what the document advises for such an array, None if there is no advice."""
    if not case.shape or 0 in case.shape or case.data_type not in set(NUMBERS) - {"int64", "uint64"}:
        return None
    codecs = (
        ["none", "zlib", "blosc-lz4-shuffle"] if case.format == 2 else ["gzip", "zstd", "blosc-lz4-shuffle"]
    )
    return dataclasses.replace(
        case,
        path="a",
        codec=codecs[case.number % len(codecs)],
        filter="none",
        layout="plain",
        order="C",
        endian="little",
        fill="zero",
        encoding="v2" if case.format == 2 else "default",
        separator="./"[case.number % 2] if case.format == 2 else "/",
        attributes={"units": "m"},
        group={},
    )


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=lambda i: i.name)
def test_what_is_portable_every_implementation_reads(implementation: Implementation) -> None:
    if READ not in implementation.does:
        pytest.skip("it does not read")
    for format in implementation.formats:
        advised = [case for case in map(portable, DRAWN[format]) if case is not None]
        assert len(advised) > 100
        limits = {limit for case in advised if (limit := implementation.limit(case, (READ,)))}
        # As the document says.
        assert {limit.reason.partition(",")[0] for limit in limits} <= (
            {"has no zlib"} if implementation.name == "zarrista" else set()
        )


def test_the_document_has_the_table() -> None:
    """`python -m tests.promises.interop.implementations` prints it."""
    assert "\n".join(implementations.table()) in DOCUMENT.read_text(encoding="utf-8")
