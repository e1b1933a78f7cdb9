"""The journal of a rechunking: a call after a kill resumes where the first one stopped."""

from __future__ import annotations

import json
from typing import Any

from zchunk.errors import StoreError
from zchunk.spec.keys import join
from zchunk.storage import Store


class Journal:
    """A record of the tasks that are done, in the store of the intermediate copy.

    It has the parameters of the rechunking, a key for every task that is done, and the pieces.

    Parameters
    ----------
    store : Store
        Holds the record.
    path : str
        The path of the record in it.
    parameters : dict
        What must be the same for a call to resume where another one stopped, as JSON.
    """

    def __init__(self, store: Store, path: str, parameters: dict[str, Any]) -> None:
        self.store = store
        # No array in a group has this name, and its record is elsewhere.
        self.path = join(path, ".rechunk")
        self._parameters = parameters
        self._key = join(self.path, "rechunk.json")

    def resumes(self, overwrite: bool) -> bool:
        """Return whether a call with the same parameters may have done tasks.

        Raises
        ------
        StoreError
            A call with other parameters was not finished, and `overwrite` is false.
        """
        try:
            found = json.loads(self.store[self._key])
        except KeyError:
            found = None
        except ValueError:
            found = {}
        if found == self._parameters:
            return True
        if found is not None and not overwrite:
            raise StoreError(
                f"{self._key!r} in {self.store!r} is of a rechunking with other parameters that was not "
                "finished; repeat that, use overwrite=True to begin anew, or give another temp"
            )
        return False

    def begin(self) -> None:
        """Erase what another call has left, and record the parameters."""
        self.erase()
        self.store[self._key] = json.dumps(self._parameters).encode()

    @property
    def made(self) -> bool:
        """Whether the place of the target is ready for its chunks."""
        return join(self.path, "done/target") in self.store

    def add_made(self) -> None:
        """Record that the place of the target is ready for its chunks."""
        self.store[join(self.path, "done/target")] = b""

    @property
    def pieces(self) -> str:
        """Path of the intermediate copy."""
        return join(self.path, "pieces")

    def done(self, stage: int) -> set[int]:
        """Return the numbers of the tasks of a stage that are done."""
        names = self.store.list_dir(join(self.path, f"done/{stage}"))
        return {int(name) for name in names if name.isdecimal()}

    def add(self, stage: int, number: int) -> None:
        """Record that a task is done."""
        self.store[join(self.path, f"done/{stage}/{number}")] = b""

    def erase(self) -> None:
        """Delete the record and the pieces; the parameters first.

        Without parameters no call resumes from the rest, in which tasks may seem done whose pieces are gone.
        """
        self.store.erase_many([self._key])
        self.store.erase_prefix(self.path)
