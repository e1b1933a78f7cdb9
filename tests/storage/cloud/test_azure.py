"""`ABSStore`: zarr 2's name of a store in Azure's blobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
from tests.servers import azure
from zchunk.storage import ABSStore

pytest.importorskip("obstore", reason="obstore is not installed")


@pytest.fixture
def container(azure_server: Any) -> str:
    return str(azure_server.new().url.removeprefix("az://"))


@pytest.fixture
def account(azure_server: Any) -> dict[str, str]:
    """zarr 2's parameters."""
    return {
        "account_name": azure.ACCOUNT,
        "account_key": azure.KEY,
        "blob_service_url": f"{azure_server.endpoint}/{azure.ACCOUNT}",
    }


def use(store: ABSStore, name: str = "a") -> None:
    z = zchunk.open_group(store).create_dataset(name, data=np.arange(12), chunks=5)
    z[3:7] = 1
    assert zchunk.open(store, mode="r")[name][:].tolist() == [0, 1, 2, 1, 1, 1, 1, 7, 8, 9, 10, 11]


def test_parameters_of_zarr_2(container: str, account: dict[str, str]) -> None:
    store = ABSStore(container, "deep/x.zarr", **account, dimension_separator="/")
    use(store)
    assert "a/0" in store
    assert store._dimension_separator == "/"
    assert zchunk.zeros((4, 4), chunks=2, store=store, path="b").metadata.dimension_separator == "/"
    assert sorted(ABSStore(container, **account).list_dir("deep")) == ["x.zarr"]
    assert repr(store).startswith(f"ABSStore('az://{container}/deep/x.zarr of {azure.ACCOUNT} at ")
    assert azure.KEY not in repr(store)
    with pytest.raises(ValueError, match="blob_service_url"):
        ABSStore(container, blob_service_kwargs={"is_emulated": True})
    with pytest.raises(ValueError, match="container"):
        ABSStore()


def test_environment(container: str, account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", account["account_name"])
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", account["account_key"])
    use(ABSStore(container, blob_service_url=account["blob_service_url"]))


def test_urls(container: str, account: dict[str, str]) -> None:
    store = ABSStore.from_url(f"az://{container}/deep/x.zarr", **account, read_only=False)
    assert type(store) is ABSStore
    use(store)
    assert "a/0" in ABSStore(container, "deep/x.zarr", **account)
    with pytest.raises(ValueError, match="Azure"):
        ABSStore.from_url("s3://bucket/x")


def endpoint_of(url: str = "az://c/x", **options: Any) -> Any:
    return ABSStore.from_url(url, anon=True, **options).store.config.get("endpoint")


def test_other_clouds() -> None:
    china = "core.chinacloudapi.cn"
    expected = f"https://acct.blob.{china}"
    text = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=QUJD"
    assert endpoint_of(connection_string=f"{text};EndpointSuffix={china};") == expected
    assert endpoint_of(connection_string=f"{text};EndpointSuffix=core.windows.net") is None
    assert endpoint_of(connection_string=text.replace("https", "http")) == "http://acct.blob.core.windows.net"
    assert endpoint_of(connection_string=f"{text};BlobEndpoint=https://own/;EndpointSuffix=x") == "https://own/"
    for scheme in ("abfs", "abfss"):
        for kind in ("dfs", "blob"):
            store = ABSStore.from_url(f"{scheme}://c@acct.{kind}.{china}/x", anon=True)
            assert store.url == f"az://c/x of acct at {expected}"
            assert endpoint_of(f"{scheme}://c@acct.{kind}.core.windows.net/x") is None
    assert endpoint_of(f"abfs://c@acct.dfs.{china}/x", blob_service_url="https://own") == "https://own"


def test_emulator(container: str, azure_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", azure_server.endpoint)
    store = ABSStore(container, "x", connection_string="UseDevelopmentStorage=true")
    use(store)
    assert store.url.endswith(f" at {azure_server.endpoint}")


def test_clients(container: str, account: dict[str, str]) -> None:
    """With a key, and with a signature in the URL."""
    blob = pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    url = account["blob_service_url"]
    client = blob.ContainerClient(url, container, credential=account["account_key"])
    use(ABSStore(client=client, prefix="x"), "a")
    assert sorted(blob.name for blob in client.list_blobs("x/a/"))[0] == "x/a/.zarray"
    signature = blob.generate_container_sas(
        azure.ACCOUNT,
        container,
        account_key=azure.KEY,
        permission="racwdl",
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    signed = ABSStore(client=blob.ContainerClient.from_container_url(f"{url}/{container}?{signature}"))
    use(signed, "b")
    assert signature.rpartition("sig=")[2] not in repr(signed)


def test_pickles_take_credentials_from_the_environment(
    container: str, account: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pickle

    store = ABSStore(container, "x", **account)
    use(store)
    data = pickle.dumps(store)
    assert azure.KEY.encode() not in data
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure.KEY)
    copy = pickle.loads(data)
    assert type(copy) is ABSStore
    assert copy == store or copy["a/0"] == store["a/0"]
    assert copy["a/0"] == store["a/0"]
