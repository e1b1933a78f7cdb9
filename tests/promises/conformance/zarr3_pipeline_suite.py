"""Run the tests of zarr-python 3.4.2, anndata and xarray with zchunk's codec pipeline, and with its engine.

    python -m tests.promises.conformance.zarr3_pipeline_suite [--part] [--mode MODE] [name ...] [-- options]

The tests run in an environment for each program below build/zarr3-pipeline, with a Python that zarr 3.4 runs
on, and zchunk built from this tree, once. Those of zarr and anndata are in their source distributions, which
are downloaded. They run twice: with zchunk's pipeline, and with the engine, too. What fails runs again with
zarr-python's own pipeline, which tells whose fault it is. ``--mode``, ``own``, ``pipeline`` or ``engine``, is
for one run of all tests, of which only the counts are told. ``--part`` runs modules of zarr-python's
tests in which most of what is replaced shows, each in one mode. Without it, zarr-python's tests are followed
by random programs, of `differential/zarr3_pipeline.py`.

A test that passes with zarr-python's own pipeline may fail if `zarr3_pipeline_failures.txt` gives the reason.
Every other failure makes this program fail, and so does a listed test that passes. The last lines are the
counts of every program and mode.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import build_wheel, find_newer_python, install_wheel
from tests.promises.conformance.zarr2_suite import listed, outcomes

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "zarr3-pipeline"
KNOWN = HERE / "zarr3_pipeline_failures.txt"
PROGRAMS_AT_RANDOM = HERE.parent / "differential" / "zarr3_pipeline.py"
RELEASE = "3.4.2"
# A test that hangs fails, and the others go on.
TIMEOUT = ("--timeout", "300")
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
            # With pandas 3.1 a quarter of its tests fail, with zarr-python alone, too.
            ("anndata[dask,lazy]==0.13.4", "pandas==3.0.6", "dask[distributed]", "scanpy", "awkward",
             "pyarrow", "boltons", "joblib", "openpyxl", "scikit-learn", "matplotlib", "pytest",
             "pytest-mock", "filelock", "jsonschema", "pooch", "fast-array-utils"),
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


def prepare(program: Program, wheels: Path) -> None:
    """Make the environment, get the tests, and install zchunk, whose wheel is built if it is not there."""
    folder = program.folder
    if not program.python.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([find_newer_python(), "-m", "venv", program.python.parents[1]], check=True)
    # Also where a run before was stopped: it takes seconds if all is there.
    common = (f"zarr=={RELEASE}", "pytest-xdist", "pytest-timeout", "hypothesis")
    pip(program.python, "install", *common, *program.needed)
    if program.source and not program.started_in.exists():
        wanted = f"{program.name}=={program.version}"
        pip(program.python, "download", "--no-deps", "--no-binary", program.name, "-d", str(folder), wanted)
        with tarfile.open(next(folder.glob(f"{program.name}-*.tar.gz"))) as archive:
            # Without the program, which is installed.
            own = f"{program.started_in.name}/src/"
            archive.extractall(folder, [m for m in archive if not m.name.startswith(own)], filter="data")
    if not any(wheels.iterdir()):
        build_wheel(program.python, wheels)
    install_wheel(program.python, next(wheels.iterdir()))


def without_settings() -> dict[str, str]:
    """Return the environment of this process without what is set for pytest, zarr-python and zchunk."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTEST_ADDOPTS", "PYTHONPATH") and not name.startswith(("ZARR_", "ZCHUNK_"))
    }


