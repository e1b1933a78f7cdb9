"""A few small arrays of every implementation, kept in an archive for each: `make golden` makes them again.

    python -m tests.promises.interop.golden z5py

What the releases of today write has to open with the zchunk of any later day, also where they are not
installed.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.promises.interop.cases import Case, case_of, decode_items, draw, encode_items
from tests.promises.interop.environments import install, version_of
from tests.promises.interop.implementations import IMPLEMENTATIONS, WRITE, Implementation
from tests.promises.interop.run import Peer

DATA = Path(__file__).parent / "golden"
WRITERS = [implementation for implementation in IMPLEMENTATIONS if WRITE in implementation.does]
# Of each implementation.
ARRAYS = 5
ITEMS = 60
EPOCH = (1980, 1, 1, 0, 0, 0)


def chosen(implementation: Implementation) -> list[Case]:
    """Small arrays with some items, each with another codec and data type, in all formats by turns."""
    found: list[Case] = []
    for number, format in zip(itertools.count(), itertools.cycle(implementation.formats), strict=False):
        case = draw(number, format)
        small = 1 < np.prod(case.shape) <= ITEMS and not case.consolidated
        seen = any(case.codec == other.codec or case.data_type == other.data_type for other in found)
        if small and not seen and implementation.limit(case, (WRITE,)) is None:
            found.append(case)
            if len(found) == ARRAYS:
                return found
    raise AssertionError("numbers end")


def make(implementation: Implementation) -> None:
    """Let an implementation write its arrays."""
    archive = DATA / f"{implementation.adapter}.zip"
    with (
        tempfile.TemporaryDirectory() as scratch,
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out,
        Peer(implementation, Path(scratch)) as peer,
    ):
        out.comment = f"{implementation.name} {version_of(implementation)}".encode()
        for number, case in enumerate(chosen(implementation)):
            folder = Path(scratch, str(number))
            folder.mkdir()
            items = case.items(0)
            peer.write(str(folder / "store.zarr"), case, items)
            (folder / "case.json").write_text(json.dumps(case.message(), ensure_ascii=False), "utf-8")
            (folder / "items").write_bytes(encode_items(items))
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                info = zipfile.ZipInfo(os.fspath(path.relative_to(scratch)), EPOCH)
                out.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)


def names() -> Iterator[str]:
    """The arrays in the archives, such as ``z5py/0``."""
    for archive in sorted(DATA.glob("*.zip")):
        with zipfile.ZipFile(archive) as found:
            for name in sorted(found.namelist()):
                if name.endswith("/case.json"):
                    yield f"{archive.stem}/{name.removesuffix('/case.json')}"


def unpack(name: str, folder: Path) -> tuple[str, Case, np.ndarray[Any, Any]]:
    """The store of an array, what it is, and its items."""
    adapter, number = name.split("/")
    with zipfile.ZipFile(DATA / f"{adapter}.zip") as found:
        found.extractall(folder, [n for n in found.namelist() if n.startswith(f"{number}/")])
    case = case_of(json.loads((folder / number / "case.json").read_text("utf-8")))
    items = decode_items(case, case.shape, (folder / number / "items").read_bytes())
    return str(folder / number / "store.zarr"), case, items


def main() -> None:
    """Make the archives that the command line names, by default all."""
    wanted = [i for i in WRITERS if not sys.argv[1:] or i.adapter in sys.argv[1:]]
    for name, reason in install(wanted).items():
        sys.exit(f"{name}: {reason}")
    DATA.mkdir(exist_ok=True)
    for implementation in wanted:
        make(implementation)


if __name__ == "__main__":
    main()
