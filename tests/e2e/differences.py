"""Where the emulator is not AWS: all of it, by name. Everything else of the HTTP suite has to pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.intrinsics import Json


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that ministack does differently.

    Attributes:
        name: what it does.
        tests: the tests of tests/api that notice; `*` stands for anything.
    """

    name: str
    tests: tuple[str, ...]


def is_refused(resource: dict[str, Json]) -> bool:
    """Tell whether the emulator cannot create a resource of the template: an alarm over several metrics.

    It is left out of what is deployed; nothing depends on it.
    """
    properties = resource.get("Properties")
    return resource["Type"] == "AWS::CloudWatch::Alarm" and isinstance(properties, dict) and "Metrics" in properties


DIFFERENCES = (
    Difference(
        "answers that the gateway makes itself are not worded by the template's GatewayResponses",
        (
            "test_credentials.py::test_401_*",
            "test_gateway_responses.py::test_401_*",
            "test_gateway_responses.py::test_404_*",
            "test_gateway_responses.py::test_413_more_than_the_gateway_takes[[]None]",
            "test_gateway_responses.py::test_request_ids_of_refusals_differ",
            "test_hostile_ids.py::test_404_no_id*",
            "test_personas.py::test_status[[]* expired]",
            "test_personas.py::test_status[[]* wrong_audience]",
            "test_personas.py::test_status[[]* nobody]",
        ),
    ),
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
)
