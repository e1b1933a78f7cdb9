"""A server of objects, and a place in it that no other test uses."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

_numbers = itertools.count(1)


class Place(NamedTuple):
    """Where a test may put objects: ``obstore.store.from_url(place.url, **place.options)``."""

    url: str
    options: dict[str, Any]


class ObjectServer:
    """A server of objects in buckets.

    Parameters
    ----------
    endpoint : str
        Its address, such as ``"http://127.0.0.1:4001"``.
    """

    scheme: str

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def options(self, endpoint: str) -> dict[str, Any]:
        """Return the options with which obstore talks to the server at this address."""
        raise NotImplementedError

    def make_bucket(self, name: str) -> None:
        """Make a bucket, which must not exist."""
        raise NotImplementedError

    def new(self, prefix: str = "", *, through: str | None = None, **client: Any) -> Place:
        """A new bucket.

        Parameters
        ----------
        prefix : str
            A path in it, for the URL to end with.
        through : str, optional
            The address of a proxy to reach the server through.
        **client
            More of obstore's client options, such as ``timeout="2s"``.
        """
        bucket = f"bucket-{next(_numbers)}"
        self.make_bucket(bucket)
        options = self.options(through or self.endpoint)
        options["client_options"] = {"allow_http": True, **client}
        return Place(f"{self.scheme}://{bucket}/{prefix}".rstrip("/"), options)
