"""Starts the workers, and runs cases and libraries interleaved in random order."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import objects, slow
from benchmarks.adapters import NAMES
from benchmarks.cases import CASES, Case
from benchmarks.datasets import SOURCES, STORED
from benchmarks.machine import default_folder, describe, file_system
from benchmarks.merge import OF_A_RUN
from benchmarks.worker import LIMIT
from tests.servers.s3 import FastS3Server, fast_server

Say = Callable[[str], None]

# A library runs a case no more once its runs have taken so many seconds together and are FEWEST_RUNS, since
# the few slowest pairs would take most of the time.
ENOUGH_SECONDS = 3.0
FEWEST_RUNS = 2
# A case is run again, and marked, if the median of a library is further above its best value.
SPREAD = 0.15


class PeerError(Exception):
    """A library failed in a case, or did not start."""


class PeerAbsentError(PeerError):
    """A library is not installed."""


class UnsupportedError(PeerError):
    """A library cannot do what the case asks for."""


@dataclass
class Settings:
    """What to measure and how often."""

    size: str = "quick"
    cases: tuple[str, ...] = tuple(CASES)
    # None: all that are installed
    peers: tuple[str, ...] | None = None
    repeat: int = 3
    threads: int = 2
    folder: Path | None = None
    cold: bool = False
    # Interpreters of libraries that live in environments of their own
    pythons: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True, order=True)
class Kind:
    """The properties that cases in the same workers share: libraries are told them once."""

    threads: int
    remote: bool
    on_disk: bool = False
    slow: bool = False


class Peer:
    """The worker process of one library for one kind of case.

    ``env`` has the address of the object store, or the library that delays calls; files are in ``place``.
    """

    def __init__(
        self, name: str, kind: Kind, settings: Settings, folder: Path, env: Mapping[str, str], place: Path
    ) -> None:
        self.name, self.kind, threads = name, kind, str(kind.threads)
        # The limits are measured in zchunk's environment.
        python = settings.pythons.get("zchunk" if name == LIMIT else name, sys.executable)
        cache = "cold" if settings.cold else "warm"
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", name, settings.size, folder, threads, cache, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "ZCHUNK_THREADS": threads, **env},
        )

    def ask(self, **request: str) -> dict[str, Any]:
        """Send a request and return the answer; raise PeerError with the worker's message if it fails."""
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
        if "unsupported" in answer:
            raise UnsupportedError(answer["unsupported"])
        if "error" in answer:
            raise (PeerAbsentError if answer.get("absent") else PeerError)(answer["error"])
        return answer

    def close(self) -> None:
        """End the worker."""
        try:
            self.process.communicate()
        except BrokenPipeError:
            self.process.wait()


