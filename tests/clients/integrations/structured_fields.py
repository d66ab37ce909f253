"""A strict parser of what the headers of limits are made of: lists of strings with integer parameters (RFC 9651)."""

from __future__ import annotations

import re

_ITEM = re.compile(r'"(?P<name>[\x20-\x21\x23-\x5b\x5d-\x7e]*)"(?P<parameters>(?:;[a-z*][a-z0-9_.*-]*=-?\d{1,15})*)')
_SEPARATOR = re.compile(r"[ \t]*,[ \t]*")


def parse(field: str) -> list[tuple[str, dict[str, int]]]:
    """Return the items of a list, each with its parameters.

    Raises:
        ValueError: the field is not such a list.
    """
    items, position = [], 0
    while True:
        item = _ITEM.match(field, position)
        if not item:
            raise ValueError(f"no item at {position} of {field!r}")
        pairs = (pair.split("=") for pair in item["parameters"].split(";")[1:])
        items.append((item["name"], {name: int(value) for name, value in pairs}))
        if item.end() == len(field):
            return items
        separator = _SEPARATOR.match(field, item.end())
        if not separator:
            raise ValueError(f"no separator at {item.end()} of {field!r}")
        position = separator.end()
