"""The house rules: dependencies go one way, modules are short, importing is light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import zchunk

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "zchunk"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400

# Each may import from those to the left, and from its own layer only where LATERAL says so.
LAYERS = [
    {"errors", "compat", "later", "progress"},
    {"dtypes", "fill_values", "grid", "keys", "pool", "locks", "replacing", "fields"},
    {"sync", "rectilinear", "requests"},
    {"metadata", "codecs", "indexing", "storage", "values", "attributes"},
    {"chunk_cache"},
    {"chunked"},
    {"shards", "generic", "fragments"},
    {"shard_access"},
    {"engine"},
    {"stored", "display", "tokens", "properties", "resize", "selections", "index_helpers"},
    {"node"},
    {"conveniences"},
    {"core"},
    {"newarray3", "h5names"},
    {"convertible", "newarray"},
    {"likeness"},
    {"nodes"},
    {"creating", "members", "trees", "copylog"},
    {"making", "copying"},
    {"hierarchy"},
    {"opening", "initialize", "meta"},
    {"consolidating", "rechunking", "saving", "storecopy", "meta_v1"},
    {"dask", "xarray"},
    {"attrs", "convenience", "creation", "n5", "util"},
    {"__init__"},
]
LATERAL = {
    ("metadata", "codecs"), ("storage", "metadata"), ("attributes", "metadata"), ("attributes", "storage"),
    ("resize", "stored"),
}  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def part(module: str) -> str:
    """The part of the house that a dotted name lies in: `zchunk.storage.zip` in `storage`."""
    return module.split(".")[1] if "." in module else "__init__"


def own_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return part(".".join(parts))


def imports(path: Path) -> list[tuple[str, ast.AST]]:
    """The modules of zchunk that a file imports, at its top level and elsewhere."""
    found: list[tuple[str, ast.AST]] = []
    for node in ast.walk(ast.parse(path.read_text())):
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


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_dependencies_go_one_way(path: Path) -> None:
    own = own_name(path)
    if own == "_ext":
        assert imports(path) == []
        return
    for name, node in imports(path):
        other = part(name)
        if other in (own, "_ext") or (own, other) in LATERAL:
            continue
        assert LEVEL[other] < LEVEL[own], f"{path}:{node.lineno}: {own} imports {other}"  # type: ignore[attr-defined]


def test_extension_modules_import_nothing_of_zchunk_but_themselves() -> None:
    pattern = re.compile(r"^\s*(?:from|cimport|import)\s+(zchunk[\w.]*)", re.MULTILINE)
    sources = [*ROOT.glob("_ext/*.pyx"), *PACKAGE.glob("_ext/*.pxd"), *PACKAGE.glob("_ext/*.pyi")]
    assert len(sources) > 10
    for path in sources:
        for name in pattern.findall(path.read_text()):
            assert name.startswith("zchunk._ext"), f"{path} imports {name}"


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
    for source in (*ROOT.glob("_ext/*.pyx"), *ROOT.glob("_ext/*.h")):
        assert len(source.read_text().splitlines()) <= MAX_LINES, source


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"


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
    "zchunk.rechunking",
    "zchunk.storage.dbm", "zchunk.storage.fs", "zchunk.storage.lmdb", "zchunk.storage.lru",
    "zchunk.storage.n5", "zchunk.storage.redis", "zchunk.storage.sqlite", "zchunk.storage.temporary",
    "zchunk.storage.urls", "zchunk.storage.zip",
}  # fmt: skip


def test_importing_the_package_imports_packages_and_what_they_need() -> None:
    code = "import sys, zchunk; print(*sys.modules)"
    modules = {part(name) for name in run(code).split() if name.startswith("zchunk.")}
    assert {"codecs", "metadata", "storage"} <= modules
    assert modules & {"core", "creating", "engine", "hierarchy", "opening", "selections", "shards"} == set()


def test_who_reads_an_array_imports_nothing_that_makes_one(tmp_path: Path) -> None:
    zchunk.zeros(3, store=str(tmp_path))
    code = f"import sys, zchunk; zchunk.open({str(tmp_path)!r}, mode='r')[...]; print(*sys.modules)"
    modules = {part(name) for name in run(code).split() if name.startswith("zchunk.")}
    assert {"core", "engine", "opening"} <= modules
    assert modules & {"creating", "hierarchy", "likeness", "newarray", "nodes"} == set()


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
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    found = {
        alias.name: str(node.module)
        for node in [*tree.body, *block.body]
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("zchunk")
        for alias in node.names
    }
    assert {*zchunk.__all__, "metadata"} == {*found, "__version__"}
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
        "assert 'zchunk.storage.zip' not in sys.modules\n"
        "for module in (zchunk, storage, storage.lazy):\n"
        "    assert set(names) <= set(dir(module)) & set(module.__all__)\n"
        "from zchunk import *\n"
        "from zchunk.storage import ZipStore as same, TempStore as other\n"
        "assert ZipStore is same is zchunk.ZipStore is zchunk.storage.ZipStore\n"
        "assert TempStore is other is zchunk.TempStore is zchunk.storage.TempStore\n"
        "print([hasattr(m, 'Zipstore') for m in (zchunk, storage, storage.lazy)])"
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
