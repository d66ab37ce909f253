"""The OpenAPI description, from the routes of the template, the handlers and their models."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import tomllib
import typing
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keywright import errors
from keywright.api import documents, endpoint, envelope, request
from keywright.api import schemas as api_schemas
from keywright.api.documents import Document
from keywright.domain import principals
from local.intrinsics import text as plain
from local.template import IAM_AUTHORIZER, read_stack
from openapi.examples import KEY_ID, Example, examples, refusals, success
from openapi.schemas import Mode, parameters, reference, schemas, sentence
from tools import readable_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import BaseModel

    from keywright.api.endpoint import Operation
    from keywright.errors import ErrorType
    from local.template import Route, Stack

Json = Any

SERVER = "http://127.0.0.1:8787"
"""The address in the file. Deployments replace it by their own."""

_SESSION = "bearerAuth"
_SECURITY = {
    "SessionAuthorizer": [_SESSION],
    "ApiKeyAuthorizer": ["apiKey", "apiKeyAsBearer"],
    IAM_AUTHORIZER: ["awsSignature"],
    None: [],
}
"""The security schemes that each authorizer of the template accepts. Routes without an authorizer are public."""

_REFUSED = {
    "SessionAuthorizer": [(401, errors.UNAUTHORIZED), (403, errors.FORBIDDEN)],
    # API Gateway answers every denial of an authorizer with 403.
    "ApiKeyAuthorizer": [(401, errors.UNAUTHORIZED), (403, errors.ORGANIZATION_FROZEN)],
    # API Gateway answers a request without a signature as if no route matched.
    IAM_AUTHORIZER: [(401, errors.UNAUTHORIZED), (403, errors.FORBIDDEN), (404, errors.NOT_FOUND)],
    None: [],
}
"""The errors of authorizers, and of the functions that check their results again."""

_SECURITY_SCHEMES = {
    _SESSION: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A session token (JWT) of your identity provider, which names the user and the organization, "
        "without `Bearer`. For every operation that manages keys and organizations.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The text of an API key. For `/v1/auth/api-keys/current` only.",
    },
    "apiKeyAsBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The text of an API key, as a bearer token.",
    },
    "awsSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "awsSigv4",
        "description": "An AWS Signature Version 4 for `execute-api` by an identity that may invoke this route.",
    },
}

_SIGNED = r"""

A call of your backend, signed with AWS credentials that may `execute-api:Invoke` on this route. A browser has none, so
it cannot be sent from the reference page. With the credentials in the environment, and the API's address in `API_URL`:

