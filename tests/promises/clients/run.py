"""Run the tests of programs that are written for zarr 2 with zchunk in zarr's place.

    python -m tests.promises.clients.run [--zarr] [name of a program ...] [-- pytest's arguments]

Each program gets an environment of its own below build/clients, made by pip from the pinned list `NAME.txt`,
and its tests come from its sdist. ``import zarr`` is answered by `conformance/zarr2_facade.py`, as for zarr's
own tests; with ``--zarr`` by zarr 2.18.7, which is how to tell whose fault a failure is.

A test may fail if `known_failures.txt` gives the reason. Every other failure makes this program fail. So does
a known failure that is none any more, and a number of passed tests that is not the expected one: a test that
is not collected any more would not be missed otherwise.
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

from tests.promises.conformance.zarr2_suite import listed, outcomes

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "clients"
FACADE = ROOT / "tests/promises/conformance/zarr2_facade.py"
KNOWN = HERE / "known_failures.txt"


@dataclass(frozen=True)
class Client:
    """A program, which of its tests are run, and how many of them pass."""

    name: str
    version: str
    passed: int
    options: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return BUILD / self.name

    @property
    def python(self) -> Path:
        return self.folder / "environment/bin/python"

    @property
    def source(self) -> Path:
        return self.folder / f"{self.name.replace('-', '_')}-{self.version}"


CLIENTS = [
    Client("anndata", "0.10.9", 259, ("-k", "zarr")),
    # These ask a server on the Internet.
    Client("ome-zarr", "0.10.3", 377, ("-k", "not test_s3_info")),
]


def pip(python: str | Path, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", *arguments, "--quiet"], check=True)


def prepare(client: Client) -> None:
    """Make the environment and get the tests, unless that was done from the list as it is now."""
    wanted = (HERE / f"{client.name}.txt").read_text()
    done = client.folder / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return
    client.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", client.python.parents[1]], check=True)
    pip(client.python, "install", "-r", str(HERE / f"{client.name}.txt"))
    sdist = ("--no-deps", "--no-binary", client.name, f"{client.name}=={client.version}")
    pip(sys.executable, "download", "-d", str(client.folder), *sdist)
    with tarfile.open(next(client.folder.glob("*.tar.gz"))) as archive:
        # Without the program, which is installed.
        top = client.source.name
        wants = (f"{top}/tests/", f"{top}/pyproject.toml", f"{top}/pytest.ini")
        archive.extractall(client.folder, [m for m in archive if m.name.startswith(wants)], filter="data")
    done.write_text(wanted)


def start(client: Client, with_zarr: bool, extra: list[str]) -> subprocess.Popen[bytes]:
    path = [str(ROOT)]
    if not with_zarr:
        site = client.folder / "site"
        (site / "zarr").mkdir(parents=True, exist_ok=True)
        (site / "zarr/__init__.py").write_text(FACADE.read_text())
        path.insert(0, str(site))
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment["PYTHONPATH"] = os.pathsep.join(path)
    results = client.folder / "results.xml"
    results.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore", "--tb=short"]
    command = [client.python, "-m", "pytest", *options, "--junitxml", results, "tests"]
    return subprocess.Popen([*command, *client.options, *extra], cwd=client.source, env=environment)


def judge(client: Client, found: dict[str, str], known: list[str]) -> list[str]:
    """Return what is not as expected."""
    failed = {test.replace("::", ".") for test, outcome in found.items() if outcome == "failed"}
    wrong = [
        f"{client.name}: FAILED, not expected: {test}"
        for test in sorted(failed)
        if not any(fnmatch.fnmatchcase(f"{client.name}/{test}", pattern) for pattern in known)
    ]
    for pattern in known:
        if pattern.startswith(f"{client.name}/") and not fnmatch.filter(
            [f"{client.name}/{test}" for test in failed], pattern
        ):
            wrong.append(f"a known failure that is none any more: {pattern}")
    count = Counter(found.values())
    print(f"{client.name} {client.version}: {dict(count)}, {client.passed} are expected to pass")
    if count["passed"] != client.passed:
        wrong.append(
            f"{client.name}: {count['passed']} passed, not {client.passed}: see CLIENTS in {__file__}"
        )
    return wrong


def main() -> int:
    argv, extra = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, extra = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zarr", action="store_true", help="with zarr 2.18.7; nothing is judged")
    parser.add_argument("names", nargs="*", help="programs", metavar="name")
    args = parser.parse_args(argv)
    chosen = [client for client in CLIENTS if not args.names or client.name in args.names]
    for client in chosen:
        prepare(client)
    running = [(client, start(client, args.zarr, extra)) for client in chosen]
    wrong = []
    for client, process in running:
        if process.wait() not in (0, 1):
            sys.exit(f"pytest of {client.name} ended with {process.returncode}")
        found = outcomes(str(client.folder / "results.xml"))
        if not (args.zarr or extra):
            wrong += judge(client, found, listed(KNOWN))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
