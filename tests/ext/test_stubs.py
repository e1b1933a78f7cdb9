"""The stubs of the extension modules say what the modules have: names, bases, parameters, defaults, types."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import zchunk._ext

FOLDER = Path(zchunk._ext.__file__).parent
SOURCES = Path(__file__).parents[2] / "_ext"
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.pyi"))
SELF = ("self", "cls")


def stub_of(name: str) -> ast.Module:
    return ast.parse((FOLDER / f"{name.replace('.', '/')}.pyi").read_text())


def test_every_module_has_a_stub() -> None:
    built = {
        f"{path.parent.name}.{path.name.partition('.')[0]}"
        for path in FOLDER.rglob("*")
        if path.suffix in (".so", ".pyd")
    }
    assert built
    assert built == set(MODULES)


def parameters(node: ast.FunctionDef) -> list[tuple[str, bool, Any]]:
    """Name, whether it is given by keyword only, and default (`empty` for none) of each parameter."""
    args = node.args
    given = [*args.posonlyargs, *args.args]
    none = [inspect.Parameter.empty] * (len(given) - len(args.defaults))
    found = zip(given, none + [ast.literal_eval(d) for d in args.defaults], strict=True)
    keywords = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    return [(a.arg, False, default) for a, default in found if a.arg not in SELF] + [
        (a.arg, True, inspect.Parameter.empty if d is None else ast.literal_eval(d)) for a, d in keywords
    ]


def actual(function: Any) -> list[tuple[str, bool, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.kind is p.KEYWORD_ONLY, p.default) for p in found if p.name not in SELF]


def constructor(name: str, cls: str) -> list[str]:
    """The parameters of a class of C, whose signature Python cannot ask for: from the source."""
    source = (SOURCES / f"{name.replace('.', '/')}.pyx").read_text()
    body = re.split(rf"^cdef class {cls}\b.*:$", source, flags=re.MULTILINE)[1]
    own = re.split(r"^\S.*class ", body, flags=re.MULTILINE)[0]
    made_by = [re.search(rf"def __{m}__\(self,?(.*?)\):", own, flags=re.DOTALL) for m in ("init", "cinit")]
    found = made_by[0] or made_by[1]
    if found is None or not found[1].strip():
        return []
    return [re.sub(r"( not None)?( *=.*)?$", "", p.strip()).split()[-1] for p in found[1].split(",")]


def is_annotated(node: ast.FunctionDef) -> bool:
    args = node.args
    given = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    return node.returns is not None and all(a.annotation is not None for a in given if a.arg not in SELF)


@pytest.mark.parametrize("name", MODULES)
def test_everything_in_a_stub_has_a_type(name: str) -> None:
    for node in ast.walk(stub_of(name)):
        if isinstance(node, ast.FunctionDef):
            assert is_annotated(node), node.name
        # A variable of types is for type checkers alone.
        assert not isinstance(node, ast.Assign) or ast.unparse(node.value).startswith("TypeVar(")


def test_a_function_without_types_is_found() -> None:
    for text in ("def f(x): ...", "def f(x) -> int: ...", "def f(x: int): ...", "def f(*x) -> int: ..."):
        (node,) = ast.parse(text).body
        assert isinstance(node, ast.FunctionDef)
        assert not is_annotated(node)


@pytest.mark.parametrize("name", MODULES)
def test_stub_and_module_agree(name: str) -> None:
    module = importlib.import_module(f"zchunk._ext.{name}")
    stub = stub_of(name)
    declared: dict[str, Any] = {n.name: n for n in stub.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    declared |= {n.target.id: n for n in stub.body if isinstance(n, ast.AnnAssign) and is_public(n.target)}
    public = {
        n
        for n, value in vars(module).items()
        if not n.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", module.__name__) == module.__name__
    }
    assert public == set(declared)
    for n, node in declared.items():
        value = getattr(module, n)
        if isinstance(node, ast.FunctionDef):
            assert actual(value) == parameters(node)
        elif isinstance(node, ast.AnnAssign):
            assert type(value).__name__ == ast.unparse(node.annotation).partition("[")[0]
        else:
            check_class(name, value, node)


def is_public(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and not target.id.startswith("_")


def check_class(name: str, cls: type, node: ast.ClassDef) -> None:
    bases = [ast.unparse(base) for base in node.bases]
    assert [base.__name__ for base in cls.__bases__ if base is not object] == [
        base for base in bases if not base.startswith("Generic[")
    ]
    members = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef)}
    assert {m for m in members if not m.startswith("_")} == {m for m in vars(cls) if not m.startswith("_")}
    assert all(hasattr(cls, m) for m in members)
    for m, member in members.items():
        value = getattr(cls, m)
        is_property = [ast.unparse(d) for d in member.decorator_list] == ["property"]
        assert is_property == inspect.isdatadescriptor(value)
        if not is_property and not m.startswith("__"):
            assert actual(value) == parameters(member)
    if "__reduce_cython__" in vars(cls) or type(cls.__init__).__name__ == "wrapper_descriptor":
        wanted = members.get("__init__")
        names = [] if wanted is None else [p for p, _, _ in parameters(wanted)]
        assert constructor(name, cls.__name__) == names
