"""Measurements in a process of their own: ``python -m benchmarks.probe ACTION …``, ACTION a function here.

As far as possible, only the standard library is imported before the measurement begins.
"""

from __future__ import annotations

import mmap
import sys
import time
from functools import partial
from importlib import import_module


def import_seconds(modules: list[str]) -> float:
    """Return how long it takes to import modules."""
    start = time.perf_counter()
    for name in modules:
        import_module(name)
    return time.perf_counter() - start


def first_read_seconds(peer: str, threads: str, size: str, stored: str, path: str) -> float:
    """Return how long it takes to import a library, beside NumPy, and to open and read an array."""
    from benchmarks.adapters import load_adapter
    from benchmarks.datasets import STORED
    from benchmarks.selections import everything

    layout = STORED[stored].layout(size)
    selection = everything(layout)[0]
    start = time.perf_counter()
    adapter = load_adapter(peer, int(threads))
    adapter.read(adapter.open(path, layout), selection)
    return time.perf_counter() - start


def read_memory(peer: str, threads: str, size: str, stored: str, path: str) -> int:
    """Return the peak of the memory that reading takes, without the memory in use before and the output.

    At least one page, the unit of the measurement.
    """
    from benchmarks.adapters import load_adapter
    from benchmarks.datasets import STORED
    from benchmarks.selections import everything

    layout = STORED[stored].layout(size)
    adapter = load_adapter(peer, int(threads))
    handle = adapter.open(path, layout)
    before = _resident(reset=True)
    out = adapter.read(handle, everything(layout)[0])
    return max(mmap.PAGESIZE, _resident() - before - out.nbytes)


def write_memory(peer: str, threads: str, size: str, stored: str, path: str, source: str) -> int:
    """Return the peak of the memory that creating and writing takes, without the memory in use before."""
    import numpy as np

    from benchmarks.adapters import load_adapter
    from benchmarks.datasets import STORED

    adapter = load_adapter(peer, int(threads))
    data = np.load(source)
    before = _resident(reset=True)
    adapter.save(path, STORED[stored].layout(size), data)
    return max(mmap.PAGESIZE, _resident() - before)


def many_memory(
    operation: str, peer: str, threads: str, size: str, stored: str, path: str, target: str
) -> int:
    """Return the peak of the memory that one of `benchmarks.many.OPERATIONS` takes, without that before."""
    from benchmarks.adapters import load_adapter
    from benchmarks.datasets import STORED

    adapter = load_adapter(peer, int(threads))
    layout = STORED[stored].layout(size)
    before = _resident(reset=True)
    if operation == "list":
        adapter.list_keys(path)
    elif operation == "count":
        adapter.count_chunks(path, layout)
    elif operation == "delete":
        adapter.delete(path)
    elif operation == "copy":
        adapter.copy_store(path, target)
    else:
        adapter.consolidate(path)
    return max(mmap.PAGESIZE, _resident() - before)


def _resident(reset: bool = False) -> int:
    """Return the peak of the resident memory so far; ``reset`` begins a new peak at the present use."""
    try:
        if reset:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
        with open("/proc/self/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        return 1024 * int(fields["VmHWM"].split()[0])
    except OSError:
        # Without that file system: the peak since the start, which imports may have set.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    action, *arguments = sys.argv[1:]
    if action == "import":
        print(import_seconds(arguments))
    else:
        probes = {"first-read": first_read_seconds, "read-memory": read_memory, "write-memory": write_memory}
        probe = probes.get(action) or partial(many_memory, action.removesuffix("-memory"))
        print(probe(*arguments))