```sh
curl -sS "$API_URL%s" --aws-sigv4 "aws:amz:$AWS_REGION:execute-api" \
  --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" \
  -H "content-type: application/json" -d '%s'
```"""
"""Addition to the descriptions of operations with an AWS signature: path and body."""

_SIGNED_BODIES = {
    "verify_api_key": '{"key": "...", "permissions": ["sessions:read"]}',
    "verify_api_keys": '{"verifications": [{"key": "...", "permissions": ["sessions:read"]}, {"key": "..."}]}',
}

_TAGS = {
    "/auth/api-keys": ("API Keys", "Create, manage and verify API keys."),
    "/auth/orgs": ("Organizations", "Show the organization, read its audit log, and schedule or cancel its deletion."),
    "/leaks": ("Leaks", "Report keys that are public."),
    "/console": ("Console", "The web console of organizations, and its components for other pages."),
    "/": ("Reference", "The OpenAPI description and the reference page."),
}
"""The tags, by the beginning of a path."""

_PREFERRED = {
    "get_api_key": "used",
    "get_api_key_usage": "limits",
    "list_api_keys": "first_page",
    "list_audit_logs": "first_page",
    "rotate_api_key": "grace_period",
    "update_api_key": "within_a_grace_period",
    "verify_api_key": "limits",
}
"""The events that are examples. Other operations use `200_example`, or else their first event."""

_ALWAYS = (errors.BAD_REQUEST, errors.TOO_MANY_REQUESTS, errors.INTERNAL_SERVER_ERROR, errors.SERVICE_UNAVAILABLE)

_HEADERS = {
    "x-request-id": ("The id of the request in the logs. Quote it when you report a problem.", {"type": "string"}),
    "retry-after": ("How many seconds to wait before you repeat the request.", {"type": "integer"}),
    "www-authenticate": ("The authentication scheme that the route expects.", {"type": "string"}),
    "idempotent-replayed": (
        "`true` if an earlier request with the same Idempotency-Key got this response.",
        {"type": "string", "enum": ["true"]},
    ),
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "Makes the request safe to repeat: for 24 hours, the same Idempotency-Key and body get the same response. "
        "Use a new UUID for each new request."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
    "example": "6f1f0a52-5d0c-4c39-9d6e-0f1d2c3b4a59",
}

_PATH_PARAMETERS = {
    "id": {"description": "The id of an API key.", "schema": {"type": "string"}, "example": KEY_ID},
}

_LISTS = (envelope.Listing, envelope.Unwrapped)
"""Answers that name the model of their items."""

_FAILURE: Json = {
    "type": "object",
    "description": "A request failed.",
    "properties": {
        "data": {"type": "null", "description": "Always null."},
        "error": {
            "type": ["object", "null"],
            "properties": {
                "code": {"type": "string", "description": "Identifies the error to programs. Codes never change."},
                "message": {"type": "string", "description": "What happened, for people."},
                "hint": {"type": "string", "description": "What you can do about it."},
                "docs": {"type": "string", "description": "The link to the error in the reference."},
            },
            "required": ["code", "message", "hint", "docs"],
        },
    },
    "required": ["data", "error"],
}

_PAGINATION = {
    "type": "object",
    "description": "The position of the page in its list.",
    "properties": {
        "limit": {"type": "integer", "description": "The maximum number of items on the page."},
        "has_more": {"type": "boolean", "description": "Whether there is another page."},
        "next_cursor": {
            "type": ["string", "null"],
            "description": "The `starting_after` of the next page. null on the last page.",
        },
    },
    "required": ["limit", "has_more", "next_cursor"],
}


@dataclass(frozen=True, slots=True)
class _Described:
    """An operation with its route.

    Attributes:
        answers: the models of the response's data, or of an item of a list; none for a document.
        media_type: of the response.
    """

    operation: Operation
    route: Route
    path: str
    summary: str
    answers: tuple[type[BaseModel], ...]
    is_list: bool
    is_unwrapped: bool
    is_repeatable: bool
    media_type: str
    examples: list[Example]

    @property
    def has_body(self) -> bool:
        return self.operation.body is not request.Nothing

    def refusals(self) -> list[tuple[int, ErrorType]]:
        """Return every error of the operation with its status, of the function and of API Gateway."""
        possible = {*_ALWAYS, *self.operation.raises}
        if self.has_body:
            possible.add(errors.PAYLOAD_TOO_LARGE)
        if self.is_repeatable:
            possible.add(errors.IDEMPOTENCY_KEY_REUSED)
        if "{id}" in self.path:
            possible.add(errors.API_KEY_NOT_FOUND)
        return sorted(
            [(error.status, error) for error in possible] + _REFUSED[self.route.authorizer],
            key=lambda refusal: (refusal[0], list(errors.CATALOGUE).index(refusal[1].code)),
        )


def describe(root: Path) -> dict[str, Json]:
    """Return the OpenAPI description of the API in a repository.

    Raises:
        LookupError: a route has no handler, or an authorizer that this module does not know.
    """
    stack = read_stack(root / "template.yaml", {"OidcIssuer": "https://issuer.example/", "OidcAudience": "-"}, {})
    described = [
        _operation(root, stack, route)
        for route in sorted(stack.api.routes, key=lambda route: _order(route.path))
        if route.method != "OPTIONS"
    ]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    paths: dict[str, Json] = {}
    for item in described:
        paths.setdefault(item.path, {})[item.route.method.lower()] = _described(item)
    operations = [operation for methods in paths.values() for operation in methods.values()]
    shared = {"responses": _share_responses(operations), "parameters": _share_parameters(operations)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keywright",
            "version": project["version"],
            "description": project["description"],
            "license": {"name": "MIT License", "identifier": "MIT"},
        },
        "servers": [{"url": SERVER}],
        "security": [{_SESSION: []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.values()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                name: scheme
                for name, scheme in _SECURITY_SCHEMES.items()
                if any(name in _SECURITY[item.route.authorizer] for item in described)
            },
            "headers": {
                name: {"description": description, "schema": schema} for name, (description, schema) in _HEADERS.items()
            },
            **shared,
            "schemas": _schemas(described, plain(stack.parameters["Permissions"], "Permissions").split(",")),
        },
    }


def text(document: dict[str, Json]) -> str:
    """Return a description as readable JSON, for docs/openapi.json."""
    return readable_json.dumps(document)


def served(document: dict[str, Json]) -> str:
    """Return a description as one line of JSON, for get_openapi."""
    return json.dumps(document, separators=(",", ":")) + "\n"


def _order(path: str) -> tuple[int, str]:
    """Return the sort key of a path: the position of its tag, then the path."""
    return list(_TAGS).index(_tag(path)), path


def _tag(path: str) -> str:
    return next(beginning for beginning in _TAGS if path.startswith(beginning))


def _operation(root: Path, stack: Stack, route: Route) -> _Described:
    name = stack.functions[route.function].directory.name
    path = root / "functions" / name / "handler.py"
    specification = importlib.util.spec_from_file_location(f"described_{name}", path)
    if specification is None or specification.loader is None:
        raise LookupError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    operation = endpoint.operations[name]
    # Handlers import some names in their annotations for type checkers only.
    names = {
        **vars(api_schemas),
        **vars(request),
        **vars(envelope),
        **vars(documents),
        **vars(principals),
        **vars(module),
    }
    answers = _alternatives(typing.get_type_hints(operation.act, names)["return"])
    item = next((typing.get_args(kind)[0] for kind in answers if typing.get_origin(kind) in _LISTS), None)
    is_unwrapped = any(typing.get_origin(kind) is envelope.Unwrapped for kind in answers)
    document = next((kind for kind in answers if isinstance(kind, type) and issubclass(kind, Document)), None)
    data = () if document else (item,) if item else tuple(kind for kind in answers if kind is not envelope.Replayed)
    return _Described(
        operation=operation,
        route=route,
        path=f"/{stack.api.stage}{route.path}",
        summary=sentence((module.__doc__ or "").partition(": ")[2].strip().removesuffix(".")),
        answers=data,
        is_list=item is not None and not is_unwrapped,
        is_unwrapped=is_unwrapped,
        is_repeatable=envelope.Replayed in answers,
        media_type="application/json" if document is None else document.media_type.partition(";")[0],
        examples=examples(root / "events", name, f"{SERVER}/{stack.api.stage}"),
    )


def _alternatives(annotation: object) -> tuple[Any, ...]:
    return (
        typing.get_args(annotation)
        if typing.get_origin(annotation) not in _LISTS and typing.get_args(annotation)
        else (annotation,)
    )


def _described(item: _Described) -> Json:
    security = _SECURITY[item.route.authorizer]
    described: Json = {
        "operationId": item.operation.name,
        "tags": [_TAGS[_tag(item.route.path)][0]],
        "summary": item.summary,
        "description": inspect.cleandoc(item.operation.act.__doc__ or "") + _signed(item),
    }
    if security != [_SESSION]:
        described["security"] = [{name: []} for name in security]
    if listed := _parameters(item):
        described["parameters"] = listed
    if item.has_body:
        described["requestBody"] = _request_body(item)
    return {**described, "responses": _responses(item)}


def _signed(item: _Described) -> str:
    if item.route.authorizer != IAM_AUTHORIZER:
        return ""
    return _SIGNED % (item.route.path, _SIGNED_BODIES[item.operation.name])


def _parameters(item: _Described) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]}
        for name in re.findall(r"\{(\w+)\}", item.path)
    ]
    return [
        *in_path,
        *parameters(item.operation.query),
        *([_IDEMPOTENCY_KEY] if item.is_repeatable else []),
    ]


def _request_body(item: _Described) -> Json:
    body = item.operation.body
    example = success(item.examples, _PREFERRED.get(item.operation.name, "example"))
    schema = reference(body.__name__)
    content: Json = {"schema": {"type": "array", "items": schema} if item.operation.has_list_as_body else schema}
    if example is not None and example.body is not None:
        content["example"] = example.body
    return {
        "required": any(field.is_required() for field in body.model_fields.values()) or _asks_for_something(body),
        "content": {"application/json": content},
    }


def _asks_for_something(body: type[BaseModel]) -> bool:
    """Return whether every field of a body is optional, but not all of them together."""
    return "minProperties" in body.model_json_schema()


def _responses(item: _Described) -> Json:
    responses: Json = {"200": _success(item)}
    for status, error in item.refusals():
        answers = refusals(item.examples, error.code) or {error.code.lower(): _from_catalogue(error)}
        response = responses.setdefault(
            str(status),
            {
                "description": f"{error.message}.",
                "headers": _headers(
                    "x-request-id",
                    *(["retry-after"] if error.retry_after_seconds is not None else []),
                    *(["www-authenticate"] if error is errors.UNAUTHORIZED else []),
                ),
                "content": {
                    "application/json": {
                        "schema": reference("ListFailure" if item.is_list else "Failure"),
                        "examples": {},
                    }
                },
            },
        )
        shown = response["content"]["application/json"]["examples"]
        shown |= {name: {"summary": _label(name), "value": value} for name, value in answers.items()}
    return {status: responses[status] for status in sorted(responses)}


def _success(item: _Described) -> Json:
    headers = _headers("x-request-id", *(["idempotent-replayed"] if item.is_repeatable else []))
    if not item.answers:
        schema: Json = {"type": "object"} if item.media_type == "application/json" else {"type": "string"}
        return {"description": "The document.", "headers": headers, "content": {item.media_type: {"schema": schema}}}
    if item.is_unwrapped:
        items = {"type": "array", "items": reference(item.answers[0].__name__)}
        return {"description": "Success.", "headers": headers, "content": {item.media_type: {"schema": items}}}
    possible = [reference(answer.__name__) for answer in item.answers]
    data = possible[0] if len(possible) == 1 else {"anyOf": possible}
    content: Json = {
        "schema": {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": data} if item.is_list else data,
                "error": {"type": "null"},
                **({"pagination": reference("Pagination")} if item.is_list else {}),
            },
            "required": ["data", "error", *(["pagination"] if item.is_list else [])],
        }
    }
    example = success(item.examples, _PREFERRED.get(item.operation.name, "example"))
    if example is not None:
        content["example"] = example.answer
    return {"description": "Success.", "headers": headers, "content": {"application/json": content}}


def _share_responses(operations: list[Json]) -> dict[str, Json]:
    """Replace equal errors of several operations by references, and return these errors by name."""
    places = [
        (operation["responses"], status, response)
        for operation in operations
        for status, response in operation["responses"].items()
        if status != "200"
    ]
    return _share("responses", places, _response_name)


def _response_name(response: Json) -> str:
    """Return the name of an error: that of its codes, after List if it has a pagination."""
    content = response["content"]["application/json"]
    codes = dict.fromkeys(example["value"]["error"]["code"] for example in content["examples"].values())
    kind = "List" if content["schema"] == reference("ListFailure") else ""
    return kind + "Or".join(code.title().replace("_", "") for code in codes)


def _share_parameters(operations: list[Json]) -> dict[str, Json]:
    """Replace equal parameters of several operations by references, and return these parameters by name."""
    places = [
        (operation["parameters"], number, parameter)
        for operation in operations
        for number, parameter in enumerate(operation.get("parameters", []))
    ]
    return _share("parameters", places, lambda parameter: str(parameter["name"]))


def _share(kind: str, places: list[tuple[Json, Json, Json]], name: Callable[[Json], str]) -> dict[str, Json]:
    """Replace what is in several places by references to components, and return the components.

    Args:
        kind: the part of the components.
        places: a list or an object, an index or a name in it, and what is there.
        name: returns the name of a component. Of several with one name, the most frequent gets it.
    """
    times = Counter(json.dumps(value) for _, _, value in places)
    shared: dict[str, Json] = {}
    for text, number in times.most_common():
        if number > 1:
            shared.setdefault(name(json.loads(text)), json.loads(text))
    for container, key, value in places:
        if shared.get(name(value)) == value:
            container[key] = {"$ref": f"#/components/{kind}/{name(value)}"}
    return dict(sorted(shared.items()))


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _from_catalogue(error: ErrorType) -> Json:
    docs = f"{SERVER}/v1/docs#{error.code}"
    return {"data": None, "error": {"code": error.code, "message": error.message, "hint": error.hint, "docs": docs}}


def _label(name: str) -> str:
    return sentence(name.replace("_", " "))


def _schemas(described: list[_Described], permissions: list[str]) -> dict[str, Json]:
    models: list[tuple[type[BaseModel], Mode]] = []
    models += [(item.operation.body, "validation") for item in described if item.has_body]
    models += [(answer, "serialization") for item in described for answer in item.answers]
    components = schemas(dict.fromkeys(models))
    # Query parameters are described in their operations, the schemas they refer to here.
    queries = {item.operation.query for item in described} - {request.Nothing}
    names = {query.__name__ for query in queries}
    referred = schemas((query, "validation") for query in queries)
    components |= {name: schema for name, schema in referred.items() if name not in names}
    for schema in components.values():
        for field in schema.get("properties", {}).values():
            # Omitted fields of an update have no default, and client generators make fields with a default required.
            field.pop("default", None)
    components["Permission"] = {
        "type": "string",
        "description": "A permission of this deployment.",
        "enum": permissions,
    }
    components |= {
        "Failure": _FAILURE,
        "ListFailure": {
            **_FAILURE,
            "description": "A request for a list failed.",
            "properties": {**_FAILURE["properties"], "pagination": reference("Pagination")},
        },
        "Pagination": _PAGINATION,
    }
    return dict(sorted(components.items()))
