"""Buckets of the cloud services: how they are named, configured, and told without what is secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pickle import PicklingError
from typing import Any

from zchunk.runtime.lazy import LazyModule
from zchunk.storage.cloud.profiles import profile_options
from zchunk.storage.secrets import cleaned, cleaned_url

_calls = LazyModule("zchunk.storage.cloud.obstore")

Options = dict[str, Any]

# What is handed to obstore as it is.
_PASSED = ("client_options", "retry_config", "credential_provider")
# What obstore takes as options of a service, too, and then cannot tell again.
_OF_CLIENT = {
    "allow_http", "allow_invalid_certificates", "connect_timeout", "default_content_type", "default_headers",
    "http1_only", "http2_keep_alive_interval", "http2_keep_alive_timeout", "http2_keep_alive_while_idle",
    "http2_only", "pool_idle_timeout", "pool_max_idle_per_host", "proxy_ca_certificate", "proxy_excludes",
    "proxy_url", "randomize_addresses", "read_timeout", "root_certificate", "timeout", "user_agent",
}  # fmt: skip
_PREFIX = re.compile("^(aws|google|azure)_")
_SECRET = ("key", "token", "secret", "credential", "sas", "password", "authorization", "cookie")
# Names of files and of keys that are kept elsewhere, and a switch.
_NO_SECRET = {
    "sse_kms_key_id", "sse_bucket_key_enabled", "aws_sse_kms_key_id", "web_identity_token_file",
    "federated_token_file", "container_authorization_token_file", "application_credentials",
    "container_credentials_relative_uri", "container_credentials_full_uri", "credential_type",
    "fabric_token_service_url",
}  # fmt: skip
# What services call parts of a signature in a URL.
_QUERY_NAME = re.compile(r"[?&;#]([^=&;/]*)=")
_SIGNED = re.compile(r"sig$|signature|x-(amz|goog)-|(aws|google)accessk?id", re.IGNORECASE)
# The option that says where a service is, and the variables, of which the first counts.
_ENDPOINTS = {
    "S3Store": ("endpoint", ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")),
    "GCSStore": ("base_url", ("GOOGLE_BASE_URL",)),
    "AzureStore": ("endpoint", ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")),
}


def open_bucket(url: str, options: Options) -> tuple[Any, str]:
    """Return the bucket that a URL names, as obstore has it, and the path in it.

    Raises
    ------
    ValueError
        The URL names no bucket, or there is an option that obstore does not take.
    """
    shown, (scheme, _, rest) = cleaned_url(url), url.partition("://")
    bucket = re.split(r"[/?#]", rest, maxsplit=1)[0]
    make = SERVICES.get(scheme.lower())
    if make is None or not bucket:
        schemes = ", ".join(f"{scheme}://…" for scheme in SERVICES)
        raise ValueError(f"{shown!r} names no bucket; such URLs are {schemes}")
    if ":" in bucket or ("@" in bucket and make is not _azure):
        # Where a password ends cannot be told.
        raise ValueError(f"'{scheme}://…' has a user or password; keys go into options or the environment")
    query = re.search(r"[?#].*", rest, re.DOTALL)
    if query and any(_secret(name) or _SIGNED.match(name) for name in _QUERY_NAME.findall(query[0])):
        raise ValueError(f"{shown!r} is signed or has a key in it; keys go into options or the environment")
    passed = {name: options.pop(name) for name in _PASSED if name in options}
    options = dict(options)
    _move_client_options(options, passed)
    # There may be a "?" or "#" in it.
    path = rest.partition("/")[2].strip("/")
    try:
        return make(bucket, options, passed), path
    except (_calls.exceptions.BaseError, TypeError) as err:
        text = cleaned(str(err).partition("\n\n")[0])
    except BaseException as err:
        if not _calls.is_panic(err):
            raise
        text = cleaned(str(err))
    raise ValueError(f"cannot open {shown!r} with the options {', '.join(sorted(options))}: {text}")


def _move_client_options(options: Options, passed: Options) -> None:
    """Put options of connections where obstore has them; those of `client_options` count first."""
    names = {name: _PREFIX.sub("", name.lower()) for name in options}
    found = {bare: options.pop(name) for name, bare in names.items() if bare in _OF_CLIENT}
    if found:
        passed["client_options"] = found | (passed.get("client_options") or {})


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
    _settle_endpoint("S3Store", options, passed)
    return _calls.store.S3Store(bucket, **passed, **options)


def _gcs(bucket: str, options: Options, passed: Options) -> Any:
    """With the names of gcsfs, too."""
    token = options.pop("token", None)
    _rename(options, {"google_base_url": "base_url"})
    options.pop("project", None)
    endpoint = options.pop("endpoint_url", None)
    if token == "anon":
        options["skip_signature"] = True
    elif isinstance(token, dict):
        options["service_account_key"] = json.dumps(token)
        # Its own way to say where the service is, which is no secret.
        endpoint = endpoint or token.get("gcs_base_url")
    elif isinstance(token, str | os.PathLike) and os.path.exists(token):
        options["application_credentials"] = os.fspath(token)
    elif token not in (None, "google_default", "cloud", "cache"):
        raise ValueError("the option 'token' is 'anon', a path, a dictionary or 'google_default'")
    if endpoint is not None:
        options["base_url"] = endpoint
        known = any("account" in name or "credential" in name for name in (*options, *passed))
        if token is None and not known:
            # Other services than Google's own know no tokens of it.
            options.setdefault("skip_signature", True)
    _settle_endpoint("GCSStore", options, passed)
    return _calls.store.GCSStore(bucket, **passed, **options)


def _azure(container: str, options: Options, passed: Options) -> Any:
    """With the names of adlfs, too."""
    container, _, host = container.partition("@")
    _rename(options, {
        "sas_token": "sas_key", "anon": "skip_signature", "blob_service_url": "endpoint",
        "azure_storage_endpoint": "endpoint", "azure_endpoint": "endpoint",
        "azure_storage_use_emulator": "use_emulator",
    })  # fmt: skip
    for name, value in _connection(options.pop("connection_string", None) or "").items():
        options.setdefault(name, value)
    if host:
        account, _, domain = host.partition(".")
        options.setdefault("account_name", account)
        domain = re.sub("^dfs[.]", "blob.", domain)
        if domain not in ("", "blob.core.windows.net"):
            options.setdefault("endpoint", f"https://{account}.{domain}")
    if isinstance(options.get("credential"), str):
        options["account_key"] = options.pop("credential")
    _settle_endpoint("AzureStore", options, passed)
    return _calls.store.AzureStore(container, **passed, **options)


def _connection(text: str) -> Options:
    """Return what a connection string of Azure says, as options."""
    parts = [part.partition("=") for part in text.split(";") if part.strip()]
    given = {name.strip().lower(): value.strip() for name, _, value in parts}
    unknown = given.keys() - _MEMBERS
    if unknown:
        # Not by their names, which may be parts of a key.
        raise ValueError(f"{len(unknown)} of the connection string's members are unknown: not in {_KNOWN}")
    if given.get("usedevelopmentstorage", "").lower() == "true":
        return {"use_emulator": True}
    endpoint, account = given.get("blobendpoint"), given.get("accountname")
    protocol = given.get("defaultendpointsprotocol", "https")
    suffix = given.get("endpointsuffix", _SUFFIX)
    if not endpoint and account and (protocol, suffix) != ("https", _SUFFIX):
        endpoint = f"{protocol}://{account}.blob.{suffix}"
    signature = given.get("sharedaccesssignature")
    found = {"account_name": account, "account_key": given.get("accountkey"), "sas_key": signature}
    return {name: value for name, value in (found | {"endpoint": endpoint}).items() if value}


_SUFFIX = "core.windows.net"
_KNOWN = (
    "AccountName, AccountKey, SharedAccessSignature, BlobEndpoint, DefaultEndpointsProtocol, EndpointSuffix, "
    "UseDevelopmentStorage"
)
# Of other services, which are not asked.
_MEMBERS = {"queueendpoint", "tableendpoint", "fileendpoint", *_KNOWN.lower().split(", ")}
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


def _endpoint(kind: str, config: Options) -> str | None:
    """Return where a service is told to be, by options or the environment."""
    if str(config.get("use_emulator")).lower() == "true":
        return os.environ.get("AZURITE_BLOB_STORAGE_URL") or "http://127.0.0.1:10000"
    option, variables = _ENDPOINTS.get(kind, ("", ()))
    return config.get(option) or next((os.environ[name] for name in variables if os.environ.get(name)), None)


def _settle_endpoint(kind: str, options: Options, passed: Options) -> None:
    """Make where a service is an option, for copies in other processes, which may have another environment.

    A service that is told to be at a plain HTTP address is spoken to in plain HTTP.
    """
    endpoint = _endpoint(kind, options)
    if endpoint is None:
        return
    # obstore panics at others.
    if not re.match(r"https?://[^/?#\s]", endpoint):
        raise ValueError("the endpoint of a service is an address that begins with https:// or http://")
    if endpoint.startswith("http://"):
        passed["client_options"] = {"allow_http": True} | (passed.get("client_options") or {})
    if not options.get("use_emulator"):
        options[_ENDPOINTS[kind][0]] = endpoint


# ---- what there is to say of a bucket


def url_of(store: Any, prefix: str) -> str:
    """Return where a bucket is, without credentials, and the path in it."""
    kind, config = type(store).__name__, _config(store)
    inside = "/".join(part for part in (str(getattr(store, "prefix", None) or "").strip("/"), prefix) if part)
    if kind == "S3Store":
        name = f"s3://{config.get('bucket', '')}"
    elif kind == "GCSStore":
        name = f"gs://{config.get('bucket', '')}"
    elif kind == "AzureStore":
        name = f"az://{config.get('container_name', '')}"
    elif kind == "HTTPStore":
        name = cleaned_url(store.url).rstrip("/")
    elif kind == "MemoryStore":
        name = f"memory {id(store):#x}"
    else:
        name = f"{kind}:"
    endpoint, account = _endpoint(kind, config), config.get("account_name")
    if kind == "AzureStore":
        account = account or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    at = f" at {cleaned_url(endpoint).rstrip('/')}" if endpoint else ""
    if _UNTOLD in config:
        # It may be anywhere.
        at = f" ({id(store):#x})"
    return f"{name}/{inside}{f' of {account}' if account else ''}{at}"


# Stands in a configuration that obstore cannot tell.
_UNTOLD = "?"


def _config(store: Any) -> Options:
    """Return the configuration of a store; what its text says, if obstore panics when it is asked.

    It does so of stores that were made with an option of connections among those of the service.
    """
    try:
        return dict(getattr(store, "config", {}))
    except BaseException as err:
        if not _calls.is_panic(err):
            raise
    return {_UNTOLD: "", **dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', repr(store)))}


def _secret(name: str) -> bool:
    name = name.lower()
    return name not in _NO_SECRET and any(word in name for word in _SECRET)


def _public(value: Any) -> Any:
    return re.sub("[?#]…$", "", cleaned_url(value)) if isinstance(value, str) else value


def without_secrets(store: Any, keep: bool) -> tuple[Any, ...]:
    """Return what `rebuilt` makes the store of again: without keys and tokens unless `keep` says so."""
    kind = type(store)
    if kind.__name__ not in (*_ENDPOINTS, "HTTPStore"):
        return (None, store)
    at_url = kind.__name__ == "HTTPStore"
    config = {"url": store.url} if at_url else _config(store)
    if _UNTOLD in config:
        raise PicklingError(
            f"{store!r} cannot be pickled: obstore does not tell its configuration; give it options of "
            'connections as client_options={"allow_http": True}, not by themselves'
        )
    client = dict(store.client_options or {})
    provider = None if at_url else store.credential_provider
    whole = (config, dict(client), provider)
    if not keep:
        provider = None
        config = {name: _public(value) for name, value in config.items() if not _secret(name)}
        headers = client.get("default_headers")
        if isinstance(headers, dict):
            client["default_headers"] = {k: v for k, v in headers.items() if not _secret(str(k))}
        if "@" in str(client.get("proxy_url", "")):
            del client["proxy_url"]
    lost = whole != (config, client, provider)
    return kind, None if at_url else store.prefix, config, client, store.retry_config, provider, lost


def rebuilt(state: tuple[Any, ...]) -> tuple[Any, bool]:
    """Return a store as that which `without_secrets` was given, and whether keys of that were left out."""
    if state[0] is None:
        return state[1], False
    kind, prefix, config, client, retry, provider, lost = state
    options = {"client_options": client or None, "retry_config": retry}
    if kind.__name__ == "HTTPStore":
        return kind(config["url"], **options), lost
    return kind(prefix=prefix, config=config, credential_provider=provider, **options), lost
