"""A communicator of processes that `multiprocessing`, or anything else, has started on one machine.

The first process listens at a socket, the others connect to it, and all that they exchange passes through it.
A process that is gone closes its connection, which the others learn at once: their calls raise.
"""

from __future__ import annotations

import os
import platform
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener, Pipe
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, TypeVar

from zchunk.errors import CheckpointError

T = TypeVar("T")

# What the first process sends in place of an answer when another one is gone.
_GONE = "gone"
_ANSWER = "answer"
# Whether sockets can have addresses that are no paths.
_WITHOUT_FILE = platform.system() == "Linux"
# Bytes that every system takes as the path of a socket.
_LONGEST = 103


class ProcessCommunicator:
    """A communicator between processes of one machine: give each one of those that `process_communicators`
    makes.

    It pickles before it was used. Processes meet when they use it first.

    Parameters
    ----------
    rank, size : int
        Number of this process, and of how many.
    address : str
        Of the socket; the same for all.
    key : bytes
        Known to all.
    timeout : float, optional
        Seconds to wait for processes that are not there at first.

    Examples
    --------
    >>> from zchunk.checkpoint import CheckpointManager, process_communicators
    >>> (comm,) = process_communicators(1)
    >>> CheckpointManager("run.ckpt", comm).latest_step() is None
    True
    """

    def __init__(self, rank: int, size: int, address: str, key: bytes, timeout: float = 120) -> None:
        self.rank, self.size = rank, size
        self._address, self._key, self._timeout = address, key, timeout
        self._copies = 0
        self._links: list[Connection] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_links": None}

    def allgather(self, sendobj: Any, /) -> list[Any]:
        """Return what every process has given, by rank.

        Examples
        --------
        >>> from zchunk.checkpoint import process_communicators
        >>> (comm,) = process_communicators(1)
        >>> comm.allgather("mine")
        ['mine']
        """
        found: list[Any] = self._exchange("allgather", sendobj, lambda given: [given] * self.size)
        return found

    def bcast(self, obj: Any, /, root: int = 0) -> Any:
        """Return what the process `root` has given.

        Examples
        --------
        >>> from zchunk.checkpoint import process_communicators
        >>> (comm,) = process_communicators(1)
        >>> comm.bcast("for all", root=0)
        'for all'
        """
        mine = obj if self.rank == root else None
        return self._exchange("bcast", mine, lambda given: [given[root]] * self.size)

    def alltoall(self, sendobj: list[Any], /) -> list[Any]:
        """Return what every process has given for this one, by rank.

        Examples
        --------
        >>> from zchunk.checkpoint import process_communicators
        >>> (comm,) = process_communicators(1)
        >>> comm.alltoall(["for rank 0"])
        ['for rank 0']
        """
        found: list[Any] = self._exchange(
            "alltoall", sendobj, lambda given: [[row[rank] for row in given] for rank in range(self.size)]
        )
        return found

    def barrier(self) -> None:
        """Wait for all processes.

        Examples
        --------
        >>> from zchunk.checkpoint import process_communicators
        >>> (comm,) = process_communicators(1)
        >>> comm.barrier()
        """
        self.allgather(None)

    def dup(self) -> ProcessCommunicator:
        """Return another communicator of the same processes. All call it.

        Examples
        --------
        >>> from zchunk.checkpoint import process_communicators
        >>> (comm,) = process_communicators(1)
        >>> comm.dup().size
        1
        """
        self._copies += 1
        other = ProcessCommunicator(
            self.rank, self.size, f"{self._address}.{self._copies}", self._key, self._timeout
        )
        # Not met like the first one: whether a process is gone can be told by the connections that are there.
        self._exchange("dup", None, lambda given: given)
        if self.size > 1:
            other._links = self._attempt(self._new_links)
        return other

    def free(self) -> None:
        """Close the connections.

        Examples
        --------
        >>> from zchunk.checkpoint import process_communicators
        >>> (comm,) = process_communicators(1)
        >>> comm.free()
        """
        for link in self._links or ():
            link.close()
        self._links = []

    # ---- messages

    def _exchange(self, call: str, given: Any, answers: Any) -> Any:
        """Send what this process gives to the first one, which makes an answer for each of all that is
        given."""
        if self.size == 1:
            return answers([given])[0]
        if self._links is None:
            self._links = self._listen() if self.rank == 0 else [self._connect()]
        if not self._links:
            raise CheckpointError("processes of this communicator are gone, or it was given back")
        return self._attempt(
            lambda: self._ask(call, given) if self.rank else self._answer(call, given, answers)
        )

    def _attempt(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except BaseException as error:
            # An interrupt too: half an exchange would be the beginning of the next one.
            self._fail(error)
            raise

    def _ask(self, call: str, given: Any) -> Any:
        assert self._links is not None
        (link,) = self._links
        # If the first process is gone, it may have said why.
        with suppress(OSError):
            link.send((call, given))
        try:
            kind, answer = link.recv()
        except (EOFError, OSError) as error:
            raise self._gone(0) from error
        if kind != _ANSWER:
            raise CheckpointError(answer)
        return answer

    def _gone(self, rank: int) -> CheckpointError:
        return CheckpointError(f"process {rank} of {self.size} is gone")

    def _new_links(self) -> list[Connection]:
        """Return further connections between the same processes; the first one sends them to the others."""
        assert self._links is not None
        if self.rank:
            try:
                return [Connection(recv_handle(self._links[0]))]
            except (EOFError, OSError, RuntimeError) as error:
                raise self._gone(0) from error
        links = []
        for rank, link in enumerate(self._links, 1):
            mine, other = Pipe()
            links.append(mine)
            with other:
                try:
                    send_handle(link, other.fileno(), None)
                except OSError as error:
                    raise self._gone(rank) from error
        return links

    def _answer(self, call: str, given: Any, answers: Any) -> Any:
        assert self._links is not None
        everything = [given]
        for rank, link in enumerate(self._links, 1):
            try:
                other, value = link.recv()
            except (EOFError, OSError) as error:
                raise self._gone(rank) from error
            if other != call:
                raise CheckpointError(f"process {rank} calls {other}, process 0 calls {call}")
            everything.append(value)
        first, *others = answers(everything)
        for link, answer in zip(self._links, others, strict=True):
            # One that is gone by now is missed at the next call.
            with suppress(OSError):
                link.send((_ANSWER, answer))
        return first

    def _fail(self, error: BaseException) -> None:
        """Tell the others that one is gone; nobody can go on."""
        if self.rank == 0:
            for link in self._links or ():
                with suppress(OSError):
                    link.send((_GONE, str(error) or f"process 0 of {self.size}: {type(error).__name__}"))
        self.free()

    def _listen(self) -> list[Connection]:
        links: dict[int, Connection] = {}
        with Listener(self._address, "AF_UNIX", backlog=self.size, authkey=self._key) as listener:
            # There is no public way to say how long to wait for a connection.
            listener._listener._socket.settimeout(self._timeout)  # type: ignore[attr-defined]
            while len(links) < self.size - 1:
                try:
                    link = listener.accept()
                    links[link.recv()] = link
                except TimeoutError:
                    missing = sorted(set(range(1, self.size)) - links.keys())
                    raise CheckpointError(
                        f"processes {missing} of {self.size} did not come within {self._timeout:g} s"
                    ) from None
                except (EOFError, OSError) as error:
                    raise CheckpointError(
                        f"one of the processes 1 to {self.size - 1} is gone that had just come"
                    ) from error
        return [links[rank] for rank in range(1, self.size)]

    def _connect(self) -> Connection:
        end = time.monotonic() + self._timeout
        while True:
            try:
                link = Client(self._address, "AF_UNIX", self._key)
                link.send(self.rank)
                return link
            except (ConnectionRefusedError, FileNotFoundError) as error:
                if time.monotonic() > end:
                    raise CheckpointError(
                        f"process 0 of {self.size} did not come within {self._timeout:g} s"
                    ) from error
                time.sleep(0.01)
            except (EOFError, OSError) as error:
                # It was there.
                raise self._gone(0) from error


def process_communicators(size: int, timeout: float = 120) -> list[ProcessCommunicator]:
    """Return communicators for some processes of this machine, one for each.

    Parameters
    ----------
    size : int
        How many processes.
    timeout : float, optional
        Seconds that they wait for each other when they meet first.

    Returns
    -------
    list of ProcessCommunicator
        By rank. They pickle: pass one to each process.

    Examples
    --------
    >>> from zchunk.checkpoint import process_communicators
    >>> (comm,) = process_communicators(1)
    >>> comm.allgather("here")
    ['here']
    """
    if size < 1:
        raise ValueError(f"there are no {size} processes")
    address = _new_address() if size > 1 else ""
    key = secrets.token_bytes(32)
    return [ProcessCommunicator(rank, size, address, key, timeout) for rank in range(size)]


def _new_address() -> str:
    """Return an address for a socket, which only processes that know the key get through to."""
    name = f"zchunk-{secrets.token_hex(12)}"
    if _WITHOUT_FILE:
        # It has no file that a killed process would leave, and no folder with too long a path.
        return f"\0{name}"
    path = os.path.join(tempfile.gettempdir(), name)
    if len(os.fsencode(path)) > _LONGEST:
        raise ValueError(
            f"the path of a socket would be {path!r}, which is too long; set TMPDIR to a shorter one"
        )
    return path
