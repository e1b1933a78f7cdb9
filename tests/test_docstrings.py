"""Every public class, function and method has examples, and all of them run.

They are found by walking from the public names: pytest's own search for doctests goes by the modules that
classes name, and `Array` and `Group` name those where users have them from.
"""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import zchunk

PACKAGE = Path(zchunk.__file__).parent

# Where public names are, and what has to be installed for that.
MODULES = {
    "zchunk": "",
    "zchunk.checkpoint": "",
    "zchunk.codecs": "",
    "zchunk.errors": "",
    "zchunk.storage": "",
    "zchunk.sync": "",
    "zchunk.dask": "dask",
    "zchunk.xarray": "xarray",
}
# Operators that are documented where they are; others need no docstring.
OPERATORS = {"__getitem__", "__setitem__", "__delitem__", "__iter__", "__contains__", "__len__"}


class Documented(NamedTuple):
    """Something with a docstring, and where it is defined."""

    name: str
    obj: Any
    room: str


def room_of(obj: Any) -> str | None:
    """The room that an object is defined in, None if it is not of zchunk."""
    code = getattr(obj, "__code__", None)
    module = getattr(obj, "__module__", None) or ""
    if code is None:
        # That of the methods, as `Array` and `Group` name another module than their own.
        values = vars(obj).values() if inspect.isclass(obj) else []
        codes = [getattr(value, "__code__", None) for value in values]
        code = next((code for code in codes if code is not None), None)
    path = Path(code.co_filename) if code is not None else None
    if path is not None and PACKAGE in path.parents:
        return path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if module == "zchunk" or module.startswith("zchunk."):
        return [*module.split("."), "__init__"][1]
    return None


def function_of(member: Any) -> Any:
    """What holds the docstring of a member of a class, None if it is no method or property."""
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    if isinstance(member, property):
        return member.fget
    member = inspect.unwrap(member) if callable(member) else member
    compiled = type(member).__name__ == "cython_function_or_method"
    return member if compiled or inspect.isfunction(member) else None


def members(cls: type) -> Iterator[tuple[str, Any, bool]]:
    """Methods and properties of a class by name, and whether each has to have examples."""
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        function = function_of(member)
        if function is None or (name.startswith("_") and name not in OPERATORS):
            continue
        yield name, function, not isinstance(member, property) and name not in OPERATORS


def public_objects() -> Iterator[tuple[str, Any]]:
    for module_name, needed in MODULES.items():
        if needed and find_spec(needed) is None:
            continue
        module = import_module(module_name)
        names = getattr(module, "__all__", None) or [name for name in vars(module) if name[0] != "_"]
        for name in names:
            yield f"{module_name}:{name}", getattr(module, name)
    # What users get from arrays and groups.
    group = zchunk.group()
    z = group.zeros("z", shape=4)
    for obj in (z.attrs, z.oindex, z.info, group.tree()):
        yield f"{type(obj).__module__}:{type(obj).__name__}", type(obj)


def walk() -> tuple[list[Documented], list[Documented]]:
    """All that is public and has a docstring, and what of it has no examples though it should."""
    everything: dict[int, Documented] = {}
    lacking: dict[int, Documented] = {}

    def add(name: str, obj: Any, needs: bool) -> None:
        room = room_of(obj)
        if room is None:
            return
        found = Documented(name, obj, room)
        if obj.__doc__:
            everything.setdefault(id(obj), found)
        # A method that overrides another without a word has that one's docstring.
        inherits = not obj.__doc__ and "." in name.rpartition(":")[2]
        if needs and not inherits and ">>>" not in (obj.__doc__ or ""):
            lacking.setdefault(id(obj), found)

    for name, obj in public_objects():
        if inspect.isclass(obj):
            add(name, obj, needs=True)
            for member, function, needs in members(obj):
                add(f"{name}.{member}", function, needs)
        elif inspect.isroutine(obj):
            add(name, obj, needs=True)
    return list(everything.values()), list(lacking.values())


EVERYTHING, LACKING = walk()
WITH_EXAMPLES = [found for found in EVERYTHING if ">>>" in found.obj.__doc__]


def undocumented() -> Iterator[str]:
    for name, obj in public_objects():
        if inspect.isclass(obj) and room_of(obj) is not None:
            for member, function, _ in members(obj):
                own = room_of(function) is not None
                if own and member not in OPERATORS and not inspect.getdoc(getattr(obj, member)):
                    yield f"{name}.{member} ({room_of(function)})"


@pytest.mark.parametrize("found", WITH_EXAMPLES, ids=lambda found: found.name)
def test_examples_run(found: Documented, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(found.obj.__doc__, {}, found.name, found.name, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.mark.parametrize("room", sorted({found.room for found in EVERYTHING}))
def test_all_of_a_room_have_examples(room: str) -> None:
    lacking = [found.name for found in LACKING if found.room == room]
    assert lacking == []


def test_every_method_has_a_docstring() -> None:
    assert list(undocumented()) == []


def test_public_names_are_found() -> None:
    names = {found.name for found in EVERYTHING}
    assert {
        "zchunk:create", "zchunk:Array", "zchunk:Array.resize", "zchunk:Group.create_dataset",
        "zchunk:DirectoryStore", "zchunk:Blosc", "zchunk:get_threads",
        "zchunk.core.attributes:Attributes.put",
    } <= names  # fmt: skip
    assert {"storage", "codecs", "errors", "sync"} <= {found.room for found in EVERYTHING}
