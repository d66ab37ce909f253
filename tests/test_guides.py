"""The guides, followed: a shell runs every block marked `<!-- run -->`.

They run against a local service, or against a deployment: `pytest tests/test_guides.py --stack FILE`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.aws_profile import with_a_profile
from tests.support.environment import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

GUIDES = ("docs/deploy.md", "docs/using.md", "README.md")
PLACES = ("local", "deployed")
"""Where a reader may have the service; blocks marked `<!-- run: PLACE -->` are for one of them."""
END = "---- end of a block ----"

pytestmark = pytest.mark.allow_hosts(LOOPBACK)


def blocks(guide: str, place: str) -> list[str]:
    """Return the marked blocks of a guide for a place."""
    text = (ROOT / guide).read_text(encoding="utf-8")
    return re.findall(rf"^<!-- run(?:: {place})? -->\n```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader of a guide.

    Attributes:
        folder: working directory, with the service's stack file in .local and the tools in .venv.
        environment: variables of the shell.
        stack: option that names the deployment on the operator's command line.
    """

    folder: Path
    environment: dict[str, str]
    stack: str

    def follow(self, guide: str, place: str = "local", without: Collection[str] = ()) -> list[str]:
        """Run the blocks of a guide in one shell, without some variables; return the output of each."""
        script = f"\necho; echo '{END}'\n".join(["set -euo pipefail", *blocks(guide, place)])
        # The guides name the service's default port, which may be in use here.
        script = script.replace("http://127.0.0.1:8787/v1", self.environment["API_URL"])
        script = script.replace("us-east-1", self.environment["AWS_REGION"])
        script = script.replace("--stack keywright", self.stack)
        finished = subprocess.run(  # noqa: S603 - commands of this repository
            ["bash", "-c", script],  # noqa: S607
            cwd=self.folder,
            env={name: value for name, value in self.environment.items() if name not in without},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == finished.returncode
        assert "" == finished.stderr
        return [output.strip() for output in finished.stdout.split(END)[1:]]


@pytest.fixture(scope="module")
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A new reader: with the address, an owner's session token and an AWS profile.

    The deployment is that of `--stack`, or a local service.
    """
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / ".local").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / "bin").mkdir()
    (folder / "bin" / "keywright-admin").symlink_to(ROOT / "admin" / "keywright-admin")
    is_local = request.config.getoption("--stack") is None
    stack_file = folder / ".local" / "stack.json"
    stack_file.write_bytes((request.config.getoption("--stack") or request.getfixturevalue("local_stack")).read_bytes())
    stack = json.loads(stack_file.read_text(encoding="utf-8"))
    with_a_profile(
        folder / "bin" / "aws",
        stack["iam"]["access_key_id"],
        stack["iam"]["secret_access_key"],
        otherwise=f"""case "$*" in *"?OutputKey=='ApiUrl'"*) echo '{stack["base_url"]}'; exit;; *) exit 2;; esac""",
    )
    return Reader(
        folder,
        {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "API_URL": stack["base_url"],
            "TOKEN": stack["tokens"]["owner"],
            "AWS_REGION": stack["iam"]["region"],
            "OWNER": "newcomer",
            **({"STACK_FILE": str(stack_file)} if is_local else _credentials_of(stack)),
        },
        "--local" if is_local else f"--table {stack['table_name']}",
    )


def _credentials_of(stack: dict[str, Any]) -> dict[str, str]:
    """Return the environment that connects to an emulator's table."""
    return {
        "AWS_ENDPOINT_URL": stack["aws_endpoint_url"],
        "AWS_DEFAULT_REGION": stack["iam"]["region"],
        "AWS_ACCESS_KEY_ID": stack["iam"]["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": stack["iam"]["secret_access_key"],
    }


@pytest.fixture(scope="module")
def followed(reader: Reader) -> dict[str, list[str]]:
    """The output of each guide's blocks. Each runs once: an organization cannot be created twice."""
    return {guide: reader.follow(guide) for guide in GUIDES}


@pytest.fixture
def outputs(followed: dict[str, list[str]]) -> list[str]:
    """The output of the deploy guide's blocks."""
    return followed["docs/deploy.md"]


@pytest.mark.parametrize("guide", GUIDES)
def test_no_block_is_refused(followed: dict[str, list[str]], guide: str) -> None:
    """No block of a guide is refused."""
    outputs = [answer for output in followed[guide] for answer in answers(output)]

    assert outputs
    assert not [answer for answer in outputs if answer["error"] is not None]


def answers(output: str) -> Iterator[dict[str, Any]]:
    """Return the answers printed by a block; curl does not separate them."""
    position = output.find("{")
    while position >= 0:
        answer, end = json.JSONDecoder().raw_decode(output, position)
        yield answer
        position = output.find("{", end)


def test_the_description_names_the_address(outputs: list[str], reader: Reader) -> None:
    """The first command prints the address."""
    assert reader.environment["API_URL"] == f"{outputs[0]}/v1"


def test_the_first_organization_is_there(outputs: list[str]) -> None:
    """The operator's command line confirms the organization."""
    assert outputs[1].endswith("with the owner newcomer.")


def test_the_first_key_is_created(outputs: list[str]) -> None:
    """The answer holds the key."""
    answer = json.loads(outputs[2])

    assert answer["error"] is None
    assert re.fullmatch(r"kk_[0-9A-Za-z]{92}", answer["data"]["key"])


def test_a_key_shows_itself(outputs: list[str]) -> None:
    """The holder of a key reads its fields."""
    assert "My second key" == json.loads(outputs[3])["data"]["name"]


def test_a_backend_verifies_it(outputs: list[str]) -> None:
    """A backend verifies a key with AWS credentials and curl alone."""
    data = json.loads(outputs[4])["data"]

    assert data["valid"] is True
    assert "VALID" == data["code"]
    assert "My second key" == data["name"]


@pytest.mark.parametrize("place", PLACES)
def test_the_guide_to_the_api_can_be_followed_alone(reader: Reader, place: str) -> None:
    """Using the API: a shell with nothing but a token, or not even that with `make run`, gets to a verified key.

    Of a deployment the guide sets address, region and credentials; the region is the reader's to change.
    """
    own = {"API_URL"} if place == "deployed" else {"API_URL", "TOKEN", "AWS_REGION"}
    outputs = reader.follow("docs/using.md", place, own)

    answered = [answer for output in outputs for answer in answers(output)]
    assert [] == [answer for answer in answered if answer["error"] is not None]
    verified, limited = [answer["data"] for answer in answered if "valid" in answer["data"]]
    assert ["VALID", "VALID"] == [verified["code"], limited["code"]]
    assert verified["valid"] is limited["valid"] is True
    assert {"limit": 60, "remaining": 8, "resetSeconds": 2} == limited["rateLimit"]
    assert 2 == limited["quota"]["used"]
