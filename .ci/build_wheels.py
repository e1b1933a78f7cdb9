"""The sdist, and from it a wheel for each Python of this machine, each tried where nothing else is.

    python .ci/build_wheels.py              the Python that runs this, and others that zchunk supports
    python .ci/build_wheels.py --only       the Python that runs this
    python .ci/build_wheels.py python3.13   this one, too

A wheel is installed in an empty environment, from wheels alone, and runs `.ci/smoke.py` with a PATH that has
no compiler. On Linux `auditwheel` has to find it a wheel for any Linux, with no library of this machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWER = ("python3.12", "python3.13", "python3.14")
PIP = ("-m", "pip", "--disable-pip-version-check")


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run([*map(str, command)], check=False, text=True, stdout=subprocess.PIPE, **options)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(map(str, command))} failed")
    return done.stdout


def pythons(wanted: list[str]) -> Iterator[str]:
    """Yield the Python that runs this, and others of other versions that run."""
    yield sys.executable
    seen = {"{}.{}".format(*sys.version_info)}
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for name in wanted:
        # pyenv's names for versions that it has not chosen do not run.
        for path in [shutil.which(name), *map(str, root.glob(f"versions/*/bin/{name}"))]:
            say = "import sys; print('{}.{}'.format(*sys.version_info))"
            if path is None:
                continue
            done = subprocess.run([path, "-c", say], check=False, capture_output=True, text=True)
            if done.returncode == 0 and done.stdout.strip() not in seen:
                seen.add(done.stdout.strip())
                yield path


def build(python: str, tree: Path, folder: Path, dist: Path) -> tuple[Path, Path]:
    """Return the wheel for a Python, and the Python of an empty environment."""
    run(python, "-m", "venv", folder)
    empty = folder / "bin" / "python"
    before = set(dist.glob("*.whl"))
    # The tree stays, and what Cython has written there for the first serves all.
    run(empty, *PIP, "wheel", "--quiet", "--no-deps", "-w", dist, tree)
    (wheel,) = set(dist.glob("*.whl")) - before
    return wheel, empty


def audit(wheel: Path) -> None:
    """Fail unless a wheel needs nothing but what every Linux has."""
    shown = " ".join(run(sys.executable, "-m", "auditwheel", "show", wheel).split())
    found = re.search(r'consistent with the following platform tag: "(manylinux\w+)"', shown)
    if found is None or "external shared libraries are required" in shown:
        sys.exit(f"{wheel.name} is no wheel for any Linux: {shown}")
    print(f"{wheel.name}: {found[1]}", flush=True)


def try_it(wheel: Path, empty: Path) -> None:
    """Install a wheel where nothing is, and use it without a compiler."""
    run(empty, *PIP, "install", "--quiet", "--only-binary", ":all:", wheel)
    bare = {"PATH": str(empty.parent), "HOME": str(empty.parent)}
    print(run(empty, ROOT / ".ci" / "smoke.py", cwd=empty.parent, env=bare), end="", flush=True)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("pythons", nargs="*", default=NEWER, help="others, by default all that are here")
    parser.add_argument("--only", action="store_true", help="no other than the one that runs this")
    options = parser.parse_args()
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    run(sys.executable, "-m", "build", "--sdist", "--outdir", dist, ROOT, stderr=subprocess.STDOUT)
    with tempfile.TemporaryDirectory() as work:
        (sdist,) = dist.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(work, filter="data")
        tree = Path(work, sdist.name.removesuffix(".tar.gz"))
        for number, python in enumerate(pythons([] if options.only else list(options.pythons))):
            wheel, empty = build(python, tree, Path(work, f"empty{number}"), dist)
            if sys.platform == "linux":
                audit(wheel)
            try_it(wheel, empty)


if __name__ == "__main__":
    main()
