"""Text that says where something is, without what is secret in URLs."""

from __future__ import annotations

import re
from hashlib import sha256

# Where the next URL of a chain of fsspec begins.
_LINKS = re.compile(r"::(?=[A-Za-z][\w+.-]*://)")
_FOREIGN = re.compile(r"[A-Za-z][\w+.-]*://\S*")
_OPTIONS = re.compile(r"[?#]")
_PORT = re.compile(r"\d*[\W_]*")
# The container that such a URL of Azure begins with is not a user name.
_CONTAINER = re.compile(r"(abfss?)://([^:@/?#]*)@", re.IGNORECASE)


def cleaned_url(url: str) -> str:
    """Return a URL, or a chain of them, without user names, passwords, queries and fragments.

    What is no URL is returned as it is.
    """
    return "::".join(_without(link) for link in _LINKS.split(url))


def cleaned(text: str) -> str:
    """Return text of others with its URLs cleaned. A URL ends where there is space."""
    return _FOREIGN.sub(lambda found: cleaned_url(found[0]), text)


def identity_of(url: str) -> str:
    """Return text without secrets that is the same for the same URL, and another for others."""
    shown = cleaned_url(url)
    return url if shown == url else f"{sha256(url.encode(errors='replace')).hexdigest()[:16]}:{shown}"


def _without(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    container = _CONTAINER.match(url)
    if container:
        scheme, mark, rest = container[1], f"://{container[2]}@", url[container.end() :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port = authority.partition(":")[2]
    if "@" in authority:
        end = _OPTIONS.search(rest)
        rest = rest[rest.rfind("@", 0, end.start() if end else len(rest)) + 1 :]
    elif not authority.startswith("[") and not _PORT.fullmatch(port):
        # A password with "/", "?" or "#" in it: the host is behind it.
        rest = rest.rpartition("@")[2]
    found = _OPTIONS.search(rest)
    return scheme + mark + (rest if found is None else f"{rest[: found.start()]}{found[0]}…")
