"""A simulation that stores its fields with zchunk, reads them back, and restarts from them.

The simulation, Gray–Scott reaction–diffusion on a periodic 3-D grid, writes its two fields every few steps
into chunked, compressed arrays ``[time, z, y, x]``. The program then reads back planes, boxes, a time series
and a restart state, each beside the same selection of the same data in a ``.npy`` file. It runs once more on
three processes with checkpoints, kills one of them while a checkpoint is written, goes on with two, and ends
where a run that was never stopped ends. Last it imports real data: NetCDF files of air temperature and of
ocean surface temperature. It compares every value bit for bit; a mismatch ends it with status 1.

    python examples/simulation.py
    python examples/simulation.py --size 64 --steps 200 --every 10 --out run.zarr --keep

With MPI it is a job that goes on from its last checkpoint whenever it is started, on any number of ranks:

    mpiexec -n 4 python examples/simulation.py --mpi --out run --steps 400 --every 20
"""

from __future__ import annotations

import argparse
import importlib.resources
import os
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np

import zchunk
from zchunk.checkpoint import CheckpointManager, Series, partition, process_communicators

FIELDS = ("u", "v")
CHUNK = 32


class MismatchError(Exception):
    """The values read are not the values written."""


def check(found: Any, wanted: Any, what: str) -> None:
    """Raise MismatchError unless both have the same dtype, shape and bits."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        raise MismatchError(f"{what}: {found.dtype} {found.shape}, expected {wanted.dtype} {wanted.shape}")
    if found.tobytes() != wanted.tobytes():
        raise MismatchError(f"{what}: values differ")


# ---- the numerical code ----


@dataclass(frozen=True)
class Parameters:
    """Diffusion of both substances, feed rate, kill rate, time step."""

    diffusion_u: float = 0.2
    diffusion_v: float = 0.1
    feed: float = 0.02
    kill: float = 0.048
    dt: float = 2.0


def initial_state(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return substance u everywhere, a little noise, and drops of v."""
    rng = np.random.default_rng(42)
    u = 1 - 0.01 * rng.random((size,) * 3, dtype=np.float32)
    v = 0.01 * rng.random((size,) * 3, dtype=np.float32)
    width = max(size // 12, 2)
    for corner in rng.integers(0, size - width, (12, 3)):
        drop = tuple(slice(c, c + width) for c in corner)
        u[drop], v[drop] = 0.25, 0.33
    return u, v


def laplacian(field: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return the mean of the six neighbours minus the cell, on a periodic grid, given the planes around."""
    p = np.pad(np.concatenate([below, field, above]), ((0, 0), (1, 1), (1, 1)), mode="wrap")
    near = p[:-2, 1:-1, 1:-1] + p[2:, 1:-1, 1:-1]
    near += p[1:-1, :-2, 1:-1]
    near += p[1:-1, 2:, 1:-1]
    near += p[1:-1, 1:-1, :-2]
    near += p[1:-1, 1:-1, 2:]
    near /= 6
    near -= field
    return near


def neighbours(u: np.ndarray, v: np.ndarray, comm: Any) -> Any:
    """Return the planes below and above those of this process, of both fields."""
    if comm is None:
        return (u[-1:], v[-1:]), (u[:1], v[:1])
    edges = comm.allgather(((u[-1:], v[-1:]), (u[:1], v[:1])) if len(u) else None)
    # A process may have no planes, where there are more processes than planes.
    held = [rank for rank, edge in enumerate(edges) if edge is not None]
    if not len(u):
        return edges[held[0]]
    at = held.index(comm.rank)
    return edges[held[at - 1]][0], edges[held[(at + 1) % len(held)]][1]


def advance(u: np.ndarray, v: np.ndarray, p: Parameters, comm: Any = None) -> None:
    """Compute one time step, in place; on several processes each its planes."""
    below, above = neighbours(u, v, comm)
    reaction = u * v * v
    du = p.diffusion_u * laplacian(u, below[0], above[0]) - reaction + p.feed * (1 - u)
    dv = p.diffusion_v * laplacian(v, below[1], above[1]) + reaction - (p.feed + p.kill) * v
    u += p.dt * du
    v += p.dt * dv


# ---- the run ----


class NpyFile:
    """The same data in one ``.npy`` file of known final shape: the cheapest way that NumPy has."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self.path = path
        self._file = path.open("wb")
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, frame: np.ndarray) -> None:
        self._file.write(memoryview(frame).cast("B"))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass
class Run:
    """A finished run: the places of its data, its times, and a checksum of every frame as it was computed."""

    store: Path
    npy: dict[str, Path]
    steps: list[int]
    checksums: dict[str, list[int]]
    seconds: dict[str, float]


def create_store(store: Path, size: int, parameters: Parameters) -> zchunk.Group:
    """Create the group and its arrays, which are empty along time."""
    root = zchunk.open_group(str(store), mode="w-")
    root.attrs.update(
        title="Gray–Scott reaction–diffusion", parameters=asdict(parameters), boundary="periodic"
    )
    chunk = min(CHUNK, size)
    for name in FIELDS:
        field = root.create(name, shape=(0, size, size, size), chunks=(1, chunk, chunk, chunk), dtype="f4")
        field.attrs.update(units="mol m-3", long_name=f"concentration of {name}")
        field.attrs["_ARRAY_DIMENSIONS"] = ["time", "z", "y", "x"]
    for name, dtype, units in (("time", "f8", "s"), ("step", "i8", "1")):
        axis = root.create(name, shape=0, chunks=1024, dtype=dtype)
        axis.attrs.update(units=units, _ARRAY_DIMENSIONS=["time"])
    return root


def simulate(folder: Path, store: Path, size: int, steps: int, every: int, parameters: Parameters) -> Run:
    """Run the simulation, and write both fields at the start and every ``every`` steps."""
    root = create_store(store, size, parameters)
    outputs = list(range(0, steps + 1, every))
    shape = (len(outputs), size, size, size)
    npy = {name: NpyFile(folder / f"{name}.npy", shape, "f4") for name in FIELDS}
    run = Run(store, {n: f.path for n, f in npy.items()}, outputs, {n: [] for n in FIELDS}, {})
    spent = {"computing": 0.0, "zchunk": 0.0, ".npy": 0.0}
    u, v = initial_state(size)

    for step in range(steps + 1):
        start = time.perf_counter()
        if step:
            advance(u, v, parameters)
        computed = time.perf_counter()
        spent["computing"] += computed - start
        if step % every:
            continue

        for name, field in (("u", u), ("v", v)):
            root[name].append(field[np.newaxis], axis=0)
        for name, value in (("time", step * parameters.dt), ("step", step)):
            axis = root[name]
            axis.resize(len(axis) + 1)
            axis[-1] = value
        root.attrs["last"] = {"step": step, "time": step * parameters.dt}
        written = time.perf_counter()
        spent["zchunk"] += written - computed
        for name, field in (("u", u), ("v", v)):
            npy[name].append(field)
        spent[".npy"] += time.perf_counter() - written
        for name, field in (("u", u), ("v", v)):
            run.checksums[name].append(zlib.crc32(field))

    for file in npy.values():
        file.close()
    run.seconds = spent
    return run


# ---- reading back ----


def timed(read: Callable[[], np.ndarray], repeat: int = 5) -> tuple[float, np.ndarray]:
    """Return the best time of a few reads, in milliseconds, and the result."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        result = read()
        best = min(best, time.perf_counter() - start)
    return best * 1e3, result


def read_back(run: Run, size: int) -> None:
    """Read the usual selections by zchunk and from ``.npy``, each from a new handle; compare and print."""
    frames, mid, third = len(run.steps), size // 2, size // 3
    box = slice(third - 1, third + max(size // 3, 1))
    selections: list[tuple[str, Any]] = [
        ("plane z, last frame", (-1, mid)),
        ("plane y, last frame", (-1, slice(None), mid)),
        ("plane x, last frame", (-1, ..., mid)),
        ("box, last frame", (-1, box, box, box)),
        ("box, all frames", (slice(None), box, box, box)),
        ("time series at a point", (slice(None), mid, third, mid)),
        ("one value", (-1, mid, third, mid)),
        ("every 4th cell", (-1, slice(None, None, 4), slice(None, None, 4), slice(None, None, 4))),
        ("restart state (a frame)", (frames // 2,)),
        ("everything", (slice(None),)),
    ]
    rows = []
    for label, selection in selections:
        ms, found = timed(lambda s=selection: zchunk.open(str(run.store), mode="r")["u"][s])
        npy_ms, wanted = timed(lambda s=selection: np.array(np.load(run.npy["u"], mmap_mode="r")[s]))
        check(found, wanted, f"u, {label}")
        shape = " x ".join(map(str, np.shape(found))) or "-"
        rows.append([label, shape, nbytes(np.asarray(found).nbytes), f"{ms:.2f}", f"{npy_ms:.2f}"])
    table(["read from u", "shape", "bytes", "zchunk ms", ".npy ms"], rows)


def verify(run: Run) -> int:
    """Compare every frame with the checksum from its computation; return the number of values."""
    root = zchunk.open(str(run.store), mode="r")
    for name in FIELDS:
        for i, checksum in enumerate(run.checksums[name]):
            if zlib.crc32(root[name][i]) != checksum:
                raise MismatchError(f"{name}, frame {i}: not what was computed")
    check(root["step"][...], np.array(run.steps), "step")
    check(root["time"][...], np.array(run.steps) * root.attrs["parameters"]["dt"], "time")
    return sum(root[name].size for name in FIELDS)


def restart(run: Run) -> tuple[int, int]:
    """Resume from a stored state as a new program would; every later frame must be the same bit for bit."""
    root = zchunk.open(str(run.store), mode="r")
    parameters = Parameters(**root.attrs["parameters"])
    frame = max(len(run.steps) - 4, 0)
    u, v = root["u"][frame], root["v"][frame]
    first = step = int(root["step"][frame])
    for i in range(frame + 1, len(run.steps)):
        while step < root["step"][i]:
            advance(u, v, parameters)
            step += 1
        check(root["u"][i], u, f"u, restarted, step {step}")
        check(root["v"][i], v, f"v, restarted, step {step}")
    return first, step


# ---- checkpoints ----


def evolve(comm: Any, folder: Path, size: int, steps: int, every: int, killed: int | None = None) -> None:
    """Run the simulation on the processes of ``comm``, from its last checkpoint; perhaps one is killed."""
    p = Parameters()
    part = partition((size,) * 3, comm, dims=(comm.size, 1, 1))
    u, v = (field[part.interior].copy() for field in initial_state(size))
    with CheckpointManager(
        folder / "run.ckpt", comm, save_interval_steps=every, signals=[signal.SIGTERM]
    ) as manager:
        series = Series(folder / "fields.zarr", comm, steps_per_file=4)
        fields = {"u": part.block(u, ("z", "y", "x")), "v": part.block(v, ("z", "y", "x"))}
        state = {**fields, "series": series}
        checkpoint = manager.restore(like=state)  # reads into u and v, and cuts the series
        for step in range(0 if checkpoint is None else checkpoint.step + 1, steps + 1):
            if step:
                advance(u, v, p, comm)
            ends = manager.should_stop()
            if manager.should_save(step):
                series.append(step, step * p.dt, fields)
                manager.save(step, state, time=step * p.dt)
            if step == killed and comm.rank == comm.size - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if ends:
                break


def process(comm: Any, *args: Any) -> None:
    """Run one process of the simulation; if another one is gone, it ends too."""
    try:
        evolve(comm, *args)
    except zchunk.errors.CheckpointError:
        sys.exit(3)


def on_processes(count: int, *args: Any) -> list[int | None]:
    """Run the simulation on some processes; return how each has ended."""
    context = get_context("spawn")
    processes = [context.Process(target=process, args=(c, *args)) for c in process_communicators(count)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    return [each.exitcode for each in processes]


def kill_and_go_on(folder: Path, size: int, steps: int, every: int) -> str:
    """Kill a run in the middle, go on with fewer processes, and compare with a run that was never stopped."""
    whole, parted = folder / "whole", folder / "parted"
    evolve(process_communicators(1)[0], whole, size, steps, every)
    killed = steps // 2 // every * every
    ends = on_processes(3, parted, size, steps, every, killed)
    if ends[-1] != -signal.SIGKILL:
        raise MismatchError(f"the process that was to be killed has ended with {ends[-1]}")
    manager = CheckpointManager(parted / "run.ckpt")
    found = manager.latest_step()
    if any(on_processes(2, parted, size, steps, every)):
        raise MismatchError("a process of the second run has failed")

    last = manager.restore(), CheckpointManager(whole / "run.ckpt").restore()
    assert last[0] is not None
    assert last[1] is not None
    check(last[0].step, last[1].step, "step of the last checkpoint")
    runs = [zchunk.open_group(str(run / "fields.zarr"), mode="r") for run in (parted, whole)]
    for name in ("step", "time", *FIELDS):
        check(runs[0][name][...], runs[1][name][...], f"{name} of the run that was killed")
    for name in FIELDS:
        check(last[0].read(name), last[1].read(name), f"{name} of the last checkpoint")
    return (
        f"Three processes, one killed at step {killed} while a checkpoint was written; two went on from step "
        f"{found}.\n  Their {len(runs[0]['step'])} frames and the last state have the bits of a run that was "
        "never stopped."
    )


# ---- real data ----


def sources() -> Iterator[tuple[str, list[Path]]]:
    """Yield NetCDF files from the packages ``hvsampledata`` and ``iris-sample-data``, oldest first."""
    air = importlib.resources.files("hvsampledata") / "_data" / "air_temperature_small.nc"
    yield "air", [Path(str(air))]
    ocean = importlib.resources.files("iris_sample_data") / "sample_data" / "NEMO"
    yield "ocean", sorted(Path(str(ocean)).glob("*.nc"))


def plain(value: Any) -> Any:
    """Return an attribute without bytes, which JSON lacks; zchunk stores NumPy's values itself."""
    return value.decode() if isinstance(value, bytes) else value


def import_netcdf(group: zchunk.Group, files: list[Path]) -> list[list[str]]:
    """Copy all variables; those whose first dimension is a time grow with each file."""
    stored: dict[str, int] = {}
    for i, path in enumerate(files):
        with h5netcdf.File(path) as source:
            if i == 0:
                group.attrs.update({key: plain(value) for key, value in source.attrs.items()})
            for name, variable in source.variables.items():
                grows = bool(variable.dimensions) and variable.dimensions[0].startswith("time")
                if i == 0:
                    attrs = {key: plain(value) for key, value in variable.attrs.items()}
                    group.array(
                        name,
                        variable[...],
                        chunks=tuple(min(n, 180) for n in variable.shape),
                        compressor=zchunk.codecs.Blosc(cname="zstd", clevel=5),
                        fill_value=attrs.get("_FillValue"),
                    ).attrs.put({**attrs, "_ARRAY_DIMENSIONS": list(variable.dimensions)})
                elif grows:
                    group[name].append(variable[...], axis=0)
                if i == 0 or grows:
                    stored[name] = stored.get(name, 0) + variable._h5ds.id.get_storage_size()
    rows, total = [], np.zeros(3, int)
    for name, netcdf in stored.items():
        z = group[name]
        dimensions = ", ".join(z.attrs["_ARRAY_DIMENSIONS"])
        shape = " x ".join(map(str, z.shape))
        sizes = np.array([z.nbytes, netcdf, z.nbytes_stored])
        total += sizes
        if z.nbytes > 1000:
            rows.append([z.path, dimensions, shape, str(z.dtype), *map(nbytes, sizes), ratio(sizes)])
    rows.append([f"{group.path}, all {len(stored)}", "", "", "", *map(nbytes, total), ratio(total)])
    return rows


def ratio(sizes: Any) -> str:
    """Return how many times larger the values are than the bytes that zchunk stored."""
    return f"{sizes[0] / sizes[-1]:.1f}"


def verify_netcdf(group: zchunk.Group, files: list[Path]) -> int:
    """Compare every value, attribute and dimension name with the files, which are opened again."""
    count = 0
    for i, path in enumerate(files):
        with h5netcdf.File(path) as source:
            for name, variable in source.variables.items():
                z = group[name]
                grows = bool(variable.dimensions) and variable.dimensions[0].startswith("time")
                length = variable.shape[0]
                found = z[i * length : (i + 1) * length] if grows else z[...]
                check(found, variable[...], f"{z.path} from {path.name}")
                count += found.size
                if i:
                    continue
                wanted = (length * len(files), *variable.shape[1:]) if grows else variable.shape
                if z.shape != wanted:
                    raise MismatchError(f"{z.path}: shape {z.shape}, expected {wanted}")
                if z.attrs["_ARRAY_DIMENSIONS"] != list(variable.dimensions):
                    raise MismatchError(f"{z.path}: dimensions {z.attrs['_ARRAY_DIMENSIONS']}")
                for key, value in variable.attrs.items():
                    kind = np.asarray(plain(value)).dtype
                    check(
                        np.asarray(z.attrs[key], kind), np.asarray(plain(value)), f"{z.path}, attribute {key}"
                    )
    return count


# ---- the program ----


def nbytes(n: int) -> str:
    """Return a size with a unit."""
    value = float(n)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print columns: text is aligned to the left, numbers and sizes to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    right = [all(row[i][:1].isdigit() or row[i] in ("-", "") for row in rows) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        print("  " + "  ".join(cells).rstrip())
    print()


def title(text: str) -> None:
    print(f"{text}\n{'=' * len(text)}\n")


def folder_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def report(args: argparse.Namespace, folder: Path, store: Path) -> None:
    """Do the whole job, and print what comes out."""
    title(f"Gray–Scott on a periodic {args.size} x {args.size} x {args.size} grid, {args.steps} steps")
    run = simulate(folder, store, args.size, args.steps, args.every, Parameters())
    root = zchunk.open(str(store), mode="r")
    print(root.info)
    print(root["u"].info)
    sizes = {"zchunk": folder_size(store), ".npy": sum(p.stat().st_size for p in run.npy.values())}
    table(
        [f"writing 2 x {len(run.steps)} frames", "seconds", "on disk"],
        [
            [key, f"{value:.2f}", nbytes(sizes[key]) if key in sizes else "-"]
            for key, value in run.seconds.items()
        ],
    )

    title("Reading back (best of 5, the array opened each time)")
    read_back(run, args.size)
    print(f"  All {verify(run):,} values are those that were computed.")
    first, last = restart(run)
    print(f"  Restarted from the stored state at step {first}: the same bits up to step {last}.\n")

    title("Checkpoints")
    steps = min(args.steps, 60)
    print(f"  {kill_and_go_on(folder, args.size, steps, max(min(args.every, steps // 6), 1))}\n")

    title("Importing NetCDF (zchunk's sizes include metadata; variables below 1 kB only in the sums)")
    rows = []
    imported = zchunk.open_group(str(store), mode="r+").create_group("imported")
    for name, files in sources():
        rows += import_netcdf(imported.create_group(name), files)
    table(["variable", "dimensions", "shape", "dtype", "bytes", "NetCDF", "zchunk", "ratio"], rows)
    imported = zchunk.open(str(store), mode="r")["imported"]
    count = sum(verify_netcdf(imported[name], files) for name, files in sources())
    print(f"  All {count:,} values, their attributes and dimension names are those of the files.\n")


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, run in a folder of its own, print the outcome."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=96, help="cells along each axis (default %(default)s)")
    parser.add_argument("--steps", type=int, default=960, help="time steps (default %(default)s)")
    parser.add_argument("--every", type=int, default=40, help="steps between outputs (default %(default)s)")
    parser.add_argument("--out", type=Path, help="folder to create for the data (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the data when done")
    parser.add_argument("--mpi", action="store_true", help="run, or go on with, the job in --out by MPI")
    args = parser.parse_args(argv)
    if args.size < 8 or args.steps < 1 or args.every < 1:
        parser.error("--size must be at least 8, --steps and --every at least 1")
    if args.mpi:
        if not args.out:
            parser.error("--mpi needs the folder of the job: --out")
        from mpi4py import MPI

        evolve(MPI.COMM_WORLD, args.out, args.size, args.steps, args.every)
        return 0
    if args.out and args.out.exists():
        parser.error(f"{args.out} exists; name a folder that does not")

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        store = args.out or Path(tempfile.mkdtemp()) / "simulation.zarr"
        try:
            report(args, Path(folder), store)
        except MismatchError as error:
            print(f"MISMATCH: {error}", file=sys.stderr)
            return 1
        finally:
            if not args.keep:
                shutil.rmtree(store if args.out else store.parent, ignore_errors=True)
    where = f"; the data is in {store}" if args.keep else ""
    print(f"Everything verified in {time.perf_counter() - began:.0f} s{where}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
