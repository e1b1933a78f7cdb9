"""What is done of a rechunking, so that a call after a kill goes on where the first one stopped."""

from __future__ import annotations

import json
from typing import Any

from zchunk.errors import StoreError
from zchunk.spec.keys import join
from zchunk.storage import Store


class Journal:
    """A record of the tasks that are done, in the store of the intermediate copy.

    There are the parameters of the rechunking, a key for every task that is done, and the pieces.

    Parameters
    ----------
    store : Store
        Holds it.
    path : str
        Below which it is.
    parameters : dict
        What must be the same for a call to go on where another one stopped, as JSON.
    """

    def __init__(self, store: Store, path: str, parameters: dict[str, Any]) -> None:
        self.store = store
        # A name that no array in a group has, whose record is elsewhere.
        self.path = join(path, ".rechunk")
        self._parameters = parameters
        self._key = join(self.path, "rechunk.json")

    def resumes(self, overwrite: bool) -> bool:
        """Return whether tasks of a call with the same parameters may be done; if not, nothing is left of it.

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
        self.erase()
        return False

    def begin(self) -> None:
        """Record the parameters."""
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
        """Path below which the intermediate copy is."""
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

        Without them no call goes on by what is left, of which tasks may seem done whose pieces are gone.
        """
        self.store.erase_many([self._key])
        self.store.erase_prefix(self.path)
