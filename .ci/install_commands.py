"""The commands that install zchunk in the documents: from a clone, or from PyPI once it is there.

`published` in pyproject.toml's [tool.zchunk] says which. `make install-commands` writes them anew, and a test
compares. README's quick start is for a clone in either case: it runs an example and the tests.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = re.compile(r"pip install (?:-e '\.|'zchunk)\[([\w,]+)\]'(`?)(?: in a clone)?")


def documents(root: Path = ROOT) -> Iterator[Path]:
    yield from sorted(root.glob("docs/*.md"))
    yield root / "docs" / "tutorial.ipynb"


def is_published(root: Path = ROOT) -> bool:
    with (root / "pyproject.toml").open("rb") as file:
        published: bool = tomllib.load(file)["tool"]["zchunk"]["published"]
    return published


def converted(text: str, published: bool) -> str:
    """Return a document with the commands that work."""
    if published:
        return COMMAND.sub(r"pip install 'zchunk[\1]'\2", text)
    return COMMAND.sub(
        lambda found: f"pip install -e '.[{found[1]}]'{found[2]}{' in a clone' if found[2] else ''}", text
    )


if __name__ == "__main__":
    for path in documents():
        path.write_text(converted(path.read_text(encoding="utf-8"), is_published()), encoding="utf-8")
