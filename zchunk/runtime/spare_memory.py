"""How much memory of results that are gone is kept for the next ones (`zchunk._ext.memory.results`).

An eighth of what the process may use, at most 512 MiB, unless the setting ``spare_memory`` of `zchunk.config`
says otherwise. What it may use is asked anew while results are made: limits of containers change, and a
worker of dask is made after its process.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator

from zchunk._ext.memory import results
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.settings import at_least, config

_DEFAULT, _PART = 512 << 20, 8

@says_near_names
def set_spare_memory(nbytes: int | None) -> None:
    """Keep up to `nbytes` bytes of the memory of results that are gone, for the next ones.

    New memory costs as much time as reading into it does. So the memory of results of 4 MiB and more is kept
    for half a second after their last use. In the meantime it still counts as this process's, but the system
    takes it as soon as memory is needed. Where addresses are limited (``ulimit -v``) nothing is kept; where
    the system promises no more memory than it has (``vm.overcommit_memory=2``), keep nothing.

    Parameters
    ----------
    nbytes : int or None
        Most bytes; 0 keeps none and frees what is kept now. None for the default: ``ZCHUNK_SPARE_MEMORY``,
        else 512 MiB or, if that is less, an eighth of the memory of the machine, of the limit of its control
        group (a container, a Slurm job) or of a dask worker in this process.

    Raises
    ------
    ValueError
        A negative number, or ``ZCHUNK_SPARE_MEMORY`` is no number of bytes.

    Examples
    --------
    >>> import zchunk
    >>> zchunk.set_spare_memory(0)
    >>> zchunk.get_spare_memory()
    (0, 0)
    >>> zchunk.set_spare_memory(None)
    """
    most = None if nbytes is None else operator.index(nbytes)
    if most is not None and most < 0:
        raise ValueError(f"memory to keep must be 0 bytes or more, not {most}")
    config.set({"spare_memory": most})


def _changed(nbytes: int | None) -> None:
    results.set_limit(_most())


def get_spare_memory() -> tuple[int, int]:
    """Return how many bytes of results that are gone may be kept, and are at the moment.

    Returns
    -------
    tuple of int
        The limit, which `set_spare_memory` sets, and the bytes that are kept.

    Examples
    --------
    >>> import zchunk
    >>> zchunk.set_spare_memory(64 << 20)
    >>> zchunk.get_spare_memory()[0] == 64 << 20
    True
    >>> zchunk.set_spare_memory(None)
    """
    return _most(), results.kept()


def _most() -> int:
    chosen: int | None = config.get("spare_memory")
    if chosen is not None:
        return min(chosen, sys.maxsize * 2 + 1)
    return min(_DEFAULT, *(limit // _PART for limit in _limits()))


def _limits() -> Iterator[int]:
    """What the process may use: of the machine, its control groups, and workers of dask in it."""
    yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield from cgroup_limits("/proc/self/cgroup", "/sys/fs/cgroup")
    # Nothing is imported for it: a worker's process has imported what makes it a worker.
    workers = getattr(sys.modules.get("distributed.worker"), "Worker", None)
    for worker in tuple(getattr(workers, "_instances", ())):
        limit = getattr(getattr(worker, "memory_manager", worker), "memory_limit", None)
        if limit:
            yield int(limit)


def cgroup_limits(membership: str, mount: str) -> Iterator[int]:
    """Yield the limits of the control groups of this process that have some, of both versions.

    Parameters
    ----------
    membership : str
        The file that names its groups, a line for each hierarchy: number, controllers, path.
    mount : str
        Where the hierarchies are mounted. In a container the path may be the host's, of which only the root
        is there: parents are asked, too, whose limits count as well.

    Examples
    --------
    >>> list(cgroup_limits("/no/such/file", "/no/such/folder"))
    []
    """
    for line in _text(membership).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            # The second beside hierarchies of version 1.
            roots, files = [mount, f"{mount}/unified"], ["memory.max", "memory.high"]
        elif "memory" in controllers.split(","):
            roots, files = [f"{mount}/memory"], ["memory.limit_in_bytes"]
        else:
            continue
        names = [name for name in path.split("/") if name]
        for depth in range(len(names) + 1):
            folder = "/".join(["", *names[:depth]])
            for root in roots:
                for file in files:
                    text = _text(f"{root}{folder}/{file}").strip()
                    if text.isdecimal():
                        yield int(text)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


config.define("spare_memory", at_least(0, "a number of bytes"), _changed)
results.bound_by(_most)
