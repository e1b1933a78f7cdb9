"""The stubs of the extension modules say what the modules have."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import zchunk._ext

FOLDER = Path(zchunk._ext.__file__).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.pyi"))


def test_every_module_has_a_stub():
    built = {
        f"{path.parent.name}.{path.name.partition('.')[0]}"
        for path in FOLDER.rglob("*")
        if path.suffix in (".so", ".pyd")
    }
    assert built
    assert built == set(MODULES)


def parameters(node):
    args = node.args
    return [a.arg for a in [*args.posonlyargs, *args.args, *args.kwonlyargs] if a.arg not in ("self", "cls")]


@pytest.mark.parametrize("name", MODULES)
def test_stub_and_module_agree(name):
    module = importlib.import_module(f"zchunk._ext.{name}")
    stub = ast.parse((FOLDER / f"{name.replace('.', '/')}.pyi").read_text())
    declared = {n.name: n for n in stub.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    declared |= {n.target.id: n for n in stub.body if isinstance(n, ast.AnnAssign)}
    public = {
        n
        for n, value in vars(module).items()
        if not n.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", module.__name__) == module.__name__
    }
    assert public == set(declared)
    for n, node in declared.items():
        if isinstance(node, ast.FunctionDef):
            assert list(inspect.signature(getattr(module, n)).parameters) == parameters(node)
        if isinstance(node, ast.ClassDef):
            members = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
            actual = {m for m in vars(getattr(module, n)) if not m.startswith("_")}
            assert {m for m in members if not m.startswith("_")} == actual
            assert all(hasattr(getattr(module, n), m) for m in members)
