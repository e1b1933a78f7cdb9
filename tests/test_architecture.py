"""The house rules: dependencies go one way, modules have one subject, importing is light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import zchunk
from tests import ROOT

PACKAGE = ROOT / "zchunk"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 600
MAX_FOLDERS = 14
# Modules of a few imports each.
NAMES_ALONE = [
    "attrs", "checkpoint", "compat", "dask", "meta", "meta_v1", "n5", "util", "xarray", "zarr_pipeline"
]

# The rooms, from the ground up: each imports from those to the left only. `docs/design/architecture.md` has
# the list from here.
LAYERS = [
    {"typing"},
    {"errors", "_ext"},
    {"runtime"},
    {"spec"},
    {"indexing", "codecs"},
    {"sync"},
    {"metadata"},
    {"storage"},
    {"engine"},
    {"core"},
    {"creation"},
    {"hierarchy"},
    {"convenience"},
    {"wings"},
    {"zarr3"},
    {
        "attrs", "checkpoint", "compat", "dask", "meta", "meta_v1", "n5", "util", "xarray", "zarr_pipeline"
    },
    {"__main__"},
    {"__init__"},
]
# The rooms of `_ext`, likewise.
EXT_LAYERS = [{"memory", "threads"}, {"io"}, {"selection"}, {"codecs"}, {"engine"}]


def levels(layers: list[set[str]]) -> dict[str, int]:
    return {name: level for level, names in enumerate(layers) for name in names}


LEVEL, EXT_LEVEL = levels(LAYERS), levels(EXT_LAYERS)


def part(module: str) -> str:
    """The part of the house that a dotted name lies in: `zchunk.storage.zip` in `storage`."""
    return module.split(".")[1] if "." in module else "__init__"


def own_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return part(".".join(parts))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path, for_types: bool = False) -> list[tuple[str, ast.AST]]:
    """The modules of zchunk that a file imports, at its top level and elsewhere; those for types if asked."""
    found: list[tuple[str, ast.AST]] = []
    tree = ast.parse(path.read_text())
    for block in [node for node in ast.walk(tree) if not for_types and is_type_checking(node)]:
        block.body = [ast.Pass()]  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            # `from zchunk import engine` is about the module engine.
            found += [
                (f"zchunk.{alias.name}" if node.module == "zchunk" else str(node.module), node)
                for alias in node.names
            ]
    return [(name, node) for name, node in found if name.split(".")[0] == "zchunk"]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_room_has_a_place() -> None:
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms == set(LEVEL)
    folders = [path for path in PACKAGE.iterdir() if (path / "__init__.py").exists() ]
    assert len(folders) <= MAX_FOLDERS
    assert {path.name for path in (ROOT / "_ext").iterdir() if path.is_dir()} == set(EXT_LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_dependencies_go_one_way(path: Path) -> None:
    own = own_name(path)
    if own == "_ext":
        assert imports(path) == []
        return
    for name, node in imports(path):
        other = part(name)
        if other not in (own, "_ext"):
            assert LEVEL[other] < LEVEL[own], f"{path}:{node.lineno}: {own} imports {other}"  # type: ignore[attr-defined]


def test_no_module_imports_itself_in_a_circle() -> None:
    names = {module_name(path) for path in MODULES}
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        own = module_name(path)
        found = set()
        for name, node in imports(path):
            members = node.names if isinstance(node, ast.ImportFrom) else []
            modules = {f"{name}.{alias.name}" for alias in members} & names
            # `from zchunk.engine import execute` needs the module execute and the face of the room.
            found |= modules or {name}
        graph[own] = (found & names) - {own}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_extension_modules_import_nothing_of_zchunk_but_rooms_below() -> None:
    pattern = re.compile(r"^\s*(?:from|cimport|import)\s+(zchunk[\w.]*)", re.MULTILINE)
    sources = [*ROOT.glob("_ext/*/*.pyx"), *PACKAGE.glob("_ext/*/*.pxd"), *PACKAGE.glob("_ext/*/*.pyi")]
    assert len(sources) > 40
    for path in sources:
        for name in pattern.findall(path.read_text()):
            assert name.startswith("zchunk._ext."), f"{path} imports {name}"
            room = name.split(".")[2]
            assert room == path.parent.name or EXT_LEVEL[room] < EXT_LEVEL[path.parent.name], (
                f"{path}: {name}"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_of_zchunk_inside_functions(path: Path) -> None:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = (
                        [alias.name for alias in node.names]
                        if isinstance(node, ast.Import)
                        else [node.module]
                    )
                    assert not any(str(n).split(".")[0] == "zchunk" for n in names), f"{path}:{node.lineno}"


def test_extension_modules_are_short() -> None:
    for source in (*ROOT.glob("_ext/*/*.pyx"), *ROOT.glob("_ext/*/*.h")):
        assert len(source.read_text().splitlines()) <= MAX_LINES, source


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"


def is_names_alone(path: Path) -> bool:
    """Whether a module has nothing but imports, and other names for what it imports."""
    for node in ast.parse(path.read_text()).body[1:]:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        listed = isinstance(target, ast.Name) and target.id == "__all__"
        if not isinstance(node, ast.ImportFrom) and not listed:
            return False
    return True


def test_every_module_has_a_test_module() -> None:
    """Faces and names alone are left out, and extension modules, of which some are for others in C only."""
    for path in MODULES:
        own = path.relative_to(PACKAGE)
        listed = str(own) in {f"{name}.py" for name in NAMES_ALONE}
        if path.name == "__init__.py" or listed or is_names_alone(path):
            continue
        test = ROOT / "tests" / own.parent / f"test_{own.stem.removeprefix('_')}.py"
        assert test.exists(), f"{path} has no {test}"
        assert "def test_" in test.read_text(), f"{test} has no test"


@pytest.mark.parametrize("name", NAMES_ALONE)
def test_single_modules_are_names_alone(name: str) -> None:
    docstring, *rest = ast.parse((PACKAGE / f"{name}.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    found = [node for node in rest if not isinstance(node, ast.ImportFrom)]
    # Names, and what former names below a module need.
    assigned = [ast.unparse(node).split(" = ")[0] for node in found]
    assert assigned in (["__all__"], ["__all__", "__path__: list[str]"])


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    ).stdout.strip()


# What importing zchunk must not import: optional packages, what starts threads or processes, and modules of
# the standard library that take long. (NumPy may bring some of the latter along one day; that is its affair.)
HEAVY = {
    "numcodecs", "zarr", "blosc", "h5py", "lz4",
    "asyncio", "concurrent.futures", "logging", "multiprocessing",
    "base64", "bz2", "dataclasses", "hashlib", "html", "lzma", "random", "secrets", "shutil", "socket", "ssl",
    "tempfile", "urllib", "zipfile",
    "dbm", "fsspec", "lmdb", "redis", "sqlite3", "dask", "distributed", "pandas", "xarray",
    "zchunk.wings",
    "zchunk.storage.cloud", "zchunk.storage.databases", "zchunk.storage.fsspec", "zchunk.storage.lru",
    "zchunk.storage.local.temporary", "zchunk.storage.n5", "zchunk.storage.urls", "zchunk.storage.zip",
}  # fmt: skip


def rooms_after(code: str) -> set[str]:
    """The modules of zchunk that a program has imported when it ends."""
    return {
        name for name in run(f"import sys; {code}; print(*sys.modules)").split() if name.startswith("zchunk.")
    }


def test_importing_the_package_imports_packages_and_what_they_need() -> None:
    modules = rooms_after("import zchunk")
    rooms = {part(name) for name in modules}
    assert {"codecs", "metadata", "storage"} <= rooms
    assert rooms & {"core", "creation", "engine", "hierarchy", "convenience", "wings", "indexing"} == set()


def test_a_reader_of_an_array_imports_nothing_that_makes_one(tmp_path: Path) -> None:
    zchunk.zeros(3, store=str(tmp_path))
    modules = rooms_after(f"import zchunk; zchunk.open({str(tmp_path)!r}, mode='r')[...]")
    assert {"zchunk.core.array", "zchunk.engine.execute", "zchunk.convenience.opening"} <= modules
    assert {"hierarchy", "wings", "zarr3"} & {part(name) for name in modules} == set()
    makers = {f"zchunk.creation.{name}" for name in ("arrays", "likeness", "parameters", "nodes")}
    assert modules & makers == set()
    # Nor what changes one, erases one, or describes one.
    others = {
        "core.info", "engine.listing", "engine.resize", "spec.decomposition", "storage.marks",
        "storage.traces", "storage.local.file_kinds", "storage.local.mark_files",
        "storage.local.new_folders", "storage.local.removal",
    }  # fmt: skip
    assert modules & {f"zchunk.{name}" for name in others} == set()


NAMES = ["open", "Blosc", "DirectoryStore", "zeros", "open_group", "consolidate_metadata", "tree", "Array"]
NAMES += ["save", "get_spare_memory"]


def test_threads_may_be_the_first_to_ask_for_different_names() -> None:
    code = (
        "import sys, threading, zchunk\n"
        f"names = {NAMES}; barrier = threading.Barrier(len(names)); errors = []\n"
        "def ask(name):\n"
        "    barrier.wait()\n"
        "    try: getattr(zchunk, name)\n"
        "    except BaseException as error: errors.append(error)\n"
        "threads = [threading.Thread(target=ask, args=(name,)) for name in names]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(errors)"
    )
    for _ in range(10):
        assert run(code) == "[]"


def test_no_module_takes_the_name_of_a_function() -> None:
    # Importing a module binds its name in the package.
    names = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names & set(zchunk.__all__) == {"codecs", "errors", "storage"}


def test_public_names_are_where_type_checkers_find_them() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if is_type_checking(node))
    found = {
        alias.name: str(node.module)
        for node in [*tree.body, *block.body]
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("zchunk")
        for alias in node.names
    }
    assert {*zchunk.__all__, "metadata"} == {*found, "__version__"} - {"FormerNames", "lazy_names"}
    for name, module in found.items():
        assert getattr(zchunk, name) is getattr(import_module(module), name)


def test_import_is_light() -> None:
    code = (
        "import sys, threading, numpy; before = set(sys.modules)\n"
        "import zchunk; zchunk.group().zeros('a', shape=3)[:]\n"
        "print(threading.active_count(), *set(sys.modules) - before)"
    )
    threads, *modules = run(code).split()
    assert threads == "1"
    assert HEAVY & set(modules) == set()


def test_names_that_are_imported_when_asked_for() -> None:
    code = (
        "import sys, zchunk, zchunk.storage as storage\n"
        "names = ['TempStore', 'ZipStore']\n"
        "assert 'zchunk.storage.zip.store' not in sys.modules\n"
        "for module in (zchunk, storage, storage.registry):\n"
        "    assert set(names) <= set(dir(module)) & set(module.__all__)\n"
        "from zchunk import *\n"
        "from zchunk.storage import ZipStore as same, TempStore as other\n"
        "assert ZipStore is same is zchunk.ZipStore is zchunk.storage.ZipStore\n"
        "assert TempStore is other is zchunk.TempStore is zchunk.storage.TempStore\n"
        "print([hasattr(m, 'Zipstore') for m in (zchunk, storage, storage.registry)])"
    )
    assert run(code) == "[False, False, False]"


def test_main_job_needs_no_numcodecs(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, zchunk\n"
        f"z = zchunk.ones((4, 4), chunks=2, store={str(tmp_path)!r})\n"
        "z[...] = np.eye(4); assert z[1, 1] == 1; repr(z.info); zchunk.group()['a'] = [1]\n"
        "print('numcodecs' in sys.modules)"
    )
    assert run(code) == "False"


def test_public_names_exist() -> None:
    code = "import zchunk; print([n for n in zchunk.__all__ if not hasattr(zchunk, n)])"
    assert run(code) == "[]"
