"""The cases through xarray: data sets, and one action for each kind of case.

A data set has the values of one array of `benchmarks.datasets`, split along the first axis into `VARIABLES`,
so that the limit of the array is that of the data set. Every engine gets the same chunks and the same codec.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.actions import Action, Bench, Mismatch, check
from benchmarks.adapters.base import Unsupported
from benchmarks.cases import Case
from benchmarks.datasets import GROUP_ARRAYS
from benchmarks.files import drop_cache, remove, stored_bytes
from benchmarks.selections import of_array

# The air temperature of that many experiments
VARIABLES = ("control", "historical", "scenario_a1b", "scenario_e1")
DIMS = ("time", "latitude", "longitude")


class ThroughXarray(Action):
    """One case of one engine of xarray."""

    # The packages that are needed besides xarray
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, case: Case, bench: Bench) -> None:
        super().__init__(case, bench)
        if self.adapter.engine is None:
            raise Unsupported("no engine of xarray")
        try:
            self.xr, *_ = [import_module(name) for name in ("xarray", *self.needs)]
        except ImportError as error:
            raise Unsupported(f"not without xarray and dask: {error}") from None

    def dataset(self) -> Any:
        """Return the data set in memory."""
        steps = self.layout.shape[0] // len(VARIABLES)
        _, latitudes, longitudes = self.layout.shape
        coords = {
            "time": np.datetime64("1860-06-01", "ns") + np.arange(steps) * np.timedelta64(1, "D"),
            "latitude": ("latitude", np.linspace(15, 60, latitudes), {"units": "degrees_north"}),
            "longitude": ("longitude", np.linspace(225, 315, longitudes), {"units": "degrees_east"}),
        }
        attrs = {"units": "K", "standard_name": "air_temperature"}
        parts = {
            name: (DIMS, self.data[i * steps : (i + 1) * steps], {**attrs, "long_name": name})
            for i, name in enumerate(VARIABLES)
        }
        return self.xr.Dataset(parts, coords)

    def write(self, dataset: Any, **options: Any) -> None:
        """Write a data set as a new one, the coordinates in one chunk each."""
        compressors = self.adapter.dataset_compressors(self.layout)
        chunks = dict.fromkeys(dataset.data_vars, self.layout.chunks)
        encoding = {
            name: {"chunks": chunks.get(name, variable.shape), "compressors": compressors}
            for name, variable in dataset.variables.items()
        }
        form = {"zarr_format": self.layout.zarr_format, "consolidated": True}
        self.adapter.write_dataset(dataset, self.scratch, mode="w", encoding=encoding, **form, **options)

    def open(self) -> Any:
        """Open the data set, lazily and without dask."""
        form = {"zarr_format": self.layout.zarr_format, "consolidated": True}
        return self.xr.open_dataset(self.scratch, engine=self.adapter.engine, **form)

    def verify(self, want: Any) -> None:
        """Raise Mismatch unless the stored data set has the same variables and attributes."""
        with self.open() as got:
            if set(got.variables) != set(want.variables):
                raise Mismatch(f"{self.case.name}: other variables than were written")
            for name, variable in want.variables.items():
                if got[name].dims != variable.dims or got[name].attrs != variable.attrs:
                    raise Mismatch(f"{self.case.name}: {name} has other dimensions or attributes")
                check(self.case, got[name].values, variable.values)

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the seconds that a piece of work takes once."""
        if self.bench.cold:
            drop_cache(self.scratch)
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


class Load(ThroughXarray):
    """Open a data set and load it."""

    def prepare(self) -> dict[str, Any]:
        self.write(self.dataset())
        self.verify(self.dataset())
        return {}

    def run(self) -> float:
        return self.seconds(self._load)

    def _load(self) -> None:
        with self.open() as dataset:
            dataset.load()


class Point(ThroughXarray):
    """Load one point through time, of every variable of a data set that is open."""

    def prepare(self) -> dict[str, Any]:
        self.write(self.dataset())
        (selection,) = self.case.select(self.layout)
        self.indexers = dict(zip(DIMS[1:], selection[1:], strict=True))
        with self.open() as dataset:
            point = self._load(dataset)
        got = np.concatenate([point[name].values for name in VARIABLES])
        check(self.case, got, of_array(self.data, selection))
        return {}

    def run(self) -> float:
        # A data set keeps only values that were loaded into itself.
        with self.open() as dataset:
            return self.seconds(lambda: self._load(dataset))

    def _load(self, dataset: Any) -> Any:
        return dataset.isel(self.indexers).load()


class Write(ThroughXarray):
    """Write a data set."""

    def prepare(self) -> dict[str, Any]:
        self.source = self.make_source()
        self.before()
        self.work()
        self.verify(self.dataset())
        facts = {"stored": stored_bytes(self.scratch)}
        remove(self.scratch)
        return facts

    def make_source(self) -> Any:
        """Return the data set to write."""
        return self.dataset()

    def run(self) -> float:
        self.before()
        seconds = self.seconds(self.work)
        remove(self.scratch)
        return seconds

    def before(self) -> None:
        """Create what the timed part needs; not timed."""

    def work(self) -> None:
        """Write all values."""
        self.write(self.source, write_empty_chunks=True)


class WriteDask(Write):
    """Write a data set whose dask chunks are the stored chunks."""

    needs = ("dask.array",)

    def make_source(self) -> Any:
        return self.dataset().chunk(dict(zip(DIMS, self.layout.chunks, strict=True)))

    def work(self) -> None:
        dask = import_module("dask")
        with dask.config.set(scheduler="threads", num_workers=self.bench.threads):
            super().work()


class WriteRegions(Write):
    """Write the values of a new data set, in regions of one chunk along time."""

    needs = ("dask.array",)

    def before(self) -> None:
        # xarray writes the metadata alone for dask arrays, and only for them.
        self.write(self.source.chunk(), compute=False)

    def work(self) -> None:
        values = self.source.drop_vars(list(self.source.coords))
        step = self.layout.chunks[0]
        for start in range(0, self.source.sizes["time"], step):
            region = {"time": slice(start, start + step)}
            self.adapter.write_dataset(
                values.isel(region), self.scratch, region=region, write_empty_chunks=True
            )


class Open(ThroughXarray):
    """Open a data set of many small variables, whose metadata are consolidated."""

    def dataset(self) -> Any:
        coords = {name: np.arange(float(n)) for name, n in zip("yx", self.layout.shape, strict=True)}
        return self.xr.Dataset({f"v{i:04d}": self._variable(i) for i in range(self._count)}, coords)

    @property
    def _count(self) -> int:
        return GROUP_ARRAYS[self.bench.size]

    def _variable(self, number: int) -> tuple[list[str], NDArray[Any], dict[str, Any]]:
        attrs = {"units": "m s-1", "standard_name": "wind_speed", "long_name": f"Wind of member {number}"}
        return ["y", "x"], self.data, attrs

    def prepare(self) -> dict[str, Any]:
        self.write(self.dataset())
        self.verify(self.dataset())
        return {}

    def run(self) -> float:
        return self.seconds(lambda: self.open().close())


ACTIONS: dict[str, type[Action]] = {
    "xarray-load": Load,
    "xarray-point": Point,
    "xarray-write": Write,
    "xarray-write-dask": WriteDask,
    "xarray-region": WriteRegions,
    "xarray-open": Open,
}
