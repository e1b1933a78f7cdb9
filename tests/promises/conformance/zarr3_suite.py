"""Run zarr-python 3.4.2's own tests against `zchunk.zarr3`, and hold the outcome against what is expected.

    python -m tests.promises.conformance.zarr3_suite [--all] [--source DIR] [stem ...] [-- options]

The tests are in zarr's source distribution, which is downloaded. ``import zarr`` is answered by
`zarr3_facade.py`, and `zarr3_conftest.py` has the fixtures and helpers that they use; zarr itself is not
imported. Tests that use private names of zarr, or its coroutines, are skipped. Of the cases of a function
every tenth is run, with ``--all`` every one.

zarr passes all of them. A test may fail if `zarr3_differences.txt` gives the reason. Every other failure
makes this program fail, and so do fewer functions that pass, and with ``--all`` a difference that is none.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.promises.conformance.zarr2_suite import listed, outcomes
from tests.promises.conformance.zarr3_guide import source_of_zarr

HERE = Path(__file__).parent
STEMS = [
    "test_array", "test_group", "test_attributes", "test_indexing", "test_tree", "test_api",
    "test_unified_chunk_grid",
    *(f"test_metadata/{stem}" for stem in ("test_consolidated", "test_v2", "test_v3")),
    *(f"test_codecs/test_{name}" for name in ("blosc", "bytes", "cast_value", "codecs", "gzip", "numcodecs")),
    *(f"test_codecs/test_{name}" for name in ("scale_offset", "sharding", "transpose", "vlen", "zstd")),
]  # fmt: skip
# How many functions have cases that pass, at least: else one that is not collected would not be missed.
PASSED = 380


def prepare(source: Path, site: Path, stems: list[str]) -> list[Path]:
    """Put zarr's tests, with what stands in for the rest, below `site`; return the files of tests."""
    files = [site / f"tests/{stem}.py" for stem in stems]
    kept = (site / "tests", site / "tests/test_dtype", site / "tests/test_metadata")
    for folder in {*kept, *(file.parent for file in files)}:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    (site / "zarr").mkdir()
    shutil.copy(HERE / "zarr3_facade.py", site / "zarr/__init__.py")
    shutil.copy(HERE / "zarr3_conftest.py", site / "tests/conftest.py")
    shutil.copy(HERE / "zarr3_dtypes.py", site / "tests/test_dtype/conftest.py")
    shutil.copy(source / "tests/test_metadata/conftest.py", site / "tests/test_metadata")
    for stem, file in zip(stems, files, strict=True):
        shutil.copy(source / f"tests/{stem}.py", file)
    return files


def run(source: Path, stems: list[str], extra: list[str], every: int) -> dict[str, str]:
    """Return the outcome of every test."""
    with tempfile.TemporaryDirectory(prefix="zarr3suite") as folder:
        site = Path(folder) / "site"
        files = prepare(source, site, stems)
        path = os.pathsep.join([str(site), str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": path, "ZARR3_SUITE_EVERY": str(every)}
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options = ["-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore", "--tb=short"]
        results = f"{folder}/results.xml"
        command = [sys.executable, "-m", "pytest", *options, "--rootdir", site, "--junitxml", results]
        ended = subprocess.run([*command, *files, *extra], cwd=folder, env=env, check=False).returncode
        if ended not in (0, 1):
            sys.exit(f"pytest ended with {ended}")
        return outcomes(results)


def main() -> int:
    argv, extra = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, extra = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="run every case")
    parser.add_argument("--source", help="where zarr's source distribution is, or is downloaded to")
    parser.add_argument("--json", help="write every test's outcome here")
    parser.add_argument("stems", nargs="*", help="test files, without .py", metavar="stem")
    args = parser.parse_args(argv)
    with source_of_zarr(args.source) as source:
        found = run(source, args.stems or STEMS, extra, 1 if args.all else 10)
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1, sort_keys=True))

    count = Counter(found.values())
    functions = {test.partition("[")[0] for test, outcome in found.items() if outcome == "passed"}
    print(f"{dict(count)}; {len(functions)} functions have cases that pass")
    failed = {test.replace("::", ".") for test, outcome in found.items() if outcome == "failed"}
    differences = listed(HERE / "zarr3_differences.txt")
    wrong = [
        f"FAILED, not expected: {test}"
        for test in sorted(failed)
        if not any(fnmatch.fnmatchcase(test, pattern) for pattern in differences)
    ]
    if not (args.stems or extra):
        if len(functions) < PASSED:
            wrong.append(f"fewer than {PASSED}: see PASSED in {__file__}")
        stale = [p for p in differences if args.all and not any(fnmatch.fnmatchcase(t, p) for t in failed)]
        wrong += [f"a difference that is none any more: {pattern}" for pattern in stale]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
