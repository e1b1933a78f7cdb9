"""Run the tests of zarr-python 3.4.2, anndata and xarray with zchunk's codec pipeline, and with its engine.

    python -m tests.promises.conformance.zarr3_pipeline_suite [--part] [--mode MODE] [name ...] [-- options]

The tests run in an environment for each program below build/zarr3-pipeline, with a Python that zarr 3.4 runs
on, and zchunk built from this tree. Those of zarr and anndata are in their source distributions, which are
downloaded. They run three times: with zarr-python's own pipeline, which is how to tell whose fault a failure
is, with zchunk's, and with the engine, too; ``--mode`` is ``own``, ``pipeline`` or ``engine``. ``--part``
runs modules of zarr-python's tests in which most of what is replaced shows, each in one mode.

A test that passes with zarr-python's own pipeline may fail if `zarr3_pipeline_failures.txt` gives the reason.
Every other failure makes this program fail, and so does a listed test that passes.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import find_newer_python, install_tree
from tests.promises.conformance.zarr2_suite import listed, outcomes

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "zarr3-pipeline"
KNOWN = HERE / "zarr3_pipeline_failures.txt"
RELEASE = "3.4.2"
PIPELINE = "zchunk.zarr_pipeline.ZchunkCodecPipeline"
ENVIRONMENTS = {
    "own": {},
    "pipeline": {"ZARR_CODEC_PIPELINE__PATH": PIPELINE},
    "engine": {"ZARR_CODEC_PIPELINE__PATH": PIPELINE, "ZCHUNK_ZARR_ENGINE": "1"},
}
PART = {
    "pipeline": ("tests/test_codec_pipeline.py", "tests/test_codecs/test_codecs.py"),
    "engine": ("tests/test_indexing.py", "tests/test_resize.py"),
}


@dataclass(frozen=True)
class Program:
    """A program, what its tests need, and which of them run; without `source` they are installed."""

    name: str
    version: str
    needed: tuple[str, ...]
    tests: tuple[str, ...]
    options: tuple[str, ...] = ()
    source: bool = True

    @property
    def folder(self) -> Path:
        return BUILD / self.name

    @property
    def python(self) -> Path:
        return self.folder / "environment" / "bin" / "python"

    @property
    def started_in(self) -> Path:
        return self.folder / f"{self.name}-{self.version}" if self.source else self.folder


PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "zarr",
            RELEASE,
            ("obstore", "fsspec", "universal-pathlib", "numpydoc", "msgpack", "rich", "tomlkit",
             "pytest>=9.1", "pytest-asyncio", "pytest-benchmark", "uv", "requests"),
            ("tests",),
            # They measure.
            ("--ignore", "tests/benchmarks"),
        ),
        Program(
            "anndata",
            "0.13.4",
            ("anndata[dask,lazy]==0.13.4", "dask[distributed]", "scanpy", "awkward", "pyarrow", "boltons",
             "joblib", "openpyxl", "scikit-learn", "matplotlib", "pytest", "pytest-mock", "filelock",
             "jsonschema", "pooch", "fast-array-utils"),
            ("tests",),
            ("-k", "zarr"),
        ),
        Program(
            "xarray",
            "2026.9.0",
            ("xarray==2026.9.0", "dask[distributed]", "cftime", "pytest", "pytest-asyncio", "pooch", "scipy",
             "h5netcdf", "netCDF4"),
            ("--pyargs", "xarray.tests.test_backends", "xarray.tests.test_backends_datatree",
             "xarray.tests.test_distributed"),
            ("-k", "zarr or Zarr"),
            source=False,
        ),
    )
}  # fmt: skip


def pip(python: str | Path, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], check=True)


def prepare(program: Program) -> None:
    """Make the environment, get the tests, and build zchunk for it."""
    folder = program.folder
    if not program.python.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([find_newer_python(), "-m", "venv", program.python.parents[1]], check=True)
        pip(program.python, "install", f"zarr=={RELEASE}", "pytest-xdist", "hypothesis", *program.needed)
    if program.source and not program.started_in.exists():
        wanted = f"{program.name}=={program.version}"
        pip(program.python, "download", "--no-deps", "--no-binary", program.name, "-d", str(folder), wanted)
        with tarfile.open(next(folder.glob(f"{program.name}-*.tar.gz"))) as archive:
            # Without the program, which is installed.
            own = f"{program.started_in.name}/src/"
            archive.extractall(folder, [m for m in archive if not m.name.startswith(own)], filter="data")
    install_tree(program.python)


def run(program: Program, mode: str, chosen: tuple[str, ...], extra: list[str]) -> dict[str, str]:
    """Return the outcome of every test."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTEST_ADDOPTS" and not name.startswith(("ZARR_", "ZCHUNK_"))
    }
    # Every process of pytest has to collect the same tests, also those that a set names.
    environment["PYTHONHASHSEED"] = "0"
    results = program.folder / f"{mode}.xml"
    results.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "-n", "auto", "--junitxml", str(results), "-W", "ignore"]
    command = [program.python, "-m", "pytest", *options, *chosen, *program.options, *extra]
    subprocess.run(command, cwd=program.started_in, env=environment | ENVIRONMENTS[mode])
    return outcomes(str(results))


def judge(program: Program, mode: str, found: dict[str, str], own: dict[str, str] | None) -> list[str]:
    """Return what is not as expected of tests that pass otherwise: failures, and listed ones that pass."""
    if own is None:
        failed = {test.replace("::", ".") for test, outcome in found.items() if outcome == "failed"}
    else:
        passed = [test for test, outcome in own.items() if outcome == "passed"]
        failed = {test.replace("::", ".") for test in passed if found.get(test) != "passed"}
        print(f"{program.name} with its own: {dict(Counter(own.values()))}")
    print(f"{program.name} with zchunk's {mode}: {dict(Counter(found.values()))}")
    prefix = f"{program.name}/"
    known = [line.removeprefix(prefix) for line in listed(KNOWN) if line.startswith(prefix)]
    wrong = [
        f"{program.name}, {mode}: FAILED, not expected: {test}"
        for test in sorted(failed)
        if not any(fnmatch.fnmatchcase(test, pattern) for pattern in known)
    ]
    if own is not None:
        stale = [pattern for pattern in known if not fnmatch.filter(failed, pattern)]
        wrong += [f"{program.name}, {mode}: listed, but passes: {pattern}" for pattern in stale]
    return wrong if found else [f"{program.name}, {mode}: no test ran"]


def main() -> int:
    argv, extra = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, extra = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="store_true", help="the modules of zarr-python's tests for CI")
    parser.add_argument("--mode", choices=ENVIRONMENTS, help="this one alone; nothing is judged")
    parser.add_argument("names", nargs="*", help=f"programs: {', '.join(PROGRAMS)}; zarr by default")
    given = parser.parse_args(argv)
    newer = subprocess.run([find_newer_python(), "-c", "import sys; sys.exit(sys.version_info < (3, 12))"])
    if newer.returncode:
        print(f"no Python 3.12 or newer here, which zarr {RELEASE} needs: its tests are left out")
        return 0
    wrong = []
    for name in given.names or ["zarr"]:
        program = PROGRAMS[name]
        prepare(program)
        if given.mode is not None:
            run(program, given.mode, program.tests, extra)
            continue
        own = None if given.part else run(program, "own", program.tests, extra)
        for mode, part in PART.items():
            found = run(program, mode, part if given.part else program.tests, extra)
            wrong += judge(program, mode, found, own)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
