"""Make the golden data anew: one environment per producer, with its versions pinned, in a temporary folder.

Run it by hand, ``python tests/promises/golden/make.py [producer …]``; it needs the network. Archives come out
byte for byte the same, but for gzip's time stamps.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).parent
PRODUCERS = {
    "zarr2": ["zarr==2.18.7", "numcodecs==0.15.1", "numpy==2.2.6"],
    "zarr2_objects": [
        "zarr==2.18.7",
        "numcodecs==0.15.1",
        "numpy==2.2.6",
        "msgpack==1.2.4",
        "crc32c==2.9.post0",
    ],
    "zarr3": ["zarr==3.1.6", "numcodecs==0.16.5", "numpy==2.2.6", "google-crc32c==1.8.0"],
    "zarr3_rectilinear": [
        "zarr==3.4.2", "zarrs==0.2.3", "numcodecs==0.17.1", "numpy==2.5.5", "google-crc32c==1.9.0",
    ],
    "tensorstore": ["tensorstore==0.1.86", "numpy==2.2.6"],
    "v3:zarr3": ["zarr==3.1.6", "numcodecs==0.16.5", "numpy==2.2.6", "google-crc32c==1.8.0"],
    "v3:zarrs": ["zarrs==0.2.3", "zarr==3.1.6", "numcodecs==0.16.5", "numpy==2.2.6"],
    "v3:tensorstore": ["tensorstore==0.1.86", "ml_dtypes==0.5.4", "numpy==2.2.6"],
}


def make(producer: str, requirements: list[str]) -> None:
    """Run ``make_<producer>.py``, or of format 3 ``make_v3.py <producer>``, in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        script, *which = producer.split(":")
        subprocess.run([python, "-W", "ignore", HERE / f"make_{script}.py", *which], check=True)


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(PRODUCERS)
    for unknown in set(wanted) - set(PRODUCERS):
        sys.exit(f"no producer {unknown!r}; there are {', '.join(PRODUCERS)}")
    for name in wanted:
        make(name, PRODUCERS[name])
