"""Is the hot path still as fast? Five cases with this source tree beside the commit before, as ratios.

    python -m benchmarks.guard [--base COMMIT] [--repeat N]

The other commit is HEAD where the tree has changes of its own, else the one before HEAD; it is checked out
and compiled in `build/guard`. Both run by turns in workers of the benchmark (`benchmarks.worker`), and the
best run of each counts, since whatever disturbs a run makes it longer. The program fails if a ratio is above
LIMIT. Compile this tree first (`make build`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.cases import CASES
from benchmarks.datasets import SOURCES, STORED
from benchmarks.harness import Kind, Peer, Settings
from benchmarks.machine import default_folder

ROOT = Path(__file__).resolve().parent.parent
GUARD = ROOT / "build" / "guard"
LIMIT = 1.15
# Many chunks, one element, tiny chunks, shards, and writing.
WATCHED = ("read-field-lz4", "point", "tiny-read", "sharded-lz4-read", "write-field-lz4")
THREADS = 2


def git(*arguments: str, folder: Path = ROOT) -> str:
    """Return what git says."""
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def commit_before() -> str:
    """Return the commit that the source tree is compared with."""
    return git("rev-parse", "HEAD" if git("status", "--porcelain", "_ext", "zchunk") else "HEAD~1")


def built(commit: str) -> Path:
    """Return a folder with this commit, compiled."""
    folder = GUARD / commit[:12]
    if not (folder / "built").exists():
        GUARD.mkdir(parents=True, exist_ok=True)
        git("worktree", "prune")
        if not folder.exists():
            git("worktree", "add", "--detach", str(folder), commit)
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
        (folder / "built").touch()
    return folder


def start(tree: Path, folder: Path, size: str) -> Peer:
    """Start a worker whose zchunk is that of a source tree."""
    folder.mkdir()
    # As in a run of the benchmark, the workers find its package in their working folder.
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks", target_is_directory=True)
    here = {"PYTHONPATH": str(tree)}
    return Peer("zchunk", Kind(THREADS, False), Settings(size), folder, here, folder)


def measure(trees: tuple[Path, Path], repeat: int, size: str) -> dict[str, tuple[float, float]]:
    """Return the best times of every case with both source trees."""
    best: dict[str, tuple[float, float]] = {}
    largest = max(STORED[CASES[case].stored].layout(size).nbytes for case in WATCHED)
    with tempfile.TemporaryDirectory(dir=default_folder(10 * largest, in_memory=True)) as name:
        peers = [start(tree, Path(name) / str(number), size) for number, tree in enumerate(trees)]
        for case in WATCHED:
            source = SOURCES[STORED[CASES[case].stored].source]
            values = np.ascontiguousarray(source.make(getattr(source, size)), dtype=source.dtype)
            for number, peer in enumerate(peers):
                np.save(Path(name) / str(number) / f"{STORED[CASES[case].stored].source}.npy", values)
                peer.ask(do="prepare", case=case)
            times: list[list[float]] = [[], []]
            for turn in range(repeat):
                # First one, then the other: whatever changes with time is the same for both.
                for number in (0, 1) if turn % 2 else (1, 0):
                    times[number].append(peers[number].ask(do="run", case=case)["value"])
            best[case] = min(times[0]), min(times[1])
            for peer in peers:
                peer.ask(do="release")
        for peer in peers:
            peer.close()
    return best


def main() -> int:
    """Compare, print a line for every case, and return whether one became slower."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--base", metavar="COMMIT", help="compare with this commit (default: the one before)")
    parser.add_argument("--repeat", type=int, default=15, metavar="N", help="runs of each (default 15)")
    parser.add_argument("--size", default="quick", help="of the data (default: quick)")
    given = parser.parse_args()
    base = git("rev-parse", given.base) if given.base else commit_before()
    print(f"beside {git('log', '-1', '--format=%h %s', base)}, best of {given.repeat} runs by turns")
    slower = 0
    for case, (now, before) in measure((ROOT, built(base)), given.repeat, given.size).items():
        ratio = now / before
        slower += ratio > LIMIT
        print(f"{case:<20}{before:>12.3g}{now:>12.3g}{ratio:>8.2f}{'  SLOWER' if ratio > LIMIT else ''}")
    if slower:
        print(f"{slower} of {len(WATCHED)} cases are slower than {LIMIT} times before")
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())
