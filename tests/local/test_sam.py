"""Functions in containers of `sam local`: the endpoint, the variables, the template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from local import backend, sam
from local.bus import Bus
from local.iam import Iam
from local.intrinsics import Json, load_template, mapping
from local.server import Server, reserve
from local.template import Resource
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SECRET = "unguessable"
TABLE = "keywright-local-Table"


@pytest.fixture(scope="module")
def published() -> list[dict[str, Json]]:
    """The events of the stack's own bus."""
    return []


@pytest.fixture(scope="module")
def endpoint(stack: Stack, published: list[dict[str, Json]]) -> Iterator[str]:
    """Serve the endpoint for containers, in front of moto with an empty table, and of the template's buses."""
    iam = Iam()
    moto = backend.start_moto(iam, Bus(stack, lambda _: None, listen=published.append).in_front_of)
    with pytest.MonkeyPatch.context() as patch:
        variables: dict[str, str] = {}
        backend.isolate(variables)
        for name, value in {**variables, "AWS_ENDPOINT_URL": moto.url}.items():
            patch.setenv(name, value)
        patch.delenv(backend.DYNAMODB_ENDPOINT, raising=False)
        backend.create_table(Resource(TABLE, stack.tables[0].properties))
    keys = {name: iam.assume_role(function, stack.environment()) for name, function in stack.functions.items()}
    server = Server(sam.endpoint(iam, keys, SECRET, backend.forwarding(moto.url)), reserve(0), threads=2)
    yield server.url
    server.stop()
    moto.stop()


def read_as(url: str, operation: str) -> object:
    """Call an operation with the credentials and the region of a user's shell; return the answer or the error code."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="eu-west-3",
        aws_access_key_id="AKIDOFTHEUSER",
        aws_secret_access_key="secret",
        aws_session_token="token",
    )
    key = {"pk": {"S": "ORG#1"}, "sk": {"S": "ORG"}}
    try:
        if operation == "read":
            return client.batch_get_item(RequestItems={TABLE: {"Keys": [key]}})["Responses"]
        return client.delete_item(TableName=TABLE, Key=key)
    except ClientError as error:
        return error.response["Error"]["Code"]
    finally:
        client.close()


def test_the_path_selects_the_role(endpoint: str) -> None:
    """GIVEN the credentials of a shell WHEN a function's path is called THEN the function's role decides."""
    url = f"{endpoint}/GetApiKey/{SECRET}"

    assert {TABLE: []} == read_as(url, "read")
    assert "AccessDeniedException" == read_as(url, "delete")


def test_a_container_publishes_events_with_its_role(
    endpoint: str, stack: Stack, published: list[dict[str, Json]]
) -> None:
    """GIVEN the template's bus WHEN containers put an event on it THEN only that of PublishEvents may."""
    bus = json.loads(sam.variables(stack.environment(), stack.functions, 8789, SECRET))["Parameters"]["EVENT_BUS_NAME"]
    entry = {"EventBusName": bus, "Source": "keywright", "DetailType": "api_key.created", "Detail": "{}"}

    statuses = {
        function: httpx.post(
            f"{endpoint}/{function}/{SECRET}",
            headers={
                "authorization": "AWS4-HMAC-SHA256 Credential=AKIDOFTHEUSER/20260101/eu-west-3/events/aws4_request",
                "x-amz-target": "AWSEvents.PutEvents",
            },
            content=json.dumps({"Entries": [entry]}),
            trust_env=False,
        ).status_code
        for function in ("PublishEvents", "CreateApiKey")
    }

    assert {"PublishEvents": 200, "CreateApiKey": 400} == statuses
    assert ["api_key.created"] == [event["detail-type"] for event in published]


@pytest.mark.parametrize("path", ["", "/", "/GetApiKey", "/GetApiKey/guessed", "/Nothing/unguessable"])
def test_other_paths_are_unknown(endpoint: str, path: str) -> None:
    """GIVEN the operator's access key WHEN it is sent without the secret path THEN nothing is forwarded."""
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, Signature=0",
        "x-amz-target": "DynamoDB_20120810.ListTables",
    }

    assert 404 == httpx.post(f"{endpoint}{path}", headers=headers, content=b"{}", trust_env=False).status_code


def test_every_variable_is_one_of_the_template(stack: Stack) -> None:
    """`sam local --env-vars` ignores variables that the template does not have."""
    content = json.loads(sam.variables(stack.environment(), stack.functions, 8789, SECRET))
    document = _document()
    declared = [mapping(mapping(document["Globals"], "Globals")["Function"], "")]
    resources = mapping(document["Resources"], "Resources")
    declared += [mapping(mapping(resources[name], name)["Properties"], name) for name in stack.functions]
    environments = [mapping(properties.get("Environment"), "") for properties in declared]
    names = {name for environment in environments for name in mapping(environment.get("Variables"), "")}

    assert {"Parameters", *stack.functions} == set(content)
    assert {name for values in content.values() for name in values} <= names
    assert f"http://host.docker.internal:8789/CreateApiKey/{SECRET}" == content["CreateApiKey"]["AWS_ENDPOINT_URL"]


def test_start_api_finds_the_authorizers() -> None:
    """SAM CLI reads authorizers only from APIs with a definition, and mixes up those of a function's methods."""
    document = _document()
    sam.adapt(document, "3.12", "x86_64")
    resources = mapping(document["Resources"], "Resources")
    api = mapping(mapping(resources["Api"], "Api")["Properties"], "Api")
    authorizers = mapping(mapping(api["Auth"], "Auth")["Authorizers"], "Authorizers")
    events = mapping(mapping(mapping(resources["CreateApiKey"], "")["Properties"], "")["Events"], "")
    parameters = mapping(document["Parameters"], "Parameters")

    assert api["DefinitionBody"]
    assert {"Route"} == set(events)
    assert ["x-api-key"] == mapping(mapping(authorizers["ApiKeyAuthorizer"], "")["Identity"], "")["Headers"]
    assert "python3.12" == mapping(parameters["PythonRuntime"], "")["Default"]
    assert "x86_64" == mapping(parameters["Architecture"], "")["Default"]


def _document() -> dict[str, Json]:
    return load_template(ROOT / "template.yaml")
