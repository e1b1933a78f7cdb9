"""Fuzzing that goes on: targets by atheris, which is guided by the lines of zchunk's Python code that run.

    python -m tests.faults.fuzzing [SECONDS] [TARGET ...]

What it finds interesting is kept in build/fuzz, so that the next run goes on from there. `make fuzz` has
frames and shards mutated under the sanitizers besides.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None

NAMES = ("frame", "shard", "metadata", "consolidated", "archive", "selection")


def fuzz(name: str, seconds: str) -> None:
    """Fuzz a target in this process, which ends with it."""
    with atheris.instrument_imports(include=["zchunk"]):
        from tests.faults import fuzz_targets
    found = Path("build", "fuzz", name)
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=4096"]
    folders = [str(found), str(fuzz_targets.CORPUS / name), f"-artifact_prefix={found}-"]
    atheris.Setup([sys.argv[0], *folders, *options, "-print_final_stats=1"], fuzz_targets.TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    seconds, names = sys.argv[1] if len(sys.argv) > 1 else "60", sys.argv[2:] or list(NAMES)
    if atheris is None:
        print("atheris is not installed: pip install atheris")
        return 0
    if os.environ.get("FUZZED"):
        fuzz(names[0], seconds)
    failed = 0
    for name in names:
        command = [sys.executable, "-m", "tests.faults.fuzzing", seconds, name]
        there = os.environ | {"FUZZED": "1"}
        done = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
        tried = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        outcome = done.stderr[-3000:] if done.returncode else "no failures"
        print(f"fuzzing {name}: {' '.join(tried) or '?'} inputs: {outcome}", flush=True)
        failed += done.returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
