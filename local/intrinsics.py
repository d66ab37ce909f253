"""Reads CloudFormation YAML and evaluates the intrinsic functions that Keywright's template uses.

An unknown intrinsic function is an error that names its place, so that a template is never served with a wrong value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
STACK_NAME = "keywright-local"

_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK_NAME}/local",
    "AWS::StackName": STACK_NAME,
    "AWS::URLSuffix": "amazonaws.com",
}
_NAME_PROPERTIES = {
    "AWS::Events::EventBus": "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Serverless::Function": "FunctionName",
}
_ARN_FORMATS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::Serverless::Function": "lambda:{region}:{account}:function:{name}",
}
_NAME_ATTRIBUTES = {"AWS::SQS::Queue": "QueueName"}
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")


class TemplateError(Exception):
    """The template cannot be served; the message says what is wrong and where."""


class NoValue(Enum):
    """The value of `AWS::NoValue`: a property with this value is removed."""

    NO_VALUE = "AWS::NoValue"


class _Loader(yaml.CSafeLoader):
    """The loader of libyaml, 8 times as fast as that in Python, with CloudFormation's short tags. Dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _construct_intrinsic(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> Json:
    """Return the long form of a short tag: `!Sub text` is `{"Fn::Sub": text}`."""
    value: Json = None
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = {str(key): item for key, item in loader.construct_mapping(node, deep=True).items()}
    if name == "GetAtt" and isinstance(value, str):
        value = list(value.split(".", 1))
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _construct_intrinsic)


def load_template(path: Path) -> dict[str, Json]:
    """Read a template file, with intrinsic functions in their long form.

    Raises:
        TemplateError: the file is missing, not YAML or not a mapping.
    """
    try:
        document: Json = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise TemplateError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return mapping(document, path.name)


def mapping(value: Json, place: str) -> dict[str, Json]:
    """Return a value that must be a mapping; an absent one is empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{place}: expected a mapping, got {value!r}")
    return value


def sequence(value: Json, place: str) -> list[Json]:
    """Return a value that must be a list; an absent one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TemplateError(f"{place}: expected a list, got {value!r}")
    return value


