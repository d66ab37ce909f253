"""The recipes: templates of examples/ that send events somewhere, and what their rules do with an event."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from moto.events.models import EventPattern, EventPatternParser

from keywright.domain.audit_event import AuditEvent
from local.intrinsics import Json, Resolver, load_template, mapping, sequence, text
from tests.support.cases import CASES, MESSAGES
from tests.support.environment import ROOT
from tests.support.published_events import delivered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

NAMES = ("mail", "siem", "slack", "webhook")
REQUIRED = {
    "mail": {"EmailAddress": "owner@example.com"},
    "siem": {},
    "slack": {"WebhookUrl": "https://hooks.slack.com/services/T0/B0/x"},
    "webhook": {"Url": "https://hooks.example/keywright"},
}
"""Values of the parameters without a default."""

_RESERVED = re.compile(r"aws\.", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PATH = re.compile(r"\$(\.[A-Za-z0-9_-]+)+")
_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")|<(?P<name>[^<>]*)>|(?P<other>[^"<]+|["<])')
_VALUES = {"uuid7": "019ca940-2e00-7c3e-9a51-0d6f2b8a1c01", "rfc3339": "2026-03-01T12:00:00.000Z"}
_MATCHER = re.compile(r"<(uuid7|rfc3339)(?::[^>]*)?>")
_IN_STRING = re.compile(r"<([^<>]*)>")


class _Resolver(Resolver):
    """Evaluates values with names for what AWS would fill in: `Queue` for a Ref, `Queue.Arn` for an attribute."""

    def name_of(self, logical_id: str) -> str:
        return logical_id

    def _attribute(self, argument: Json, place: str) -> Json:
        logical_id, attribute = (text(part, place) for part in sequence(argument, place))
        assert logical_id in self.resources
        return f"{logical_id}.{attribute}"


@dataclass(frozen=True)
class Recipe:
    """The template of a recipe with the values of its parameters.

    Attributes:
        name: its folder in examples/.
        given: parameters, those without a default have a value already.
    """

    name: str
    given: Mapping[str, str]

    @cached_property
    def template(self) -> dict[str, Json]:
        """The template as written."""
        return _template(self.name)

    @property
    def parameters(self) -> dict[str, dict[str, Json]]:
        """The parameters as declared."""
        declared = mapping(self.template["Parameters"], "Parameters")
        return {name: mapping(item, name) for name, item in declared.items()}

    def parameter(self, name: str) -> dict[str, Json]:
        """Return the declaration of a parameter."""
        return self.parameters[name]

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources with everything evaluated."""
        declared = mapping(self.template["Resources"], "Resources")
        values = {name: self.given.get(name, item.get("Default")) for name, item in self.parameters.items()}
        resolver = _Resolver(values, mapping(self.template.get("Conditions"), "Conditions"), declared)
        return {name: mapping(resolver.resolve(resource, name), name) for name, resource in declared.items()}

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        return mapping(self.resources[logical_id]["Properties"], logical_id)

    def of_type(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """Return the properties of the resources of a type."""
        return {name: self.properties(name) for name, item in self.resources.items() if item["Type"] == resource_type}

    @property
    def target(self) -> dict[str, Any]:
        """The only target of the recipe's rule."""
        (target,) = self.properties("Rule")["Targets"]
        return mapping(target, "Rule")

    def selects(self, event: Mapping[str, Any], rule: str = "Rule") -> bool:
        """Return whether a rule matches an event, by the matcher of moto."""
        pattern = json.dumps(self.properties(rule)["EventPattern"])
        message: Any = dict(event)
        return bool(EventPattern(pattern, EventPatternParser(pattern).parse()).matches_event(message))

    def sent(self, event: Mapping[str, Any]) -> str:
        """Return the text that the rule's target gets for an event."""
        transformer = self.target.get("InputTransformer")
        return json.dumps(event) if transformer is None else transformed(transformer, event)

    def statements(self, role: str) -> list[dict[str, Json]]:
        """Return the statements of a role's policies."""
        return [
            statement
            for policy in self.properties(role)["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]


@cache
def _template(name: str) -> dict[str, Json]:
    return load_template(ROOT / "examples" / name / "template.yaml")


def recipe(name: str, **parameters: str) -> Recipe:
    """Return a recipe with values for some of its parameters."""
    return Recipe(name, {**REQUIRED[name], **parameters})


def load(name: str, module: str) -> ModuleType:
    """Import the code of a recipe from its file, as in a new container."""
    spec = importlib.util.spec_from_file_location(f"recipe_{module}", ROOT / "examples" / name / f"{module}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return what an input transformer makes of an event, in the strictest reading of its documentation.

    Values are inserted without escaping; outside of a string, a text gets quotation marks and other values are JSON.
    A variable without a value is an error: AWS leaves it out.

    Sources: Amazon EventBridge User Guide, "Amazon EventBridge input transformation"; API Reference,
    "InputTransformer".
    """
    paths: dict[str, str] = transformer["InputPathsMap"]
    template: str = transformer["InputTemplate"]
    assert len(paths) <= 100
    assert 1 <= len(template) <= 8192
    values = {}
    for name, path in paths.items():
        assert _NAME.fullmatch(name), name
        assert not _RESERVED.match(name), name
        assert _PATH.fullmatch(path), path
        values[name] = _found(event, path)
    used: set[str] = set()

    def inserted(token: re.Match[str]) -> str:
        if token["string"]:
            return _IN_STRING.sub(lambda match: _plain(of_name(match[1])), token["string"])
        if token["name"] is not None:
            value = of_name(token["name"])
            return f'"{value}"' if isinstance(value, str) else json.dumps(value)
        return token["other"]

    def of_name(name: str) -> object:
        used.add(name)
        return values[name]

    result = _TOKEN.sub(inserted, template)
    assert used == values.keys()
    return result


def _found(event: object, path: str) -> object:
    for step in path.split(".")[1:]:
        assert isinstance(event, dict), path
        event = event[step]
    return event


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _records() -> dict[str, list[dict[str, Any]]]:
    """Return the events of the cases of events/ by kind. An imported key's record is that of a created one."""
    events: dict[str, list[dict[str, Any]]] = {}
    for case in CASES + MESSAGES:
        for item in case.expected.get("added", []):
            if item["sk"].startswith("AUDIT#"):
                events.setdefault(item["event"], []).append(delivered(_with_values(item)))
    created = events[AuditEvent.API_KEY_CREATED]
    events[AuditEvent.API_KEY_IMPORTED] = [
        event
        | {"detail-type": AuditEvent.API_KEY_IMPORTED.value}
        | {"detail": event["detail"] | {"event": AuditEvent.API_KEY_IMPORTED.value}}
        for event in created
    ]
    return events


def _with_values(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an expected item with values in place of its matchers (events/README.md)."""

    def value(match: re.Match[str]) -> str:
        return _VALUES[match[1]]

    return {
        name: _MATCHER.sub(value, part) if isinstance(part, str) else part
        for name, part in item.items()
        if not (isinstance(part, str) and part.startswith("<epoch"))
    }


EVENTS = _records()
"""Events by kind, as EventBridge delivers them: those of the cases of events/."""


def hostile(event: dict[str, Any], value: str) -> dict[str, Any]:
    """Return an event in which every free text is replaced: names, metadata, ids of users."""
    detail = event["detail"]
    changed = {
        "changes": _replaced(detail["changes"], value),
        "actor": detail["actor"] | {"id": value},
        "requestId": value,
        "sourceIp": value,
    }
    if detail["targetType"] == "member":
        changed["targetId"] = value
    return event | {"detail": detail | changed}


def _replaced(part: Any, value: str) -> Any:
    if isinstance(part, dict):
        return {name: _replaced(each, value) for name, each in part.items()}
    if isinstance(part, list):
        return [_replaced(each, value) for each in part]
    return value if isinstance(part, str) else part
