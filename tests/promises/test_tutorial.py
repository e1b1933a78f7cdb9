"""The tutorial runs, with real servers, and shows what is stored in it.

``make tutorial`` stores what it shows now.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT, notebook
from tests.servers import azure, s3

for package in ("dask", "h5netcdf", "hvsampledata", "matplotlib", "obstore", "redis", "xarray"):
    pytest.importorskip(package)

TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
# Cells that talk to a server are tagged with the name of the variable that has its URL.
SERVERS = {"redis_server": "TUTORIAL_REDIS", "s3_server": "TUTORIAL_S3", "azure_server": "TUTORIAL_AZURE"}


def run(source: Path, folder: Path, environ: dict[str, str]) -> list[dict[str, Any]]:
    """Run a notebook in a folder and return its cells."""
    executed = folder / "executed.ipynb"
    command = [sys.executable, "-P", notebook.__file__, str(source), str(executed)]
    clean = {name: value for name, value in os.environ.items() if name not in SERVERS.values()}
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean | {"MPLBACKEND": "agg"} | environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    cells: list[dict[str, Any]] = notebook.read(executed)["cells"]
    return cells


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment in which the tutorial finds the servers that there are."""
    environ = {}
    for fixture, variable in SERVERS.items():
        try:
            server = request.getfixturevalue(fixture)
        except pytest.skip.Exception:
            continue
        if fixture == "redis_server":
            environ[variable] = f"{server.url}/tutorial"
            continue
        server.make_bucket("tutorial")
        environ[variable] = f"{server.scheme}://tutorial/run.zarr"
        if fixture == "s3_server":
            environ |= {
                "AWS_ENDPOINT_URL": server.endpoint,
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": s3.REGION,
                "AWS_ACCESS_KEY_ID": server.key,
                "AWS_SECRET_ACCESS_KEY": server.secret,
            }
        else:
            environ |= {
                "AZURE_STORAGE_ENDPOINT": f"{server.endpoint}/{azure.ACCOUNT}",
                "AZURE_ALLOW_HTTP": "true",
                "AZURE_STORAGE_ACCOUNT_NAME": azure.ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": azure.KEY,
            }
    return environ


def shown(cell: dict[str, Any]) -> list[Any]:
    """Return what a cell shows, without what may differ from one run, or version, to the next."""
    tags = cell["metadata"].get("tags", ())
    found: list[Any] = []
    for output in cell["outputs"]:
        text = "".join(output.get("text") or output["data"]["text/plain"])
        if "numbers vary" in tags:
            text = re.sub(r"\s+", " ", re.sub(r"\d+(,\d{3})*(\.\d+)?", "0", text))
        elif "text varies" in tags or output.get("name") == "stderr":
            text = ""
        found.append((output["output_type"], sorted(output.get("data", ())), text))
    return found


@pytest.mark.slow
def test_it_shows_what_is_stored(servers: dict[str, str], tmp_path: Path) -> None:
    cells = run(TUTORIAL, tmp_path, servers)
    if os.environ.get("ZCHUNK_TUTORIAL") == "write":
        assert set(servers) >= set(SERVERS.values()), "not all servers are installed; see `make servers`"
        shutil.copy(tmp_path / "executed.ipynb", TUTORIAL)
    stored = notebook.read(TUTORIAL)["cells"]
    missing = set(SERVERS.values()) - set(servers)
    for found, wanted in zip(cells, stored, strict=True):
        if found["cell_type"] == "code" and missing.isdisjoint(found["metadata"].get("tags", ())):
            assert shown(found) == shown(wanted), "".join(found["source"])


def test_it_does_without_servers(tmp_path: Path) -> None:
    whole = notebook.read(TUTORIAL)
    needed = {"setup", *SERVERS.values()}
    whole["cells"] = [cell for cell in whole["cells"] if needed & set(cell["metadata"].get("tags", ()))]
    notebook.write(whole, tmp_path / "part.ipynb")
    cells = run(tmp_path / "part.ipynb", tmp_path, {})
    texts = ["".join(cell["outputs"][0]["text"]) for cell in cells if cell["outputs"]]
    assert texts == [f"skipped: {name} is not set\n" for name in SERVERS.values()]
