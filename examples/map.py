"""A map of air temperature, from a chunked data set that xarray opens with zchunk.

The program writes five days over North America, four times a day, from the NCEP/NCAR reanalysis (in the
package ``hvsampledata``), with one chunk per time. It opens the data lazily and draws one time, with the
borders of the states of the USA: as a picture by Matplotlib, and by hvplot as a page that can be zoomed and
needs no network. It reads only the chunk of that time.

    python examples/map.py
    python examples/map.py --time 2014-02-28T18 --out maps
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

import zchunk.xarray

try:
    import holoviews as hv
    import hvplot.xarray
    import matplotlib
except ImportError as error:
    sys.exit(f"{error}; install what the example needs: pip install -e '.[dask,examples,plots,xarray]'")

from bokeh.resources import INLINE
from matplotlib import pyplot as plt

DATA = importlib.resources.files("hvsampledata") / "_data"
COLOURS = "RdYlBu_r"
LABEL = "air temperature [°C]"


def write(path: Path) -> None:
    """Store the data set, with one chunk per time."""
    with xr.open_dataset(DATA / "air_temperature_small.nc", engine="h5netcdf") as source:
        shape = (1, source.sizes["lat"], source.sizes["lon"])
        zchunk.xarray.to_zarr(source, path, mode="w", encoding={"air": {"chunks": shape}})


def open_celsius(path: Path) -> xr.DataArray:
    """Open the air temperature, lazily, in degrees Celsius, with longitudes from -180 to 180."""
    air = xr.open_dataset(path, engine="zchunk", chunks={})["air"]
    return (air - 273.15).assign_coords(lon=(air.lon + 180) % 360 - 180).rename("celsius")


def borders() -> Iterator[np.ndarray]:
    """Yield the outlines of the states: arrays of longitude and latitude."""
    for state in json.loads((DATA / "us_states.geojson").read_text())["features"]:
        shape = state["geometry"]
        parts = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
        for rings in parts:
            yield from map(np.asarray, rings)


def title_of(field: xr.DataArray) -> str:
    """Return the title of a map."""
    return f"{np.datetime_as_string(field.time.values, unit='h')} UTC, NCEP/NCAR reanalysis"


def draw_picture(field: xr.DataArray, path: Path) -> None:
    """Draw the map with Matplotlib."""
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    field.plot(ax=axes, cmap=COLOURS, center=0, cbar_kwargs={"label": LABEL})
    for line in borders():
        axes.plot(*line.T, color="black", linewidth=0.5)
    # A degree of longitude at 45 degrees north is shorter than a degree of latitude by this factor.
    axes.set_aspect(1 / np.cos(np.radians(45)))
    axes.set(
        title=title_of(field),
        xlabel="longitude [°E]",
        ylabel="latitude [°N]",
        xlim=(float(field.lon.min()), float(field.lon.max())),
        ylim=(float(field.lat.min()), float(field.lat.max())),
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_page(field: xr.DataArray, path: Path) -> None:
    """Draw the map with hvplot, as one file of HTML."""
    limit = float(abs(field).max())
    filled = field.hvplot.quadmesh(
        x="lon", y="lat", cmap=COLOURS, clim=(-limit, limit), clabel=LABEL, title=title_of(field),
        xlabel="longitude [°E]", ylabel="latitude [°N]", width=900, height=550,
    )  # fmt: skip
    lines = hv.Path(list(borders())).opts(color="black", line_width=0.5)
    hvplot.save(filled * lines, path, title=title_of(field), resources=INLINE)


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, write the data, draw both maps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time", default="2014-02-26T12", help="nearest time to draw (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for the files (default: .)")
    args = parser.parse_args(argv)
    matplotlib.use("agg")
    args.out.mkdir(parents=True, exist_ok=True)
    store = args.out / "air.zarr"
    write(store)
    air = open_celsius(store)
    field = air.sel(time=args.time, method="nearest").load()
    draw_picture(field, args.out / "map.png")
    draw_page(field, args.out / "map.html")
    print(f"{title_of(field)}: {float(field.min()):.1f} to {float(field.max()):.1f} °C")
    print(f"{args.out / 'map.png'}, {args.out / 'map.html'}; the data is in {store}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
