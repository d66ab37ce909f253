"""The files of events/: reading them, and applying each to its bases.

Changes are JSON Merge Patches (RFC 7396). events/README.md describes the files.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

Json = Any

EVENTS = Path(__file__).parents[1] / "events"

_FIELDS = {
    "": {"with", "token", "key", "event", "messages", "records", "seed", "expected"},
    "seed": {"items", "environment", "table", "dynamodb", "eventbridge", "s3", "archive", "pepper"},
    "expected": {"answer", "error", "added", "changed", "removed", "put_aside", "published", "archived"},
}
"""The fields of a file, and of its parts."""


class CaseError(ValueError):
    """A file of events/ cannot be expanded."""

    def __init__(self, file: Path, field: str, problem: str) -> None:
        super().__init__(f"events/{file.parent.name}/{file.name}: {field}: {problem}")


def case_files(events: Path = EVENTS, function: str = "*") -> list[Path]:
    """Return the files of the cases of one function or of all, ordered by name."""
    files = sorted(events.glob(f"{function}/*.json"))
    return [file for file in files if not _is_base(file)]


def patch_of(file: Path) -> Json:
    """Return a file on top of the function's base and of the bases that it names, as one patch.

    Raises:
        CaseError: a base does not exist, a field is unknown, or the file is not JSON.
    """
    content = read(file)
    _check_fields(file, content)
    named = content.get("with", [])
    bases = [file.parents[1] / "base" / f"{name}.json" for name in ([named] if isinstance(named, str) else named)]
    if not _is_base(file):
        bases.insert(0, file.with_name("base.json"))
    patch: Json = {}
    for base in bases:
        if not base.is_file():
            raise CaseError(file, "with", f"events/{base.parent.name}/{base.name} does not exist")
        patch = composed(patch, patch_of(base))
    return composed(patch, content)


def _is_base(file: Path) -> bool:
    return "base" in {file.stem, file.parent.name}


def _check_fields(file: Path, content: Json) -> None:
    for part, known in _FIELDS.items():
        fields = (content.get(part) or {}) if part else content
        for name in fields.keys() - known:
            raise CaseError(file, f"{part}.{name}".lstrip("."), f"unknown; known are {', '.join(sorted(known))}")


@cache
def read(file: Path) -> Json:
    """Return the content of a file.

    Raises:
        CaseError: it is not JSON, or an object has a name twice.
    """

    def once(pairs: list[tuple[str, Json]]) -> Json:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise CaseError(file, name, "twice in one object")
        return dict(pairs)

    try:
        return json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise CaseError(file, f"line {error.lineno}", error.msg) from error


def merged(target: Json, patch: Json) -> Json:
    """Return a value with a patch applied."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def composed(first: Json, second: Json) -> Json:
    """Return one patch that does what two do, one after the other."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second
    return first | {name: composed(first.get(name), value) for name, value in second.items()}
