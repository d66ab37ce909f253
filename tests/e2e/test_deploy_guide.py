"""The deploy guide, followed from its first command to its last against the emulator, in one shell.

Every block is run, except those marked `<!-- not run: the reason -->`. Only the reader's own parts come from here:
answers to questions, the identity provider's token, a certificate.
"""

from __future__ import annotations

import base64
import json
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.e2e import front
from tests.e2e.__main__ import (
    ARCHITECTURE,
    AUDIENCE,
    DEPLOYED,
    PYTHON_VERSION,
    STAGE,
    TOKEN_SECONDS,
    api_id,
    serve_identity_provider,
)
from tests.e2e.emulator import PYTHON
from tests.e2e.guide import Shell, blocks
from tests.support.aws_profile import with_a_profile
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.identity_provider import IdentityProvider

GUIDE = ROOT / "docs" / "deploy.md"
STACK = "keywright"
ORGANIZATION = "acme"
CUSTOM = {"PublicUrl": "https://api.example.com/v1"}
MOST_QUESTIONS = 10


@dataclass(frozen=True, slots=True)
class Followed:
    """The guide's results.

    Attributes:
        outputs: output of each section's blocks.
        url: address of the API.
        issuer: issuer of the tokens.
        claims: claims of the token that Cognito issued.
        owner: its user.
        parameters: parameters of the stack, before its deletion.
    """

    outputs: Mapping[str, list[str]]
    url: str
    issuer: str
    claims: Mapping[str, object]
    owner: str
    parameters: Mapping[str, str]


@pytest.fixture(scope="module")
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Follow the guide, once."""
    folder = _repository(tmp_path_factory.mktemp("reader"))
    aws: str = json.loads(request.config.getoption("--stack").read_text(encoding="utf-8"))["aws_endpoint_url"]
    with ExitStack() as opened:
        environment = pytest.MonkeyPatch()
        opened.callback(environment.undo)
        account = {
            "AWS_ENDPOINT_URL": aws,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in account.items():
            environment.setenv(name, value)
        address = opened.enter_context(front.standing_before(int(aws.rpartition(":")[2]), STAGE))
        provider = serve_identity_provider(f"{address.url}/console", opened)
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        shell = Shell(folder, {**account, "PATH": path, "HOME": str(folder), "SAM_CLI_TELEMETRY": "0"})
        opened.callback(shell.close)
        yield _follow(shell, folder, address, provider)


def _repository(folder: Path) -> Path:
    """Copy the parts of this repository that the guide uses to a folder, built, with AWS's command line."""
    for name in ("docs", ".venv", ".venv-sam"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "samconfig.toml").write_bytes((ROOT / "samconfig.toml").read_bytes())
    (folder / "bin").mkdir()
    (folder / "bin" / "keywright-admin").symlink_to(ROOT / "admin" / "keywright-admin")
    # Version 1 of the command line, which is the one for Python, cannot export credentials.
    with_a_profile(folder / "bin" / "aws", "test", "test", otherwise=f'exec {PYTHON.parent / "aws"} "$@"')
    built = folder / ".aws-sam" / "build"
    built.mkdir(parents=True)
    for part in DEPLOYED.parent.iterdir():
        if part.is_dir():
            (built / part.name).symlink_to(part)
    (built / "template.yaml").write_bytes(DEPLOYED.read_bytes())
    return folder


def _follow(shell: Shell, folder: Path, address: front.Front, provider: IdentityProvider) -> Followed:
    outputs: dict[str, list[str]] = {}
    claims: dict[str, object] = {}
    owner = ""
    parameters: dict[str, str] = {}
    client = boto3.client("cloudformation")
    for block in blocks(GUIDE):
        if block.reason is not None:
            continue
        text = block.text.replace("https://example.eu.auth0.com", provider.issuer)
        if 'echo "$TOKEN"' in text:  # from here on the reader uses the other provider
            shell.run(f"OWNER=ada TOKEN={provider.mint('ada', ORGANIZATION, ttl_seconds=TOKEN_SECONDS)}")
        if "acm list-certificates" in text:
            shell.run("aws acm request-certificate --domain-name api.example.com")
        if block.heading == "Upgrades":
            _new_version(folder)
        if "sam delete" in text:
            (stack,) = client.describe_stacks(StackName=STACK)["Stacks"]
            parameters.update({one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]})
        answers = "y\n" * MOST_QUESTIONS
        if "--guided" in text:
            first = {**_first_answers(address, provider), "PermissionsBoundaryArn": _boundary(outputs)}
            answers = _guided(CUSTOM if block.heading == "A custom domain" else first)
        outputs.setdefault(block.heading, []).append(shell.run(text, answers))
        if "initiate-auth" in text:
            claims = _claims(shell.run('echo "$TOKEN"'))
            owner = shell.run('echo "$OWNER"')
        if "sam deploy" in text:
            address.api_id = api_id(STACK)
    return Followed(outputs, address.url, provider.issuer, claims, owner, parameters)


