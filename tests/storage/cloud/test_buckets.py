"""Buckets by URL: which there are, what their options mean, and that no key is shown. Needs no service."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("obstore")

from zchunk.storage.cloud import buckets

SECRET = "S3CRETkey"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_PROFILE", "GOOGLE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    ("url", "options", "kind", "path"),
    [
        ("s3://b/a/z", {"anon": True}, "S3Store", "a/z"),
        ("S3://b", {"key": "k", "secret": SECRET}, "S3Store", ""),
        ("s3a://b//a/", {"skip_signature": True}, "S3Store", "a"),
        ("gs://b/a", {"token": "anon"}, "GCSStore", "a"),
        ("gcs://b/a", {"token": "anon"}, "GCSStore", "a"),
        ("az://c/a", {"account_name": "n", "anon": True}, "AzureStore", "a"),
        ("abfs://c@n.dfs.core.windows.net/a", {"anon": True}, "AzureStore", "a"),
    ],
)
def test_urls_name_buckets(url: str, options: dict[str, Any], kind: str, path: str) -> None:
    bucket, found = buckets.open_bucket(url, dict(options))
    assert (type(bucket).__name__, found) == (kind, path)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("ftp://b/a", {}),
        ("s3://", {}),
        ("s3:///a", {}),
        (f"s3://user:{SECRET}@b/a", {}),
        (f"s3://b/a?X-Amz-Signature={SECRET}", {}),
        (f"az://c/a?sv=1&sig={SECRET}", {"account_name": "n"}),
        ("s3://b", {"no_such_option": SECRET}),
        ("s3://b", {"anon": True, "endpoint": "ftp://x"}),
        ("gs://b", {"token": 5}),
        ("az://c", {"connection_string": f"AccountName=n;Key={SECRET}"}),
    ],
)
def test_what_names_no_bucket_is_refused_without_its_keys(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        buckets.open_bucket(url, dict(options))
    assert SECRET not in str(caught.value)


def test_other_libraries_names_of_options() -> None:
    given = {"key": "k", "secret": "s", "endpoint_url": "http://localhost:1", "region_name": "r"}
    bucket, _ = buckets.open_bucket("s3://b", {"client_kwargs": given})
    config = dict(bucket.config)
    assert config["endpoint"] == "http://localhost:1"
    assert config["region"] == "r"
    # A plain HTTP address is spoken to in plain HTTP.
    assert bucket.client_options["allow_http"] in (True, "true")