def text(value: Json, place: str) -> str:
    """Return a scalar as a string, the only scalar type of CloudFormation: 1 is "1" and true is "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(f"{place}: expected a string, got {value!r}")


def arn(resource_type: str, name: str) -> str:
    """Return the local value of `!GetAtt X.Arn` for a resource type and a physical name."""
    form = _ARN_FORMATS.get(resource_type, "local:{region}:{account}:{name}")
    return "arn:aws:" + form.format(region=REGION, account=ACCOUNT_ID, name=name)


@dataclass(frozen=True, slots=True)
class Resolver:
    """Evaluates values of one template.

    Attributes:
        parameters: the value of every parameter; lists for list types.
        conditions: the template's Conditions, as written.
        resources: the template's Resources, as written.
    """

    parameters: Mapping[str, Json]
    conditions: Mapping[str, Json]
    resources: Mapping[str, Json]

    def resolve(self, value: Json, place: str) -> Json:
        """Evaluate a value and everything inside it. `place` is its path in the template, for errors.

        Raises:
            TemplateError: an intrinsic function is unknown, or refers to something that does not exist.
        """
        resolved = self._resolve(value, place)
        return None if isinstance(resolved, NoValue) else resolved

    def holds(self, condition: str, place: str) -> bool:
        """Return whether a condition of the template is true."""
        if condition not in self.conditions:
            raise TemplateError(f"{place}: there is no condition {condition}")
        return self._truth(self.conditions[condition], f"Conditions.{condition}")

    def name_of(self, logical_id: str) -> str:
        """Return the physical name of a resource: the declared name, or one derived from its logical id."""
        place = f"Resources.{logical_id}"
        resource = mapping(self.resources[logical_id], place)
        properties = mapping(resource.get("Properties"), f"{place}.Properties")
        declared = properties.get(_NAME_PROPERTIES.get(self.type_of(logical_id), ""))
        resolved = self.resolve(declared, f"{place}.Properties")
        return f"{STACK_NAME}-{logical_id}" if resolved is None else text(resolved, place)

    def type_of(self, logical_id: str) -> str:
        """Return the type of a resource, such as AWS::DynamoDB::Table."""
        place = f"Resources.{logical_id}"
        return text(mapping(self.resources[logical_id], place).get("Type"), f"{place}.Type")

    def _resolve(self, value: Json, place: str) -> Json | NoValue:
        if isinstance(value, list):
            items = [self._resolve(item, f"{place}[{index}]") for index, item in enumerate(value)]
            return [item for item in items if not isinstance(item, NoValue)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument, place)
        members = {key: self._resolve(item, f"{place}.{key}") for key, item in value.items()}
        return {key: item for key, item in members.items() if not isinstance(item, NoValue)}

    def _call(self, name: str, argument: Json, place: str) -> Json | NoValue:  # noqa: PLR0911 - one per function
        match name:
            case "Ref":
                return self._reference(text(argument, place), place)
            case "Fn::GetAtt":
                return self._attribute(argument, place)
            case "Fn::Sub":
                return self._substitute(argument, place)
            case "Fn::If":
                condition, then, otherwise = self._arguments(name, argument, 3, place)
                return self._resolve(then if self.holds(text(condition, place), place) else otherwise, place)
            case "Fn::Join":
                separator, items = self._arguments(name, argument, 2, place)
                parts = sequence(self.resolve(items, place), place)
                return text(separator, place).join(text(part, place) for part in parts)
            case "Fn::Split":
                separator, whole = self._arguments(name, argument, 2, place)
                return list(text(self.resolve(whole, place), place).split(text(separator, place)))
            case "Fn::Select":
                return self._select(argument, place)
            case "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or":
                return self._truth({name: argument}, place)
        raise TemplateError(f"{place}: the local service does not support the intrinsic function {name}")

    def _arguments(self, name: str, argument: Json, count: int, place: str) -> list[Json]:
        if not isinstance(argument, list) or len(argument) != count:
            raise TemplateError(f"{place}: {name} takes a list of {count}")
        return argument

    def _reference(self, name: str, place: str) -> Json | NoValue:
        if name == NoValue.NO_VALUE.value:
            return NoValue.NO_VALUE
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.resources:
            return self.name_of(name)
        raise TemplateError(f"{place}: {name} is neither a parameter nor a resource")

    def _attribute(self, argument: Json, place: str) -> Json:
        logical_id, attribute = (text(part, place) for part in self._arguments("Fn::GetAtt", argument, 2, place))
        if logical_id not in self.resources:
            raise TemplateError(f"{place}: there is no resource {logical_id}")
        if attribute == _NAME_ATTRIBUTES.get(self.type_of(logical_id)):
            return self.name_of(logical_id)
        if (self.type_of(logical_id), attribute) == ("AWS::DynamoDB::Table", "StreamArn"):
            return f"{arn(self.type_of(logical_id), self.name_of(logical_id))}/stream/local"
        if attribute != "Arn":
            raise TemplateError(f"{place}: the local service does not support {logical_id}.{attribute}, only .Arn")
        return arn(self.type_of(logical_id), self.name_of(logical_id))

    def _substitute(self, argument: Json, place: str) -> Json:
        variables: dict[str, Json] = {}
        if isinstance(argument, list):
            argument, declared = self._arguments("Fn::Sub", argument, 2, place)
            variables = mapping(self.resolve(declared, place), place)

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return text(variables[name], place)
            value = self._attribute([*name.split(".", 1)], place) if "." in name else self._reference(name, place)
            return "" if isinstance(value, NoValue) else text(value, f"{place}: ${{{name}}}")

        return _PLACEHOLDER.sub(replace, text(argument, place))

    def _select(self, argument: Json, place: str) -> Json:
        index, items = self._arguments("Fn::Select", argument, 2, place)
        chosen = text(self.resolve(index, place), place)
        candidates = sequence(self.resolve(items, place), place)
        if not chosen.isdigit() or int(chosen) >= len(candidates):
            raise TemplateError(f"{place}: Fn::Select has no item {chosen}")
        return candidates[int(chosen)]

    def _truth(self, expression: Json, place: str) -> bool:
        if isinstance(expression, dict) and len(expression) == 1:
            ((name, argument),) = expression.items()
            match name:
                case "Condition":
                    return self.holds(text(argument, place), place)
                case "Fn::Equals":
                    left, right = self._arguments(name, argument, 2, place)
                    return self._comparable(left, place) == self._comparable(right, place)
                case "Fn::Not":
                    (inner,) = self._arguments(name, argument, 1, place)
                    return not self._truth(inner, place)
                case "Fn::And":
                    return all(self._truth(item, place) for item in sequence(argument, place))
                case "Fn::Or":
                    return any(self._truth(item, place) for item in sequence(argument, place))
        raise TemplateError(f"{place}: not a condition: {expression!r}")

    def _comparable(self, value: Json, place: str) -> Json:
        resolved = self.resolve(value, place)
        return text(resolved, place) if isinstance(resolved, bool | int | float) else resolved
