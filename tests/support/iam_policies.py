"""The policies of docs/iam.yaml, and their evaluation.

Requests are evaluated as within one account without resource policies (IAM User Guide, "How AWS enforcement code logic
evaluates requests to allow or deny access"): an explicit deny wins, then an allow is required. Unknown elements of a
policy are errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.intrinsics import Json, load_template, mapping, sequence, text
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TEMPLATE = load_template(ROOT / "docs" / "iam.yaml")
ACCOUNT = "123456789012"
STACK = "keywright"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/keywright-iam-Boundary-1A2B3C4D5E6F"

Statement = dict[str, Json]

_OPERATORS = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}
_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to AWS.

    Attributes:
        action: its name in policies.
        resource: an ARN, or * for an action without resources.
        context: the relevant condition keys.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} {self.resource} {' '.join(self.context.values())}".strip()


def statements(*names: str, partition: str = "aws", stack: str = STACK) -> list[Statement]:
    """Return the statements of policies of docs/iam.yaml, resolved for a partition and a stack."""
    resources = mapping(TEMPLATE["Resources"], "Resources")
    values = {"AWS::Partition": partition, "AWS::AccountId": ACCOUNT, "StackName": stack}
    resolved: list[Statement] = []
    for name in names:
        document = mapping(mapping(mapping(resources[name], name)["Properties"], name)["PolicyDocument"], name)
        resolved += [mapping(_resolved(each, values), name) for each in sequence(document["Statement"], name)]
    return resolved


def allows(policy: Iterable[Statement], request: Request) -> bool:
    """Return whether a policy allows a request."""
    effects = {statement["Effect"] for statement in policy if _applies(statement, request)}
    assert effects <= {"Allow", "Deny"}
    return effects == {"Allow"}


def actions(policy: Iterable[Statement]) -> set[str]:
    """Return all actions that a policy names."""
    return {action for statement in policy for action in texts(statement["Action"])}


def texts(value: Json) -> list[str]:
    """Return one text or a list of texts as a list."""
    return [text(each, "policy") for each in (value if isinstance(value, list) else [value])]


def _resolved(value: Json, values: Mapping[str, str]) -> Json:
    if isinstance(value, list):
        return [_resolved(each, values) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::Sub"}:
        return _PLACEHOLDER.sub(lambda match: values[match[1]], text(value["Fn::Sub"], "Fn::Sub"))
    if value == {"Ref": "Boundary"}:
        return BOUNDARY.replace("arn:aws:", f"arn:{values['AWS::Partition']}:")
    if value == {"Ref": "AWS::AccountId"}:
        return values["AWS::AccountId"]
    assert "Ref" not in value
    return {name: _resolved(each, values) for name, each in value.items()}


def _applies(statement: Statement, request: Request) -> bool:
    assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    return (
        any(_matches(pattern, request.action, re.IGNORECASE) for pattern in texts(statement["Action"]))
        and any(_matches(pattern, request.resource) for pattern in texts(statement["Resource"]))
        and all(
            _holds(operator, mapping(keys, operator), request)
            for operator, keys in mapping(statement.get("Condition"), "Condition").items()
        )
    )


def _holds(operator: str, keys: Mapping[str, Json], request: Request) -> bool:
    """Return whether a condition holds. A missing condition key never matches."""
    assert operator in _OPERATORS
    for key, expected in keys.items():
        actual = request.context.get(key)
        if actual is None:
            return False
        if operator == "StringEquals":
            if actual not in texts(expected):
                return False
        elif not any(_matches(pattern, actual) for pattern in texts(expected)):
            return False
    return True


def _matches(pattern: str, value: str, flags: int = 0) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, value, flags | re.DOTALL) is not None
