"""Lints what CloudFormation gets: the template as SAM translates it, for every combination of its conditions.

`make lint` runs it with the Python that has the SAM command line: `python -m tools.translated template.yaml`. It prints
what is wrong, a line for each, and exits with 1 if there is anything.

By themselves, SAM and cfn-lint look at a template whose conditions are open. CloudFormation looks at one whose
conditions are decided: what is conditional is there or not, and a reference to it must go with it.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfnlint.api import lint
from samcli.commands.validate.lib.exceptions import InvalidSamDocumentException
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

from local.intrinsics import REGION, Resolver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Template = dict[str, Any]

VALUES = {
    "OidcIssuer": ("https://issuer.example/",),
    "OidcAudience": ("keywright",),
    "AllowedOrigins": ("", "https://app.example.com,https://other.example.com"),
    "PublicUrl": ("", "https://api.example.com/v1"),
    "AlarmTopicArn": ("", "arn:aws:sns:us-east-1:123456789012:alarms"),
    "PermissionsBoundaryArn": ("", "arn:aws:iam::123456789012:policy/boundary"),
}
"""Values of parameters that have no default, or that conditions look at and that have no AllowedValues."""

ACCEPTED = {
    "W2001": "a parameter that only a condition looks at is used by nothing once the condition is decided",
}
"""Rules of cfn-lint that a template with decided conditions may break, with the reason."""


_REST_API, _STAGE = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"
_NO_VALUE = {"Ref": "AWS::NoValue"}
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")


class _NoManagedPolicies:
    """Stands for the list of AWS's managed policies, which SAM would ask IAM for; the template names none."""

    def load(self) -> dict[str, str]:
        """Return nothing."""
        return {}


def findings(template: Template) -> Iterator[str]:
    """Return everything that CloudFormation would refuse, and changes that would not reach the API.

    Args:
        template: of SAM, with intrinsic functions in their long form.
    """
    combinations = list(_combinations(template))
    yield from _undecided(template, combinations)
    try:
        yield from _lint(_translated(template, combinations[0]), {})
        with ProcessPoolExecutor() as pool:
            for found in pool.map(_refused, itertools.repeat(template), combinations):
                yield from found
        yield from _stale_deployments(template, combinations[0])
    except InvalidSamDocumentException as error:
        yield f"SAM: {error}"


def _refused(template: Template, parameters: Mapping[str, str]) -> list[str]:
    """Return findings in a stack with these parameters."""
    decided = _decided(_translated(template, parameters), parameters, _truths(template, parameters))
    named = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return [f"{finding} ({named})" for finding in _lint(decided, ACCEPTED)]


def _combinations(template: Template) -> Iterator[dict[str, str]]:
    """Return values of the parameters that conditions look at, so that each condition is true and false."""
    declared: dict[str, Any] = template["Parameters"]
    required = {name: VALUES[name][0] for name, declaration in declared.items() if "Default" not in declaration}
    looked_at = _references(template, template.get("Conditions", {}))
    values = [
        declared[name].get("AllowedValues") or VALUES.get(name, (declared[name].get("Default"),)) for name in looked_at
    ]
    for chosen in itertools.product(*values):
        yield required | {name: str(value) for name, value in zip(looked_at, chosen, strict=True)}


def _undecided(template: Template, combinations: Iterable[Mapping[str, str]]) -> Iterator[str]:
    truths = [_truths(template, parameters) for parameters in combinations]
    for name in template.get("Conditions", {}):
        for value in (True, False):
            if value not in {truth[name] for truth in truths}:
                yield f"Conditions.{name}: is never {value}; add values of its parameters to tools/translated.py"


def _truths(template: Template, parameters: Mapping[str, str]) -> dict[str, bool]:
    defaults = {name: str(item["Default"]) for name, item in template["Parameters"].items() if "Default" in item}
    resolver = Resolver({**defaults, **parameters}, template.get("Conditions", {}), template["Resources"])
    return {name: resolver.holds(name, f"Conditions.{name}") for name in template.get("Conditions", {})}


