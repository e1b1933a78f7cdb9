"""A fast server of objects in memory that also simulates its network.

It implements what S3 and Google's XML API have in common (buckets in the path, ranges, lists of version 2,
conditional writes, uploads in parts), with the headers of either, and accepts every signature. Run as
``python -m tests.servers.objects`` (see `control`).
"""

from __future__ import annotations

import email.utils
import itertools
import re
import time
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.servers.control import serve
from tests.servers.http11 import Answer, Connections, Request
from tests.servers.network import Network

Query = dict[str, str]


class Stored(NamedTuple):
    """An object."""

    data: bytes
    generation: int
    time: float

    @property
    def etag(self) -> str:
        return f'"{self.generation:032x}"'

    @property
    def headers(self) -> dict[str, str]:
        return {
            "ETag": self.etag,
            "Last-Modified": email.utils.formatdate(self.time, usegmt=True),
            "x-goog-generation": str(self.generation),
            "Accept-Ranges": "bytes",
        }


class Refused(Exception):
    """A request that gets an error: the status and its name."""


def xml(name: str, content: str) -> Answer:
    """An answer of XML."""
    return Answer(200, f'<?xml version="1.0"?><{name}>{content}</{name}>'.encode())


class Buckets:
    """All buckets, and the answers to requests about them."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.numbers = itertools.count(1)

    async def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        path, _, text = request.target.partition("?")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        try:
            if not key:
                return self._bucket(request, bucket, query)
            objects = self._objects(bucket)
            if "uploads" in query or "uploadId" in query:
                return self._upload(request, objects, key, query)
            return self._object(request, objects, key)
        except Refused as error:
            status, name = error.args
            return Answer(status, f"<Error><Code>{name}</Code></Error>".encode())

    def _objects(self, bucket: str) -> dict[str, Stored]:
        try:
            return self.buckets[bucket]
        except KeyError:
            raise Refused(404, "NoSuchBucket") from None

    def _bucket(self, request: Request, bucket: str, query: Query) -> Answer:
        if request.method == "PUT":
            self.buckets[bucket] = {}
            return Answer(200)
        objects = self._objects(bucket)
        if request.method == "POST" and "delete" in query:
            keys = [found.text or "" for found in ElementTree.fromstring(request.body).iterfind(".//{*}Key")]
            for key in keys:
                objects.pop(key, None)
            return xml(
                "DeleteResult", "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            )
        if request.method == "GET":
            return self._list(objects, query)
        raise Refused(405, "MethodNotAllowed")

    def _list(self, objects: dict[str, Stored], query: Query) -> Answer:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token") or query.get("start-after", "")
        limit = int(query.get("max-keys", 1000))
        names: list[str] = []
        more = False
        for key in sorted(key for key in objects if key.startswith(prefix) and key > after):
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if end < 0 else key[: end + 1]
            if name != (names[-1] if names else None):
                more = len(names) == limit
                if more:
                    break
                names.append(name)
            last = key
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        entries = [
            f"<Contents><Key>{escape(name)}</Key><Size>{len(objects[name].data)}</Size>"
            f"<ETag>{escape(objects[name].etag)}</ETag>"
            f"<LastModified>{datetime.fromtimestamp(objects[name].time, UTC).isoformat()}</LastModified>"
            "</Contents>"
            if name in objects and not (delimiter and name.endswith(delimiter))
            else f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            for name in names
        ]
        truncated = str(more).lower()
        return xml("ListBucketResult", f"<IsTruncated>{truncated}</IsTruncated>{token}{''.join(entries)}")

    def _object(self, request: Request, objects: dict[str, Stored], key: str) -> Answer:
        old, headers = objects.get(key), request.headers
        if request.method == "PUT":
            source = headers.get("x-amz-copy-source") or headers.get("x-goog-copy-source")
            if source is None:
                return Answer(200, b"", self._put(request, objects, key, request.body).headers)
            bucket, _, name = unquote(source).lstrip("/").partition("/")
            copied = self._objects(bucket).get(name)
            if copied is None:
                raise Refused(404, "NoSuchKey")
            new = self._put(request, objects, key, copied.data)
            return xml("CopyObjectResult", f"<ETag>{escape(new.etag)}</ETag>")._replace(headers=new.headers)
        if request.method == "DELETE":
            # S3 does not report that there was no such object.
            objects.pop(key, None)
            return Answer(204)
        if old is None:
            raise Refused(404, "NoSuchKey")
        if headers.get("if-match", old.etag) not in ("*", old.etag):
            raise Refused(412, "PreconditionFailed")
        if headers.get("if-none-match") in ("*", old.etag):
            return Answer(304, b"", old.headers)
        return _part(old, headers.get("range"))

    def _put(self, request: Request, objects: dict[str, Stored], key: str, data: bytes) -> Stored:
        old, headers = objects.get(key), request.headers
        match = headers.get("if-match")
        if match is not None and old is None:
            raise Refused(404, "NoSuchKey")
        generation = str(old.generation if old else 0)
        if (
            (match is not None and old is not None and match != old.etag)
            or (headers.get("if-none-match") == "*" and old is not None)
            or headers.get("x-goog-if-generation-match", generation) != generation
        ):
            raise Refused(412, "PreconditionFailed")
        objects[key] = new = Stored(data, next(self.numbers), time.time())
        return new

    def _upload(self, request: Request, objects: dict[str, Stored], key: str, query: Query) -> Answer:
        if "uploads" in query:
            name = f"upload-{next(self.numbers)}"
            self.uploads[name] = {}
            return xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")
        parts = self.uploads.get(query["uploadId"])
        if parts is None:
            raise Refused(404, "NoSuchUpload")
        if request.method == "PUT":
            number = int(query["partNumber"])
            parts[number] = request.body
            return Answer(200, b"", {"ETag": f'"part-{number}"'})
        if request.method == "POST":
            numbers = ElementTree.fromstring(request.body).iterfind(".//{*}PartNumber")
            new = self._put(request, objects, key, b"".join(parts[int(n.text or 0)] for n in numbers))
            answer = xml("CompleteMultipartUploadResult", f"<ETag>{escape(new.etag)}</ETag>")
            answer = answer._replace(headers=new.headers)
        else:
            answer = Answer(204)
        del self.uploads[query["uploadId"]]
        return answer


def _part(stored: Stored, span: str | None) -> Answer:
    """What a ``Range`` asks for."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", span or "")
    if found is None:
        return Answer(200, stored.data, stored.headers)
    first, last = found.groups()
    size = len(stored.data)
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        raise Refused(416, "InvalidRange")
    headers = {**stored.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Answer(206, stored.data[start:stop], headers)


if __name__ == "__main__":
    network = Network()
    serve(network, Connections(network, Buckets().answer))
