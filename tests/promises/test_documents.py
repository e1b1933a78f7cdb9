"""What the documents say is so: their code runs, their links lead somewhere, and what they name exists.

``make layers`` writes the lists of rooms in ``docs/design/architecture.md`` anew.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_architecture import EXT_LAYERS, LAYERS, LEVEL

ROOT = Path(__file__).parent.parent.parent
ARCHITECTURE = ROOT / "docs" / "design" / "architecture.md"
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/design/*.md", "examples/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "THIRD_PARTY_NOTICES.md"
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:zchunk|_ext|tests|docs|benchmarks|examples)(?:/[\w.*-]+)+/?")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")


def prose(path: Path) -> str:
    """The text of a document without its blocks of code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def spans(path: Path) -> Iterator[str]:
    yield from SPAN.findall(prose(path))


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each(DOCUMENTS)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@each(DOCUMENTS)
def test_files_exist(path: Path) -> None:
    for span in spans(path):
        if PATH.fullmatch(span):
            assert any(ROOT.glob(span.rstrip("/"))), span


# ---- names of zchunk ----


def resolves(name: str) -> bool:
    """Whether a dotted name below `zchunk` is a module, or something in one."""
    parts = name.split(".")
    if parts[0] == "_ext":
        return in_extension(parts[1:])
    for length in range(len(parts), -1, -1):
        try:
            found = import_module(".".join(["zchunk", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        if "__file__" not in vars(found):  # a former name, for old pickles
            return False
        for attribute in parts[length:]:
            if not hasattr(found, attribute) and attribute not in own_attributes(found):
                return False
            found = getattr(found, attribute, None)
        return True
    return False


def own_attributes(cls: object) -> set[str]:
    """What a class sets on its instances."""
    if not isinstance(cls, type):
        return set()
    tree = ast.parse(Path(str(sys.modules[cls.__module__].__file__)).read_text(encoding="utf-8"))
    own = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
    nodes = [node for definition in own for node in ast.walk(definition)]
    stored = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return stored | set(getattr(cls, "__annotations__", {}))


def in_extension(parts: list[str]) -> bool:
    """Whether the sources of a room of `_ext` have such a module with such names."""
    if len(parts) < 2:
        return (ROOT / "_ext").joinpath(*parts).is_dir()
    room, module, *names = parts
    sources = [*ROOT.glob(f"_ext/{room}/{module}.*"), *ROOT.glob(f"zchunk/_ext/{room}/{module}.px*")]
    text = "".join(
        source.read_text(encoding="utf-8") for source in sources if source.suffix in (".pyx", ".pxd", ".h")
    )
    return bool(text) and all(re.search(rf"\b{name}\b", text) for name in names)


# Rooms whose names are also those of other packages.
ROOMS = set(LEVEL) - {"__init__", "dask", "xarray", "meta"}


@each(DOCUMENTS)
def test_modules_and_functions_exist(path: Path) -> None:
    for span in spans(path):
        match = DOTTED.match(span)
        if not match or "/" in span or span.startswith("zchunk/"):
            continue
        first, _, rest = match.group().partition(".")
        if first == "zchunk":
            assert resolves(rest), span
        elif first in ROOMS and path.parent == ARCHITECTURE.parent:
            assert resolves(match.group()), span


# Names without their module: of classes and their members, and of functions, which have an underscore.
BARE = re.compile(r"(?:[A-Z]\w*[a-z]\w*(?:\.\w+)?|[a-z]\w*_\w+)(?=\W|$)")


def words_of_the_code() -> set[str]:
    sources = [*ROOT.glob("zchunk/**/*.py"), *ROOT.glob("_ext/*/*.pyx"), *ROOT.glob("tests/*.py")]
    return {word for source in sources for word in re.findall(r"\w+", source.read_text(encoding="utf-8"))}


def test_names_in_design_notes_are_in_the_code() -> None:
    words = words_of_the_code()
    # Notes on performance also name functions of the system and of other libraries.
    for path in sorted(ARCHITECTURE.parent.glob("*.md")):
        for span in spans(path) if path.name != "performance.md" else ():
            if match := BARE.match(span):
                assert set(match.group().split(".")) <= words, f"{path.name}: {span}"
    assert not {"raed_plan", "ShardAcess"} & words


def test_a_name_that_is_gone_is_noticed() -> None:
    assert resolves("engine.execute.read")
    assert resolves("_ext.codecs.blosc_decode")
    for name in ("engine.execute.raed", "locate", "chunked", "_ext.codecs.chain", "_ext.io.files.raed"):
        assert not resolves(name), name


# ---- the list of rooms ----


def first_paragraph(package: Path) -> str:
    """What a room says that it is."""
    file = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring, f"{file} has no docstring"
    return " ".join(docstring.split("\n\n")[0].split()).replace("``", "`")


def lists_of_rooms() -> dict[str, str]:
    """The list of layers, by the name of its place in the document."""
    rows = ["| layer | room | what is in it |", "|---:|---|---|"]
    for number, rooms in enumerate(LAYERS, 1):
        for room in sorted(rooms - {"__init__"}):
            rows.append(f"| {number} | `{room}` | {first_paragraph(ROOT / 'zchunk' / room)} |")
    extension = " < ".join(", ".join(f"`{room}`" for room in sorted(rooms)) for rooms in EXT_LAYERS)
    return {"layers": "\n".join(rows), "layers of _ext": extension}


def test_the_list_of_layers_is_that_of_the_architecture_test() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    expected = text
    for name, block in lists_of_rooms().items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        assert place.search(expected), name
        expected = place.sub(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", expected)
    if os.environ.get("ZCHUNK_LAYERS") == "write":
        ARCHITECTURE.write_text(expected, encoding="utf-8")
        text = expected
    assert text == expected, "run `make layers`"


# ---- code ----


def has_code(path: Path) -> bool:
    return any(match[1] == "python" for match in FENCE.finditer(path.read_text(encoding="utf-8")))


def run_code(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the blocks of a document in a process of its own, and in a folder, by the plugin `code_blocks`."""
    here = {"PYTHONPATH": str(Path(__file__).parent), "MPLBACKEND": "agg", "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-p", "code_blocks"]
        # Nothing beside the document is looked at.
        + ["-c", os.devnull, "--rootdir", str(path.parent), "--confcutdir", str(path.parent), str(path)],
        cwd=folder,
        # Other plugins take longer to start than most documents to run.
        env=os.environ | here | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@each([path for path in DOCUMENTS if has_code(path)])
def test_code_runs(path: Path, tmp_path: Path) -> None:
    done = run_code(path, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    if " passed" not in done.stdout:
        pytest.skip("the packages of the first block are not installed")


def test_a_block_that_fails_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    done = run_code(tmp_path / "a.md", tmp_path)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout


# ---- README ----


def test_readme_is_short() -> None:
    before, heading, _ = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Contributing\n")
    assert heading
    assert len(before.split()) <= 400


# ---- installing ----


@each([*DOCUMENTS, *sorted(ROOT.glob("docs/*.ipynb")), *sorted(ROOT.glob("examples/*.py"))])
def test_a_clone_is_installed_where_it_is(path: Path) -> None:
    """Else the folder `zchunk` of the clone, without extension modules, is imported in its root."""
    assert not re.search(r"pip install '?\.", path.read_text(encoding="utf-8")), "pip install -e"


# ---- verbs ----


def test_every_verb_is_described() -> None:
    makefile, contributing = (ROOT.joinpath(name).read_text() for name in ("Makefile", "CONTRIBUTING.md"))
    verbs = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    described = set(re.findall(r"`make ([a-z-]+)`", contributing))
    assert verbs - {"help"} == described
