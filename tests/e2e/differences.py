"""The differences of the emulator from AWS, by name. All other tests of the HTTP suite must pass."""

from __future__ import annotations

from dataclasses import dataclass

from local.intrinsics import Json, mapping

API = "Api"
"""The logical id of the API in the template."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between ministack and AWS.

    Attributes:
        name: what it does.
        tests: the tests of tests/api that it fails; `*` is a wildcard.
    """

    name: str
    tests: tuple[str, ...]


DIFFERENCES = (
    Difference(
        "the * of an authorizer's policy does not match a line break",
        (
            "test_hostile_ids.py::test_404_no_such_key[[]a line break-*",
            "test_hostile_ids.py::test_404_no_such_key[[]a UUID and a line break-rotate]",
        ),
    ),
    Difference(
        "of a repeated query parameter, queryStringParameters has the first value",
        ("test_list_api_keys_200.py::test_the_last_of_two_limits_is_used",),
    ),
    Difference(
        "a gateway response does not contain the context of the authorizer that denies a request",
        (
            "test_get_current_api_key_4xx.py::test_403_a_frozen_organization",
            "test_revoke_current_api_key_4xx.py::test_403_a_frozen_organization",
        ),
    ),
    Difference(
        "the conditions of an authorizer's policy are not evaluated",
        ("test_revoke_current_api_key_4xx.py::test_403_from_another_address",),
    ),
    Difference(
        "the gateway accepts requests of any size",
        ("test_gateway_responses.py::test_413_more_than_the_gateway_takes[[]None]",),
    ),
    Difference(
        "routes with AWS_IAM do not check signatures",
        (
            "test_personas.py::test_status[[]POST /auth/api-keys/verify [!a]*]",
            "test_personas.py::test_status[[]POST /auth/api-keys/verify admin]",
            "test_personas.py::test_status[[]POST /auth/api-keys/verify-batch [!a]*]",
            "test_personas.py::test_status[[]POST /auth/api-keys/verify-batch admin]",
            "test_verify_api_key_4xx.py::test_401_*",
            "test_verify_api_keys.py::test_401_*",
        ),
    ),
)
"""The tests of these must fail."""


def deployable(template: dict[str, Json]) -> dict[str, Json]:
    """Return a template in the form that the emulator can deploy.

    Alarms over several metrics are left out. The gateway responses are resources: the emulator ignores them in the
    definition of an API, where SAM puts them.
    """
    resources = mapping(template["Resources"], "Resources")
    kept = {name: resource for name, resource in resources.items() if not is_refused(mapping(resource, name))}
    return {**template, "Resources": {**kept, **gateway_responses(mapping(resources[API], API))}}


def is_refused(resource: dict[str, Json]) -> bool:
    """Return whether the emulator cannot create a resource: an alarm over several metrics. Nothing depends on it."""
    properties = resource.get("Properties")
    return resource["Type"] == "AWS::CloudWatch::Alarm" and isinstance(properties, dict) and "Metrics" in properties


def gateway_responses(api: dict[str, Json]) -> dict[str, Json]:
    """Return the gateway responses of an AWS::Serverless::Api as resources of CloudFormation."""
    responses = mapping(mapping(api["Properties"], API)["GatewayResponses"], API)
    return {
        f"GatewayResponse{kind.replace('_', '')}": {
            "Type": "AWS::ApiGateway::GatewayResponse",
            "Properties": _gateway_response(kind, mapping(response, kind)),
        }
        for kind, response in responses.items()
    }


def _gateway_response(kind: str, response: dict[str, Json]) -> dict[str, Json]:
    parameters = mapping(response["ResponseParameters"], kind)
    assert parameters.keys() == {"Headers"}
    return {
        "RestApiId": {"Ref": API},
        "ResponseType": kind,
        "StatusCode": str(response["StatusCode"]),
        "ResponseParameters": {
            f"gatewayresponse.header.{name}": value for name, value in mapping(parameters["Headers"], kind).items()
        },
        "ResponseTemplates": response["ResponseTemplates"],
    }
