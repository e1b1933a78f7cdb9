"""Run the code of zarr-python 3.4.2's own user guide with `zchunk.zarr3` in zarr's place.

    python tests/promises/conformance/zarr3_guide.py [--source DIR] [-v]

The guide is in zarr's source distribution, which is downloaded. Blocks of a session share their names, and
a block that fails does not end its session. Left out are pages on GPUs, the command line and experiments, and
blocks of coroutines and of services on the internet; zarr itself passes all 164 others. A block may fail if
`zarr3_guide_failures.txt` gives the reason. Every other failure makes this program fail, and so does a listed
block that passes.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
RELEASE = "3.4.2"
LEFT_OUT = ("gpu.md", "cli.md", "experimental.md")
WORDS = re.compile(
    r"\basync\b|\bawait\b|asyncio|AsyncArray|AsyncGroup|GpuMemoryStore|cupy|s3fs|boto|s3://|gs://|http|S3Store"
)
FENCE = re.compile(r"^( *)```python([^\n]*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
MODULES = ("codecs", "core", "dtype", "errors", "metadata", "registry", "storage")


@contextlib.contextmanager
def source_of_zarr(kept: str | None) -> Iterator[Path]:
    """Yield the folder of zarr's source distribution, in `kept` if it is to be kept."""
    with tempfile.TemporaryDirectory(prefix="zarr3-source") as temporary:
        folder = Path(kept or temporary).resolve()
        found = folder / f"zarr-{RELEASE}"
        if not found.exists():
            options = ["--quiet", "--no-deps", "--no-binary", "zarr", "--ignore-requires-python"]
            command = [sys.executable, "-m", "pip", "download", *options, "-d", folder, f"zarr=={RELEASE}"]
            subprocess.run(command, check=True)
            with tarfile.open(folder / f"zarr-{RELEASE}.tar.gz") as tar:
                tar.extractall(folder, filter="data")
        yield found


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, session and code of the blocks of a page that are run."""
    for number, match in enumerate(FENCE.finditer(page.read_text()), 1):
        indent, head, text = match.groups()
        code = re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
        runs = 'exec="true"' in head or 'test="true"' in head
        if runs and not WORDS.search(code):
            session = re.search(r'session="([^"]+)"', head)
            yield f"{page.name}:{number}", session[1] if session else "", code


def run(name: str, code: str, names: dict[str, object]) -> str | None:
    """Run a block; return what it raises, and where."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(code, name, "exec"), names)
    except BaseException as err:
        frames = traceback.extract_tb(err.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == name), None)
        text = code.splitlines()[line - 1].strip() if line else ""
        return f"{type(err).__name__}: {str(err)[:200]}  <- {text[:90]}"
    return None


def expected() -> set[str]:
    """Return the blocks that may fail."""
    lines = (HERE / "zarr3_guide_failures.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", help="where zarr's source distribution is, or is downloaded to")
    parser.add_argument("-v", action="store_true", help="show the code that fails")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(HERE.parents[2]))
    sys.modules["zarr"] = importlib.import_module("zchunk.zarr3")
    for name in MODULES:
        sys.modules[f"zarr.{name}"] = importlib.import_module(f"zchunk.zarr3.{name}")
    with source_of_zarr(args.source) as source, tempfile.TemporaryDirectory(prefix="zarr3-guide") as folder:
        docs = source / "docs"
        os.chdir(folder)
        failed, passed = {}, 0
        for page in [docs / "quick-start.md", *sorted((docs / "user-guide").glob("*.md"))]:
            sessions: dict[str, dict[str, object]] = {}
            for name, session, code in blocks(page) if page.name not in LEFT_OUT else ():
                error = run(name, code, sessions.setdefault(session, {"__name__": "__main__"}))
                if error is None:
                    passed += 1
                else:
                    failed[name] = error
                    if args.v:
                        print(code)
        os.chdir(HERE)
    known = expected()
    for name, error in failed.items():
        print(f"{'known' if name in known else 'FAILED, not expected'}: {name} {error}")
    stale = sorted(known - failed.keys())
    for name in stale:
        print(f"listed, but passes: {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(failed.keys() & known)} of them known")
    return 1 if failed.keys() - known or stale or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
