"""`ABSStore`: zarr 2's name and parameters of a store in Azure's blobs."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlsplit

from zchunk.storage.checks import DimensionSeparator
from zchunk.storage.cloud.buckets import open_bucket
from zchunk.storage.cloud.objects import ObjectStore
from zchunk.storage.secrets import cleaned_url

_SCHEMES = ("az://", "azure://", "abfs://", "abfss://", "adl://")


class ABSStore(ObjectStore):
    """A store in a container of Azure Blob Storage. Needs the package ``obstore`` (``zchunk[cloud]``).

    Parameters
    ----------
    container : str, optional
        Name of the container, which must exist.
    prefix : str, optional
        Path in it that keys begin below.
    account_name, account_key : str, optional
        The account, and its key. What is not given comes from the environment:
        ``AZURE_STORAGE_ACCOUNT_NAME``, ``AZURE_STORAGE_ACCOUNT_KEY``, ``AZURE_STORAGE_SAS_KEY``, …
    blob_service_kwargs : None
        For zarr 2's signature only: they are options of a library that is not used.
    dimension_separator : {".", "/"}, optional
        What arrays made in this store put between chunk coordinates, unless told.
    client : azure.storage.blob.ContainerClient, optional
        Says all of the above but `prefix`: its address and its key or signature are used, not itself.
    blob_service_url : str, optional
        Address of the service, if it is not ``https://<account_name>.blob.core.windows.net``; of an emulator
        with the account, ``http://127.0.0.1:10000/devstoreaccount1``.
    **options
        As for `ObjectStore.from_url`.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.ABSStore("container", "run.zarr", account_name="mine")  # doctest: +SKIP
    >>> z = zchunk.open_array(store, mode="r")  # doctest: +SKIP
    """

    # Its name in `info` and in pickles, since before the module moved.
    __module__ = "zchunk.storage.azure"

    verbatim = True

    def __init__(
        self,
        container: str | None = None,
        prefix: str = "",
        account_name: str | None = None,
        account_key: str | None = None,
        blob_service_kwargs: dict[str, Any] | None = None,
        dimension_separator: DimensionSeparator | None = None,
        client: Any = None,
        blob_service_url: str | None = None,
        **options: Any,
    ) -> None:
        if blob_service_kwargs:
            raise ValueError("blob_service_kwargs are not used; give blob_service_url, or options of obstore")
        named = {"account_name": account_name, "account_key": account_key, "endpoint": blob_service_url}
        if client is not None:
            container, named = client.container_name, _options_of(client)
        if not container:
            raise ValueError("name the container")
        own = {name: options.pop(name) for name in self._own_options & options.keys()}
        options |= {name: value for name, value in named.items() if value is not None}
        store, _ = open_bucket(f"az://{container}", options)
        self._handed = False
        super().__init__(store, prefix, dimension_separator=dimension_separator, **own)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Open the container that a URL of Azure names, as `ObjectStore.from_url` does.

        Examples
        --------
        >>> import zchunk
        >>> store = zchunk.ABSStore.from_url("az://container/run.zarr")  # doctest: +SKIP
        """
        if not url.lower().startswith(_SCHEMES):
            raise ValueError(f"{cleaned_url(url)!r} is no URL of Azure: such are az://… and abfs://…")
        return super().from_url(url, **options)


def _options_of(client: Any) -> dict[str, str | None]:
    """Return what a client of Azure's own library says of its account."""
    parts = urlsplit(client.url)
    path = parts.path.rstrip("/").removesuffix(client.container_name).rstrip("/")
    key = getattr(client.credential, "account_key", None)
    if key is None and client.credential is not None:
        raise ValueError(
            "of a client the account's key or a signature in its URL can be used; for other credentials give "
            "credential_provider=obstore.auth.azure.AzureCredentialProvider(credential) instead of a client"
        )
    return {
        "account_name": client.account_name,
        "account_key": key,
        "sas_key": parts.query or None,
        "endpoint": f"{parts.scheme}://{parts.netloc}{path}",
    }
