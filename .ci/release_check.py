"""Whether a tag may be released: version, changelog, citation, recipe, addresses agree. Needs no package."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What stands in addresses until they are known.
PLACEHOLDER = "OWNER"


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """Return what is wrong, a line each."""
    with (root / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)
    project = settings["project"]
    version = project["version"]
    init, citation, changelog, recipe = (
        (root / name).read_text(encoding="utf-8")
        for name in ("zchunk/__init__.py", "CITATION.cff", "CHANGELOG.md", "packaging/conda/recipe.yaml")
    )
    found = []
    if tag and tag != f"v{version}":
        found.append(f"the tag is {tag}, and pyproject.toml has version {version}: tag v{version}")
    if f'\n__version__ = "{version}"\n' not in init:
        found.append(f"zchunk/__init__.py has another __version__ than {version}")
    if f"\nversion: {version}\n" not in citation:
        found.append(f"CITATION.cff has another version than {version}")
    if f'\n  version: "{version}"\n' not in recipe:
        found.append(f"packaging/conda/recipe.yaml has another version than {version}")
    if not settings["tool"]["zchunk"]["published"]:
        found.append("pyproject.toml: published is false: set it, and run `make install-commands`")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no heading '## [{version}] - YYYY-MM-DD'")
    for name, url in project["urls"].items():
        if PLACEHOLDER in url:
            found.append(f"pyproject.toml: the address {name} is to be filled in: {url}")
    return found


if __name__ == "__main__":
    lines = problems(sys.argv[1] if len(sys.argv) > 1 else "")
    print("\n".join(lines) or "ready")
    sys.exit(1 if lines else 0)
