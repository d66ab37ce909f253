"""Filter patterns of event source mappings: texts, and beginnings of texts.

Source: AWS Lambda Developer Guide, "Control which events Lambda sends to your function".
"""

from __future__ import annotations

from local.intrinsics import Json, TemplateError

_PREFIX = "prefix"


def check(pattern: Json, place: str) -> None:
    """Check that `matches` supports every rule of a pattern.

    Raises:
        TemplateError: it has another rule.
    """
    if isinstance(pattern, dict):
        for name, part in pattern.items():
            check(part, f"{place}.{name}")
    elif not isinstance(pattern, list) or not all(
        isinstance(rule, str) or _prefix(rule) is not None for rule in pattern
    ):
        raise TemplateError(f"{place}: the local service supports texts and prefixes only; it is {pattern!r}")


def matches(pattern: Json, value: object) -> bool:
    """Return whether a value matches a checked pattern."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(matches(part, value.get(name)) for name, part in pattern.items())
    return isinstance(value, str) and isinstance(pattern, list) and any(_fits(rule, value) for rule in pattern)


def _fits(rule: Json, value: str) -> bool:
    prefix = _prefix(rule)
    return rule == value if prefix is None else value.startswith(prefix)


def _prefix(rule: Json) -> str | None:
    prefix = rule[_PREFIX] if isinstance(rule, dict) and rule.keys() == {_PREFIX} else None
    return prefix if isinstance(prefix, str) else None