def _translated(template: Template, parameters: Mapping[str, str]) -> Template:
    validator = SamTemplateValidator(
        deepcopy(template), _NoManagedPolicies(), region=REGION, parameter_overrides=dict(parameters)
    )
    translated: Template = yaml_parse(validator.get_translated_template_if_valid())
    return translated


def _lint(template: Template, accepted: Mapping[str, str]) -> Iterator[str]:
    for match in lint(json.dumps(template), regions=[REGION]):
        if match.rule.id not in accepted:
            yield f"cfn-lint {match.rule.id}: {'.'.join(map(str, match.path or []))}: {match.message}"


def _decided(template: Template, parameters: Mapping[str, str], truths: Mapping[str, bool]) -> Template:
    """Return a template without conditions: with what they leave of it, and the values of parameters as defaults."""
    sections = {name: deepcopy(value) for name, value in template.items() if name != "Conditions"}
    for name, value in parameters.items():
        sections["Parameters"][name]["Default"] = value
    for name in ("Resources", "Outputs"):
        sections[name] = {
            key: {attribute: value for attribute, value in item.items() if attribute != "Condition"}
            for key, item in sections.get(name, {}).items()
            if truths.get(item.get("Condition"), True)
        }
    decided: Template = _chosen(sections, truths)
    return decided


def _chosen(value: Any, truths: Mapping[str, bool]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"Fn::If"}:
            condition, then, otherwise = value["Fn::If"]
            return _chosen(then if truths[condition] else otherwise, truths)
        chosen = {key: _chosen(item, truths) for key, item in value.items()}
        return {key: item for key, item in chosen.items() if item != _NO_VALUE}
    if isinstance(value, list):
        return [item for item in (_chosen(item, truths) for item in value) if item != _NO_VALUE]
    return value


def _references(template: Template, value: Any) -> list[str]:
    """Return the parameters that a part of a template refers to, by itself or by a condition, in order, each once."""
    names: dict[str, None] = {}

    def look(part: Any) -> None:
        if isinstance(part, dict):
            for key, item in part.items():
                if key == "Ref":
                    names[item] = None
                elif key in {"Fn::If", "Condition"}:
                    look(template.get("Conditions", {}).get(item if isinstance(item, str) else item[0]))
                elif key == "Fn::Sub":
                    names.update(dict.fromkeys(_PLACEHOLDER.findall(item if isinstance(item, str) else item[0])))
                look(item)
        elif isinstance(part, list):
            for item in part:
                look(item)

    look(value)
    return [name for name in names if name in template["Parameters"]]


def _stale_deployments(template: Template, parameters: Mapping[str, str]) -> Iterator[str]:
    """Return the parameters whose change would not reach API Gateway: the stage goes on serving the same snapshot."""
    before = _translated(template, parameters)
    bodies = [item["Properties"]["Body"] for item in before["Resources"].values() if item["Type"] == _REST_API]
    for name in _references(before, bodies):
        time.sleep(1)  # two deployments of a stack are never of the same second, which SAM may count in
        if _served(before) & _served(_translated(template, {**parameters, name: "changed"})):
            yield f"Parameters.{name}: another value makes no new deployment of the API"


def _served(translated: Template) -> set[str]:
    """Return the deployments that stages serve, those that are resources of the template."""
    resources = translated["Resources"]
    served = {item["Properties"]["DeploymentId"]["Ref"] for item in resources.values() if item["Type"] == _STAGE}
    return {name for name in served if resources[name]["Type"] == "AWS::ApiGateway::Deployment"}


def main(paths: list[str]) -> int:
    """Print the findings of templates; 1 if there are any, else 0."""
    logging.disable(logging.WARNING)
    is_clean = True
    for path in paths:
        for finding in findings(yaml_parse(Path(path).read_text(encoding="utf-8"))):
            sys.stdout.write(f"{path}: {finding}\n")
            is_clean = False
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
