"""Where the other implementations are installed, and how their programs are started.

    python -m tests.promises.interop.environments zarrita

installs some, by default all, beside the releases of zarr that `make differential` has. One that has no wheel
for a Python or a machine is left out, and the run says so. Any other failure is an error.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.promises.interop.implementations import IMPLEMENTATIONS, Implementation

HERE = Path(__file__).parent
# What pip is asked for to see whether there is a package at all.
LINUX: tuple[str, ...] = ("--ignore-requires-python", "--python-version", "3.13", "--platform", "any")
LINUX += tuple(
    word for minor in (17, 24, 27, 28, 31, 34) for word in ("--platform", f"manylinux_2_{minor}_x86_64")
)
LINUX += ("--platform", "manylinux2014_x86_64")
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


def install(implementations: Iterable[Implementation] = IMPLEMENTATIONS) -> dict[str, str]:
    """Install what is not there in its release.

    Parameters
    ----------
    implementations : iterable of Implementation, optional
        Which ones, by default all.

    Returns
    -------
    dict
        By name, why one cannot be here.

    Raises
    ------
    RuntimeError
        One can be here, but was not installed.
    """
    left_out: dict[str, str] = {}
    missing: dict[str, list[Implementation]] = {}
    for implementation in implementations:
        if version_of(implementation) != implementation.release:
            missing.setdefault(implementation.environment, []).append(implementation)
    for environment, wanted in missing.items():
        if wanted[0].language == "node":
            _install_node(sorted({f"{i.package}@{i.release}" for i in wanted}))
        elif not Path(python_of(wanted[0])).exists():
            reason = f"it needs an environment build/{environment}, for which there is no Python here"
            left_out |= {implementation.name: reason for implementation in wanted}
        else:
            left_out |= _install_python(wanted)
    version_of.cache_clear()
    return left_out


def _install_node(packages: list[str]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(f"no npm here to install {', '.join(packages)}: `make servers` brings Node")
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    command = [npm, "install", "--prefix", str(BUILD / "interop-node"), *quiet, *packages]
    if subprocess.run(command, check=False).returncode:
        raise RuntimeError(f"npm did not install {', '.join(packages)}")


def _install_python(implementations: list[Implementation]) -> dict[str, str]:
    python = python_of(implementations[0])
    packages = {
        implementation.name: f"{implementation.package}=={implementation.release}"
        for implementation in implementations
    }
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not subprocess.run([*pip, *packages.values()], check=False).returncode:
        return {}
    left_out = {}
    for name, package in packages.items():
        if subprocess.run([*pip, package], check=False).returncode:
            left_out[name] = why_not(python, package)
    return left_out


def why_not(python: str, package: str) -> str:
    """Return why a package cannot be installed for an interpreter.

    Raises
    ------
    RuntimeError
        It can: there is a wheel for it, or the index was not reached, which would have one for Linux.
    """
    if not _finds(python, package) and _finds(python, package, *LINUX):
        asked = "import sys, sysconfig as s; print(f'Python {sys.version.split()[0]} on {s.get_platform()}')"
        here = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout
        return f"there is no wheel of {package} for {here.strip()}"
    raise RuntimeError(f"{package} was not installed, see above")


def _finds(python: str, package: str, *platform: str) -> bool:
    """Whether pip finds a wheel."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--target", folder, *platform, package]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    chosen = [i for i in IMPLEMENTATIONS if not sys.argv[1:] or i.adapter in sys.argv[1:]]
    for left, why in install(chosen).items():
        print(f"without {left}: {why}")
