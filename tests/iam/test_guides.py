"""The guides can be followed with exactly the credentials that they name, step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import botocore.session
import pytest
from botocore import xform_name

from tests.conftest import ROOT
from tests.iam.policies import ACCOUNT, STACK, Request, Statement, allows, statements
from tests.test_documents import Command, commands_in, waited_for

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
        who: whose credentials the text before it names, in this section or, in a runbook, in one before; empty if none.
    """

    guide: str
    heading: str
    number: int
    who: str
    code: str

    def __str__(self) -> str:
        return f"{self.guide} {self.number} {self.heading}"


def steps(path: Path) -> Iterator[Step]:
    """Read the code of a guide. In the guide to deploying, each section names its credentials anew."""
    heading = who = ""
    number = 0
    for found in _TOKEN.finditer(path.read_text(encoding="utf-8")):
        if found["heading"]:
            heading, who = found["heading"], "" if path.name == "deploy.md" else who
        elif found["who"]:
            who = found["who"]
        else:
            number += 1
            yield Step(path.name, heading, number, who, found["fenced"] or found["indented"])


STEPS = [step for path in GUIDES for step in steps(path)]


def actors(step: Step) -> set[str]:
    """Return whose credentials would do for what is no command of AWS's."""
    needed = set()
    if re.search(r"bin/sam (deploy|delete)", step.code):
        needed.add("deployer")
    if "admin/keywright-admin" in step.code or "sh again.sh" in step.code:
        needed.add("operator")
    if "--aws-sigv4" in step.code:
        needed.add("backend")
    return needed


def request_of(command: Command) -> Request | None:
    """Return the request that a command makes; None if it takes no permission."""
    _, service, name, *rest = command.words
    if (service, name) in WITHOUT_PERMISSION | UNSIGNED:
        return None
    if name == "wait":
        name = waited_for(service, rest[0])
    model = botocore.session.get_session().get_service_model(service)
    operation = next(one for one in model.operation_names if xform_name(one, "-") == name)
    return Request(f"{service}:{operation}", RESOURCES[service])


WITH_AWS = [step for step in STEPS if commands_in(step.code, step.guide) or actors(step)]


@pytest.mark.parametrize("step", WITH_AWS, ids=str)
def test_a_step_names_its_credentials(step: Step) -> None:
    """A reader need not try which of their credentials a command takes."""
    commands = [one for one in commands_in(step.code, step.guide) if one.words[1:3] not in UNSIGNED]

    assert step.who or all(one.words[1:3] in UNSIGNED for one in commands)
    assert step.who == "administrator" or actors(step) <= {step.who}


LIMITED = [
    pytest.param(step.who, command, id=f"{step}: {index} {' '.join(command.words[1:3])}")
    for step in WITH_AWS
    if step.who in POLICIES
    for index, command in enumerate(commands_in(step.code, step.guide))
]


@pytest.mark.parametrize(("who", "command"), LIMITED)
def test_the_credentials_are_enough(who: str, command: Command) -> None:
    """The policies allow each command that a deployer, an operator or a backend is told to run."""
    request = request_of(command)

    assert request is None or allows(POLICIES[who], request)


def test_there_are_steps_of_everybody() -> None:
    """The rules above are about something."""
    assert {"administrator", "deployer", "operator", "backend"} == {step.who for step in WITH_AWS if step.who}
    assert len(LIMITED) > 10
