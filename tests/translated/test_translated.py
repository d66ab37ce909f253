"""tools/translated.py, which `make lint` runs on the template: each check finds the mistake that it is for."""

from __future__ import annotations

import copy
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.intrinsics import load_template
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = "sound"
API = "Resources.Api"
MISSING = object()
ALWAYS = {"Fn::GetAtt": ["ApiGatewayLogRole", "Arn"]}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake at one place of the template.

    Attributes:
        place: path of the place, separated by dots.
        value: the wrong value; MISSING for none.
        findings: beginning of each expected finding.
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
        if self.value is MISSING:
            del place[last]
        else:
            place[last] = self.value
        return broken


MISTAKES = {
    "a DependsOn on a conditional resource": Mistake(
        f"{API}.DependsOn", "ApiGatewayAccount", ("cfn-lint E3005: Resources.Api.DependsOn",) * 3
    ),
    "a reference to a conditional resource": Mistake(
        "Resources.Function.Properties.Environment",
        {"Variables": {"ROLE": ALWAYS}},
        ("cfn-lint W1001: Resources.Function", "cfn-lint E1010: Resources.Function", "cfn-lint E1010"),
    ),
    "an output of a conditional resource": Mistake(
        "Outputs",
        {"Role": {"Value": ALWAYS}},
        ("cfn-lint W1001: Outputs.Role", "cfn-lint E6101: Outputs.Role", "cfn-lint E6101: Outputs.Role"),
    ),
    "parameters that cause no new deployment": Mistake(
        f"{API}.Properties.AlwaysDeploy",
        MISSING,
        ("Parameters.AllowedOrigins: another value makes no", "Parameters.PublicUrl: another value makes no"),
    ),
    "a condition that no combination makes true": Mistake(
        "Conditions.IsLarge",
        {"Fn::Equals": [{"Ref": "ManageApiGatewayLogRole"}, "large"]},
        ("Conditions.IsLarge: is never True", "cfn-lint "),
    ),
    "an error of SAM": Mistake(f"{API}.Properties.StageName", MISSING, ("SAM: ",)),
    "an error of CloudFormation that SAM accepts": Mistake(
        "Resources.AccessLogs.Properties.RetentionInDays", 2, ("cfn-lint E3030: Resources.AccessLogs",) * 5
    ),
}


@pytest.fixture(scope="module")
def findings_in(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """Lint the sound template and all broken ones; return a function from a name to its findings."""
    folder = tmp_path_factory.mktemp("templates")
    sound = load_template(Path(__file__).with_name("sound.yaml"))
    templates = {SOUND: sound, **{name: mistake.made_in(sound) for name, mistake in MISTAKES.items()}}
    for name, template in templates.items():
        (folder / name).write_text(json.dumps(template), encoding="utf-8")
    python = request.config.getoption("--sam").absolute()
    command = [python, "-m", "tools.translated", *(folder / name for name in templates)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    assert 1 == done.returncode
    assert "" == done.stderr
    return lambda name: [
        line.removeprefix(f"{folder / name}: ")
        for line in done.stdout.splitlines()
        if line.startswith(f"{folder / name}:")
    ]


def test_a_sound_template_passes(findings_in: Callable[[str], list[str]]) -> None:
    """The sound template has no findings."""
    assert [] == findings_in(SOUND)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(findings_in: Callable[[str], list[str]], name: str) -> None:
    """GIVEN a sound template WHEN it has one mistake THEN that is found, with each pair of conditions."""
    findings = findings_in(name)

    assert len(MISTAKES[name].findings) == len(findings), findings
    assert all(map(str.startswith, findings, MISTAKES[name].findings)), findings
