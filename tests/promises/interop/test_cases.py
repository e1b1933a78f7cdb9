"""The random arrays: the same ones everywhere, of every kind, and as zchunk itself stores them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.promises.interop import cases, ours

pytestmark = pytest.mark.filterwarnings("ignore")

CASES = [cases.draw(number) for number in range(1500)]


def test_a_case_has_a_number() -> None:
    assert cases.draw(7) == cases.draw(7)
    assert cases.draw(7) != cases.draw(8)
    assert {cases.draw(number, 2).format for number in range(9)} == {2}


@pytest.mark.parametrize("format", cases.FORMATS)
def test_every_choice_is_drawn(format: int) -> None:
    drawn = [case for case in CASES if case.format == format]
    others = cases.OTHERS2 if format == 2 else cases.OTHERS3
    assert {case.data_type for case in drawn} >= {
        *cases.INTEGERS,
        *cases.FLOATS,
        *cases.COMPLEX,
        "bool",
        *others,
    }
    assert {case.codec for case in drawn} == set(cases.CODECS2 if format == 2 else cases.CODECS3)
    assert {case.layout for case in drawn} == (set(cases.LAYOUTS) if format == 3 else {"plain"})
    assert {case.fill for case in drawn} >= {"zero", "some", *cases.SPECIAL}
    assert {case.path for case in drawn} == set(cases.NAMES)
    assert {len(case.shape) for case in drawn} == {0, 1, 2, 3, 4}
    assert {0 in case.shape for case in drawn} == {True, False}
    if format == 2:
        assert {case.filter for case in drawn} == set(cases.FILTERS2)


@pytest.mark.parametrize("case", CASES[:60], ids=lambda case: str(case.number))
def test_cases_and_items_travel_as_json(case: cases.Case) -> None:
    assert cases.case_of(json.loads(json.dumps(case.message()))) == case
    items = case.items(0)
    assert cases.same_items(cases.decode_items(case, items.shape, cases.encode_items(items)), items)


def test_same_items_are_the_same_bits() -> None:
    zeros = np.array([0.0, np.nan])
    assert cases.same_items(zeros, np.array([0.0, -np.nan]))
    assert not cases.same_items(zeros, np.array([-0.0, np.nan]))
    assert not cases.same_items(zeros, zeros.astype("f4"))
    assert not cases.same_items(np.array([1j]), np.array([complex(-0.0, 1)]))
    assert not cases.same_items(zeros[:1], zeros)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("case", CASES[:120], ids=lambda case: str(case.number))
def test_zchunk_agrees_with_itself(case: cases.Case, tmp_path: Path) -> None:
    store, items = str(tmp_path / "ours.zarr"), case.items(0)
    ours.write(store, case, items)
    assert cases.same_items(ours.read(store, case, None), items)
    ours.check_fill(store, case)
    assert ours.attributes(store, case, group=True) == (case.attributes, case.group if case.path else None)
    name = ".zarray" if case.format == 2 else "zarr.json"
    found = json.loads((tmp_path / "ours.zarr" / case.path / name).read_bytes())
    wanted = case.document()
    # What may be said in other words: an array without axes has no compressor, and r24 is called raw_bytes.
    for key in ("codecs", "compressor", *(("data_type", "fill_value") if case.data_type == "r24" else ())):
        wanted.pop(key, None)
    assert {key: found.get(key) for key in wanted} == wanted


def test_other_fill_values_are_noticed(tmp_path: Path) -> None:
    case = next(
        case for case in CASES if case.data_type == "int32" and case.fill == "some" and case.format == 3
    )
    store = str(tmp_path / "ours.zarr")
    ours.write(store, dataclasses.replace(case, fill="zero"), case.items(0))
    with pytest.raises(AssertionError, match="fill value"):
        ours.check_fill(store, case)
