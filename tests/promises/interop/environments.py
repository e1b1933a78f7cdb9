"""Where the other implementations are installed, and how their programs are started.

    python -m tests.promises.interop.environments

installs them beside the releases of zarr that `make differential` has. Not every one has a wheel for every
Python: one that cannot be installed is left out, and the run says so.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.promises.interop.implementations import IMPLEMENTATIONS, Implementation

HERE = Path(__file__).parent
BUILD = Path(os.environ.get("ZCHUNK_INTEROP_BUILD", HERE.parents[2] / "build")).absolute()


def python_of(implementation: Implementation) -> str:
    """The interpreter of its environment."""
    return str(BUILD / implementation.environment / "bin" / "python")


def command_of(implementation: Implementation) -> list[str]:
    """What starts the program that its adapter is part of."""
    if implementation.language == "node":
        return ["node", str(_beside_modules() / "serve.mjs"), implementation.adapter]
    return [python_of(implementation), "-W", "ignore", str(HERE / "serve.py"), implementation.adapter]


@functools.cache
def _beside_modules() -> Path:
    # Node looks for packages in the folders above a program.
    folder = BUILD / "interop-node"
    shutil.copy(HERE / "serve.mjs", folder)
    shutil.copytree(HERE / "adapters", folder / "adapters", dirs_exist_ok=True)
    return folder


@functools.cache
def version_of(implementation: Implementation) -> str | None:
    """The release that is installed, or None."""
    if implementation.language == "node":
        package = BUILD / "interop-node" / "node_modules" / implementation.package / "package.json"
        return json.loads(package.read_text())["version"] if package.exists() else None
    asked = f"import importlib.metadata as m; print(m.version({implementation.package!r}))"
    try:
        found = subprocess.run(
            [python_of(implementation), "-c", asked], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def install() -> None:
    """Install what is not there in its release."""
    wanted: dict[str, list[str]] = {}
    for implementation in IMPLEMENTATIONS:
        if version_of(implementation) != implementation.release:
            sign = "@" if implementation.language == "node" else "=="
            package = f"{implementation.package}{sign}{implementation.release}"
            wanted.setdefault(implementation.environment, []).append(package)
    node = wanted.pop("interop-node", [])
    if node and shutil.which("npm"):
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "install", "--prefix", str(BUILD / "interop-node"), *quiet, *node], check=True)
    for environment, packages in wanted.items():
        python = BUILD / environment / "bin" / "python"
        if not python.exists():
            print(f"no {python}: without {', '.join(packages)}")
            continue
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        if subprocess.run([*pip, *packages], check=False).returncode:
            for package in packages:
                if subprocess.run([*pip, package], check=False).returncode:
                    print(f"cannot be installed here: {package}")
    version_of.cache_clear()


if __name__ == "__main__":
    install()
