"""Where keys of object stores come from: parameters, environment, profiles."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers import azure
from zchunk.errors import StoreError
from zchunk.storage import (
    open_store,
)

obstore = pytest.importorskip("obstore", reason="obstore is not installed")
from tests.storage.test_secrets import AWS, KEY, ONCE, SECRET, says_nothing  # noqa: E402


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys but those of the test."""
    for name in AWS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))


def profiles(folder: Path) -> None:
    lines = []
    for name in ("default", "mine", "other"):
        lines += [f"[{name}]", f"aws_access_key_id = of-{name}", f"aws_secret_access_key = {SECRET}"]
    lines += ["[odd]", "credential_process = /bin/false"]
    (folder / "aws-credentials").write_text("\n".join(lines))
    (folder / "aws-config").write_text("[default]\nregion = of-config\n[profile mine]\nregion = of-mine\n")


S3_SOURCES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    # The environment, options, and the key and region that must arrive.
    "options": ({}, {"access_key_id": "k", "secret_access_key": SECRET, "region": "r"}, "k/r"),
    "s3fs": ({}, {"key": "k", "secret": SECRET, "client_kwargs": {"region_name": "r"}}, "k/r"),
    "prefixed": ({}, {"aws_access_key_id": "k", "aws_secret_access_key": SECRET, "aws_region": "r"}, "k/r"),
    "environment": (
        {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "r"},
        {},
        "k/r",
    ),
    "default profile": ({}, {}, "of-default/of-config"),
    "AWS_PROFILE": ({"AWS_PROFILE": "mine"}, {}, "of-mine/of-mine"),
    "profile": ({"AWS_PROFILE": "other"}, {"profile": "mine"}, "of-mine/of-mine"),
    "profile before environment": (
        {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": SECRET},
        {"profile": "mine"},
        "of-mine/of-mine",
    ),
    "options before environment": (
        {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "e"},
        {"key": "k", "secret": SECRET, "region": "r"},
        "k/r",
    ),
    "environment before default profile": (
        {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "r"},
        {},
        "e/r",
    ),
}


@pytest.mark.parametrize("source", S3_SOURCES)
def test_s3(source: str, echo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles(tmp_path)
    endpoint, seen = echo
    variables, options, expected = S3_SOURCES[source]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://bucket/x", storage_options={**options, "endpoint_url": endpoint})
    assert store["k"] == b"v"
    (said,) = seen
    key, region = expected.split("/")
    assert f"Credential={key}/" in said
    assert f"/{region}/s3/" in said
    assert SECRET not in said


def test_s3_tokens_and_nobody(echo: Any, tmp_path: Path) -> None:
    profiles(tmp_path)
    endpoint, seen = echo
    options = {"key": "k", "secret": SECRET, "token": "of-session", "endpoint_url": endpoint}
    assert open_store("s3://bucket/x", storage_options=options)["k"] == b"v"
    assert open_store("s3://bucket/x", storage_options={"anon": True, "endpoint_url": endpoint})["k"] == b"v"
    assert seen[0].endswith(" of-session")
    assert seen[1] == "None None"


def test_profiles_that_do_not_help(tmp_path: Path) -> None:
    profiles(tmp_path)
    with pytest.raises(ValueError, match="no profile 'none'"):
        open_store("s3://bucket/x", storage_options={"profile": "none"})
    with pytest.raises(ValueError, match="credential_process"):
        open_store("s3://bucket/x", storage_options={"profile": "odd"})
    (tmp_path / "aws-credentials").write_text(f"[mine]\nno line {SECRET}")
    with pytest.raises(ValueError, match="cannot be read") as caught:
        open_store("s3://bucket/x", storage_options={"profile": "mine"})
    says_nothing(caught.value)


def test_google(echo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """obstore signs a token with the key of an account, whose name is in its head."""
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="needs a key")
    from cryptography.hazmat.primitives import serialization as form

    endpoint, seen = echo
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "me", "private_key": pem, "private_key_id": "mine"}
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    at = {"base_url": endpoint}
    for options in (
        {"token": account, "endpoint_url": endpoint},
        {"token": str(path), "endpoint_url": endpoint},
        {"service_account_key": json.dumps(account), **at},
        {"application_credentials": str(path), **at},
        None,
    ):
        if options is None:
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        assert open_store("gs://bucket/x", storage_options=options or at)["k"] == b"v"
        scheme, token, _ = seen.pop().split(" ")
        assert scheme == "Bearer"
        assert json.loads(base64.b64decode(token.partition(".")[0] + "=="))["kid"] == "mine"
    assert open_store("gs://bucket/x", storage_options={"token": "anon", **at})["k"] == b"v"
    assert open_store("gs://bucket/x", storage_options={"endpoint_url": endpoint})["k"] == b"v"
    assert [said.partition(" ")[0] for said in seen] == ["None", "None"]


def test_azure(azure_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azurite checks signatures."""
    place = azure_server.new("x")
    endpoint = {"endpoint": place.options["endpoint"], "retry_config": ONCE}
    wrong = {"account_name": azure.ACCOUNT, "account_key": KEY}
    with pytest.raises(StoreError):
        open_store(place.url, storage_options={**endpoint, **wrong})["k"]
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure.KEY)
    store = open_store(place.url, storage_options=endpoint)
    store["k"] = b"v"
    assert store["k"] == b"v"
