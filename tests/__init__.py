"""The tests: a folder for every room of zchunk, and `promises` for what is promised of the whole."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "promises" / "golden" / "data"
