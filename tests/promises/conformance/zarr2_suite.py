"""Run zarr 2.18.7's own tests against zchunk, and hold the outcome against what is expected.

    python tests/promises/conformance/zarr2_suite.py [--json OUT] [test file's stem ...] [-- options]

The tests are inside zarr's own wheel, which is downloaded. ``import zarr`` is answered by
`zarr2_facade.py`: `zarr.X.name` is what zchunk has under that name in the module of the same name, at its
top, or in another public module. zarr itself is not imported.

A test may fail if zarr 2.18.7 fails it too (`zarr2_own_failures.txt`: newer numcodecs and NumPy), or
if `zarr2_differences.txt` gives the reason. Every other failure makes this program fail, and so does a
difference that is none any more.
"""

from __future__ import annotations

import argparse
import fnmatch
import glob
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
STEMS = [
    "test_core", "test_storage", "test_hierarchy", "test_sync", "test_convenience", "test_indexing",
    "test_creation", "test_dim_separator", "test_attrs", "test_filters", "test_info",
]  # fmt: skip
# Those that take longest run beside all others.
LONG = {"test_core"}


def download(folder: str) -> None:
    """Put zarr's tests, and the facade in place of zarr, below `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, "zarr==2.18.7"]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(glob.glob(f"{folder}/zarr-2.18.7-*.whl")[0]) as wheel:
        for name in wheel.namelist():
            if name.startswith("zarr/tests/"):
                wheel.extract(name, f"{folder}/site")
    facade = (HERE / "zarr2_facade.py").read_text()
    Path(f"{folder}/site/zarr/__init__.py").write_text(facade)


def start(folder: str, name: str, stems: list[str], extra: list[str]) -> subprocess.Popen[bytes]:
    site = f"{folder}/site"
    path = os.pathsep.join([site, str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
    # Plugins of packages that import the real zarr stay out.
    env = {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore", "--tb=short", "--rootdir", site]
    files = [f"{site}/zarr/tests/{stem}.py" for stem in stems]
    command = [sys.executable, "-m", "pytest", *options, "--junitxml", f"{folder}/{name}.xml", *files, *extra]
    os.makedirs(f"{folder}/{name}")
    return subprocess.Popen(command, cwd=f"{folder}/{name}", env=env)


def outcomes(path: str) -> dict[str, str]:
    found = {}
    for case in ET.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def run(stems: list[str], extra: list[str]) -> dict[str, str]:
    """Return the outcome of every test."""
    with tempfile.TemporaryDirectory(prefix="zarr2suite") as folder:
        download(folder)
        groups = {"long": [s for s in stems if s in LONG], "rest": [s for s in stems if s not in LONG]}
        runs = {name: start(folder, name, group, extra) for name, group in groups.items() if group}
        found: dict[str, str] = {}
        for name, process in runs.items():
            process.wait()
            if process.returncode not in (0, 1):
                sys.exit(f"pytest ended with {process.returncode}")
            found |= outcomes(f"{folder}/{name}.xml")
    return found


def listed(path: Path) -> list[str]:
    """Return the tests, or patterns of them, that a file lists between its comments."""
    lines = path.read_text().splitlines()
    return [line.strip().replace("::", ".") for line in lines if line.strip() and not line.startswith("#")]


def main() -> int:
    argv, extra = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, extra = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", help="write every test's outcome here")
    parser.add_argument("stems", nargs="*", help="test files, without .py", metavar="stem")
    args = parser.parse_args(argv)
    found = run(args.stems or STEMS, extra)
    print(f"\n{'file':<22}{'passed':>8}{'failed':>8}{'skipped':>9}")
    files = Counter((test.split("::")[0].split(".")[2], outcome) for test, outcome in found.items())
    for stem in sorted({stem for stem, _ in files}):
        print(
            f"{stem:<22}"
            + "".join(f"{files[stem, o]:>{w}}" for o, w in (("passed", 8), ("failed", 8), ("skipped", 9)))
        )
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1, sort_keys=True))

    failed = {test.replace("::", ".") for test, outcome in found.items() if outcome == "failed"}
    theirs, differences = set(listed(HERE / "zarr2_own_failures.txt")), listed(HERE / "zarr2_differences.txt")
    ours = failed - theirs
    explained = {test for test in ours if any(fnmatch.fnmatchcase(test, pattern) for pattern in differences)}
    print(f"{len(failed & theirs)} failed that zarr 2.18.7 fails too, {len(explained)} for known differences")
    for test in sorted(ours - explained):
        print(f"FAILED, not expected: {test}")
    complete = not args.stems and not extra
    stale = [p for p in differences if complete and not any(fnmatch.fnmatchcase(test, p) for test in failed)]
    for pattern in stale:
        print(f"a difference that is none any more: {pattern}")
    return 1 if ours - explained or stale or (complete and not found) else 0


if __name__ == "__main__":
    sys.exit(main())
