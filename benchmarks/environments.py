"""Virtual environments for all peers: peers whose versions clash get one of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The newest releases of most peers need one of these.
NEWER_PYTHONS = ("python3.13", "python3.14", "python3.12")
NOT_SOURCE = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "*.so", "*.c", "tests", "docs"
)


@dataclass(frozen=True)
class Environment:
    """A virtual environment: the packages of all its peers, and what each of them adds."""

    newer: bool
    common: tuple[str, ...]
    peers: Mapping[str, tuple[str, ...]]


ENVIRONMENTS = {
    "zarr2": Environment(
        False, ("numpy",), {"zarr2": ("zarr==2.18.7", "numcodecs<0.16", "rechunker", "dask")}
    ),
    "newest": Environment(
        True,
        # for the harness itself (the limits' codecs, and the real data), and for the cases through xarray
        ("numpy", "numcodecs", "h5py", "iris-sample-data", "xarray", "dask"),
        {
            "zchunk": (),  # from this source tree
            # obstore for the remote cases
            "zarr3": ("zarr>=3", "dask", "obstore"),
            "zarr3_fused": ("zarr>=3.4", "obstore"),
            "zarrs": ("zarrs", "zarr>=3.4", "obstore"),
            "zarr3_zchunk": ("zarr>=3.4", "obstore"),
            "zarr3_engine": ("zarr>=3.4", "obstore"),
            "tensorstore": ("tensorstore",),
            "h5py": ("h5py", "hdf5plugin"),
            "blosc2": ("blosc2",),
            "numpy": ("numpy",),
        },
    ),
}


def python_of(folder: Path, environment: str) -> Path:
    """Return the interpreter of an environment."""
    return folder / environment / "bin" / "python"


def pythons(folder: Path) -> dict[str, str]:
    """Return the interpreter of every peer whose environment is in the folder."""
    return {
        peer: os.fspath(python_of(folder.resolve(), name))
        for name, environment in ENVIRONMENTS.items()
        if python_of(folder, name).exists()
        for peer in environment.peers
    }


def find_newer_python() -> str:
    """Return a newer Python that runs, or the current one."""
    for name in NEWER_PYTHONS:
        for path in _interpreters(name):
            # Not every name runs: it may stand for a version that pyenv has not installed or chosen.
            if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
                return path
    return sys.executable


def _interpreters(name: str) -> Iterator[str]:
    """Yield possible interpreters: those on the path, and pyenv's versions, which may not be on it."""
    if found := shutil.which(name):
        yield found
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(os.fspath, sorted(root.glob(f"versions/*/bin/{name}"), reverse=True))


def setup(
    folder: Path,
    newer_python: str | None,
    say: Callable[[str], None],
    wanted: Mapping[str, Environment] = ENVIRONMENTS,
) -> bool:
    """Create or update environments; return whether every peer could be installed."""
    complete = True
    for name, environment in wanted.items():
        python = python_of(folder, name)
        if not python.exists():
            base = (newer_python or find_newer_python()) if environment.newer else sys.executable
            say(f"{name}: new environment with {base}")
            subprocess.run([base, "-m", "venv", os.fspath(folder / name)], check=True)
        _install(python, environment.common)
        for peer, requirements in environment.peers.items():
            say(f"{name}: {peer}")
            try:
                if peer == "zchunk":
                    install_tree(python)
                else:
                    _install(python, requirements)
            except subprocess.CalledProcessError:
                say(f"{peer} could not be installed; it is left out")
                complete = False
    return complete


def _install(python: Path, requirements: tuple[str, ...], *options: str) -> None:
    command = [os.fspath(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *options, *requirements], check=True)


def install_tree(python: Path) -> None:
    """Build zchunk and install it."""
    with tempfile.TemporaryDirectory() as folder:
        build_wheel(python, Path(folder))
        install_wheel(python, next(Path(folder).iterdir()))


def build_wheel(python: Path, folder: Path) -> None:
    """Build zchunk from a copy of the source tree, so that other builds in the tree stay as they are."""
    if wheel := fresh_wheel(python):
        shutil.copy(wheel, folder)
        return
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(ROOT, copy, ignore=NOT_SOURCE, dirs_exist_ok=True)
        command = [os.fspath(python), "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "--no-deps", "--wheel-dir", os.fspath(folder), copy], check=True)


def fresh_wheel(python: Path) -> Path | None:
    """Return the wheel that `make dist` has made for a Python, unless a source has changed since."""
    say = "import sys; print('cp{}{}'.format(*sys.version_info))"
    tag = subprocess.run([python, "-c", say], check=True, capture_output=True, text=True).stdout.strip()
    sources = [ROOT / "setup.py", ROOT / "pyproject.toml", ROOT / "_zchunk_zarr.py"]
    for folder, pattern in (("_ext", "*.pyx"), ("_ext", "*.h"), ("zchunk", "*.p*")):
        # Compiled modules and bytecode are no sources.
        sources += (p for p in ROOT.joinpath(folder).rglob(pattern) if p.suffix != ".pyc" and p.is_file())
    changed = max(source.stat().st_mtime for source in sources)
    wheels = ROOT.glob(f"dist/zchunk-*-{tag}-{tag}-*.whl")
    return next((wheel for wheel in wheels if wheel.stat().st_mtime > changed), None)


def install_wheel(python: Path, wheel: Path) -> None:
    """Install a wheel of zchunk and what it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    _install(python, (*project["dependencies"], *project["optional-dependencies"]["cloud"]))
    # Alone and forced, since the version may not have changed.
    _install(python, (os.fspath(wheel),), "--force-reinstall", "--no-deps")
