"""Each step of the guides works with the credentials that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import botocore.session
import pytest
from botocore import xform_name

from tests.support.aws_commands import Command, commands_in, waited_for
from tests.support.environment import ROOT
from tests.support.iam_policies import ACCOUNT, STACK, Request, Statement, allows, statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GUIDES = [ROOT / "docs" / "deploy.md", *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
POLICIES: dict[str, list[Statement]] = {
    "backend": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}],
    "deployer": statements("Deployer", "DeployerData"),
    "operator": statements("Operator"),
}
WITHOUT_PERMISSION = {("sts", "get-caller-identity"), ("configure", "export-credentials")}
UNSIGNED = {("cognito-idp", "initiate-auth")}

RESOURCES = {
    "cloudformation": f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/{STACK}/1a2b",
    "dynamodb": f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{STACK}-Table-1A2B3C4D5E6F",
    "secretsmanager": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:Pepper-1A2B3C4D5E6F-a1b2c3",
    "sqs": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{STACK}-OrganizationEventsDeadLetters-1A2B",
}
"""Resources that the guides work on."""

_TOKEN = re.compile(
    r"^#{2,3} (?P<heading>[^\n]+)$"
    r"|\*\*(?P<who>administrator|deployer|operator|backend)\*\*"
    r"|^(?P<indent> *)```sh\n(?P<fenced>.*?)^(?P=indent)```$"
    r"|(?P<indented>(?:^ {4,}\S[^\n]*\n)+)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Step:
    """Code of a guide.

    Attributes:
        who: owner of the credentials, named before the code in the same section or, in a runbook, in an earlier one;
            empty if none.
    """

    guide: str
    heading: str
    number: int
    who: str
    code: str

    def __str__(self) -> str:
        return f"{self.guide} {self.number} {self.heading}"


def steps(path: Path) -> Iterator[Step]:
    """Return the code of a guide. In docs/deploy.md, each section names its credentials again."""
    heading = who = ""
    number = 0
    for match in _TOKEN.finditer(path.read_text(encoding="utf-8")):
        if match["heading"]:
            heading, who = match["heading"], "" if path.name == "deploy.md" else who
        elif match["who"]:
            who = match["who"]
        else:
            number += 1
            yield Step(path.name, heading, number, who, match["fenced"] or match["indented"])


STEPS = [step for path in GUIDES for step in steps(path)]


def actors(step: Step) -> set[str]:
    """Return the owners of the credentials that commands other than AWS's need."""
    needed = set()
    if re.search(r"bin/sam (deploy|delete)", step.code):
        needed.add("deployer")
    if "keywright-admin " in step.code or "sh again.sh" in step.code:
        needed.add("operator")
    if "--aws-sigv4" in step.code:
        needed.add("backend")
    return needed


def request_of(command: Command) -> Request | None:
    """Return the request of a command; None if it needs no permission."""
    _, service, name, *rest = command.words
    if (service, name) in WITHOUT_PERMISSION | UNSIGNED:
        return None
    if name == "wait":
        name = waited_for(service, rest[0])
    model = botocore.session.get_session().get_service_model(service)
    operation = next(each for each in model.operation_names if xform_name(each, "-") == name)
    return Request(f"{service}:{operation}", RESOURCES[service])


WITH_AWS = [step for step in STEPS if commands_in(step.code, step.guide) or actors(step)]


@pytest.mark.parametrize("step", WITH_AWS, ids=str)
def test_a_step_names_its_credentials(step: Step) -> None:
    """Each step with a signed request names its credentials, and they are those that the request needs."""
    commands = [command for command in commands_in(step.code, step.guide) if command.words[1:3] not in UNSIGNED]

    assert step.who or all(command.words[1:3] in UNSIGNED for command in commands)
    assert step.who == "administrator" or actors(step) <= {step.who}


LIMITED = [
    pytest.param(step.who, command, id=f"{step}: {index} {' '.join(command.words[1:3])}")
    for step in WITH_AWS
    if step.who in POLICIES
    for index, command in enumerate(commands_in(step.code, step.guide))
]


@pytest.mark.parametrize(("who", "command"), LIMITED)
def test_the_credentials_are_enough(who: str, command: Command) -> None:
    """The policies of deployer, operator and backend allow each of their commands."""
    request = request_of(command)

    assert request is None or allows(POLICIES[who], request)


def test_all_credentials_have_steps() -> None:
    """The rules above apply to existing steps."""
    assert {"administrator", "deployer", "operator", "backend"} == {step.who for step in WITH_AWS if step.who}
    assert len(LIMITED) > 10