def run(
    program: Program, mode: str, chosen: tuple[str, ...], extra: list[str], failed_in: str | None = None
) -> dict[str, str]:
    """Return the outcome of every test, or of every one that failed in another mode."""
    environment = without_settings()
    # Every process of pytest has to collect the same tests, also those that a set names.
    environment["PYTHONHASHSEED"] = "0"
    results = program.folder / f"{mode}.xml"
    results.unlink(missing_ok=True)
    cache = program.folder / f"{failed_in or mode}-cache"
    if failed_in is None:
        shutil.rmtree(cache, ignore_errors=True)
    again = ["--last-failed", "--last-failed-no-failures", "none"] if failed_in else ["-n", "auto"]
    options = ["-q", "-W", "ignore", "--junitxml", str(results), "-o", f"cache_dir={cache}", *TIMEOUT, *again]
    command = [program.python, "-m", "pytest", *options, *chosen, *program.options, *extra]
    subprocess.run(command, cwd=program.started_in, env=environment | ENVIRONMENTS[mode])
    return outcomes(str(results))


def matches(test: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(test, pattern) for pattern in patterns)


def judge(
    program: Program, mode: str, found: dict[str, str], own: dict[str, str], whole: bool
) -> tuple[str, list[str]]:
    """Return the counts of a run, and what is not as expected: failures, and listed ones that pass.

    `own` has the outcomes of what failed, with zarr-python's own pipeline.
    """
    prefix = f"{program.name}/"
    known = [line.removeprefix(prefix) for line in listed(KNOWN) if line.startswith(prefix)]
    failed = {test for test, outcome in found.items() if outcome == "failed"}
    # A test that has no outcome there counts as zchunk's.
    ours = {test.replace("::", ".") for test in failed if own.get(test, "passed") == "passed"}
    named = {test for test in ours if matches(test, known)}
    counts = Counter(found.values())
    text = (
        f"{program.name} {program.version}, {mode}: {counts['passed']} passed, {counts['skipped']} skipped, "
        f"{len(failed)} failed: {len(failed) - len(ours)} with zarr-python's own pipeline too, {len(named)} "
        f"listed with a reason, {len(ours) - len(named)} not expected"
    )
    wrong = [f"{program.name}, {mode}: FAILED, not expected: {test}" for test in sorted(ours - named)]
    if whole:
        stale = [pattern for pattern in known if not fnmatch.filter(ours, pattern)]
        wrong += [f"{program.name}, {mode}: listed, but passes: {pattern}" for pattern in stale]
    return text, wrong if found else [f"{program.name}, {mode}: no test ran"]


def main() -> int:
    argv, extra = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, extra = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="store_true", help="the modules of zarr-python's tests for CI")
    parser.add_argument("--mode", choices=ENVIRONMENTS, help="this one alone, and only its counts")
    parser.add_argument("names", nargs="*", help=f"programs: {', '.join(PROGRAMS)}; zarr by default")
    given = parser.parse_args(argv)
    newer = subprocess.run([find_newer_python(), "-c", "import sys; sys.exit(sys.version_info < (3, 12))"])
    if newer.returncode:
        print(f"no Python 3.12 or newer here, which zarr {RELEASE} needs: its tests are left out")
        return 0
    counts, wrong = [], []
    with tempfile.TemporaryDirectory() as wheels:
        for name in given.names or ["zarr"]:
            prepare(PROGRAMS[name], Path(wheels))
    for name in given.names or ["zarr"]:
        program = PROGRAMS[name]
        if given.mode is not None:
            found = run(program, given.mode, program.tests, extra)
            counts.append(f"{name} {program.version}, {given.mode}: {dict(Counter(found.values()))}")
            continue
        for mode, part in PART.items():
            chosen = part if given.part else program.tests
            found = run(program, mode, chosen, extra)
            own = run(program, "own", chosen, extra, failed_in=mode) if "failed" in found.values() else {}
            text, unexpected = judge(program, mode, found, own, whole=not given.part and not extra)
            counts.append(text)
            wrong += unexpected
        if name == "zarr" and not given.part:
            ended = subprocess.run([program.python, PROGRAMS_AT_RANDOM], env=without_settings(), text=True)
            wrong += ["random programs differ: see above"] if ended.returncode else []
    print("\n".join([*wrong, *counts]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
