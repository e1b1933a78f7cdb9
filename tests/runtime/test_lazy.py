"""What is imported when it is first asked for."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from zchunk.runtime.lazy import LazyModule, cached_property, lazy_names


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "imported_late.py").write_text("one, two = [], []\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "imported_late", raising=False)
    return "imported_late"


def test_a_module_is_imported_by_its_first_attribute(module: str) -> None:
    late: Any = LazyModule(module)
    assert module not in sys.modules
    one = late.one
    assert module in sys.modules
    assert late.one is one
    assert vars(late).keys() == {"_name", "one"}
    with pytest.raises(AttributeError, match="three"):
        _ = late.three


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    late: Any = LazyModule("zchunk_no_such_module")
    with pytest.raises(ModuleNotFoundError):
        _ = late.name


def test_names_of_a_face(module: str) -> None:
    face: dict[str, Any] = {"__name__": "face"}
    find = lazy_names(face, {module: "one two"}, {"whole": module})
    assert module not in sys.modules
    two = find("two")
    assert face["two"] is two is sys.modules[module].two
    assert find("whole") is sys.modules[module]
    assert "one" not in face
    with pytest.raises(AttributeError, match="'face' has no attribute 'three'"):
        find("three")


def test_an_attribute_is_worked_out_without_a_lock() -> None:
    """A signal handler waits for helpers that need an attribute, which the interrupted code works out."""
    inside, leave = threading.Event(), threading.Event()

    class Slow:
        @cached_property
        def value(self) -> list[int]:
            """Some list."""
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                leave.wait()
            return []

    one, other = Slow(), Slow()
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(one.value), daemon=True)
    thread.start()
    inside.wait()
    assert other.value == []
    kept = one.value
    leave.set()
    thread.join()
    # One value, whichever thread is the first to have it.
    assert found[0] is kept is one.value
    assert isinstance(Slow.value, cached_property)
    assert Slow.value.__doc__ == "Some list."
