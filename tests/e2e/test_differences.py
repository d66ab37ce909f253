"""The differences of the emulator in its own words. What AWS does instead is what tests/api and the template say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import WaiterError

from local.intrinsics import load_template, mapping
from local.options import ROOT
from tests.api.deployment import CREATE, KEY, VALID_BODY
from tests.e2e.differences import is_refused

if TYPE_CHECKING:
    from tests.api.deployment import Deployment


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [("POST", CREATE, 401, "Unauthorized"), ("PUT", CREATE, 403, "Missing Authentication Token")],
)
def test_the_gateway_has_words_of_its_own(
    deployment: Deployment, method: str, path: str, status: int, message: str
) -> None:
    """And no header of ours."""
    response = deployment.request(method, path, json=VALID_BODY, persona=None)

    assert (status, {"message": message}) == (response.status_code, response.json())
    assert "x-request-id" not in response.headers


def test_an_encoded_slash_is_a_slash(deployment: Deployment) -> None:
    """AWS finds the route of one key, whose id is then no id."""
    response = deployment.request("GET", KEY.format(id="a%2Fb"))

    assert {"message": "Missing Authentication Token"} == response.json()


def test_a_line_break_in_a_path_is_not_covered_by_a_policy(deployment: Deployment) -> None:
    """The policy allows the whole API."""
    assert 403 == deployment.request("GET", KEY.format(id="a%0Ab")).status_code


def test_the_first_of_two_parameters_is_taken(deployment: Deployment) -> None:
    """AWS gives the last."""
    response = deployment.request("GET", f"{CREATE}?limit=1&limit=2")

    assert 1 == response.json()["pagination"]["limit"]


REFUSED = [
    name
    for name, resource in mapping(load_template(ROOT / "template.yaml")["Resources"], "Resources").items()
    if is_refused(mapping(resource, name))
]


def test_something_is_left_out() -> None:
    """Otherwise nothing would have to be."""
    assert REFUSED


def test_an_alarm_over_several_metrics_is_refused() -> None:
    """So it is left out of what is deployed."""
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
