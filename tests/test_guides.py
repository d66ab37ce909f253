"""The guides, followed: what is marked `<!-- run -->` in them is run by a shell.

Against a local service; with `--stack`, against that deployment: `pytest tests/test_guides.py --stack FILE`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.conftest import local_service
from tests.api.deployment import Deployment
from tests.aws_profile import with_a_profile
from tests.conftest import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GUIDES = ("docs/deploy.md", "docs/using.md", "README.md")
END = "---- end of a block ----"

pytestmark = pytest.mark.allow_hosts(LOOPBACK)


def blocks(guide: str) -> list[str]:
    """Give the blocks of a guide that are marked."""
    text = (ROOT / guide).read_text(encoding="utf-8")
    return re.findall(r"^<!-- run -->\n```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows a guide.

    Attributes:
        folder: where they are; the service's stack file is in .local, and the tools are in .venv.
        environment: what their shell knows at that point.
        stack: how the command line of operators finds the deployment.
    """

    folder: Path
    environment: dict[str, str]
    stack: str

    def follow(self, guide: str) -> list[str]:
        """Run the blocks of a guide, one after the other in one shell; return what each prints."""
        script = f"\necho; echo '{END}'\n".join(["set -euo pipefail", *blocks(guide)])
        # The guides have the service's usual port, which may be in use here.
        script = script.replace("http://127.0.0.1:8787/v1", self.environment["API_URL"])
        script = script.replace("--stack keywright", self.stack)
        finished = subprocess.run(  # noqa: S603 - from this repository
            ["bash", "-c", script],  # noqa: S607
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (0, "") == (finished.returncode, finished.stderr)
        return [output.strip() for output in finished.stdout.split(END)[1:]]


@pytest.fixture(scope="module")
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A newcomer: with the address, a session token of an owner, an AWS profile, and a key with its id.

    The deployment is the one that `--stack` names, or else a local service.
    """
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / ".local").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / "bin").mkdir()
    (folder / "admin").mkdir()
    (folder / "admin" / "keywright-admin").symlink_to(ROOT / "admin" / "keywright-admin")
    given: Path | None = request.config.getoption("--stack")
    with ExitStack() as opened:
        if given is None:
            stack_file = opened.enter_context(local_service(folder / ".local"))
        else:
            stack_file = folder / ".local" / "stack.json"
            stack_file.write_bytes(given.read_bytes())
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        with_a_profile(folder / "bin" / "aws", stack["iam"]["access_key_id"], stack["iam"]["secret_access_key"])
        deployment = Deployment.read(stack_file)
        with deployment.client:
            created = deployment.create_key("owner")
        yield Reader(
            folder,
            {
                "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "API_URL": stack["base_url"],
                "TOKEN": stack["tokens"]["owner"],
                "AWS_REGION": stack["iam"]["region"],
                "ID": created["id"],
                "KEY": created["key"],
                "OWNER": "newcomer",
                **({"STACK_FILE": str(stack_file)} if given is None else _credentials_of(stack)),
            },
            "--local" if given is None else f"--table {stack['table_name']}",
        )


def _credentials_of(stack: dict[str, Any]) -> dict[str, str]:
    """Return what reaches the table of an emulator."""
    return {
        "AWS_ENDPOINT_URL": stack["aws_endpoint_url"],
        "AWS_DEFAULT_REGION": stack["iam"]["region"],
        "AWS_ACCESS_KEY_ID": stack["iam"]["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": stack["iam"]["secret_access_key"],
    }


@pytest.fixture(scope="module")
def followed(reader: Reader) -> dict[str, list[str]]:
    """What the blocks of each guide print. Once: nobody can create an organization a second time."""
    return {guide: reader.follow(guide) for guide in GUIDES}


@pytest.fixture
def said(followed: dict[str, list[str]]) -> list[str]:
    """What those of the guide to deploying print."""
    return followed["docs/deploy.md"]


@pytest.mark.parametrize("guide", GUIDES)
def test_everything_that_is_asked_for_is_given(followed: dict[str, list[str]], guide: str) -> None:
    """No block of a guide is refused."""
    said = [answer for output in followed[guide] for answer in answers(output)]

    assert said
    assert not [answer for answer in said if answer["error"] is not None]


def answers(output: str) -> Iterator[dict[str, Any]]:
    """Read the answers that a block has printed; curl puts nothing between two."""
    position = output.find("{")
    while position >= 0:
        answer, end = json.JSONDecoder().raw_decode(output, position)
        yield answer
        position = output.find("{", end)


def test_the_description_names_the_address(said: list[str], reader: Reader) -> None:
    """The first sign of life."""
    assert reader.environment["API_URL"] == f"{said[0]}/v1"


def test_the_first_organization_is_there(said: list[str]) -> None:
    """The operator's command line says so."""
    assert said[1].endswith("with the owner newcomer.")


def test_the_first_key_is_created(said: list[str]) -> None:
    """The answer holds the key."""
    answer = json.loads(said[2])

    assert answer["error"] is None
    assert re.fullmatch(r"kk_[0-9A-Za-z]{86}", answer["data"]["key"])


def test_a_key_shows_itself(said: list[str]) -> None:
    """What its holder sees of it."""
    assert "My second key" == json.loads(said[3])["data"]["name"]


def test_a_backend_verifies_it(said: list[str]) -> None:
    """With AWS credentials, and curl alone."""
    data = json.loads(said[4])["data"]

    assert (True, "VALID", "My second key") == (data["valid"], data["code"], data["name"])
