"""S3 in memory, as strict as S3 about what the archive relies on: conditional writes, checksums, signatures, versions.

Sources: Amazon S3 API Reference, "PutObject", "GetObject", "ListObjectsV2", "ListObjectVersions", "Error responses";
Amazon S3 User Guide, "How to prevent object overwrites with conditional writes" (a delete marker is no object),
"Working with delete markers", "Using S3 Object Lock" (a checksum is required).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from keywright import clock
from keywright.store import archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_OF_S3 = re.compile(r"\bCredential=[^, ]+/s3/aws4_request\b")
_SIGNED = re.compile(r"SignedHeaders=([^, ]+)")
_MUST_BE_SIGNED = {"host", "x-amz-content-sha256", "x-amz-date"}
LARGEST_PAGE = 1000


class NoAnswerError(Exception):
    """A proxy answers instead of S3."""


@dataclass(slots=True)
class Version:
    """A version of an object; a delete marker without a body."""

    body: bytes | None
    written_at: datetime
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """A request for one object."""

    method: str
    key: str


def _none(_: ObjectRequest) -> None:
    """Answer every request."""


@dataclass(slots=True)
class ObjectStore:
    """The bucket of the template.

    Attributes:
        versions: of each key, the oldest first.
        before: called before a request takes effect; returns an error to answer instead, or raises.
        after: the same, afterwards.
        requests: all requests, in order.
    """

    bucket: str = ""
    versions: dict[str, list[Version]] = field(default_factory=dict)
    before: Callable[[ObjectRequest], tuple[int, str] | None] = _none
    after: Callable[[ObjectRequest], tuple[int, str] | None] = _none
    requests: list[ObjectRequest] = field(default_factory=list)
    page: int = LARGEST_PAGE

    def reset(self) -> None:
        """Forget everything, and refuse nothing."""
        self.versions.clear()
        self.requests.clear()
        self.before = self.after = _none
        self.page = LARGEST_PAGE

    @property
    def bodies(self) -> dict[str, bytes]:
        """Return the current objects by key."""
        current = {key: versions[-1].body for key, versions in sorted(self.versions.items()) if versions}
        return {key: body for key, body in current.items() if body is not None}

    @property
    def lines(self) -> list[list[Any]]:
        """Return the lines of each object, as the cases of events/ write them."""
        return [[json.loads(line) for line in body.splitlines()] for body in self.bodies.values()]

    def seed(self, objects: list[list[Any]]) -> None:
        """Write the objects of a case's seed, from the first number on."""
        for number, lines in enumerate(objects, 1):
            self.put(archive.object_key(number), "".join(f"{json.dumps(line)}\n" for line in lines).encode())

    def put(self, key: str, body: bytes | None) -> None:
        """Write an object, or a delete marker, as an administrator of the bucket."""
        self.versions.setdefault(key, []).append(Version(body, clock.now()))

    def replace(self, key: str, body: bytes | None) -> None:
        """Replace an object, or remove it, without a trace in its versions and times."""
        if body is None:
            del self.versions[key]
        else:
            versions = self.versions.get(key)
            self.versions[key] = [Version(body, versions[-1].written_at if versions else clock.now())]

    def in_front_of(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that answers requests to S3, and passes on everything else."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            authorization = environ.get("HTTP_AUTHORIZATION", "")
            if not _OF_S3.search(authorization):
                return application(environ, start_response)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            try:
                status, content, kind = self._answer(environ, authorization, body)
            except NoAnswerError:
                start_response("503 -", [("Content-Length", "0")])  # without a request id: of a proxy
                return [b""]
            start_response(
                f"{status} -",
                [
                    ("Content-Type", kind),
                    ("Content-Length", str(len(content))),
                    ("x-amz-request-id", uuid.uuid4().hex),
                ],
            )
            return [content]

        return answer

    def _answer(self, environ: WSGIEnvironment, authorization: str, body: bytes) -> tuple[int, bytes, str]:
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        if bucket != self.bucket:
            return _error(404, "NoSuchBucket")
        if not key:
            refused = _wrong(environ, authorization, body)
            if refused is not None:
                return _error(*refused)
            query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
            return self._list_objects(query) if "list-type" in query else self._list(query)
        request = ObjectRequest(environ["REQUEST_METHOD"], key)
        self.requests.append(request)
        refused = self.before(request) or _wrong(environ, authorization, body)
        if refused is None:
            status, content, kind = self._put(environ, key, body) if request.method == "PUT" else self._get(request)
            refused = self.after(request)
        return _error(*refused) if refused else (status, content, kind)

    def _put(self, environ: WSGIEnvironment, key: str, body: bytes) -> tuple[int, bytes, str]:
        condition = environ.get("HTTP_IF_NONE_MATCH")
        if condition not in {None, "*"}:
            return _error(501, "NotImplemented")
        if condition and key in self.bodies:
            return _error(412, "PreconditionFailed")
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if environ.get("HTTP_X_AMZ_CHECKSUM_SHA256") != digest:
            return _error(400, "InvalidRequest" if "HTTP_X_AMZ_CHECKSUM_SHA256" not in environ else "BadDigest")
        self.put(key, body)
        return 200, b"", "application/xml"

    def _get(self, request: ObjectRequest) -> tuple[int, bytes, str]:
        if request.method != "GET":
            return _error(405, "MethodNotAllowed")
        body = self.bodies.get(request.key)
        return (200, body, "application/x-ndjson") if body is not None else _error(404, "NoSuchKey")

    def _list_objects(self, query: dict[str, list[str]]) -> tuple[int, bytes, str]:
        """Answer ListObjectsV2: keys in order, without those behind a delete marker."""
        prefix, after = (query.get(name, [""])[0] for name in ("prefix", "start-after"))
        keys = [key for key in self.bodies if key.startswith(prefix) and key > after]
        keys = keys[: int(query.get("max-keys", [LARGEST_PAGE])[0])]
        entries = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys)
        return 200, f"<ListBucketResult>{entries}</ListBucketResult>".encode(), "application/xml"

    def _list(self, query: dict[str, list[str]]) -> tuple[int, bytes, str]:
        """Answer ListObjectVersions: keys in order, the newest version first."""
        prefix = query.get("prefix", [""])[0]
        marker = query.get("key-marker", [""])[0], query.get("version-id-marker", [""])[0]
        listed = [
            (key, version, version is versions[-1])
            for key, versions in sorted(self.versions.items())
            for version in reversed(versions)
            if key.startswith(prefix)
        ]
        if marker[0]:
            places = [(key, version.id) for key, version, _ in listed]
            listed = listed[places.index(marker) + 1 :]
        page, rest = listed[: self.page], listed[self.page :]
        entries = "".join(_entry(key, version, is_latest=is_latest) for key, version, is_latest in page)
        following = (
            f"<NextKeyMarker>{escape(page[-1][0])}</NextKeyMarker>"
            f"<NextVersionIdMarker>{page[-1][1].id}</NextVersionIdMarker>"
            if rest
            else ""
        )
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult '
            'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{following}{entries}</ListVersionsResult>"
        )
        return 200, text.encode(), "application/xml"


def _entry(key: str, version: Version, *, is_latest: bool) -> str:
    kind = "DeleteMarker" if version.body is None else "Version"
    return (
        f"<{kind}><Key>{escape(key)}</Key><VersionId>{version.id}</VersionId>"
        f"<IsLatest>{str(is_latest).lower()}</IsLatest>"
        f"<LastModified>{version.written_at:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        + (f"<Size>{len(version.body)}</Size>" if version.body is not None else "")
        + f"</{kind}>"
    )


def _wrong(environ: WSGIEnvironment, authorization: str, body: bytes) -> tuple[int, str] | None:
    """Return the error of a request that is not signed as S3 requires."""
    signed = _SIGNED.search(authorization)
    names = signed[1].split(";") if signed else []
    digest = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if names != sorted(names) or not set(names) >= _MUST_BE_SIGNED:
        return 403, "SignatureDoesNotMatch"
    if digest not in {hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"}:
        return 400, "XAmzContentSHA256Mismatch"
    return None


def _error(status: int, code: str) -> tuple[int, bytes, str]:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return status, text.encode(), "application/xml"
