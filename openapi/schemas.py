"""JSON schemas of pydantic models for OpenAPI 3.1: named, with descriptions, without redundant titles."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic.json_schema import models_json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

Json = Any
Mode = Literal["validation", "serialization"]

_REFERENCE = "#/components/schemas/{model}"
_SECTION = re.compile(r"\n\nAttributes:\n(.*)", re.DOTALL)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def reference(name: str) -> Json:
    """Return a reference to a named schema."""
    return {"$ref": _REFERENCE.format(model=name)}


def schemas(models: Iterable[tuple[type[BaseModel], Mode]]) -> dict[str, Json]:
    """Return the schemas of models and of the models in their fields, by name.

    The docstrings of the models are the descriptions, with the section Attributes for the fields.
    """
    requested = list(models)
    _, together = models_json_schema(requested, ref_template=_REFERENCE)
    described: dict[str, Json] = {name: _untitled(schema) for name, schema in together["$defs"].items()}
    for model in _with_parts(model for model, _ in requested):
        _describe(described[model.__name__], model)
    return described


def parameters(model: type[BaseModel]) -> list[Json]:
    """Return the fields of a model as query parameters. Lists are comma-separated."""
    described = schemas([(model, "validation")])[model.__name__]
    return [_parameter(name, schema) for name, schema in described.get("properties", {}).items()]


def _parameter(name: str, schema: Json) -> Json:
    description = schema.pop("description", None)
    if schema.get("default", 0) in (None, []):
        del schema["default"]
    # None is the value of an omitted parameter; clients cannot send null.
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    schema = {**schema, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}
    style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {
        "name": name,
        "in": "query",
        **({"description": description} if description else {}),
        **style,
        "schema": schema,
    }


def _with_parts(models: Iterable[type[BaseModel]]) -> dict[type[BaseModel], None]:
    """Return the models with those in their fields."""
    collected: dict[type[BaseModel], None] = {}
    for model in models:
        annotations = [field.annotation for field in model.model_fields.values()]
        kinds = [kind for annotation in annotations for kind in _with_arguments(annotation)]
        parts = [kind for kind in kinds if isinstance(kind, type) and hasattr(kind, "model_fields")]
        collected |= _with_parts(parts) | {model: None}
    return collected


def _with_arguments(annotation: object) -> Iterator[object]:
    """Yield an annotation and its arguments at any depth."""
    yield annotation
    for argument in get_args(annotation):
        yield from _with_arguments(argument)


def _describe(schema: Json, model: type[BaseModel]) -> None:
    schema["description"] = sentence(_SECTION.sub("", inspect.cleandoc(model.__doc__ or "")))
    attributes = _attributes(model)
    for name, field in model.model_fields.items():
        if name in attributes:
            place = schema["properties"][field.serialization_alias or field.alias or name]
            place["description"] = sentence(attributes[name])


def _attributes(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the descriptions of a model's fields, from its docstring and those of its base classes."""
    descriptions: dict[str, str] = {}
    for base in reversed(model.__mro__):
        section = _SECTION.search(inspect.cleandoc(base.__doc__ or ""))
        descriptions |= dict(_ATTRIBUTE.findall(section[1])) if section else {}
    return descriptions


def sentence(text: str) -> str:
    """Return a text as one line that begins with a capital letter."""
    line = " ".join(text.split())
    return line[:1].upper() + line[1:] if line[:1].isalpha() else line


def _untitled(schema: Json) -> Json:
    """Return a schema without pydantic's titles, which repeat the names of fields and models."""
    match schema:
        case {"properties": properties}:
            rest = {name: value for name, value in schema.items() if name not in {"title", "properties"}}
            return {
                **_untitled(rest),
                "properties": {name: _untitled(value) for name, value in properties.items()},
            }
        case dict():
            return {name: _untitled(value) for name, value in schema.items() if name != "title"}
        case list():
            return [_untitled(value) for value in schema]
        case _:
            return schema
