"""The whole way: a hierarchy is written to a bucket, and read by others elsewhere, with few requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import zchunk
from tests import ROOT

pytest.importorskip("obstore", reason="obstore is not installed")

NAMES = {
    "s3": {"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_SECRET_ACCESS_KEY": "secret_access_key"},
    "az": {"AZURE_STORAGE_ACCOUNT_NAME": "account_name", "AZURE_STORAGE_ACCOUNT_KEY": "account_key"},
}
ELSEWHERE = """
import json, sys
import zchunk
url, options = json.loads(sys.argv[1])
root = zchunk.open_consolidated(url, storage_options=options)
z = root["climate/temperature"]
print(json.dumps([z[1, 2:5, ::3].tolist(), z.attrs["unit"], root.attrs["title"], sorted(root["climate"])]))
z = zchunk.open_array(url, "r+", path="climate/temperature", storage_options=options)
z[0, 0] = -1
z.attrs["seen"] = True
"""


@pytest.mark.parametrize(("service", "zarr_format"), [("s3_server", 3), ("azure_server", 2)])
def test_a_group_that_is_shared(service: str, zarr_format: int, request: pytest.FixtureRequest) -> None:
    place = request.getfixturevalue(service).new("runs/one.zarr")
    options = dict(place.options)
    root = zchunk.open_group(place.url, "w", storage_options=options, zarr_format=zarr_format)
    root.attrs["title"] = "run"
    data = np.arange(3 * 10 * 12, dtype="f4").reshape(3, 10, 12)
    shape = {"shape": (2, 10, 12), "chunks": (1, 4, 5), "dtype": "f4"}
    shards = {"shards": (1, 8, 10)} if zarr_format == 3 else {}
    z = root.create_dataset("climate/temperature", **shape, **shards)
    z[:] = data[:2]
    z.append(data[2:])
    z.attrs["unit"] = "K"
    root.create_dataset("climate/pressure", shape=5)
    zchunk.consolidate_metadata(root.store)
    # The other process has the keys from its environment.
    keys = {name: options.pop(option) for name, option in NAMES[place.url[:2]].items()}
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, json.dumps([place.url, options])],
        capture_output=True, text=True, cwd=ROOT, timeout=60, env={**os.environ, **keys},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    piece, unit, title, names = json.loads(run.stdout)
    assert piece == data[1, 2:5, ::3].tolist()
    assert (unit, title, names) == ("K", "run", ["pressure", "temperature"])
    data[0, 0] = -1
    assert (z[:] == data).all()
    assert z.attrs.refresh() is None
    assert z.attrs.asdict() == {"unit": "K", "seen": True}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_one_request_opens_a_consolidated_hierarchy(fast_s3_server: Any, zarr_format: int) -> None:
    place, network = fast_s3_server.new("x"), fast_s3_server.network
    root = zchunk.open_group(place.url, "w", storage_options=place.options, zarr_format=zarr_format)
    for i in range(200):
        root.create_dataset(f"g{i % 10}/a{i}", shape=4, chunks=2, dtype="i4")
    root["g3/a3"][:] = 7
    zchunk.consolidate_metadata(root.store)
    network.clear()
    found = zchunk.open_consolidated(place.url, storage_options=place.options, zarr_format=zarr_format)
    arrays: list[str] = []
    found.visititems(lambda name, node: arrays.append(name) if hasattr(node, "shape") else None)
    assert len(arrays) == 200
    assert network.counts()["methods"] == {"GET": 1}
    network.clear()
    assert found["g3/a3"][1:].tolist() == [7] * 3
    assert network.counts()["methods"] == {"GET": 2}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_that_was_made_is_not_read_back(fast_s3_server: Any, zarr_format: int) -> None:
    place, network = fast_s3_server.new("x"), fast_s3_server.network
    store = zchunk.ObjectStore.from_url(place.url, **place.options)
    network.clear()
    z = zchunk.create(4, chunks=2, dtype="i4", store=store, zarr_format=zarr_format)
    methods = network.counts()["methods"]
    assert methods["PUT"] == 1
    assert "GET" not in methods
    assert z.metadata == zchunk.open(store, mode="r").metadata
