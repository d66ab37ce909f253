"""The bucket with the archive of the audit log, read with boto3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from keywright.operators.archive_check import ListedObject, UnreadableObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

THREADS = 8
AT_ONCE = 4 * THREADS
"""Objects in memory: a reader takes them one by one."""
_SERVER_ERROR = 500
_CONFIG = Config(connect_timeout=5, read_timeout=30, max_pool_connections=THREADS, retries={"mode": "standard"})


@dataclass(frozen=True, slots=True)
class ArchiveBucket:
    """The objects of an archive."""

    name: str
    _client: Any = field(default_factory=lambda: boto3.client("s3", config=_CONFIG))

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield all objects whose keys begin so, in the order of their keys, with the number of their versions."""
        listed: dict[str, ListedObject] = {}
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            for kind in ("Versions", "DeleteMarkers"):
                for version in page.get(kind, ()):
                    key, known = version["Key"], listed.get(version["Key"])
                    versions = 1 if known is None else known.versions + 1
                    if known is None or version["IsLatest"]:
                        listed[key] = ListedObject(key, version["LastModified"], versions, kind == "DeleteMarkers")
                    else:
                        listed[key] = ListedObject(key, known.written_at, versions, known.is_deleted)
        for key in sorted(listed):
            yield listed[key]

    def read(self, keys: Iterable[str]) -> Iterator[bytes | UnreadableObject]:
        """Yield the bytes of objects, in order, several of which are read at once."""
        with ThreadPoolExecutor(THREADS) as threads:
            remaining = iter(keys)
            while some := list(islice(remaining, AT_ONCE)):
                yield from threads.map(self._read, some)

    def _read(self, key: str) -> bytes | UnreadableObject:
        try:
            body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except ClientError as error:
            # As InvalidObjectState of an archival storage class (Amazon S3 API Reference, "GetObject"), AccessDenied.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR:
                raise
            return UnreadableObject(f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}")
        return body
