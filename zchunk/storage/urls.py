"""URLs as stores."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def path_of_url(url: str) -> str:
    """Return the path that a ``file://`` URL names; `ValueError` if it is another one."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        scheme = url.partition("://")[0]
        raise ValueError(f"cannot open {url!r}: {scheme!r} URLs are not supported; pass a path or a mapping")
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise ValueError(f"cannot open {url!r}: a file URL is file:/// and an absolute path, %-encoded")
    return unquote(parts.path)
