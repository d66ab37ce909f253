"""The contract that this service started from, "Create an API key" of Kayle ID 1.5.0, kept to the letter.

Bodies are generated from the contract's own JSON schema, which stands here without its descriptions.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from tests.support.depth import size
from tests.support.environment import ROOT
from tests.support.world import create_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import CreateApiKey

CONTRACT: dict[str, Any] = json.loads((ROOT / "tests/contract/create_api_key.json").read_text())
REQUEST: dict[str, Any] = CONTRACT["request"]
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
TAKEN = {"name", "permissions", "metadata", "expiresat", "ratelimit", "quota", "allowedips"}
"""The names of fields, without case, `_` and `-`: a field that is spelled like one is refused, or means something."""
METADATA_BYTES = 16 * 1024
BODY_BYTES = 64 * 1024

EXAMPLES = size("BODIES", 15, full=2_000)
"""The number of bodies to try, of each kind."""

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# Made once: a strategy and a validator are slow to make.
ANY_JSON = from_schema({})
BODIES = from_schema(REQUEST)
accepts = jsonschema.Draft202012Validator(REQUEST).is_valid
validate_success = jsonschema.Draft202012Validator(CONTRACT["success"]).validate
validate_failure = jsonschema.Draft202012Validator(CONTRACT["failure"]).validate


def fits(body: Any) -> bool:
    """Return whether a body that the schema allows is accepted.

    It keeps both size limits, has a one-line, non-blank name, and no additional field is spelled like another one.
    """
    return (
        bool(body["name"].strip())
        and not any(re.sub("[_-]", "", field).lower() in TAKEN for field in body.keys() - REQUEST["properties"].keys())
        and not CONTROL_CHARACTERS.search(body["name"].strip())
        and len(json.dumps(body.get("metadata", {}), ensure_ascii=False).encode()) <= METADATA_BYTES
        and len(json.dumps(body).encode()) <= BODY_BYTES
    )


@st.composite
def broken_bodies(draw: st.DrawFn) -> object:
    """Take a valid body and break one thing, or make something else altogether."""
    body: Any = draw(BODIES)
    where = draw(st.sampled_from(["name", "permissions", "metadata", "missing", "item", "value", "long", "anything"]))
    match where:
        case "name" | "permissions" | "metadata":
            body[where] = draw(ANY_JSON)
        case "missing":
            del body[draw(st.sampled_from(["name", "permissions"]))]
        case "item":
            body["permissions"] = [*body["permissions"], draw(ANY_JSON)]
        case "value":
            body["metadata"] = {**body.get("metadata", {}), draw(st.text()): draw(ANY_JSON)}
        case "long":
            body["name"] += "x" * 121
        case "anything":
            body = draw(ANY_JSON)
    assume(not accepts(body))
    return body


def test_every_body_of_the_schema_gets_a_key(create: CreateApiKey) -> None:
    """2,000 bodies: 200, an answer of the contract's schema, and metadata stored equal to what was sent."""
    sent: dict[str, dict[str, Any]] = {}

    @bounded
    @given(body=BODIES.filter(fits))
    def check(body: dict[str, Any]) -> None:
        answer = create(json.dumps(body))
        assert 200 == answer["statusCode"], answer["body"]
        content = json.loads(answer["body"])
        validate_success(content)
        sent[f"KEY#{content['data']['id']}"] = body

    check()

    stored = {item["sk"]: item for item in create.world.table.items()}
    assert len(sent) >= EXAMPLES
    assert sent.keys() == {sort_key for sort_key in stored if sort_key.startswith("KEY#")}
    assert len(sent) == len([sort_key for sort_key in stored if sort_key.startswith("AUDIT#")])
    for sort_key, body in sent.items():
        item = stored[sort_key]
        assert body.get("metadata", {}) == json.loads(item["metadata"])
        assert types(body.get("metadata", {})) == types(json.loads(item["metadata"]))
        assert body["name"].strip() == item["name"]
        assert list(dict.fromkeys(body["permissions"])) == item["permissions"]


def test_schema_bodies_have_additional_fields() -> None:
    """The bodies of the test above are of the contract's schema as it stands: some have fields it does not name."""
    assert "additionalProperties" not in REQUEST
    assert accepts({"name": "CI", "permissions": ["sessions:read"], "expires_at": 1, "unknown": [None]})


def types(metadata: dict[str, Any]) -> dict[str, type]:
    """Return a value that distinguishes 1, 1.0 and true, which Python considers equal."""
    return {name: type(value) for name, value in metadata.items()}


def test_every_body_that_breaks_the_schema_is_a_bad_request(create: CreateApiKey) -> None:
    """2,000 bodies: 400, in the envelope of the contract, and nothing is stored."""
    count = 0

    @bounded
    @given(body=broken_bodies())
    def check(body: object) -> None:
        nonlocal count
        answer = create(json.dumps(body))
        assert 400 == answer["statusCode"], answer["body"]
        content = json.loads(answer["body"])
        validate_failure(content)
        assert content["error"]["code"] == "BAD_REQUEST"
        assert all(content["error"].values())
        count += 1

    check()

    assert count >= EXAMPLES
    assert not create.world.table.under("KEY#")


@pytest.mark.parametrize("separators", [(",", ":"), (" , ", " : "), (",\n", ":\t")], ids=["compact", "spaces", "lines"])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "raw"])
def test_the_same_json_may_be_written_in_any_way(
    create: CreateApiKey, separators: tuple[str, str], *, ascii_only: bool
) -> None:
    """White space and escapes make no difference."""
    name = "\N{SNOWMAN} \N{GRINNING FACE} \N{COMBINING ACUTE ACCENT}"
    body = {"name": name, "permissions": ["sessions:read"], "metadata": {name: name, "\N{NULL}": 1e300}}

    answer = create(json.dumps(body, separators=separators, ensure_ascii=ascii_only))

    item = create.world.table.item(f"KEY#{json.loads(answer['body'])['data']['id']}")
    assert name == item["name"]
    assert body["metadata"] == json.loads(item["metadata"])


def failures(create: CreateApiKey, setting: Callable[[str, str], None]) -> dict[int, dict[str, Any]]:
    """Provoke every failure that the contract names."""
    valid = {"name": "CI", "permissions": ["sessions:read"]}
    bad_request = create("{}")
    forbidden = create(valid, user_id="stranger")
    create.world.table.put_organization(pending_deletion_at="2026-12-01T00:00:00.000Z")
    frozen = create(valid)
    setting("TABLE_NAME", "missing")
    broken = create.handler(create_event(valid), create.world.context)
    return {400: bad_request, 403: forbidden, 410: frozen, 500: broken}


def test_the_contracts_failures_keep_its_schema(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """The answers 400, 403, 410 and 500 keep the schema that the contract gives each."""
    answers = failures(create, setting)

    assert list(answers) == [answer["statusCode"] for answer in answers.values()]
    for answer in answers.values():
        validate_failure(json.loads(answer["body"]))


def test_the_contracts_example_of_a_500(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """The code and the message of a 500 are the contract's own."""
    error = json.loads(failures(create, setting)[500]["body"])["error"]

    assert "INTERNAL_SERVER_ERROR" == error["code"]
    assert "An unexpected error occurred" == error["message"]
