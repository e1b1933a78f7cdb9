"""Starts one worker per library, and runs cases and libraries interleaved in random order."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, DATASETS, SIZES
from benchmarks.worker import LIMIT

ROOT = Path(__file__).resolve().parent.parent


class PeerError(Exception):
    """A library is not there, or failed in a case."""


@dataclass
class Settings:
    """What to measure and how often."""

    size: str = "full"
    cases: tuple[str, ...] = tuple(CASES)
    peers: tuple[str, ...] = ()
    repeat: int = 5
    threads: int = 2
    folder: Path | None = None
    # Interpreters of libraries that live in environments of their own.
    pythons: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None


class Peer:
    """The worker process of one library."""

    def __init__(self, name: str, settings: Settings, folder: Path) -> None:
        self.name = name
        python = settings.pythons.get(name, sys.executable)
        threads = str(settings.threads)
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", name, settings.size, os.fspath(folder), threads],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "ZCHUNK_THREADS": threads},
        )

    def ask(self, **request: str) -> dict[str, Any]:
        """Send a request and return the answer; raise PeerError with what went wrong in the worker."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"the worker ended with code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the worker."""
        self.process.communicate()


def default_folder(size: str) -> Path:
    """Return a RAM file system where there is one with room for the run, else the temporary folder."""
    ram = Path("/dev/shm")
    # Source data, two arrays per library, the limit's files, and room to breathe.
    needed = 12 * SIZES[size].field.nbytes
    if ram.is_dir() and os.access(ram, os.W_OK):
        stat = os.statvfs(ram)
        if stat.f_bavail * stat.f_frsize > needed:
            return ram
    return Path(tempfile.gettempdir())


def file_system(folder: Path) -> str:
    """Return the type of the file system of a folder, "unknown" where the system does not tell."""
    found, longest = "unknown", -1
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return found
    for line in mounts:
        _, mount, kind, *_ = line.split(" ")
        inside = Path(mount) == folder or Path(mount) in folder.parents
        if inside and len(mount) >= longest:
            found, longest = kind, len(mount)
    return found


def environment(folder: Path, settings: Settings) -> dict[str, Any]:
    """Describe the machine, as far as a reader of the figures needs it."""
    processor = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor,
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "file system": file_system(folder.resolve()),
        "threads": settings.threads,
        "size": settings.size,
        "repeat": settings.repeat,
    }


def run(settings: Settings, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Measure and return the results: environment, versions, failures, and every time of every case."""
    parent = settings.folder or default_folder(settings.size)
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="zchunk-benchmark-", dir=parent) as name:
        folder = Path(name)
        say(f"{settings.size} size in {folder}")
        size = SIZES[settings.size]
        for dataset in sorted({CASES[case].dataset for case in settings.cases}):
            np.save(folder / f"{dataset}.npy", DATASETS[dataset](size.layout(dataset)))
        results: dict[str, Any] = {
            "environment": environment(folder, settings),
            "versions": {},
            "failures": {},
            "cases": {
                case: {"title": CASES[case].title, "seconds": {}, "limit": []} for case in settings.cases
            },
        }
        peers = [Peer(peer, settings, folder) for peer in (*settings.peers, LIMIT)]
        try:
            pairs = list(_prepare(_start(peers, results, say), settings.cases, results, say))
            rng = random.Random(settings.seed)
            for repetition in range(settings.repeat):
                say(f"repetition {repetition + 1} of {settings.repeat}")
                rng.shuffle(pairs)
                pairs = [pair for pair in pairs if _run_once(*pair, results, say)]
        finally:
            for peer in peers:
                peer.close()
    return results


def _fail(
    peer: Peer, what: str, error: PeerError, results: dict[str, Any], say: Callable[[str], None]
) -> None:
    say(f"{peer.name}, {what}: {error}")
    results["failures"].setdefault(peer.name, {})[what] = str(error)


def _start(peers: Iterable[Peer], results: dict[str, Any], say: Callable[[str], None]) -> Iterable[Peer]:
    for peer in peers:
        try:
            results["versions"][peer.name] = peer.ask(do="version")["version"]
        except PeerError as error:
            _fail(peer, "start", error, results, say)
        else:
            yield peer


def _prepare(
    peers: Iterable[Peer], cases: Iterable[str], results: dict[str, Any], say: Callable[[str], None]
) -> Iterable[tuple[Peer, str]]:
    for peer in peers:
        for case in cases:
            try:
                peer.ask(do="prepare", case=case)
            except PeerError as error:
                _fail(peer, case, error, results, say)
            else:
                yield peer, case


def _run_once(peer: Peer, case: str, results: dict[str, Any], say: Callable[[str], None]) -> bool:
    try:
        answer = peer.ask(do="run", case=case)
    except PeerError as error:
        _fail(peer, case, error, results, say)
        return False
    entry = results["cases"][case]
    if peer.name == LIMIT:
        entry["limit"].append(answer["parts"])
    else:
        entry["seconds"].setdefault(peer.name, []).append(answer["seconds"])
    return True
