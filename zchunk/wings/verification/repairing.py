"""`repair`: what can be done about the findings of `verify`, and only what the caller asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from zchunk.convenience.consolidation import write_consolidated
from zchunk.engine.array import ChunkedArray
from zchunk.engine.chunk_and_shard_locks import chunk_lock
from zchunk.engine.shard import Shard
from zchunk.errors import ReadOnlyError, StoreError
from zchunk.runtime.near_names import says_near_names
from zchunk.spec.keys import CONSOLIDATED_KEY, ERASING_KEY
from zchunk.storage.local.leftovers import remove_leftover
from zchunk.wings.verification.decoding import Decoder, decode
from zchunk.wings.verification.places import QUARANTINE, Place, placed
from zchunk.wings.verification.report import Finding, Report, counted, table
from zchunk.wings.verification.survey import Survey

if TYPE_CHECKING:
    from zchunk.core.array import Array
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import ProgressLike, StorageOptions, StoreLike

# Kinds of findings, what the caller asks for, and what does it.
_Asked: TypeAlias = tuple[tuple[str, ...], str, Callable[[Finding], str]]

_ORPHANS = ("orphan-chunk", "outside-grid")
_LEFTOVERS = ("leftover", "unfinished", "erasing")
_CONSOLIDATED = ("consolidated-stale", "consolidated-invalid")
_BAD_CHUNKS = ("chunk-size", "chunk-checksum", "chunk-undecodable", "shard-index")


class Action(NamedTuple):
    """What was done about a finding, or would be.

    Parameters
    ----------
    finding : Finding
        What was found.
    action : str
        ``"erase"``, ``"quarantine"`` or ``"rebuild"``.
    done : bool
        Whether it was done; false of a dry run, and after an error.
    detail : str
        What came of it: where the value is now, or why it could not be done.
    """

    finding: Finding
    action: str
    done: bool
    detail: str = ""


class RepairReport:
    """What `zchunk.repair` has done, or would do.

    Attributes
    ----------
    report : Report
        What `verify` has found before.
    actions : list of Action
        One for each finding about which something was asked for.
    dry_run : bool
        Nothing was changed.
    """

    def __init__(self, report: Report, actions: list[Action], dry_run: bool) -> None:
        self.report = report
        self.actions = actions
        self.dry_run = dry_run

    @property
    def left(self) -> list[Finding]:
        """The findings about which nothing was done."""
        done = [action.finding for action in self.actions if action.done]
        return [finding for finding in self.report.findings if finding not in done]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        actions = [
            {"action": a.action, "done": a.done, "detail": a.detail, **a.finding.to_dict()}
            for a in self.actions
        ]
        return {"dry_run": self.dry_run, "actions": actions, "report": self.report.to_json()}

    def __str__(self) -> str:
        """Return a table, with a line for each action."""
        said = "would be done" if self.dry_run else "done"
        done = len(self.actions) if self.dry_run else sum(action.done for action in self.actions)
        found = counted(len(self.report.findings), "findings")
        lines = [f"{self.report.name}: {counted(done, 'repairs')} {said}, of {found}"]
        if self.actions:
            rows = [(a.action, a.finding.kind, a.finding.where, a.detail) for a in self.actions]
            lines += table(("action", "kind", "where", "what came of it"), rows)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<RepairReport: {len(self.actions)} actions, dry_run={self.dry_run}>"


@says_near_names
def repair(
    store: StoreLike | Array | Group,
    path: str = "",
    *,
    orphans: Literal["report", "erase"] = "report",
    leftovers: Literal["report", "erase"] = "report",
    consolidated: Literal["report", "rebuild"] = "report",
    bad_chunks: Literal["report", "erase", "quarantine"] = "report",
    dry_run: bool = True,
    progress: ProgressLike = None,
    storage_options: StorageOptions | None = None,
) -> RepairReport:
    """Do what the caller asks for about what `verify` finds, and say what was done.

    By default nothing is changed: the result says what would be. Nobody should write to the store meanwhile.

    Parameters
    ----------
    store, path, progress, storage_options
        As for `verify`.
    orphans : {"report", "erase"}, optional
        Chunks that lie in no array, or outside the grid of theirs.
    leftovers : {"report", "erase"}, optional
        Temporary files and marks of processes that are gone. An erasing that was begun is finished.
    consolidated : {"report", "rebuild"}, optional
        Consolidated metadata that are not those of the nodes.
    bad_chunks : {"report", "erase", "quarantine"}, optional
        Chunks that cannot be decoded, which then read as fill values. ``"quarantine"`` puts what is stored of
        them below ``.quarantine/`` at the root of the store, under the keys that they had; from a shard, only
        the chunk is taken. Chunks of ``"report"`` are not even looked at.
    dry_run : bool, optional
        Change nothing.

    Returns
    -------
    RepairReport
        Its `actions` say what was done, or would be; `print` shows a table.

    Raises
    ------
    ReadOnlyError
        The store cannot be changed, and `dry_run` is false.
    ValueError
        A parameter has no valid value.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store, checksum=True)
    >>> store["0"] = store["0"][:-1] + b"!"
    >>> zchunk.repair(store, bad_chunks="quarantine").actions[0].action
    'quarantine'
    >>> _ = zchunk.repair(store, bad_chunks="quarantine", dry_run=False)
    >>> z[:], sorted(store)
    (array([0, 0, 3, 4]), ['.quarantine/0', '.zarray', '1'])
    """
    _check("orphans", orphans, ("report", "erase"))
    _check("leftovers", leftovers, ("report", "erase"))
    _check("consolidated", consolidated, ("report", "rebuild"))
    _check("bad_chunks", bad_chunks, ("report", "erase", "quarantine"))
    if not dry_run and getattr(store, "read_only", False):
        raise ReadOnlyError(f"{store!r:.200} is read-only; open it for changes, or repair with dry_run=True")
    with placed(store, path, storage_options, "r" if dry_run else "r+") as place:
        report = Report(repr(place.store)[:200], place.path)
        survey = Survey(report, place)
        survey.run()
        if bad_chunks != "report":
            decode(report, survey.arrays, progress)
        report.sort()
        work = _Repair(place, {stored.array.path: stored.array for stored in survey.arrays})
        asked: list[_Asked] = [
            (_LEFTOVERS, leftovers, work.remove_leftover),
            (_ORPHANS, orphans, work.erase),
            (_BAD_CHUNKS, bad_chunks, work.erase_bad if bad_chunks == "erase" else work.quarantine),
            (_CONSOLIDATED, consolidated, work.consolidate),
        ]
        return RepairReport(report, list(_done(report, asked, dry_run)), dry_run)


def _check(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r:.80}, not one of {', '.join(map(repr, allowed))}")


def _done(
    report: Report, asked: list[_Asked], dry_run: bool
) -> Iterator[Action]:
    for kinds, action, do in asked:
        for finding in report.of(*kinds) if action != "report" else ():
            if dry_run:
                yield Action(finding, action, False, finding.detail)
                continue
            try:
                yield Action(finding, action, True, do(finding))
            except Exception as err:
                # The others can be repaired all the same.
                yield Action(finding, action, False, f"{type(err).__name__}: {err}")


class _Repair:
    """What is done, finding by finding. Each method returns what came of it, or raises."""

    def __init__(self, place: Place, arrays: dict[str, ChunkedArray]) -> None:
        self._store = place.store
        self._chunks = place.chunks
        self._arrays = arrays

    def erase(self, finding: Finding) -> str:
        self._chunks.erase_many([finding.key])
        return "erased"

    def remove_leftover(self, finding: Finding) -> str:
        if os.path.isabs(finding.key):
            return self._remove_file(finding)
        if finding.key.rpartition("/")[2] == ERASING_KEY:
            self._chunks.finish_erasing(finding.key.rpartition("/")[0])
        self._chunks.erase_many([finding.key])
        return "erased"

    def _remove_file(self, finding: Finding) -> str:
        if finding.kind == "erasing":
            folder = os.path.dirname(finding.key)
            stores = [s for s in (self._store, self._chunks) if s.root and folder.startswith(s.root)]
            stores[0].finish_erasing(folder[len(str(stores[0].root)) + 1 :])
        else:
            # It looks again whether the process is gone.
            remove_leftover(finding.key)
        if os.path.lexists(finding.key):
            raise StoreError("it is still there; its process may live")
        return "erased"

    def consolidate(self, finding: Finding) -> str:
        folder, _, name = finding.key.rpartition("/")
        write_consolidated(self._store, folder, finding.key, 2 if name == CONSOLIDATED_KEY else 3)
        return "rebuilt"

    # ---- chunks

    def erase_bad(self, finding: Finding) -> str:
        return self._take_out(finding, keep=False)

    def quarantine(self, finding: Finding) -> str:
        return self._take_out(finding, keep=True)

    def _take_out(self, finding: Finding, keep: bool) -> str:
        array, coords = self._chunk_of(finding.key)
        name = array.metadata.chunk_key_encoding.encode(coords)
        with chunk_lock(array, name):
            # It may have been written again.
            again = Report("")
            Decoder(again).check(array, [coords], lambda amount: None)
            if finding[:2] not in [found[:2] for found in again.findings if found.inner == finding.inner]:
                return "nothing: it has changed meanwhile"
            if finding.inner is not None:
                return self._take_out_of_shard(array, coords, finding, keep)
            where = self._keep(finding.key, self._chunks[finding.key]) if keep else "erased"
            self._chunks.erase_many([finding.key])
            return where

    def _take_out_of_shard(
        self, array: ChunkedArray, coords: tuple[int, ...], finding: Finding, keep: bool
    ) -> str:
        assert finding.inner is not None
        inner = ".".join(map(str, finding.inner)) or "0"
        with Shard(array, coords) as shard:
            where = self._keep(f"{finding.key}.chunk.{inner}", shard[inner]) if keep else "erased"
            del shard[inner]
            shard.save()
        return where

    def _chunk_of(self, key: str) -> tuple[ChunkedArray, tuple[int, ...]]:
        """Return the array of a chunk, and its coordinates."""
        for path, array in self._arrays.items():
            if not path or key.startswith(f"{path}/"):
                decode = array.metadata.chunk_key_encoding.decoder(array.metadata.ndim)
                coords = decode(key[len(path) + 1 :] if path else key)
                if coords is not None:
                    return array, coords
        raise StoreError(f"{key!r} is no chunk any more")

    def _keep(self, key: str, value: bytes) -> str:
        """Set a value aside, beside those of earlier times, and return its key."""
        number, kept = 0, f"{QUARANTINE}/{key}"
        while kept in self._chunks:
            if self._chunks[kept] == value:
                return kept
            number += 1
            kept = f"{QUARANTINE}/{key}.{number}"
        self._chunks[kept] = value
        with suppress(NotImplementedError):
            self._chunks.sync([kept])
        return kept