class Run:
    """One run of the benchmark in a folder of its own; `results` fills during the run."""

    def __init__(self, settings: Settings, folder: Path, disk: Path, say: Say) -> None:
        self.settings, self.folder, self.disk, self.say = settings, folder, disk, say
        self.rng = random.Random(settings.seed)
        self.peers: list[Peer] = []
        self.server: FastS3Server
        machine = describe(folder)
        self.results: dict[str, Any] = {
            "environment": {
                **machine,
                "threads": settings.threads,
                "size": settings.size,
                "repeat": settings.repeat,
                "fewest": min(settings.repeat, FEWEST_RUNS),
                "cache": "cold" if settings.cold else "warm",
            },
            "versions": {},
            "pythons": {},
            "absent": {},
            "failures": {},
            "cases": {name: self._entry(CASES[name], machine) for name in settings.cases},
        }
        # The workers find this package, and nothing else of the source tree, in their working folder: all
        # else comes from their environment.
        (folder / "benchmarks").symlink_to(Path(__file__).resolve().parent, target_is_directory=True)

    def _entry(self, case: Case, machine: dict[str, Any]) -> dict[str, Any]:
        return {
            "run": {key: machine[key] for key in OF_A_RUN},
            "heading": case.heading(self.settings.size),
            "codec": case.codec,
            "unit": case.unit,
            "targets": [{"at_most": target.at_most, "over": target.over} for target in case.targets],
            "values": {},
            "unsupported": {},
            "stored": {},
            "limit": [],
            "spread": 0.0,
            "again": False,
        }

    def measure(self) -> None:
        """Measure every case with every library."""
        # By array and kind of case: there is at most one array per library at a time.
        groups: dict[tuple[str, Kind], list[str]] = {}
        for name in self.settings.cases:
            groups.setdefault((CASES[name].stored, self._kind(name)), []).append(name)
        order = list(groups)
        self.rng.shuffle(order)
        kinds = sorted({self._kind(case) for case in self.settings.cases})
        with ExitStack() as stack:
            if any(kind.remote for kind in kinds):
                self.server = stack.enter_context(fast_server())
            try:
                self._start(kinds)
                for number, group in enumerate(order, 1):
                    self.say(f"{number} of {len(order)}: {group[0]}")
                    self._measure_group(group[0], groups[group])
            finally:
                for peer in self.peers:
                    peer.close()

    def _start(self, kinds: list[Kind]) -> None:
        """Start the workers; end those of absent or broken libraries at once."""
        wanted = (*(self.settings.peers or NAMES), LIMIT)
        for kind in kinds:
            env = self._object_store() if kind.remote else slow.environment(self.folder) if kind.slow else {}
            place = self.disk if kind.on_disk else self.folder
            self.peers += [Peer(name, kind, self.settings, self.folder, env, place) for name in wanted]
        for peer in list(self.peers):
            try:
                answer = peer.ask(do="version")
            except PeerError as error:
                if isinstance(error, PeerAbsentError) and self.settings.peers is None and peer.name != LIMIT:
                    self.results["absent"][peer.name] = str(error)
                else:
                    self._fail(peer, "start", error)
                peer.close()
                self.peers.remove(peer)
            else:
                self.results["versions"][peer.name] = answer["version"]
                self.results["pythons"][peer.name] = answer["python"]
        versions = self.results["versions"]
        self.results["versions"] = {name: versions[name] for name in wanted if name in versions}

    def _kind(self, case: str) -> Kind:
        one = CASES[case]
        threads = one.threads or self.settings.threads
        return Kind(threads, one.network is not None, one.on_disk, one.latency > 0)

    def _object_store(self) -> dict[str, str]:
        options = self.server.options(self.server.endpoint)
        return objects.environment({**options, "client_options": {"allow_http": True}})

    def _measure_group(self, stored: str, cases: list[str]) -> None:
        try:
            self._make_source(STORED[stored].source)
        except ImportError as error:
            self.say(f"{stored}: {error}")
            for case in cases:
                self.results["cases"][case]["skipped"] = str(error)
            return
        pairs = list(self._prepare(cases))
        self._rounds(list(pairs))
        unsteady = {case for case in cases if self._spread(case) > SPREAD}
        for case in unsteady:
            self.results["cases"][case]["again"] = True
        self._rounds([pair for pair in pairs if pair[1] in unsteady])
        for case in cases:
            self.results["cases"][case]["spread"] = self._spread(case)
        for peer in list(self.peers):
            try:
                peer.ask(do="release")
            except PeerError as error:
                self._fail(peer, "release", error)
                peer.close()
                self.peers.remove(peer)

    def _rounds(self, pairs: list[tuple[Peer, str]]) -> None:
        """Run cases again and again, and within each run of a case all of its libraries in turns."""
        spent = dict.fromkeys(pairs, 0.0)
        for number in range(1, self.settings.repeat + 1):
            self.rng.shuffle(pairs)
            turns: dict[str, list[tuple[Peer, str]]] = {}
            for pair in pairs:
                turns.setdefault(pair[1], []).append(pair)
            for pair in [pair for turn in turns.values() for pair in turn]:
                start = time.perf_counter()
                works = self._run_once(*pair)
                spent[pair] += time.perf_counter() - start
                if not works or (number >= FEWEST_RUNS and spent[pair] > ENOUGH_SECONDS):
                    pairs.remove(pair)

    def _spread(self, case: str) -> float:
        """Return how far the median of a library is above its best value, at most, as a share of that."""
        values = self.results["cases"][case]["values"].values()
        return max((median(runs) / min(runs) - 1 for runs in values if min(runs) > 0), default=0.0)

    def _make_source(self, name: str) -> None:
        file = self.folder / f"{name}.npy"
        if not file.exists():
            source = SOURCES[name]
            values = source.make(getattr(source, self.settings.size))
            np.save(file, np.ascontiguousarray(values, dtype=source.dtype))

    def _prepare(self, cases: list[str]) -> Iterator[tuple[Peer, str]]:
        for peer in self.peers:
            for case in cases:
                if peer.kind != self._kind(case) or peer.name not in (*CASES[case].peers, LIMIT):
                    continue
                entry = self.results["cases"][case]
                try:
                    facts = peer.ask(do="prepare", case=case)
                except (UnsupportedError, PeerAbsentError) as reason:
                    # The absent package is one that the library needs for this case alone.
                    entry["unsupported"][peer.name] = str(reason)
                except PeerError as error:
                    self._fail(peer, case, error)
                else:
                    if "stored" in facts:
                        entry["stored"][peer.name] = facts["stored"]
                    yield peer, case

    def _run_once(self, peer: Peer, case: str) -> bool:
        network = CASES[case].network
        if network:
            self.server.network.set(latency=network.latency, bandwidth=network.bandwidth)
        try:
            answer = peer.ask(do="run", case=case)
        except PeerError as error:
            self._fail(peer, case, error)
            return False
        finally:
            if network:
                # What is prepared and removed need not wait.
                self.server.network.set()
        entry = self.results["cases"][case]
        if peer.name == LIMIT:
            entry["limit"].append(answer["parts"])
        else:
            entry["values"].setdefault(peer.name, []).append(answer["value"])
        return True

    def _fail(self, peer: Peer, what: str, error: PeerError) -> None:
        self.say(f"{peer.name}, {what}: {error}")
        self.results["failures"].setdefault(peer.name, {})[what] = str(error)


def run(settings: Settings, say: Say = lambda text: None) -> dict[str, Any]:
    """Measure and return the results: environment, versions, failures, and every value of every case."""
    largest = max(STORED[CASES[case].stored].layout(settings.size).nbytes for case in settings.cases)
    # Sources, for each library an array to read and one to write, and the limit's files. Memory has no cache
    # that could be dropped.
    parent = settings.folder or default_folder(30 * largest, in_memory=not settings.cold)
    parent.mkdir(parents=True, exist_ok=True)
    if settings.cold and file_system(parent.resolve()) == "tmpfs":
        say(f"{parent} is in memory: --cold has no effect there, choose another --dir")
    with ExitStack() as stack:
        name, disk = [
            stack.enter_context(tempfile.TemporaryDirectory(prefix="zchunk-benchmark-", dir=folder))
            # What is cold, or synced, lies on a disk, unless another folder is asked for.
            for folder in (parent, settings.folder or tempfile.gettempdir())
        ]
        say(f"{settings.size} size, {len(settings.cases)} cases, {settings.repeat} runs each, in {name}")
        running = Run(settings, Path(name), Path(disk), say)
        running.measure()
        return running.results
