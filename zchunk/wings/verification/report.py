"""What a verification has found: findings, each with a key, a kind and advice, and how much was looked at.

Every kind of finding is in one table here, with its severity and what to do about it, so that reports and
`repair` mean the same by a name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]

# Lines of a table that are printed.
_SHOWN = 50
# Characters of a cell.
_WIDTH = 100

_ERASE_ORPHANS = "if nobody needs it, repair(orphans='erase')"
_ERASE_LEFTOVERS = "repair(leftovers='erase')"
_BAD_CHUNK = "write it again, or restore it from a copy; repair(bad_chunks='quarantine') sets it aside"

# An error: values are lost, or other than what was written. A warning: no value is wrong, but something went
# wrong once. A note: something that may be meant.
KINDS: dict[str, tuple[Severity, str]] = {
    "nothing-there": ("error", "check path and store; restore them from a copy if they were deleted"),
    "unreadable": ("error", "check permissions and the disk, then verify again"),
    "metadata-invalid": ("error", "restore it from a copy, or make the node again"),
    "attributes-invalid": ("error", "restore them from a copy, or set the attributes again"),
    "attributes-alone": ("warning", "restore the metadata beside them, or delete the key"),
    "codec-unknown": ("warning", "install or register the codec, then verify again"),
    "not-checked": ("warning", "verify it where there is enough memory, or with the codec that it needs"),
    "mixed-formats": ("error", "choose one with zarr_format=2 or 3, and delete the other's metadata"),
    "mixed-nodes": ("error", "an array and a group are at one path: delete the metadata of one"),
    "node-in-array": ("warning", "move the node out of the array, or delete it"),
    "consolidated-invalid": ("error", "repair(consolidated='rebuild')"),
    "consolidated-stale": ("error", "repair(consolidated='rebuild')"),
    "orphan-chunk": ("warning", _ERASE_ORPHANS),
    "outside-grid": ("warning", _ERASE_ORPHANS),
    "foreign-key": ("note", "it is no part of Zarr: leave it, or delete it by hand"),
    "leftover": ("warning", _ERASE_LEFTOVERS),
    "unfinished": ("warning", _ERASE_LEFTOVERS),
    "erasing": ("warning", f"{_ERASE_LEFTOVERS} finishes what was begun"),
    "unclosed": ("warning", "write again what is missing, or what came after the last flush is lost"),
    "moving": ("warning", "call Group.move again: it finishes what was begun"),
    "in-progress": ("note", "a process may be at work: verify again when it is done"),
    "shard-index": ("error", "no chunk of the shard can be found: restore the shard from a copy"),
    "shard-overlap": ("error", "chunks share bytes, so one of them is wrong: write them again"),
    "shard-hole": ("note", "bytes that belong to no chunk: rechunk or copy the array to get rid of them"),
    "chunk-size": ("error", _BAD_CHUNK),
    "chunk-checksum": ("error", _BAD_CHUNK),
    "chunk-undecodable": ("error", _BAD_CHUNK),
    "chunk-differs": ("error", "native and reference decoders disagree: please report it, with the chunk"),
    "manifest-missing": ("error", "restore it from a copy; a chunk that is missing reads as fill values"),
    "manifest-changed": ("error", "restore it from a copy, or make a new manifest if the change is meant"),
    "manifest-added": ("note", "make a new manifest if it is meant"),
    "not-portable": ("warning", "rechunk or copy it with other parameters if others are to read it"),
}
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


class Finding(NamedTuple):
    """One thing that is not as it should be.

    Parameters
    ----------
    key : str
        Where it is: a key of the store, the path of a node, or the path of a file that is not a key.
    kind : str
        What it is; see `Report`.
    detail : str
        What was found, in words.
    inner : tuple of int, optional
        Of a chunk in a shard: its coordinates in the shard.
    """

    key: str
    kind: str
    detail: str = ""
    inner: tuple[int, ...] | None = None

    @property
    def severity(self) -> Severity:
        """``"error"``, ``"warning"`` or ``"note"``."""
        return KINDS[self.kind][0]

    @property
    def advice(self) -> str:
        """What to do."""
        return KINDS[self.kind][1]

    @property
    def where(self) -> str:
        """The key, with the coordinates of a chunk in a shard."""
        return self.key if self.inner is None else f"{self.key} {self.inner}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        found: dict[str, Any] = {"key": self.key, "kind": self.kind, "severity": self.severity}
        if self.inner is not None:
            found["inner"] = list(self.inner)
        return found | {"detail": self.detail, "advice": self.advice}


class Report:
    """What `zchunk.verify` has found. It is true if nothing was found.

    Attributes
    ----------
    name : str
        The store.
    path : str
        The node in it.
    counts : Counter of str
        How much was looked at: ``arrays``, ``groups``, ``keys``, ``chunks``, ``decoded`` and others.
    findings : list of Finding
        By severity, then by key.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store, compressor=None)
    >>> bool(zchunk.verify(store))
    True
    >>> store["1"] = b"short"
    >>> report = zchunk.verify(store)
    >>> [(finding.key, finding.kind, finding.severity) for finding in report.findings]
    [('1', 'chunk-size', 'error')]
    >>> report.counts["chunks"]
    2
    """

    def __init__(self, name: str, path: str = "") -> None:
        self.name = name
        self.path = path
        self.counts: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def add(
        self, key: str, kind: str, detail: object = "", inner: tuple[int, ...] | None = None
    ) -> None:
        """Add a finding. Threads may call this at the same time."""
        self.findings.append(Finding(key, kind, str(detail)[:500], inner))

    def sort(self) -> None:
        """Put the findings into their order."""
        self.findings.sort(key=lambda f: (_ORDER[f.severity], f.key, f.inner or (), f.kind))

    def of(self, *kinds: str) -> list[Finding]:
        """Return the findings of some kinds.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.verify({"0.0": b"chunk"}).of("orphan-chunk")[0].key
        '0.0'
        """
        return [finding for finding in self.findings if finding.kind in kinds]

    def __bool__(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON: an object that `json.dumps` takes.

        Examples
        --------
        >>> import zchunk
        >>> sorted(zchunk.verify({}).to_json())
        ['counts', 'findings', 'path', 'store']
        """
        return {
            "store": self.name,
            "path": self.path,
            "counts": dict(self.counts),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __str__(self) -> str:
        """Return a table, with a line for each finding."""
        counts = self.counts
        seen = ", ".join(counted(counts[name], name) for name in ("arrays", "groups", "keys", "chunks"))
        severities = Counter(finding.severity for finding in self.findings)
        found = ", ".join(counted(severities[name], f"{name}s") for name in _ORDER if severities[name])
        lines = [f"{self.name}, {'/' + self.path!r}: {seen}: {found or 'nothing found'}"]
        if self.findings:
            lines += table(
                ("severity", "kind", "where", "what", "what to do"),
                [(f.severity, f.kind, f.where, f.detail, f.advice) for f in self.findings[:_SHOWN]],
            )
        if len(self.findings) > _SHOWN:
            lines.append(f"... and {len(self.findings) - _SHOWN:,} more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}: {len(self.findings)} findings>"


def counted(number: int, things: str) -> str:
    """Return a number of things, whose last letter is the `s` of the plural.

    Examples
    --------
    >>> counted(1, "chunks"), counted(2000, "chunks")
    ('1 chunk', '2,000 chunks')
    """
    return f"{number:,} {things[:-1] if number == 1 else things}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table."""
    cells = [tuple(_cell(text) for text in row) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cell(text: str) -> str:
    # Keys and messages may hold anything: one line of it, with what a terminal would obey made visible.
    shown = text if text.isprintable() else json.dumps(text)[1:-1]
    return shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 3]}..."
