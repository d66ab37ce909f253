"""The description: the routes of the template, each with what its handler declares and the models it works with."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import tomllib
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keywright import errors
from keywright.api import documents, endpoint, envelope
from keywright.api import schemas as api_schemas
from keywright.api.documents import Document
from keywright.domain import principals
from local.intrinsics import text as plain
from local.template import IAM_AUTHORIZER, read_stack
from openapi.examples import KEY_ID, Example, examples, refusals, success
from openapi.schemas import Mode, parameters, reference, schemas, sentence

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from keywright.api.endpoint import Operation
    from keywright.errors import ErrorType
    from local.template import Route, Stack

Json = Any

SERVER = "http://127.0.0.1:8787"
"""Of the file; what is served names the API's own address."""

_SESSION = "bearerAuth"
_SECURITY = {
    "SessionAuthorizer": [_SESSION],
    "ApiKeyAuthorizer": ["apiKey", "apiKeyAsBearer"],
    IAM_AUTHORIZER: ["awsSignature"],
    None: [],
}
"""What authorizers of the template take, in one of these ways; a route without one is open to everybody."""

_REFUSED = {
    "SessionAuthorizer": [(401, errors.UNAUTHORIZED), (403, errors.FORBIDDEN)],
    # API Gateway answers whatever an authorizer denies with one status.
    "ApiKeyAuthorizer": [(401, errors.UNAUTHORIZED), (403, errors.ORGANIZATION_FROZEN)],
    # To API Gateway a request without any signature is one that matches no route.
    IAM_AUTHORIZER: [(401, errors.UNAUTHORIZED), (403, errors.FORBIDDEN), (404, errors.NOT_FOUND)],
    None: [],
}
"""The refusals of authorizers, or of the functions that check again what these have found."""

_SECURITY_SCHEMES = {
    _SESSION: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A session token of the organization's identity provider.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "An API key.",
    },
    "apiKeyAsBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, as a bearer token.",
    },
    "awsSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "awsSigv4",
        "description": "Signature Version 4 of an AWS identity that may invoke this route, for `execute-api`.",
    },
}

_TAGS = {
    "/auth/api-keys": ("API Keys", "Issue keys, look after them, and check them."),
    "/auth/orgs": ("Organizations", "What has happened in an organization, and its end."),
    "/": ("Reference", "This description, and a page to read it on."),
}
"""By how a path begins."""

_PREFERRED = {
    "get_api_key": "used",
    "list_api_keys": "first_page",
    "list_audit_logs": "first_page",
    "rotate_api_key": "grace_period",
    "update_api_key": "within_a_grace_period",
}
"""The event that is an operation's example; others take `200_example`, or else their first."""

_ALWAYS = (errors.BAD_REQUEST, errors.TOO_MANY_REQUESTS, errors.INTERNAL_SERVER_ERROR, errors.SERVICE_UNAVAILABLE)

_HEADERS = {
    "x-request-id": ("Names the request in the logs of the service.", {"type": "string"}),
    "retry-after": ("Seconds to wait before the request is repeated.", {"type": "integer"}),
    "www-authenticate": ("How to present credentials.", {"type": "string"}),
    "idempotent-replayed": (
        "`true` if this is the answer that an earlier request with the same Idempotency-Key got.",
        {"type": "string", "enum": ["true"]},
    ),
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "Makes it safe to repeat the request: for 24 hours the same key and body get the same answer. "
        "Best a fresh UUID with every new request."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
}

_PATH_PARAMETERS = {
    "id": {"description": "The id of an API key.", "schema": {"type": "string"}, "example": KEY_ID},
}

_FAILURE: Json = {
    "type": "object",
    "description": "Why a request was refused.",
    "properties": {
        "data": {"type": "null", "description": "Empty data object."},
        "error": {
            "type": ["object", "null"],
            "properties": {
                "code": {"type": "string", "description": "What a program decides by."},
                "message": {"type": "string", "description": "What is wrong."},
                "hint": {"type": "string", "description": "What to do about it."},
                "docs": {"type": "string", "description": "Where the code is explained."},
            },
            "required": ["code", "message", "hint", "docs"],
        },
    },
    "required": ["data", "error"],
}

_PAGINATION = {
    "type": "object",
    "description": "Where a page stands in its list.",
    "properties": {
        "limit": {"type": "integer", "description": "How many items a page has."},
        "has_more": {"type": "boolean", "description": "Whether there is another page."},
        "next_cursor": {
            "type": ["string", "null"],
            "description": "What `starting_after` takes for the next page; null on the last one.",
        },
    },
    "required": ["limit", "has_more", "next_cursor"],
}


@dataclass(frozen=True, slots=True)
class _Described:
    """An operation with its route.

    Attributes:
        answers: the models of the answer's data, or of one item of it; none for a document.
        media_type: of the answer.
    """

    operation: Operation
    route: Route
    path: str
    summary: str
    answers: tuple[type[BaseModel], ...]
    is_list: bool
    is_repeatable: bool
    media_type: str
    examples: list[Example]

    @property
    def has_body(self) -> bool:
        return self.operation.body is not endpoint.Nothing

    def refusals(self) -> list[tuple[int, ErrorType]]:
        """List every refusal of the operation with its status, whether the function or API Gateway words it."""
        found = {*_ALWAYS, *self.operation.raises}
        if self.has_body:
            found.add(errors.PAYLOAD_TOO_LARGE)
        if self.is_repeatable:
            found.add(errors.IDEMPOTENCY_KEY_REUSED)
        if "{id}" in self.path:
            found.add(errors.API_KEY_NOT_FOUND)
        return sorted(
            [(error.status, error) for error in found] + _REFUSED[self.route.authorizer],
            key=lambda refusal: (refusal[0], list(errors.CATALOGUE).index(refusal[1].code)),
        )


