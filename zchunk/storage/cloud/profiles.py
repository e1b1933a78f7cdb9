"""Profiles of AWS: credentials in the files that its tools write."""

from __future__ import annotations

import configparser
import os
from typing import Any

_NAMES = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
# What the library of AWS itself has to do.
_ELSEWHERE = ("role_arn", "sso_session", "sso_start_url", "credential_process", "credential_source")


def profile_options(profile: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a profile sets.

    That is `profile`, else ``AWS_PROFILE``, else ``default``, unless `options` or the environment have keys.
    The files are ``~/.aws/credentials`` and ``~/.aws/config``, or where the environment says.

    Raises
    ------
    ValueError
        There is no such profile, or it has no keys but a way of getting some.
    """
    environment = os.environ
    given = profile or environment.get("AWS_PROFILE")
    if profile is None and ("access_key_id" in options or "AWS_ACCESS_KEY_ID" in environment):
        return {}
    name = given or "default"
    found: dict[str, str] = {}
    for variable, default, prefix in (
        ("AWS_CONFIG_FILE", "~/.aws/config", "" if name == "default" else "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", ""),
    ):
        parser = configparser.RawConfigParser()
        path = os.path.expanduser(environment.get(variable, default))
        if not _reads(parser, path):
            # Not from the parser's error, which shows lines.
            raise ValueError(f"{path} cannot be read")
        if parser.has_section(prefix + name):
            found |= dict(parser.items(prefix + name))
    if given is not None and not found:
        raise ValueError(f"there is no profile {given!r} in ~/.aws/config and ~/.aws/credentials")
    if given is not None and "aws_access_key_id" not in found and any(key in found for key in _ELSEWHERE):
        raise ValueError(
            f"profile {given!r} has no keys but {', '.join(key for key in _ELSEWHERE if key in found)}; give "
            "credential_provider=obstore.auth.boto3.Boto3CredentialProvider(boto3.Session(profile_name=…))"
        )
    result = {_NAMES[key]: value for key, value in found.items() if key in _NAMES}
    # The environment comes before what is in files.
    if "AWS_REGION" in environment or "AWS_DEFAULT_REGION" in environment:
        result.pop("region", None)
    if "AWS_ENDPOINT_URL" in environment:
        result.pop("endpoint", None)
    return result


def _reads(parser: configparser.RawConfigParser, path: str) -> bool:
    """Read a file, if there is one; whether there is nothing wrong with it."""
    try:
        parser.read(path)
    except (configparser.Error, ValueError):
        return False
    return True
