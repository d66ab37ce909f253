"""JSON schemas of pydantic models, as OpenAPI 3.1 has them: named, described, and without what helps nobody."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic.json_schema import models_json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

Json = Any
Mode = Literal["validation", "serialization"]

_REFERENCE = "#/components/schemas/{model}"
_SECTION = re.compile(r"\n\nAttributes:\n(.*)", re.DOTALL)
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def reference(name: str) -> Json:
    """Point to a named schema."""
    return {"$ref": _REFERENCE.format(model=name)}


def schemas(models: Iterable[tuple[type[BaseModel], Mode]]) -> dict[str, Json]:
    """Give the schemas of models and of everything in them, by their names.

    Descriptions are the models' docstrings, and their sections of attributes those of the fields.
    """
    wanted = list(models)
    _, together = models_json_schema(wanted, ref_template=_REFERENCE)
    described: dict[str, Json] = {name: _untitled(schema) for name, schema in together["$defs"].items()}
    for model in _with_parts(model for model, _ in wanted):
        _describe(described[model.__name__], model)
    return described


def parameters(model: type[BaseModel]) -> list[Json]:
    """Give the query parameters that a model's fields are; lists in one, separated by commas."""
    found = schemas([(model, "validation")])[model.__name__]
    return [_parameter(name, schema) for name, schema in found.get("properties", {}).items()]


def _parameter(name: str, schema: Json) -> Json:
    description = schema.pop("description", None)
    if schema.get("default", 0) in (None, []):
        del schema["default"]
    # Null is what code has for a parameter that is not there.
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
    """Add the models that are fields of others."""
    found: dict[type[BaseModel], None] = {}
    for model in models:
        parts = [
            field.annotation
            for field in model.model_fields.values()
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
        ]
        found |= _with_parts(parts) | {model: None}
    return found


def _describe(schema: Json, model: type[BaseModel]) -> None:
    schema["description"] = sentence(_SECTION.sub("", inspect.cleandoc(model.__doc__ or "")))
    attributes = _attributes(model)
    for name, field in model.model_fields.items():
        if name in attributes:
            place = schema["properties"][field.serialization_alias or field.alias or name]
            place["description"] = sentence(attributes[name])


def _attributes(model: type[BaseModel]) -> Mapping[str, str]:
    """Read what a model's docstring, and those of the models it extends, say of its fields."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        section = _SECTION.search(inspect.cleandoc(base.__doc__ or ""))
        found |= dict(_ATTRIBUTE.findall(section[1])) if section else {}
    return found


def sentence(text: str) -> str:
    """Write a text of one or more lines as a sentence: white space as one space, the first letter a capital."""
    line = " ".join(text.split())
    return line[:1].upper() + line[1:] if line[:1].isalpha() else line


def _untitled(schema: Json) -> Json:
    """Take out pydantic's titles, which only repeat the names of fields and models."""
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
