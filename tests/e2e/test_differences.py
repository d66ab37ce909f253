"""The emulator's differences, tested directly. tests/api and the template show AWS's behavior."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import WaiterError

from local.intrinsics import load_template, mapping
from local.options import ROOT
from tests.api.deployment import CREATE, KEY, VERIFY
from tests.e2e.differences import is_refused, status_meant

if TYPE_CHECKING:
    import httpx

    from tests.api.deployment import Deployment


def ask(deployment: Deployment, method: str, path: str, persona: str | None) -> httpx.Response:
    """Send a request without the HTTP suite's checks of every response."""
    headers = {} if persona is None else {"authorization": f"Bearer {deployment.tokens[persona]}"}
    return deployment.client.request(method, deployment.base_url + path, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "worded", "meant"),
    [
        ("POST", CREATE, (401, "Unauthorized"), 401),
        ("PUT", CREATE, (403, "Missing Authentication Token"), 404),
        ("POST", VERIFY, (403, "Missing Authentication Token"), 404),
    ],
)
def test_the_gateways_responses_are_recognized(
    deployment: Deployment, method: str, path: str, worded: tuple[int, str], meant: int
) -> None:
    """The gateway's own responses have neither the template's wording nor its headers; their meaning is known."""
    response = ask(deployment, method, path, None)

    assert worded == (response.status_code, response.json()["message"])
    assert meant == status_meant(response)


def test_responses_of_functions_are_recognized(deployment: Deployment) -> None:
    """A function's response is never mistaken for the gateway's."""
    assert [None, None] == [status_meant(ask(deployment, "GET", CREATE, persona)) for persona in ("admin", "member")]


def test_an_encoded_slash_is_a_slash(deployment: Deployment) -> None:
    """AWS routes the request to a key, whose id is then invalid."""
    response = ask(deployment, "GET", KEY.format(id="a%2Fb"), "admin")

    assert {"message": "Missing Authentication Token"} == response.json()


def test_no_policy_matches_a_line_break_in_a_path(deployment: Deployment) -> None:
    """A policy for the whole API does not match a path with a line break."""
    assert 403 == ask(deployment, "GET", KEY.format(id="a%0Ab"), "admin").status_code


def test_the_first_of_two_parameters_is_taken(deployment: Deployment) -> None:
    """AWS takes the last one."""
    response = ask(deployment, "GET", f"{CREATE}?limit=1&limit=2", "admin")

    assert 1 == response.json()["pagination"]["limit"]


def test_any_token_opens_a_route_with_aws_iam(deployment: Deployment) -> None:
    """AWS refuses a token in the place of a signature; here the function refuses an event without IAM identity."""
    assert 500 == ask(deployment, "POST", VERIFY, "member").status_code


REFUSED = [
    name
    for name, resource in mapping(load_template(ROOT / "template.yaml")["Resources"], "Resources").items()
    if is_refused(mapping(resource, name))
]


def test_the_emulator_refuses_a_resource() -> None:
    """If nothing is refused, `is_refused` can be deleted."""
    assert REFUSED


def test_an_alarm_over_several_metrics_is_refused() -> None:
    """Such an alarm fails, so it is not deployed."""
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "Metrics": [{"Id": "rate", "Expression": "1 / 2"}],
        },
    }
    client = boto3.client("cloudformation")
    client.create_stack(StackName="alarm", TemplateBody=json.dumps({"Resources": {"Alarm": alarm}}))

    with pytest.raises(WaiterError):
        client.get_waiter("stack_create_complete").wait(StackName="alarm", WaiterConfig={"Delay": 1})
