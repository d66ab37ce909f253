"""tools/translated.py, which `make lint` runs on the template: each of its checks notices a template that breaks it."""

from __future__ import annotations

import copy
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.intrinsics import load_template
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = "sound"
API = "Resources.Api"
FORGOTTEN = object()
ALWAYS = {"Fn::GetAtt": ["ApiGatewayLogRole", "Arn"]}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong place in the template.

    Attributes:
        place: where, with dots.
        value: what stands there; FORGOTTEN for nothing.
        findings: the beginnings of what is found.
    """

    place: str
    value: object
    findings: tuple[str, ...]

    def made_in(self, template: dict[str, Any]) -> dict[str, Any]:
        """Return a template with the mistake."""
        broken = copy.deepcopy(template)
        *way, last = self.place.split(".")
        place: Any = broken
        for step in way:
            place = place[step]
        if self.value is FORGOTTEN:
            del place[last]
        else:
            place[last] = self.value
        return broken


MISTAKES = {
    "a DependsOn on a resource that may not be there": Mistake(
        f"{API}.DependsOn", "ApiGatewayAccount", ("cfn-lint E3005: Resources.Api.DependsOn",) * 3
    ),
    "a reference to a resource that may not be there": Mistake(
        "Resources.Function.Properties.Environment",
        {"Variables": {"ROLE": ALWAYS}},
        ("cfn-lint W1001: Resources.Function", "cfn-lint E1010: Resources.Function", "cfn-lint E1010"),
    ),
    "an output of a resource that may not be there": Mistake(
        "Outputs",
        {"Role": {"Value": ALWAYS}},
        ("cfn-lint W1001: Outputs.Role", "cfn-lint E6101: Outputs.Role", "cfn-lint E6101: Outputs.Role"),
    ),
    "parameters that make no new deployment": Mistake(
        f"{API}.Properties.AlwaysDeploy",
        FORGOTTEN,
        ("Parameters.AllowedOrigins: another value makes no", "Parameters.PublicUrl: another value makes no"),
    ),
    "a condition that no combination makes true": Mistake(
        "Conditions.IsLarge",
        {"Fn::Equals": [{"Ref": "ManageApiGatewayLogRole"}, "large"]},
        ("Conditions.IsLarge: is never True", "cfn-lint "),
    ),
    "what SAM refuses": Mistake(f"{API}.Properties.StageName", FORGOTTEN, ("SAM: ",)),
    "what SAM takes and CloudFormation does not": Mistake(
        "Resources.AccessLogs.Properties.RetentionInDays", 2, ("cfn-lint E3030: Resources.AccessLogs",) * 5
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """Lint the sound template and all broken ones."""
    folder = tmp_path_factory.mktemp("templates")
    sound = load_template(Path(__file__).with_name("sound.yaml"))
    templates = {SOUND: sound, **{name: mistake.made_in(sound) for name, mistake in MISTAKES.items()}}
    for name, template in templates.items():
        (folder / name).write_text(json.dumps(template), encoding="utf-8")
    python = request.config.getoption("--sam").absolute()
    command = [python, "-m", "tools.translated", *(folder / name for name in templates)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert (1, "") == (done.returncode, done.stderr)
    return lambda name: [
        line.removeprefix(f"{folder / name}: ")
        for line in done.stdout.splitlines()
        if line.startswith(f"{folder / name}:")
    ]


def test_a_sound_template_passes(found: Callable[[str], list[str]]) -> None:
    """The findings of the broken templates come from their mistakes."""
    assert [] == found(SOUND)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(found: Callable[[str], list[str]], name: str) -> None:
    """GIVEN a sound template WHEN one thing in it is wrong THEN that is found, wherever conditions let it matter."""
    findings = found(name)

    assert len(MISTAKES[name].findings) == len(findings), findings
    assert all(map(str.startswith, findings, MISTAKES[name].findings)), findings