def describe(root: Path) -> dict[str, Json]:
    """Describe the API of a repository.

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
            "schemas": _schemas(described, plain(stack.parameters["Permissions"], "Permissions").split(",")),
        },
    }


def text(document: dict[str, Json]) -> str:
    """Write a description to be read and compared."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def served(document: dict[str, Json]) -> str:
    """Write a description to be served: in one line."""
    return json.dumps(document, separators=(",", ":")) + "\n"


def _order(path: str) -> tuple[int, str]:
    """Sort paths by their tags, as these are listed."""
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
    # Annotations of a handler may name what only type checkers import.
    names = {**vars(api_schemas), **vars(envelope), **vars(documents), **vars(principals), **vars(module)}
    answers = _alternatives(typing.get_type_hints(operation.act, names)["return"])
    item = next((typing.get_args(kind)[0] for kind in answers if typing.get_origin(kind) is envelope.Listing), None)
    document = next((kind for kind in answers if isinstance(kind, type) and issubclass(kind, Document)), None)
    found = () if document else (item,) if item else tuple(kind for kind in answers if kind is not envelope.Replayed)
    return _Described(
        operation=operation,
        route=route,
        path=f"/{stack.api.stage}{route.path}",
        summary=sentence((module.__doc__ or "").partition(": ")[2].strip().removesuffix(".")),
        answers=found,
        is_list=item is not None,
        is_repeatable=envelope.Replayed in answers,
        media_type="application/json" if document is None else document.media_type.partition(";")[0],
        examples=examples(root / "events", name, f"{SERVER}/{stack.api.stage}"),
    )


def _alternatives(annotation: object) -> tuple[Any, ...]:
    return (
        typing.get_args(annotation)
        if typing.get_origin(annotation) is not envelope.Listing and typing.get_args(annotation)
        else (annotation,)
    )


def _described(item: _Described) -> Json:
    security = _SECURITY[item.route.authorizer]
    found: Json = {
        "operationId": item.operation.name,
        "tags": [_TAGS[_tag(item.route.path)][0]],
        "summary": item.summary,
        "description": inspect.cleandoc(item.operation.act.__doc__ or ""),
    }
    if security != [_SESSION]:
        found["security"] = [{name: []} for name in security]
    if given := _parameters(item):
        found["parameters"] = given
    if item.has_body:
        found["requestBody"] = _request_body(item)
    return {**found, "responses": _responses(item)}


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
    content: Json = {"schema": reference(body.__name__)}
    if example is not None and example.body is not None:
        content["example"] = example.body
    return {
        "required": any(field.is_required() for field in body.model_fields.values()) or _asks_for_something(body),
        "content": {"application/json": content},
    }


def _asks_for_something(body: type[BaseModel]) -> bool:
    """Tell whether a body may leave out each of its fields, but not all of them."""
    return "anyOf" in body.model_json_schema()


def _responses(item: _Described) -> Json:
    found: Json = {"200": _success(item)}
    for status, error in item.refusals():
        answers = refusals(item.examples, error.code) or {error.code.lower(): _from_catalogue(error)}
        response = found.setdefault(
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
    return {status: found[status] for status in sorted(found)}


def _success(item: _Described) -> Json:
    headers = _headers("x-request-id", *(["idempotent-replayed"] if item.is_repeatable else []))
    if not item.answers:
        schema: Json = {"type": "object"} if item.media_type == "application/json" else {"type": "string"}
        return {"description": "The document.", "headers": headers, "content": {item.media_type: {"schema": schema}}}
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
    return {"description": "Done.", "headers": headers, "content": {"application/json": content}}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _from_catalogue(error: ErrorType) -> Json:
    docs = f"{SERVER}/v1/docs#{error.code}"
    return {"data": None, "error": {"code": error.code, "message": error.message, "hint": error.hint, "docs": docs}}


def _label(name: str) -> str:
    return sentence(name.replace("_", " "))


def _schemas(described: list[_Described], permissions: list[str]) -> dict[str, Json]:
    wanted: list[tuple[type[BaseModel], Mode]] = []
    wanted += [(item.operation.body, "validation") for item in described if item.has_body]
    wanted += [(answer, "serialization") for item in described for answer in item.answers]
    found = schemas(dict.fromkeys(wanted))
    # Query parameters stand with their operations; what they refer to stands here.
    queries = {item.operation.query for item in described} - {endpoint.Nothing}
    names = {query.__name__ for query in queries}
    referred = schemas((query, "validation") for query in queries)
    found |= {name: schema for name, schema in referred.items() if name not in names}
    for schema in found.values():
        for field in schema.get("properties", {}).values():
            # Not every default means what it says (absent fields of a change stay as they are), and generators of
            # clients take a field with a default for one that must be there.
            field.pop("default", None)
    found["Permission"] = {
        "type": "string",
        "description": "What a key can be allowed; each deployment has a catalogue of its own.",
        "enum": permissions,
    }
    found |= {
        "Failure": _FAILURE,
        "ListFailure": {
            **_FAILURE,
            "description": "Why a list was refused.",
            "properties": {**_FAILURE["properties"], "pagination": reference("Pagination")},
        },
        "Pagination": _PAGINATION,
    }
    return dict(sorted(found.items()))
