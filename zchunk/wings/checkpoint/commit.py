"""The commit of a step: hidden until all of it is on the disk, then there at once.

1. Every process writes its shards into the folder of the attempt, which nobody opens: it has no metadata.
2. It syncs its files, once, then their folders.
3. The vote: every process tells what it wrote, or its error; after an error nobody goes on.
4. The first process compares the folder with the votes, writes the metadata of the arrays and then of the
   groups, that at the top last, and syncs them.
5. It renames the folder to the name of the step: the commit. It syncs the folder of all steps.
6. All learn of it. Only then older steps are deleted.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from zchunk.errors import CheckpointError
from zchunk.metadata.consolidated import build3, render3
from zchunk.metadata.formats import get_format
from zchunk.metadata.v2 import parse_json, render_document
from zchunk.spec.keys import NODE_KEY, join
from zchunk.storage.local.directory import DirectoryStore
from zchunk.storage.local.files import sync_folder
from zchunk.storage.local.trees import mode_of
from zchunk.wings.checkpoint import layout
from zchunk.wings.checkpoint.dask_workers import Blocks
from zchunk.wings.checkpoint.plan import Plan, groups_above
from zchunk.wings.checkpoint.staging import Piece
from zchunk.wings.checkpoint.static import Linked, link
from zchunk.wings.checkpoint.verification import RECORD, VERSION, Files, checksum, files_in

# What the system says where a folder that is not empty, or no folder, has the name.
_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)

# Count and bytes of the files of each array that a process has written.
Written = Mapping[str, tuple[int, int]]


class Attempt(NamedTuple):
    """One attempt to save a step.

    Parameters
    ----------
    root : str
        The folder of all steps.
    step : int
        Its number.
    folder : str
        Where it is written until the commit.
    plan : Plan
        The arrays that are written.
    linked : list of Linked
        Those that are of an earlier step.
    sync : bool
        Whether it is to survive the machine, not only the process.
    blocks : Blocks, optional
        What workers of dask have written.
    """

    root: str
    step: int
    folder: str
    plan: Plan
    linked: Sequence[Linked]
    sync: bool
    blocks: Blocks = Blocks()

    def write(self, pieces: Sequence[Piece], rank: int, size: int) -> Written:
        """Write the shards of this process, of so many, and sync them; return what was written."""
        # Not synced one by one as they are written.
        store = DirectoryStore(self.folder, durability="atomic")
        # What goes to the disk anyway goes there at once: the cache would cost more of the processor than all
        # the rest, which the program has to do without.
        store.direct = self.sync
        written: dict[str, tuple[int, int]] = {}
        keys: list[str] = []

        def count(name: str, key: str, nbytes: int) -> None:
            keys.append(key)
            files, total = written.get(name, (0, 0))
            written[name] = files + 1, total + nbytes

        for piece in pieces:
            array = self.plan.arrays[piece.name].array(store)
            array[piece.box.slices] = piece.items
            key = array._chunked.key(piece.coords)
            count(piece.name, key, store.size(key))
        for linked in self.linked:
            for key, nbytes in link(linked, store, rank, size):
                count(linked.name, key, nbytes)
        for file in self.blocks.move(store):
            count(file.name, file.key, file.nbytes)
        if self.sync and keys:
            store.sync(keys)
        return written

    def publish(self, votes: Sequence[Written], attributes: Mapping[str, Any]) -> None:
        """Write the metadata, when all processes have written; what was written must be there."""
        os.makedirs(self.folder, exist_ok=True)
        documents = {name: array.document for name, array in self.plan.arrays.items()}
        documents |= {array.name: array.document for array in self.linked}
        arrays = {name: list(self._checked(name, votes)) for name in sorted(documents)}
        # No other attempt has its name, so no two steps have equal documents.
        identity = os.path.basename(self.folder).rpartition("-")[2]
        record = {"version": VERSION, "id": identity, "arrays": arrays, **attributes[RECORD]}
        values = _with_groups(documents, dict(attributes) | {RECORD: record})
        store = DirectoryStore(self.folder, durability="none")
        for key, value in values.items():
            store[key] = value
        if self.sync:
            store.sync(values)

    def commit(self) -> None:
        """Give the folder the name of the step.

        What has that name and is no step is moved aside: a folder that has lost its document would otherwise
        stop a run at this step for good.
        """
        target = layout.step_path(self.root, self.step)
        try:
            layout.move(self.folder, target)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            if layout.is_there(self.root, self.step):
                raise CheckpointError(
                    f"step {self.step} in {self.root!r} is there already, and stays: another manager has "
                    "saved it; give each job a folder of its own"
                ) from error
            aside = layout.discard(self.root, self.step, "damaged")
            warnings.warn(f"{target!r} is no step, and now {aside!r}", RuntimeWarning, stacklevel=2)
            layout.move(self.folder, target)
        if self.sync:
            try:
                sync_folder(self.root)
            except OSError:
                # Nobody may rely on it: it is not to be seen.
                os.rename(layout.step_path(self.root, self.step), self.folder)
                raise

    def _checked(self, name: str, votes: Sequence[Written]) -> Files:
        folder = os.path.join(self.folder, name)
        found = Files.of(files_in(folder) if stat.S_ISDIR(mode_of(folder)) else ())
        said = [vote[name] for vote in votes if name in vote]
        want = sum(count for count, _ in said), sum(nbytes for _, nbytes in said)
        if (found.files, found.nbytes) != want:
            raise CheckpointError(
                f"step {self.step}: array {name!r} has {found.files} files of {found.nbytes} bytes in "
                f"{folder!r}; the processes have written {want[0]} of {want[1]}: do all of them see the same "
                "folder?"
            )
        return found


def _with_groups(arrays: Mapping[str, bytes], attributes: dict[str, Any]) -> dict[str, bytes]:
    """Return all metadata by their keys, with those of groups, and of the group at the top last."""
    group = get_format(3).group_items
    found = {join(name, NODE_KEY): document for name, document in arrays.items()}
    found |= {join(path, NODE_KEY): group()[NODE_KEY] for path in groups_above(arrays)}
    nodes = build3(list(found), "", lambda key: parse_json(found[key], key))
    top = group(attributes)[NODE_KEY]
    document = parse_json(render3(top, nodes, NODE_KEY), NODE_KEY)
    document["attributes"][RECORD]["crc"] = checksum(document)
    return found | {NODE_KEY: render_document(document)}