def _first_answers(address: front.Front, provider: IdentityProvider) -> dict[str, str]:
    return {
        "OidcIssuer": provider.issuer,
        "OidcAudience": AUDIENCE,
        "PublicUrl": address.url,
        "PythonRuntime": f"python{PYTHON_VERSION}",
        "Architecture": ARCHITECTURE,
    }


def _guided(answers: Mapping[str, str]) -> str:
    """Return answers to the questions of --guided: the given ones, else its proposals, and a final yes."""
    template = json.loads(DEPLOYED.read_text(encoding="utf-8"))
    asked = ["stack name", "region", *template["Parameters"], "confirm", "roles", "rollback", "save", "file", "section"]
    return "".join(f"{answers.get(name, '')}\n" for name in asked) + "y\n"


def _boundary(outputs: Mapping[str, list[str]]) -> str:
    """Return the ARN of the boundary, as the guide's section about policies prints it."""
    (printed,) = [line for line in outputs["Policies"][-1].splitlines() if line.startswith("BoundaryArn")]
    return printed.split()[1]


def _new_version(folder: Path) -> None:
    """Build a next version, which differs in a function's description only."""
    built = folder / ".aws-sam" / "build" / "template.yaml"
    template = json.loads(built.read_text(encoding="utf-8"))
    template["Resources"]["CreateApiKey"]["Properties"]["Description"] = "the next version"
    built.write_text(json.dumps(template), encoding="utf-8")


def test_every_block_is_run_or_says_why_not() -> None:
    """Only blocks for a newer version, for a failed deployment, and for building, are not run."""
    assert {"Deploy the stack", "If the first deployment fails", "Upgrades"} == {
        block.heading for block in blocks(GUIDE) if block.reason
    }


def test_the_boundary_is_a_parameter_of_the_stack(followed: Followed) -> None:
    """The stack gets the boundary that the policies' stack created. The emulator sets no boundary on roles."""
    assert followed.parameters["PermissionsBoundaryArn"].rpartition("/")[2].startswith("keywright-iam-Boundary-")


def test_an_id_token_of_cognito_has_every_claim(followed: Followed) -> None:
    """The walk-through prints the claims of the token."""
    printed = dict(line.split("=", 1) for line in followed.outputs["Amazon Cognito"][0].splitlines())

    assert printed["OidcIssuer"] == followed.claims["iss"]
    assert printed["OidcAudience"] == followed.claims["aud"]
    assert ORGANIZATION == followed.claims[printed["OrganizationClaim"]]
    assert followed.owner == followed.claims["sub"]


def test_the_issuer_is_printed(followed: Followed) -> None:
    """The issuer is that of the provider's discovery document."""
    issuer, claims = followed.outputs["Any other OpenID Connect provider"]

    assert f'"issuer": "{followed.issuer}",' == issuer
    assert {"iss", "aud", "sub", "exp", "org_id"} <= json.loads(claims).keys()


def test_the_guided_deployment_ends_with_the_address(followed: Followed) -> None:
    """The stack exists, and the guide prints its address."""
    deployed, described = followed.outputs["Deploy the stack"][0], followed.outputs["Deploy the stack"][-1]

    assert "Successfully created/updated stack - keywright" in deployed
    assert followed.url == f"{described}/v1"


def test_the_first_key_works(followed: Followed) -> None:
    """The guide leads from the first organization to a backend that verifies a key."""
    (organization,) = followed.outputs["The first organization"]
    first, current, verified = followed.outputs["The first key"]

    assert organization.endswith("with the owner ada.")
    assert re.fullmatch(r"kk_[0-9A-Za-z]{92}", json.loads(first)["data"]["key"])
    assert "My second key" == json.loads(current)["data"]["name"]
    assert json.loads(verified)["data"]["valid"] is True
    assert "VALID" == json.loads(verified)["data"]["code"]


def test_an_upgrade_keeps_the_answers(followed: Followed) -> None:
    """The address of the custom domain is set once, and an upgrade keeps it."""
    assert CUSTOM["PublicUrl"] == followed.parameters["PublicUrl"]
    assert followed.issuer == followed.parameters["OidcIssuer"]
    assert AUDIENCE == followed.parameters["OidcAudience"]


def test_an_upgrade_is_deployed(followed: Followed) -> None:
    """The next version replaces this one."""
    (output,) = followed.outputs["Upgrades"]

    assert "Successfully created/updated stack - keywright" in output


def test_nothing_is_left_in_the_end(followed: Followed) -> None:
    """The stack is deleted, and the resources it retains are deleted by hand."""
    assert "Deleted successfully" in followed.outputs["Uninstalling"][0]
    assert not [name for name in boto3.client("dynamodb").list_tables()["TableNames"] if name.startswith(f"{STACK}-T")]


def _claims(token: str) -> dict[str, object]:
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims
