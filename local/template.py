"""The parts of template.yaml that the local service serves: API, functions, authorizers, tables, secrets and queues.

Source: AWS SAM specification (AWS::Serverless::Api, AWS::Serverless::Function, Globals).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import filters
from local.intrinsics import Json, Resolver, TemplateError, arn, load_template, mapping, sequence, text
from local.permissions import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

NO_AUTHORIZER = "NONE"
IAM_AUTHORIZER = "AWS_IAM"
"""API Gateway itself verifies the signature of an IAM principal."""
DEFAULT_REAUTHORIZE_SECONDS = 300
"""The default of API Gateway (Amazon API Gateway, CreateAuthorizer)."""

_STREAM_BATCH_SIZE = 100
"""The default of Lambda (AWS Lambda API Reference, CreateEventSourceMapping)."""

_UNSUPPORTED_API_PROPERTIES = ("Cors", "DefinitionBody", "DefinitionUri", "BinaryMediaTypes")
_UNSUPPORTED_ROLE_PROPERTIES = ("Role", "ManagedPolicyArns", "PermissionsBoundary")
_RATE = re.compile(r"rate\(([0-9]+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_STATEMENT_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function: its code, its settings, and what its role allows."""

    logical_id: str
    name: str
    directory: Path
    module: str
    attribute: str
    timeout_seconds: int
    memory_mib: int
    environment: Mapping[str, str]
    statements: tuple[Statement, ...]

    @property
    def arn(self) -> str:
        """The local value of `!GetAtt X.Arn`."""
        return arn("AWS::Serverless::Function", self.name)


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer.

    Attributes:
        kind: TOKEN or REQUEST.
        function: the logical id of its function.
        header: the identity header of a TOKEN authorizer.
        validation: pattern that the header must match, or None.
        headers: the identity headers of a REQUEST authorizer.
        query_parameters: its identity query parameters.
        reauthorize_seconds: how long an answer is cached; 0 disables the cache.
    """

    name: str
    kind: str
    function: str
    header: str
    validation: re.Pattern[str] | None
    headers: tuple[str, ...]
    query_parameters: tuple[str, ...]
    reauthorize_seconds: int


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path, with its function and its authorizer.

    Attributes:
        authorizer: name of an authorizer, AWS_IAM, or None. The InvokeRole of a route with AWS_IAM, which API Gateway
            assumes to invoke the function, is ignored.
        needs_usage_plan_key: whether the authorizer must name the API key of a usage plan. The key is passed on; the
            plan is not applied.
    """

    method: str
    path: str
    function: str
    authorizer: str | None
    needs_usage_plan_key: bool = False


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A gateway response of the template. A status of None keeps the default."""

    status: int | None
    headers: Mapping[str, str]
    body: str | None


@dataclass(frozen=True, slots=True)
class Api:
    """A REST API: routes, authorizers and gateway responses."""

    stage: str
    routes: tuple[Route, ...]
    authorizers: Mapping[str, Authorizer]
    gateway_responses: Mapping[str, GatewayResponse]


@dataclass(frozen=True, slots=True)
class Resource:
    """A table, a secret or a queue: its physical name and its evaluated properties."""

    name: str
    properties: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class StreamReader:
    """A function that reads the stream of a table.

    Attributes:
        function: its logical id.
        table: the table's name.
        batch_size: records of an invocation, at most.
        patterns: a record is for the function if it matches one of them; empty for all records.
    """

    function: str
    table: str
    batch_size: int
    patterns: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """The parts of a template that are served.

    Attributes:
        buses: the names of the event buses.
        buckets: the names of the buckets of S3.
        event_queues: the names of the queues that get the events of a bus, by the bus's name.
        consumers: the logical id of the function that consumes a queue, by the queue's name.
        stream_readers: the functions that read streams of tables.
        schedules: the interval in seconds of each function with a schedule, by logical id.
        layers: the import directory of each layer.
        published: the logical ids of the functions whose ARN is an output.
    """

    parameters: Mapping[str, Json]
    functions: Mapping[str, Function]
    api: Api
    tables: tuple[Resource, ...]
    secrets: tuple[Resource, ...]
    queues: tuple[Resource, ...]
    buses: tuple[str, ...]
    buckets: tuple[str, ...]
    event_queues: Mapping[str, tuple[str, ...]]
    consumers: Mapping[str, str]
    stream_readers: tuple[StreamReader, ...]
    schedules: Mapping[str, int]
    layers: tuple[Path, ...]
    published: frozenset[str]

    def environment(self) -> dict[str, str]:
        """Return the environment of all functions, which share this process.

        Raises:
            TemplateError: two functions set a variable to different values.
        """
        merged: dict[str, str] = {}
        for function in self.functions.values():
            for name, value in function.environment.items():
                if merged.setdefault(name, value) != value:
                    raise TemplateError(
                        f"Resources.{function.logical_id}: sets {name} to another value than another function; "
                        "the functions share one process, so move the variable to Globals"
                    )
        return merged


def read_stack(path: Path, values: Mapping[str, str], development: Mapping[str, str]) -> Stack:
    """Read a template.

    Args:
        path: the template; CodeUri and ContentUri are relative to its directory.
        values: parameter values; as in a deployment, each must be a parameter of the template.
        development: values of parameters that are not in `values` and that the template has.

    Raises:
        TemplateError: the template cannot be served; the message says why and where.
    """
    document = load_template(path)
    declared = mapping(document.get("Parameters"), "Parameters")
    unknown = sorted(set(values) - set(declared))
    if unknown:
        raise TemplateError(f"the template has no parameter {unknown[0]}; it has {', '.join(sorted(declared))}")
    resolver = Resolver(
        parameters={
            name: _parameter(name, mapping(declaration, f"Parameters.{name}"), {**development, **values})
            for name, declaration in declared.items()
        },
        conditions=mapping(document.get("Conditions"), "Conditions"),
        resources=mapping(document.get("Resources"), "Resources"),
    )
    outputs = mapping(document.get("Outputs"), "Outputs")
    values_of_outputs = [mapping(output, name).get("Value") for name, output in outputs.items()]
    return _Reader(resolver, mapping(document.get("Globals"), "Globals"), path.parent, values_of_outputs).stack()


def _parameter(name: str, declaration: dict[str, Json], values: Mapping[str, str]) -> Json:
    """Return the value of a parameter. MinValue and MaxValue are not enforced: tests use unsafely low values."""
    place = f"parameter {name}"
    if name not in values and "Default" not in declaration:
        raise TemplateError(f"{place} has no default: set it with PARAMETERS")
    value = values[name] if name in values else text(declaration["Default"], place)
    allowed = [text(item, place) for item in sequence(declaration.get("AllowedValues"), place)]
    if allowed and value not in allowed:
        raise TemplateError(f"{place} must be one of {', '.join(allowed)}; it is {value!r}")
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(text(pattern, place), value):
        raise TemplateError(f"{place} must match {pattern}; it is {value!r}")
    if "MaxLength" in declaration and len(value) > int(text(declaration["MaxLength"], place)):
        raise TemplateError(f"{place} must have at most {declaration['MaxLength']} characters; it has {len(value)}")
    kind = text(declaration.get("Type"), place)
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


@dataclass(frozen=True, slots=True)
class _Reader:
    resolver: Resolver
    globals: dict[str, Json]
    directory: Path
    outputs: Sequence[Json]

    def stack(self) -> Stack:
        functions = {name: self._function(name) for name in self._ids("AWS::Serverless::Function")}
        return Stack(
            parameters=self.resolver.parameters,
            functions=functions,
            api=self._api(functions),
            tables=self._resources("AWS::DynamoDB::Table"),
            secrets=self._resources("AWS::SecretsManager::Secret"),
            queues=self._resources("AWS::SQS::Queue"),
            buses=tuple(self.resolver.name_of(name) for name in self._ids("AWS::Events::EventBus")),
            buckets=tuple(self.resolver.name_of(name) for name in self._ids("AWS::S3::Bucket")),
            event_queues=self._event_queues(),
            consumers=dict(self._consumer(name, functions) for name in self._mappings(is_stream=False)),
            stream_readers=tuple(self._stream_reader(name, functions) for name in self._mappings(is_stream=True)),
            schedules={name: seconds for name in functions for seconds in self._intervals(name)},
            layers=tuple(self._layer(name) for name in self._ids("AWS::Serverless::LayerVersion")),
            published=frozenset(name for name in functions if {"Fn::GetAtt": [name, "Arn"]} in self.outputs),
        )

    def _ids(self, resource_type: str) -> list[str]:
        """Return the logical ids of the resources of a type whose condition holds."""
        return [
            logical_id
            for logical_id, resource in self.resolver.resources.items()
            if self.resolver.type_of(logical_id) == resource_type
            and self._exists(mapping(resource, f"Resources.{logical_id}"), f"Resources.{logical_id}")
        ]

    def _exists(self, resource: dict[str, Json], place: str) -> bool:
        condition = resource.get("Condition")
        return condition is None or self.resolver.holds(text(condition, place), place)

    def _raw_properties(self, logical_id: str) -> dict[str, Json]:
        place = f"Resources.{logical_id}"
        return mapping(mapping(self.resolver.resources[logical_id], place).get("Properties"), f"{place}.Properties")

    def _with_globals(self, section: str, logical_id: str) -> dict[str, Json]:
        merged = _merge(self.globals.get(section), self._raw_properties(logical_id))
        return mapping(merged, f"Resources.{logical_id}.Properties")

    def _resolved(self, value: Json, place: str) -> dict[str, Json]:
        return mapping(self.resolver.resolve(value, place), place)

    def _resources(self, resource_type: str) -> tuple[Resource, ...]:
        return tuple(
            Resource(
                name=self.resolver.name_of(logical_id),
                properties=self._resolved(self._raw_properties(logical_id), f"Resources.{logical_id}.Properties"),
            )
            for logical_id in self._ids(resource_type)
        )

    def _layer(self, logical_id: str) -> Path:
        place = f"Resources.{logical_id}.Properties.ContentUri"
        uri = text(self.resolver.resolve(self._raw_properties(logical_id).get("ContentUri"), place), place)
        # Lambda adds the python directory of a layer to the import path; the source tree has the same structure.
        return self.directory / uri / "python"

    def _function(self, logical_id: str) -> Function:
        place = f"Resources.{logical_id}.Properties"
        # Only these properties are evaluated: others may use functions that have no value on one machine.
        names = ("CodeUri", "Handler", "Timeout", "MemorySize", "Environment")
        declared = self._with_globals("Function", logical_id)
        properties = self._resolved({name: declared[name] for name in names if name in declared}, place)
        module, _, attribute = text(properties.get("Handler"), f"{place}.Handler").rpartition(".")
        environment = mapping(properties.get("Environment"), f"{place}.Environment").get("Variables")
        return Function(
            logical_id=logical_id,
            name=self.resolver.name_of(logical_id),
            directory=self.directory / text(properties.get("CodeUri"), f"{place}.CodeUri"),
            module=module,
            attribute=attribute,
            # The defaults of Lambda.
            timeout_seconds=int(text(properties.get("Timeout", 3), f"{place}.Timeout")),
            memory_mib=int(text(properties.get("MemorySize", 128), f"{place}.MemorySize")),
            environment={
                name: text(value, f"{place}.Environment.Variables.{name}")
                for name, value in mapping(environment, f"{place}.Environment.Variables").items()
            },
            statements=self._role(declared, place),
        )

    def _event_queues(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the queues that get the events of a bus, by the bus's name."""
        queues: dict[str, tuple[str, ...]] = {}
        for name in self._ids("AWS::Events::Rule"):
            place = f"Resources.{name}.Properties.EventBusName"
            bus = text(self.resolver.resolve(self._raw_properties(name).get("EventBusName", "default"), place), place)
            queues[bus] = (*queues.get(bus, ()), *self._targets(name))
        return queues

    def _targets(self, logical_id: str) -> list[str]:
        """Return the names of the queues that a rule sends events to."""
        place = f"Resources.{logical_id}.Properties.Targets"
        targets = sequence(self.resolver.resolve(self._raw_properties(logical_id).get("Targets"), place), place)
        return [_last(text(mapping(target, place).get("Arn"), place)) for target in targets]

    def _mappings(self, *, is_stream: bool) -> list[str]:
        """Return the logical ids of the event source mappings of streams, or of queues."""
        names = self._ids("AWS::Lambda::EventSourceMapping")
        return [name for name in names if ("/stream/" in self._source(name)) == is_stream]

    def _source(self, logical_id: str) -> str:
        place = f"Resources.{logical_id}.Properties.EventSourceArn"
        return text(self.resolver.resolve(self._raw_properties(logical_id).get("EventSourceArn"), place), place)

    def _consumer(self, logical_id: str, functions: Mapping[str, Function]) -> tuple[str, str]:
        """Return the name of the queue of an event source mapping, and the logical id of its function."""
        return _last(self._source(logical_id)), self._invoked(logical_id, functions)

    def _stream_reader(self, logical_id: str, functions: Mapping[str, Function]) -> StreamReader:
        place = f"Resources.{logical_id}.Properties"
        properties = self._resolved(
            {name: self._raw_properties(logical_id).get(name) for name in ("BatchSize", "FilterCriteria")}, place
        )
        declared = sequence(mapping(properties.get("FilterCriteria"), place).get("Filters"), place)
        patterns = [_json(text(mapping(each, place).get("Pattern"), place), place) for each in declared]
        for pattern in patterns:
            filters.check(pattern, f"{place}.FilterCriteria")
        return StreamReader(
            function=self._invoked(logical_id, functions),
            table=self._source(logical_id).split("/")[1],
            batch_size=int(text(properties.get("BatchSize") or _STREAM_BATCH_SIZE, place)),
            patterns=tuple(patterns),
        )

    def _invoked(self, logical_id: str, functions: Mapping[str, Function]) -> str:
        """Return the logical id of the function of an event source mapping."""
        place = f"Resources.{logical_id}.Properties.FunctionName"
        named = text(self.resolver.resolve(self._raw_properties(logical_id).get("FunctionName"), place), place)
        for name, function in functions.items():
            if named in {function.name, function.arn}:
                return name
        raise TemplateError(f"{place}: no function of this template has the name {named}")

    def _intervals(self, logical_id: str) -> Iterator[int]:
        """Yield the interval in seconds of each schedule of a function."""
        place = f"Resources.{logical_id}.Properties.Events"
        for name, event in mapping(self._with_globals("Function", logical_id).get("Events"), place).items():
            declared = mapping(event, place)
            if declared.get("Type") == "Schedule":
                properties = self._resolved(declared.get("Properties"), f"{place}.{name}")
                expression = text(properties.get("Schedule"), f"{place}.{name}")
                match = _RATE.fullmatch(expression)
                if match is None:
                    raise TemplateError(f"{place}.{name}: the local service supports rate(...) only, not {expression}")
                yield int(match[1]) * _UNIT_SECONDS[match[2]]

    def _role(self, declared: dict[str, Json], place: str) -> tuple[Statement, ...]:
        """Return the statements of the role that SAM generates from a function's policies."""
        for name in _UNSUPPORTED_ROLE_PROPERTIES:
            # A condition may remove a property, such as the permissions boundary if its parameter is empty.
            if name in self._resolved({name: declared[name]} if name in declared else {}, place):
                raise TemplateError(f"{place}.{name}: not supported by the local service; write policies out")
        place = f"{place}.Policies"
        return tuple(
            self._statement(mapping(statement, place), place)
            for policy in sequence(self.resolver.resolve(declared.get("Policies"), place), place)
            for statement in sequence(mapping(policy, place).get("Statement"), place)
        )

    def _statement(self, statement: dict[str, Json], place: str) -> Statement:
        unsupported = sorted(statement.keys() - _STATEMENT_ELEMENTS)
        if unsupported:
            raise TemplateError(f"{place}: {unsupported[0]} in a statement is not supported by the local service")
        effect = text(statement.get("Effect"), place)
        if effect not in {"Allow", "Deny"}:
            raise TemplateError(f"{place}: Effect must be Allow or Deny; it is {effect}")
        return Statement(
            effect=effect,
            actions=_one_or_more(statement.get("Action"), place),
            resources=tuple(self._arn(value, place) for value in _one_or_more(statement.get("Resource"), place)),
            leading_keys=_leading_keys(statement.get("Condition"), f"{place}.Condition"),
        )

    def _arn(self, value: str, place: str) -> str:
        """Return a resource of a statement as an ARN. `Ref` of a secret is its ARN on AWS, and its name here."""
        secrets = {self.resolver.name_of(name): name for name in self._ids("AWS::SecretsManager::Secret")}
        if value in secrets:
            return arn("AWS::SecretsManager::Secret", value)
        if value != "*" and not value.startswith("arn:"):
            raise TemplateError(f"{place}: {value} is not an ARN")
        return value

    def _api(self, functions: Mapping[str, Function]) -> Api:
        ids = self._ids("AWS::Serverless::Api")
        if len(ids) != 1:
            raise TemplateError(
                f"Resources: the local service serves one AWS::Serverless::Api; the template has {len(ids)}"
            )
        place = f"Resources.{ids[0]}.Properties"
        declared = self._with_globals("Api", ids[0])
        for name in _UNSUPPORTED_API_PROPERTIES:
            if name in declared:
                raise TemplateError(f"{place}.{name}: not supported by the local service")
        auth = self._resolved(declared.get("Auth"), f"{place}.Auth")
        authorizers = self._authorizers(mapping(auth.get("Authorizers"), f"{place}.Auth.Authorizers"), functions)
        default = auth.get("DefaultAuthorizer")
        routes = [
            route
            for logical_id in functions
            for route in self._routes(logical_id, None if default is None else text(default, place), authorizers)
        ]
        if declared.get("ApiKeySourceType") != "AUTHORIZER" and any(route.needs_usage_plan_key for route in routes):
            raise TemplateError(
                f"{place}.ApiKeySourceType: ApiKeyRequired is supported by the local service with AUTHORIZER only"
            )
        responses = self._resolved(declared.get("GatewayResponses"), f"{place}.GatewayResponses")
        return Api(
            stage=text(self.resolver.resolve(declared.get("StageName"), place), f"{place}.StageName"),
            routes=tuple(routes),
            authorizers=authorizers,
            gateway_responses={
                kind: _gateway_response(mapping(response, kind), f"{place}.GatewayResponses.{kind}")
                for kind, response in responses.items()
            },
        )

    def _authorizers(self, declared: dict[str, Json], functions: Mapping[str, Function]) -> dict[str, Authorizer]:
        by_arn = {function.arn: function.logical_id for function in functions.values()}
        return {
            name: _authorizer(name, mapping(properties, f"Authorizers.{name}"), by_arn)
            for name, properties in declared.items()
        }

    def _routes(self, logical_id: str, default: str | None, authorizers: Mapping[str, Authorizer]) -> list[Route]:
        place = f"Resources.{logical_id}.Properties.Events"
        events = mapping(self._with_globals("Function", logical_id).get("Events"), place)
        return [
            self._route(logical_id, default, authorizers, mapping(event, place), f"{place}.{name}")
            for name, event in events.items()
            if mapping(event, place).get("Type") == "Api"
        ]

    def _route(
        self,
        logical_id: str,
        default: str | None,
        authorizers: Mapping[str, Authorizer],
        event: dict[str, Json],
        place: str,
    ) -> Route:
        properties = self._resolved(event.get("Properties"), place)
        auth = mapping(properties.get("Auth"), f"{place}.Auth")
        name = text(auth["Authorizer"], place) if "Authorizer" in auth else default
        if name == NO_AUTHORIZER:
            name = None
        if name not in {None, IAM_AUTHORIZER, *authorizers}:
            raise TemplateError(
                f"{place}.Auth.Authorizer: the local service has no authorizer {name}; "
                f"it has {', '.join([NO_AUTHORIZER, IAM_AUTHORIZER, *sorted(authorizers)])}"
            )
        return Route(
            method=text(properties.get("Method"), f"{place}.Method").upper(),
            path=text(properties.get("Path"), f"{place}.Path"),
            function=logical_id,
            authorizer=name,
            needs_usage_plan_key=auth.get("ApiKeyRequired") is True,
        )


def _json(value: str, place: str) -> Json:
    try:
        parsed: Json = json.loads(value)
    except ValueError:
        raise TemplateError(f"{place}: is not JSON: {value}") from None
    return parsed


def _last(resource_arn: str) -> str:
    """Return the name of a queue from its ARN."""
    return resource_arn.rpartition(":")[2]


def _merge(base: Json, override: Json) -> Json:
    """Merge as SAM merges Globals: mappings by key, lists one after the other, anything else replaced."""
    if isinstance(base, dict) and isinstance(override, dict):
        shared = {key: _merge(base[key], override[key]) for key in base.keys() & override.keys()}
        return {**base, **override, **shared}
    if isinstance(base, list) and isinstance(override, list):
        return [*base, *override]
    return override


def _authorizer(name: str, properties: dict[str, Json], by_arn: Mapping[str, str]) -> Authorizer:
    place = f"Authorizers.{name}"
    function_arn = text(properties.get("FunctionArn"), f"{place}.FunctionArn")
    if function_arn not in by_arn:
        raise TemplateError(f"{place}.FunctionArn: no function of this template has the ARN {function_arn}")
    kind = text(properties.get("FunctionPayloadType", "TOKEN"), place)
    if kind not in {"TOKEN", "REQUEST"}:
        raise TemplateError(f"{place}.FunctionPayloadType: must be TOKEN or REQUEST; it is {kind}")
    identity = mapping(properties.get("Identity"), f"{place}.Identity")
    for unsupported in ("StageVariables", "Context"):
        if unsupported in identity:
            raise TemplateError(f"{place}.Identity.{unsupported}: not supported by the local service")
    validation = identity.get("ValidationExpression")
    reauthorize_seconds = int(text(identity.get("ReauthorizeEvery", DEFAULT_REAUTHORIZE_SECONDS), place))
    if kind == "REQUEST" and reauthorize_seconds and not (identity.get("Headers") or identity.get("QueryStrings")):
        raise TemplateError(
            f"{place}.Identity: cached answers need Headers or QueryStrings to tell callers apart; "
            "add one of them, or set ReauthorizeEvery to 0"
        )
    return Authorizer(
        name=name,
        kind=kind,
        function=by_arn[function_arn],
        header=text(identity.get("Header", "Authorization"), f"{place}.Identity.Header"),
        validation=None if validation is None else re.compile(text(validation, place)),
        headers=tuple(text(item, place) for item in sequence(identity.get("Headers"), place)),
        query_parameters=tuple(text(item, place) for item in sequence(identity.get("QueryStrings"), place)),
        reauthorize_seconds=reauthorize_seconds,
    )


def _one_or_more(value: Json, place: str) -> tuple[str, ...]:
    """Return the values of a statement's element, which is a string or a list of strings."""
    return tuple(text(item, place) for item in (value if isinstance(value, list) else [value]))


def _leading_keys(condition: Json, place: str) -> frozenset[str] | None:
    """Return the partition keys that a statement is limited to, the only condition that is supported."""
    match condition:
        case None:
            return None
        case {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": keys, **other_keys}, **other} if not (
            other or other_keys
        ):
            return frozenset(_one_or_more(keys, place))
    raise TemplateError(f"{place}: only dynamodb:LeadingKeys is supported by the local service")


def _gateway_response(properties: dict[str, Json], place: str) -> GatewayResponse:
    status = properties.get("StatusCode")
    parameters = mapping(properties.get("ResponseParameters"), place)
    headers = mapping(parameters.get("Headers"), f"{place}.ResponseParameters.Headers")
    templates = mapping(properties.get("ResponseTemplates"), place)
    body = templates.get("application/json")
    return GatewayResponse(
        status=None if status is None else int(text(status, f"{place}.StatusCode")),
        headers={name: text(value, f"{place}.ResponseParameters.Headers.{name}") for name, value in headers.items()},
        body=None if body is None else text(body, f"{place}.ResponseTemplates"),
    )
