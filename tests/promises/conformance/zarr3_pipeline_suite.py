"""Run zarr-python 3.4.2's own tests with zchunk's codec pipeline, and with its engine.

    python -m tests.promises.conformance.zarr3_pipeline_suite [--own] [--engine] [--part] [-- options]

The tests are in zarr's source distribution, which is downloaded. They run in an environment of their own
below build/zarr3-pipeline, with a Python that zarr 3.4 runs on, and zchunk built from this tree. ``--own``
runs them with zarr's own pipeline, which is how to tell whose fault a failure is; ``--engine`` with the
engine, too; ``--part`` runs the modules in which most of what is replaced shows.

A test that passes with zarr's own pipeline may fail if `zarr3_pipeline_failures.txt` gives the reason. Every
other failure makes this program fail, and so does a listed test that passes.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

from benchmarks.environments import find_newer_python, install_tree
from tests.promises.conformance.zarr2_suite import listed, outcomes

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "zarr3-pipeline"
PYTHON = BUILD / "environment" / "bin" / "python"
KNOWN = HERE / "zarr3_pipeline_failures.txt"
RELEASE = "3.4.2"
SOURCE = BUILD / f"zarr-{RELEASE}"
# What the tests need.
NEEDED = (
    f"zarr=={RELEASE}", "obstore", "fsspec", "universal-pathlib", "numpydoc", "msgpack", "rich", "tomlkit",
    "pytest>=9.1", "pytest-asyncio", "pytest-benchmark", "pytest-xdist", "hypothesis", "uv", "requests",
)  # fmt: skip
PART = ("test_array", "test_indexing", "test_codec_pipeline", "test_config", "test_sync")
PIPELINE = "zchunk.zarr_pipeline.ZchunkCodecPipeline"


def pip(*arguments: str) -> None:
    subprocess.run([PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], check=True)


def prepare() -> None:
    """Make the environment, get the tests, and build zchunk for it."""
    if not PYTHON.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run([find_newer_python(), "-m", "venv", PYTHON.parents[1]], check=True)
        pip("install", *NEEDED)
    if not SOURCE.exists():
        pip("download", "--no-deps", "--no-binary", "zarr", "-d", str(BUILD), f"zarr=={RELEASE}")
        with tarfile.open(next(BUILD.glob("zarr-*.tar.gz"))) as archive:
            archive.extractall(BUILD, filter="data")
    install_tree(PYTHON)


def run(mode: str, chosen: list[str], extra: list[str]) -> dict[str, str]:
    """Return the outcome of every test."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    if mode != "own":
        environment["ZARR_CODEC_PIPELINE__PATH"] = PIPELINE
    if mode == "engine":
        environment["ZCHUNK_ZARR_ENGINE"] = "1"
    results = BUILD / f"{mode}.xml"
    results.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "-n", "auto", "--junitxml", str(results), "-W", "ignore"]
    subprocess.run([PYTHON, "-m", "pytest", *options, *chosen, *extra], cwd=SOURCE, env=environment)
    return outcomes(str(results))


def main() -> int:
    argv, extra = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, extra = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("own", "engine", "part"):
        parser.add_argument(f"--{name}", action="store_true")
    given = parser.parse_args(argv)
    mode = "own" if given.own else "engine" if given.engine else "pipeline"
    chosen = [f"tests/{name}.py" for name in PART] if given.part else ["tests"]
    prepare()
    # Failures of zarr's own, on this machine: what needs a network or a service.
    kept = BUILD / f"own-{'part' if given.part else 'all'}.json"
    if mode == "own" or not kept.exists():
        kept.write_text(json.dumps(run("own", chosen, extra)))
    own: dict[str, str] = json.loads(kept.read_text())
    found = own if mode == "own" else run(mode, chosen, extra)
    passed = {test for test, outcome in own.items() if outcome == "passed"}
    failed = sorted(test.replace("::", ".") for test in passed if found.get(test) != "passed")
    known = listed(KNOWN)
    wrong = [test for test in failed if not any(fnmatch.fnmatchcase(test, pattern) for pattern in known)]
    stale = [p for p in known if not given.part and mode != "own" and not fnmatch.filter(failed, p)]
    print(f"{mode}: {dict(Counter(found.values()))}; {len(passed)} pass with zarr's own pipeline")
    for test in wrong:
        print(f"FAILED, not expected: {test}")
    for pattern in stale:
        print(f"listed, but passes: {pattern}")
    return 1 if wrong or stale or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
