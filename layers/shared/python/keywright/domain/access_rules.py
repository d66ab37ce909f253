"""Access rules: the permission that each route requires of an API key.

Rules are a JSON array of `{"method", "path", "permission"}`, as in `{"method": "GET", "path": "/sessions/{id}",
"permission": "sessions:read"}`. A path names its parameters in braces; a greedy one, `{rest+}`, takes one or more
segments at the end. The method may be ANY. A null permission admits any valid key. Without rules, any valid key may
call every route; with rules, every other route is denied. As in API Gateway, the most specific path decides: a literal
segment before a parameter, a parameter before a greedy one, and of equal paths a method before ANY.

A REST API treats a path with a slash at its end like the path without. So a key that may not call a route may not call
it with a slash either.

Rules are compared with the path that the client wrote, and a backend may read that path differently: `//admin`,
`/%61dmin`, `/x/../admin`, `/x%2f..%2fadmin` and `/admin;x` all reach `/admin` on some backend. So only a plain path is
ever allowed: all readings of it have the same segments. A literal segment of a rule has no character that a plain path
may encode, so all readings of a plain path have the same rule. Every other path is denied, even by a rule for it.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote

from keywright.domain import permissions
from keywright.immutable import immutable
from keywright.settings import ConfigurationError, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

ANY = "ANY"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""The methods that ANY stands for in API Gateway."""

_FIELDS = frozenset({"method", "path", "permission"})
_PARAMETER = re.compile(r"\{[A-Za-z0-9._-]+\+?\}")
_LITERAL = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~!$&'()+,=:@-]+")

_NOT_PLAIN = re.compile(r"//|/\.{1,2}(?:/|\Z)|[\x00-\x1f\x7f\\;?#]|%(?!20|[89A-Fa-f][0-9A-Fa-f])")
"""Empty and dot segments (RFC 3986, section 5.2.4), characters at which backends cut a path or which they read as a
slash, and every encoded ASCII character except the space: unreserved ones mean the same unencoded (section 6.2.2.2),
others separate."""


@immutable
class RouteClosed:
    """No key may call the route: no rule names it, or its path is not plain."""


@immutable
class Rule:
    """The permission that a route requires.

    Attributes:
        permission: None if any valid key may call the route.
    """

    method: str
    path: str
    permission: str | None

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path, split at its slashes."""
        return tuple(self.path.removeprefix("/").split("/"))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Pattern of the route's paths."""
        return re.compile("".join(f"/{_segment_pattern(segment)}" for segment in self.segments), re.DOTALL)

    @cached_property
    def generality(self) -> tuple[tuple[int, ...], bool]:
        """Sort key: more specific rules first."""
        ranks = tuple(is_parameter(segment) + is_greedy(segment) for segment in self.segments)
        return ranks, self.method == ANY


@immutable
class AccessRules:
    """The rules of a deployment, most specific first. Without rules, any valid key may call every route."""

    rules: tuple[Rule, ...] = ()

    def find(self, method: str, path: str) -> Rule | None:
        """Return the rule of a request, or None if no rule names its route.

        Args:
            method: of the request.
            path: of the request, as received, from the slash after the stage on.
        """
        for rule in self.rules:
            if rule.method in {ANY, method} and rule.pattern.fullmatch(path):
                return rule
        return None

    def missing(self, method: str, path: str, granted: Sequence[str]) -> tuple[str, ...] | RouteClosed:
        """Return the permissions that a key lacks for a request.

        Args:
            method: of the request.
            path: of the request, as received, from the slash after the stage on.
            granted: the key's permissions.
        """
        if not self.rules:
            return ()
        if not is_plain_path(path):
            return RouteClosed()
        # The path with a slash at its end may be read without it: the key needs the permissions of both.
        rules = [rule for reading in {path, path.removesuffix("/")} if (rule := self.find(method, reading))]
        if not rules:
            return RouteClosed()
        return permissions.missing(granted, [rule.permission for rule in rules if rule.permission is not None])


def is_plain_path(path: str) -> bool:
    """Return whether all readings of a path have the same segments, apart from a slash at its end."""
    if _NOT_PLAIN.search(path):
        return False
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def is_parameter(segment: str) -> bool:
    """Return whether a segment of a rule's path is a parameter, greedy or not."""
    return segment.startswith("{")


def is_greedy(segment: str) -> bool:
    """Return whether a segment of a rule's path is a greedy parameter, which takes one or more segments."""
    return segment.endswith("+}")


def parse_rules(text: str) -> AccessRules:
    """Parse rules from JSON. An empty text has none.

    Raises:
        ConfigurationError: a rule is invalid; the message names it and the reason.
    """
    try:
        entries = json.loads(text or "[]")
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise ConfigurationError(
            'ACCESS_RULES must be a JSON array like [{"method": "GET", "path": "/sessions/{id}", "permission": "..."}]'
        )
    rules = [_rule(f"ACCESS_RULES[{index}]", entry) for index, entry in enumerate(entries)]
    first_uses: dict[tuple[str, str], int] = {}
    for index, rule in enumerate(rules):
        first = first_uses.setdefault((rule.method, _PARAMETER.sub(_unnamed, rule.path)), index)
        if first != index:
            raise ConfigurationError(f"ACCESS_RULES[{index}] is about the same route as ACCESS_RULES[{first}]")
    return AccessRules(tuple(sorted(rules, key=lambda rule: rule.generality)))


def _rule(name: str, entry: object) -> Rule:
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise ConfigurationError(f"{name} must be an object with method, path and permission, and nothing else")
    method, path, permission = entry["method"], entry["path"], entry["permission"]
    if method not in (ANY, *METHODS):
        raise ConfigurationError(f"{name}.method must be one of {', '.join((ANY, *METHODS))}; it is {method!r}")
    if not isinstance(path, str) or not _is_path(path):
        raise ConfigurationError(
            f"{name}.path must be a path without the stage, as /sessions/{{id}}, with {{rest+}} only at its end, of "
            f"letters, digits and any of ._~!$&'()+,=:@-; it is {path!r}"
        )
    catalogue = settings().permissions
    if permission is not None and permission not in catalogue:
        raise ConfigurationError(
            f"{name}.permission must be null or one of {', '.join(catalogue)}; it is {permission!r}"
        )
    return Rule(method, path, permission)


def _is_path(path: str) -> bool:
    *inner, last = path.removeprefix("/").split("/")
    return (
        path.startswith("/")
        and all(_is_segment(segment) and not is_greedy(segment) for segment in inner)
        and _is_segment(last)
    )


def _is_segment(segment: str) -> bool:
    return bool(_LITERAL.fullmatch(segment) or _PARAMETER.fullmatch(segment))


def _segment_pattern(segment: str) -> str:
    if is_greedy(segment):
        return ".+"
    return "[^/]+" if is_parameter(segment) else re.escape(segment)


def _unnamed(parameter: re.Match[str]) -> str:
    return "{+}" if is_greedy(parameter[0]) else "{}"
