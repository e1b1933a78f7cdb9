"""Text that says where something is, without what is secret in URLs."""

from __future__ import annotations

import re

# User name and password, but not the container that such a URL of Azure begins with.
_USER = re.compile(r"(?<!abfs)(?<!abfss)://[^/?#\s'\"]*@")
_QUERY = re.compile(r"(://[^?\s'\")]*)\?[^\s'\")]*")


def cleaned(text: str) -> str:
    """Return text without the user names, the passwords and the queries of URLs in it."""
    return _QUERY.sub(r"\1?…", _USER.sub("://", text))
