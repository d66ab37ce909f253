"""The differences of the emulator from AWS, by name. All other tests of the HTTP suite must pass."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from local.intrinsics import Json


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between ministack and AWS.

    Attributes:
        name: what it does.
        tests: the tests of tests/api that it fails; `*` is a wildcard.
    """

    name: str
    tests: tuple[str, ...]


def is_refused(resource: dict[str, Json]) -> bool:
    """Return whether the emulator cannot create a resource: an alarm over several metrics.

    It is not deployed; nothing depends on it.
    """
    properties = resource.get("Properties")
    return resource["Type"] == "AWS::CloudWatch::Alarm" and isinstance(properties, dict) and "Metrics" in properties


GATEWAY_WORDING = "answers that the gateway makes itself are not worded by the template's GatewayResponses"
"""The difference that most tests meet; status_meant recognizes it in the response."""

_MEANT = {
    (401, "Unauthorized"): 401,
    (403, "Missing Authentication Token"): 404,
    (403, "User is not authorized to access this resource"): 403,
    (403, "User is not authorized to access this resource with an explicit deny in an identity-based policy"): 403,
    (413, "Request Too Long"): 413,
}


def status_meant(response: httpx.Response) -> int | None:
    """Return the template's status for a response of the gateway itself; None for any other response.

    A function's response has the id of its request.
    """
    if "x-request-id" in response.headers:
        return None
    response.read()
    with suppress(ValueError):
        body = response.json()
        if isinstance(body, dict) and len(body) == 1 and body.keys() <= {"message", "Message"}:
            return _MEANT.get((response.status_code, next(iter(body.values()))))
    return None


DIFFERENCES = (
    Difference(
        "a path is decoded before its route is looked up, so that an encoded slash ends a segment",
        (
            "test_hostile_ids.py::test_404_no_such_key[[]a slash-*",
            "test_hostile_ids.py::test_404_no_such_key[[]dots and a slash-*",
        ),
    ),
    Difference(
        "a policy's * does not stand for a line break",
        (
            "test_hostile_ids.py::test_404_no_such_key[[]a line break-*",
            "test_hostile_ids.py::test_404_no_such_key[[]a UUID and a line break-rotate]",
        ),
    ),
    Difference(
        "of a query parameter that comes twice, queryStringParameters has the first",
        ("test_list_api_keys_200.py::test_the_last_of_two_limits_counts",),
    ),
    Difference(
        "a request is not too large before its token was looked at",
        ("test_gateway_responses.py::test_413_more_than_the_gateway_takes[[]None]",),
    ),
    Difference(
        "routes with AWS_IAM do not check signatures",
        (
            "test_personas.py::test_status[[]POST /auth/api-keys/verify [!n]*]",
            "test_verify_api_key_4xx.py::test_401_*",
        ),
    ),
)
"""The differences of single tests, which must fail."""
