"""Buckets of the cloud services: how they are named, configured, and told without what is secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from zchunk.later import Later
from zchunk.storage._profiles import profile_options
from zchunk.storage._secrets import cleaned

_calls = Later("zchunk.storage._obstore")

Options = dict[str, Any]

# What is handed to obstore as it is.
_PASSED = ("client_options", "retry_config", "credential_provider")
_SECRET = ("key", "token", "secret", "credential", "sas", "password", "authorization", "cookie")
# Names of files and of keys that are kept elsewhere, and a switch.
_NO_SECRET = {
    "sse_kms_key_id", "sse_bucket_key_enabled", "aws_sse_kms_key_id", "web_identity_token_file",
    "federated_token_file", "container_authorization_token_file", "application_credentials",
    "container_credentials_relative_uri", "container_credentials_full_uri", "credential_type",
    "fabric_token_service_url",
}  # fmt: skip


def open_bucket(url: str, options: Options) -> tuple[Any, str]:
    """Return the bucket that a URL names, as obstore has it, and the path in it.

    Raises
    ------
    ValueError
        The URL names no bucket, or there is an option that obstore does not take.
    """
    parts, shown = urlsplit(url), cleaned(url)
    make = SERVICES.get(parts.scheme)
    if make is None or not parts.netloc:
        schemes = ", ".join(f"{scheme}://…" for scheme in SERVICES)
        raise ValueError(f"{shown!r} names no bucket; such URLs are {schemes}")
    if "@" in parts.netloc and not (make is _azure and ":" not in parts.netloc):
        raise ValueError(f"{shown!r} has a user name or password; keys go into options or the environment")
    passed = {name: options.pop(name) for name in _PASSED if name in options}
    # Not the path that urlsplit gives: there may be a "?" or "#" in it.
    path = url.partition("://")[2].partition("/")[2].strip("/")
    try:
        return make(parts.netloc, dict(options), passed), path
    except (_calls.exceptions.BaseError, TypeError) as err:
        text = cleaned(str(err).partition("\n\n")[0])
    raise ValueError(f"cannot open {shown!r} with the options {', '.join(sorted(options))}: {text}")


def _s3(bucket: str, options: Options, passed: Options) -> Any:
    """With the names of s3fs, too."""
    options |= options.pop("client_kwargs", None) or {}
    profile = options.pop("profile", None)
    _rename(options, {
        "key": "access_key_id", "secret": "secret_access_key", "token": "session_token",
        "aws_session_token": "session_token", "anon": "skip_signature", "endpoint_url": "endpoint",
        "region_name": "region", "requester_pays": "request_payer", "aws_access_key_id": "access_key_id",
        "aws_secret_access_key": "secret_access_key", "aws_skip_signature": "skip_signature",
        "aws_region": "region", "aws_endpoint": "endpoint", "aws_endpoint_url": "endpoint",
    })  # fmt: skip
    if options.pop("verify", True) is False:
        passed["client_options"] = {"allow_invalid_certificates": True} | passed.get("client_options", {})
    if not options.get("skip_signature") and "credential_provider" not in passed:
        # Options come first, then the environment, of which obstore knows.
        options = profile_options(profile, options) | options
    _allow_http(options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL"), passed)
    return _calls.store.S3Store(bucket, **passed, **options)


def _gcs(bucket: str, options: Options, passed: Options) -> Any:
    """With the names of gcsfs, too."""
    token = options.pop("token", None)
    options.pop("project", None)
    endpoint = options.pop("endpoint_url", None)
    if token == "anon":
        options["skip_signature"] = True
    elif isinstance(token, dict):
        options["service_account_key"] = json.dumps(token)
    elif isinstance(token, str | os.PathLike) and os.path.exists(token):
        options["application_credentials"] = os.fspath(token)
    elif token not in (None, "google_default", "cloud", "cache"):
        raise ValueError("the option 'token' is 'anon', a path, a dictionary or 'google_default'")
    if endpoint is not None and token not in (None, "anon"):
        options["base_url"] = endpoint
    elif endpoint is not None:
        # The way of the library below to say where the service is, and that it asks for no token.
        account = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": "", "private_key": "",
                   "private_key_id": ""}  # fmt: skip
        options["service_account_key"] = json.dumps(account)
    _allow_http(endpoint or options.get("base_url"), passed)
    return _calls.store.GCSStore(bucket, **passed, **options)


def _azure(container: str, options: Options, passed: Options) -> Any:
    """With the names of adlfs, too."""
    container, _, host = container.partition("@")
    if host:
        options.setdefault("account_name", host.partition(".")[0])
    for part in (options.pop("connection_string", None) or "").split(";"):
        name, _, value = part.partition("=")
        if name in _CONNECTION:
            options.setdefault(_CONNECTION[name], value)
    _rename(options, {"sas_token": "sas_key", "anon": "skip_signature", "blob_service_url": "endpoint"})
    if isinstance(options.get("credential"), str):
        options["account_key"] = options.pop("credential")
    _allow_http(options.get("endpoint"), passed)
    return _calls.store.AzureStore(container, **passed, **options)


_CONNECTION = {
    "AccountName": "account_name", "AccountKey": "account_key", "BlobEndpoint": "endpoint",
    "SharedAccessSignature": "sas_key",
}  # fmt: skip
SERVICES: dict[str, Callable[[str, Options, Options], Any]] = {
    "s3": _s3, "s3a": _s3, "gs": _gcs, "gcs": _gcs,
    "az": _azure, "azure": _azure, "abfs": _azure, "abfss": _azure, "adl": _azure,
}  # fmt: skip


def _rename(options: Options, names: dict[str, str]) -> None:
    """Give options obstore's names."""
    for other, name in names.items():
        if other in options:
            value = options.pop(other)
            if value is not None:
                options.setdefault(name, value)


