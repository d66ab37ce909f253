"""Lint templates as SAM translates them for CloudFormation, with each pair of conditions true and false.

`make lint` runs it with the Python that has the SAM CLI: `python -m tools.translated FILE...`. It prints one line for
each finding, and exits with 1 if there are any.

SAM and cfn-lint alone check a template with open conditions. CloudFormation evaluates the conditions first: a
conditional resource exists or not, and a reference to it must not outlive it.
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
    "EventBusName": ("keywright-organizations",),
    "Url": ("https://hooks.example/keywright",),
    "WebhookUrl": ("https://hooks.slack.com/services/T0/B0/x",),
    "EmailAddress": ("owner@example.com",),
    "EventKinds": ("", "api_key.created,api_key.deleted"),
    "OrganizationId": ("", "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01"),
    "AuditArchiveLockDays": ("0", "90"),
    "ConsoleClientId": ("", "keywright-console"),
}
"""Values of parameters that have no default, or that conditions use and that have no AllowedValues."""

ACCEPTED = {
    "W2001": "a parameter that only a condition uses is unused after the condition is evaluated",
}
"""Rules of cfn-lint that a template with evaluated conditions may break, with the reason."""


_REST_API, _STAGE = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"
_NO_VALUE = {"Ref": "AWS::NoValue"}
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")


class _NoManagedPolicies:
    """An empty list of AWS managed policies. SAM would request the list from IAM, but the template names none."""

    def load(self) -> dict[str, str]:
        """Return an empty mapping."""
        return {}


def findings(template: Template) -> Iterator[str]:
    """Yield everything that CloudFormation would refuse, and parameters whose changes would not reach the API.

    Args:
        template: a SAM template, with intrinsic functions in their long form.
    """
    combinations = list(_combinations(template))
    yield from _constant_conditions(template, combinations)
    try:
        yield from _lint(_translated(template, combinations[0]), {})
        with ProcessPoolExecutor() as pool:
            yield from itertools.chain.from_iterable(pool.map(_refused, itertools.repeat(template), combinations))
        yield from _stale_deployments(template, combinations[0])
    except InvalidSamDocumentException as error:
        yield f"SAM: {error}"


def _refused(template: Template, parameters: Mapping[str, str]) -> list[str]:
    """Return the findings in a stack with these parameters."""
    evaluated = _evaluated(_translated(template, parameters), parameters, _truths(template, parameters))
    values = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return [f"{finding} ({values})" for finding in _lint(evaluated, ACCEPTED)]


def _combinations(template: Template) -> Iterator[dict[str, str]]:
    """Yield values of the parameters that conditions use: each value of a parameter with each value of each other."""
    declared: dict[str, Any] = template["Parameters"]
    required = {
        name: (declaration.get("AllowedValues") or VALUES[name])[0]
        for name, declaration in declared.items()
        if "Default" not in declaration
    }
    used = _references(template, template.get("Conditions", {}))

    values = [
        [
            (name, str(value))
            for value in declared[name].get("AllowedValues") or VALUES.get(name, (declared[name].get("Default"),))
        ]
        for name in used
    ]
    # All combinations would be hundreds. A fault takes at most two conditions: that of a resource, and that of its use.
    candidates = [frozenset(each) for each in itertools.product(*values)]
    missing = {pair for each in candidates for pair in _pairs(each)}
    following = candidates[0]
    while True:
        yield required | dict(sorted(following))
        missing -= _pairs(following)
        if not missing:
            return
        following = max(candidates, key=lambda each: len(missing & _pairs(each)))


def _pairs(values: Iterable[tuple[str, str]]) -> set[frozenset[tuple[str, str]]]:
    """Return the values of parameters in pairs, and each value alone."""
    return {frozenset(pair) for pair in itertools.combinations_with_replacement(values, 2)}


def _constant_conditions(template: Template, combinations: Iterable[Mapping[str, str]]) -> Iterator[str]:
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


def _evaluated(template: Template, parameters: Mapping[str, str], truths: Mapping[str, bool]) -> Template:
    """Return a template with its conditions evaluated and removed, and parameter values as defaults."""
    sections = {name: deepcopy(value) for name, value in template.items() if name != "Conditions"}
    for name, value in parameters.items():
        sections["Parameters"][name]["Default"] = value
    for name in ("Resources", "Outputs"):
        sections[name] = {
            key: {attribute: value for attribute, value in item.items() if attribute != "Condition"}
            for key, item in sections.get(name, {}).items()
            if truths.get(item.get("Condition"), True)
        }
    evaluated: Template = _chosen(sections, truths)
    return evaluated


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
    """Return the parameters that a part of a template refers to, directly or by conditions, without repeats."""
    names: dict[str, None] = {}

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            for key, item in part.items():
                if key == "Ref":
                    names[item] = None
                elif key in {"Fn::If", "Condition"}:
                    collect(template.get("Conditions", {}).get(item if isinstance(item, str) else item[0]))
                elif key == "Fn::Sub":
                    names.update(dict.fromkeys(_PLACEHOLDER.findall(item if isinstance(item, str) else item[0])))
                collect(item)
        elif isinstance(part, list):
            for item in part:
                collect(item)

    collect(value)
    return [name for name in names if name in template["Parameters"]]


def _stale_deployments(template: Template, parameters: Mapping[str, str]) -> Iterator[str]:
    """Yield the parameters whose changes would not reach API Gateway: the stage keeps serving the same deployment."""
    before = _translated(template, parameters)
    bodies = [item["Properties"]["Body"] for item in before["Resources"].values() if item["Type"] == _REST_API]
    for name in _references(before, bodies):
        time.sleep(1)  # SAM may include the second in ids; two deployments of a stack never share one
        if _served(before) & _served(_translated(template, {**parameters, name: "changed"})):
            yield f"Parameters.{name}: another value makes no new deployment of the API"


def _served(translated: Template) -> set[str]:
    """Return the deployments that stages serve and that are resources of the template."""
    resources = translated["Resources"]
    served = {item["Properties"]["DeploymentId"]["Ref"] for item in resources.values() if item["Type"] == _STAGE}
    return {name for name in served if resources[name]["Type"] == "AWS::ApiGateway::Deployment"}


def main(paths: list[str]) -> int:
    """Print the findings of templates. Return 1 if there are any, else 0."""
    logging.disable(logging.WARNING)
    is_clean = True
    for path in paths:
        for finding in findings(yaml_parse(Path(path).read_text(encoding="utf-8"))):
            sys.stdout.write(f"{path}: {finding}\n")
            is_clean = False
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
