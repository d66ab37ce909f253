"""The lifecycle rules of docs/archive.md, which expire its objects: S3 takes them, and nothing stays behind.

Sources: Amazon S3 API Reference, "LifecycleExpiration": Days and ExpiredObjectDeleteMarker are not for one rule; Amazon
S3 User Guide, "Examples of S3 Lifecycle configurations", "Versioning-enabled buckets".
"""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from keywright.store.archive import PREFIX
from tests.support.environment import ROOT

GUIDE = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")


def rules() -> list[dict[str, Any]]:
    """Return the rules of the guide."""
    (text,) = re.findall(r"<!-- lifecycle rules -->\n```json\n(.+?)```", GUIDE, re.DOTALL)
    found: list[dict[str, Any]] = json.loads(text)["Rules"]
    return found


def test_the_rules_have_the_form_of_s3() -> None:
    """The rules are a LifecycleConfiguration of the API, and apply to the archive's objects only."""
    model = botocore.session.get_session().get_service_model("s3").operation_model("PutBucketLifecycleConfiguration")
    assert model.input_shape is not None
    request = {"Bucket": "bucket", "LifecycleConfiguration": {"Rules": rules()}}

    assert not ParamValidator().validate(request, model.input_shape).has_errors()
    assert {("Enabled", PREFIX)} == {(rule["Status"], rule["Filter"]["Prefix"]) for rule in rules()}


def test_an_expired_object_is_gone() -> None:
    """One rule expires objects and then removes their bytes; another one removes the markers that this leaves."""
    objects, markers = rules()

    assert {"Days"} == objects["Expiration"].keys()
    assert {"NoncurrentDays": 1} == objects["NoncurrentVersionExpiration"]
    assert {"ExpiredObjectDeleteMarker": True} == markers["Expiration"]
    assert "NoncurrentVersionExpiration" not in markers