def _allow_http(endpoint: str | None, passed: Options) -> None:
    """A service that is told to be at a plain HTTP address is spoken to in plain HTTP."""
    if endpoint is None:
        return
    # obstore panics at others.
    if not re.match(r"https?://[^/?#\s]", endpoint):
        raise ValueError("the endpoint of a service is an address that begins with https:// or http://")
    if endpoint.startswith("http://"):
        passed["client_options"] = {"allow_http": True} | (passed.get("client_options") or {})


# ---- what there is to say of a bucket


def url_of(store: Any, prefix: str) -> str:
    """Return where a bucket is, without credentials, and the path in it."""
    kind, config = type(store).__name__, getattr(store, "config", {})
    inside = "/".join(part for part in (str(getattr(store, "prefix", None) or "").strip("/"), prefix) if part)
    if kind == "S3Store":
        name = f"s3://{config.get('bucket', '')}"
    elif kind == "GCSStore":
        name = f"gs://{config.get('bucket', '')}"
    elif kind == "AzureStore":
        name = f"az://{config.get('container_name', '')}"
    elif kind == "HTTPStore":
        parts = urlsplit(store.url)
        name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    elif kind == "MemoryStore":
        name = f"memory {id(store):#x}"
    else:
        name = f"{kind}:"
    endpoint, account = urlsplit(config.get("endpoint") or ""), config.get("account_name")
    at = f" at {endpoint.scheme}://{endpoint.netloc.rpartition('@')[2]}" if endpoint.netloc else ""
    return f"{name}/{inside}{f' of {account}' if account else ''}{at}"


def _secret(name: str) -> bool:
    name = name.lower()
    return name not in _NO_SECRET and any(word in name for word in _SECRET)


def _public(value: Any) -> Any:
    return cleaned(value) if isinstance(value, str) else value


def without_secrets(store: Any, keep: bool) -> tuple[Any, ...]:
    """Return what `rebuilt` makes the store of again: without keys and tokens unless `keep` says so."""
    kind = type(store)
    if kind.__name__ not in ("S3Store", "GCSStore", "AzureStore"):
        return (None, store)
    config, client = dict(store.config), dict(store.client_options or {})
    if not keep:
        config = {name: _public(value) for name, value in config.items() if not _secret(name)}
        headers = client.get("default_headers")
        if isinstance(headers, dict):
            client["default_headers"] = {k: v for k, v in headers.items() if not _secret(str(k))}
        if "@" in str(client.get("proxy_url", "")):
            del client["proxy_url"]
    provider = store.credential_provider if keep else None
    lost = len(config) < len(store.config) or provider is not store.credential_provider
    return kind, store.prefix, config, client, store.retry_config, provider, lost


def rebuilt(state: tuple[Any, ...]) -> tuple[Any, bool]:
    """Return a store as that which `without_secrets` was given, and whether keys of that were left out."""
    if state[0] is None:
        return state[1], False
    kind, prefix, config, client, retry, provider, lost = state
    options = {"client_options": client or None, "retry_config": retry, "credential_provider": provider}
    return kind(prefix=prefix, config=config, **options), lost
