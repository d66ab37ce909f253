"""Which permission a route asks of an API key, and the IAM policy that says so for every route at once.

Rules are a JSON array of `{"method", "path", "permission"}`: `{"method": "GET", "path": "/sessions/{id}", "permission":
"sessions:read"}`. A path names its parameters in braces; `{rest+}` at the end takes any number of segments. The method
may be ANY, and the permission null: then any valid key will do. Without rules, any valid key may call every route;
with rules, what they do not name is denied. As in API Gateway, the most specific path decides: a literal segment before
a parameter, a parameter before `{rest+}`, and of the same path a method before ANY.

API Gateway compares a policy's resources with the path of a request, and `*` in them matches slashes too. So the policy
allows the routes that the key may call, and denies those that it may not and that the allowed ones would let in. It
never lets in a request for a route that the rules name and refuse. It refuses one that they allow in a single case:
where the value of a parameter repeats a literal segment of a denied route, as `/a/1/b/b` where `/a/{x}/b/{y}` is
allowed and `/a/{x}/b` is denied. Rules that no policy could express are refused as a whole.

A REST API takes a path with a slash at its end for the one without, and the ARN keeps the slash. So whoever may not
call a route may not call it with a slash either.

Rules are compared with the path as the client wrote it, and a backend may read that path in another way: `//admin`,
`/%61dmin`, `/x/../admin`, `/x%2f..%2fadmin` and `/admin;x` all reach `/admin` somewhere. So a path is only ever allowed
if it is plain: all readings of it have the same segments. A literal segment of a rule holds no character that a plain
path may encode, so all readings of a plain path have the same rule. Any other path is denied, whatever the rules say.

What the rules do not name is denied too, with one exception when answers are reused: a route that they do not name,
below a parameter that they allow and beside a longer path that they allow. So name every route behind the authorizer.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from keywright.cache import once
from keywright.domain import permissions
from keywright.settings import ConfigurationError, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from keywright.api.lambda_types import Statement

ANY = "ANY"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""What ANY stands for in API Gateway."""

_FIELDS = frozenset({"method", "path", "permission"})
_PARAMETER = re.compile(r"\{[A-Za-z0-9._-]+\+?\}")
_LITERAL = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~!$&'()+,=:@-]+")
_ACTION = "execute-api:Invoke"
_REMEMBERED_POLICIES = 256

_NOT_PLAIN = re.compile(r"//|/\.{1,2}(?:/|\Z)|[\x00-\x1f\x7f\\;?#]|%(?!20|[89A-Fa-f][0-9A-Fa-f])")
"""Empty and dot segments (RFC 3986, section 5.2.4), what backends cut a path at or take for a slash, and every encoded
ASCII character but the space: unreserved ones are the same unencoded (section 6.2.2.2), others separate."""

_NOT_PLAIN_GLOBS = (
    *("*//*", "*/./*", "*/../*", "*/.", "*/..", "*\\*", "*;*", "*#*"),
    *(f"*%{high}?*" for high in "0134567"),
    *(f"*%2{low}*" for low in "123456789ABCDEFabcdef"),
    # UTF-8 in more bytes than needed (RFC 3629, section 3), which lenient decoders take for ASCII; and IIS's %u0061.
    *(f"*%{lead}*" for lead in ("C0", "c0", "C1", "c1", "F8", "f8", "FC", "fc", "U", "u")),
    *(f"*%{lead}?*" for lead in ("E0%8", "e0%8", "E0%9", "e0%9", "F0%8", "f0%8")),
)
"""The same for the resources of a policy, whose wildcards are `*` and `?`. They cannot name a `?`, nor is there need to
name control characters: no request line holds either in its path."""


@dataclass(frozen=True)
class Rule:
    """What a route asks of a key.

    Attributes:
        permission: None if any valid key may call it.
    """

    method: str
    path: str
    permission: str | None

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path between its slashes."""
        return tuple(self.path.removeprefix("/").split("/"))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches the paths of the route."""
        return re.compile("".join(f"/{_segment_pattern(segment)}" for segment in self.segments), re.DOTALL)

    @cached_property
    def globs(self) -> list[str]:
        """The ends of the resources that an IAM policy names the route by; they match more than the route.

        A method is never `*`, since that would match the beginning of a path as well.
        """
        path = "/".join("*" if _is_parameter(segment) else segment for segment in self.segments)
        return [f"{method}/{path}" for method in (METHODS if self.method == ANY else (self.method,))]

    @cached_property
    def generality(self) -> tuple[tuple[int, ...], bool]:
        """What sorts more specific rules before more general ones."""
        return tuple(1 + segment.endswith("+}") if _is_parameter(segment) else 0 for segment in self.segments), (
            self.method == ANY
        )

    def covers(self, other: Rule, *, generic: bool = False) -> bool:
        """Tell whether this rule's globs match some request that API Gateway routes to another rule's route.

        Args:
            other: the other rule.
            generic: whether only requests count whose parameters have values that are no literal segment anywhere.
        """
        crossings = self._crossings(other, generic=generic)
        # Where no `*` has crossed a slash, the path is one of this rule's own route too, and the more specific has it.
        return True in crossings or (False in crossings and other.generality < self.generality)

    def meets(self, other: Rule) -> bool:
        """Tell whether this rule's globs match some path of another rule's route."""
        return bool(self._crossings(other, generic=False))

    def _crossings(self, other: Rule, *, generic: bool) -> set[bool]:
        if ANY not in {self.method, other.method} and self.method != other.method:
            return set()
        return _crossings(self.segments, other.segments, generic=generic)


@dataclass(frozen=True)
class AccessRules:
    """The rules of a deployment, most specific first; none if any valid key may call everything."""

    rules: tuple[Rule, ...] = ()

    def find(self, method: str, path: str) -> Rule | None:
        """Give the rule of a request; None if there is none for it.

        Args:
            method: of the request.
            path: of the request, as it came, from the slash after the stage on.
        """
        for rule in self.rules:
            if rule.method in {ANY, method} and rule.pattern.fullmatch(path):
                return rule
        return None

    def missing(self, method: str, path: str, granted: Sequence[str]) -> tuple[str, ...] | None:
        """Return the permissions that a key lacks for a request; None if no key may call it.

        Args:
            method: of the request.
            path: of the request, as it came, from the slash after the stage on.
            granted: the key's permissions.
        """
        if not self.rules:
            return ()
        if not is_plain(path):
            return None
        # With a slash at its end, the path may be taken for either: it is allowed where both are.
        found = [rule for taken in {path, path.removesuffix("/")} if (rule := self.find(method, taken))]
        if not found:
            return None
        return permissions.missing(granted, [rule.permission for rule in found if rule.permission is not None])

    def statements(self, api: str, granted: Iterable[str]) -> list[Statement]:
        """Give the policy for a key, right for every route.

        Args:
            api: what stands before the method in the ARN of a request, with its slash:
                `arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/`.
            granted: the key's permissions.
        """
        if not self.rules:
            return [{"Action": _ACTION, "Effect": "Allow", "Resource": f"{api}*"}]
        return list(_statements(self, api, permissions.effective(granted)))


def is_plain(path: str) -> bool:
    """Tell whether all readings of a path have the same segments, but for a slash at its end."""
    if _NOT_PLAIN.search(path):
        return False
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(_REMEMBERED_POLICIES)
def _statements(access: AccessRules, api: str, may: tuple[str, ...]) -> tuple[Statement, ...]:
    """Work out a policy, once for each combination of permissions that keys have."""
    allowed = [rule for rule in access.rules if rule.permission is None or rule.permission in may]
    denied = [rule for rule in access.rules if rule not in allowed and any(other.covers(rule) for other in allowed)]
    # What no rule names is not to be let in by a `*` that takes two segments.
    longer = (path for rule in allowed for path in _with_one_segment_more(rule))
    refused = [*denied, *(path for path in longer if not any(path.meets(rule) for rule in allowed))]
    ending = (_with_slash(rule) for rule in access.rules if rule not in allowed)
    refused += [path for path in ending if any(other.meets(path) for other in allowed)]
    if not allowed:
        return ({"Action": _ACTION, "Effect": "Deny", "Resource": f"{api}*"},)
    statements = [_statement("Allow", api, allowed)]
    if refused:
        statements.append(_statement("Deny", api, refused))
    return *statements, _not_plain(api)


def _statement(effect: str, api: str, rules: Iterable[Rule]) -> Statement:
    globs = dict.fromkeys(glob for rule in rules for glob in rule.globs)
    return {"Action": _ACTION, "Effect": effect, "Resource": [f"{api}{glob}" for glob in globs]}


def _not_plain(api: str) -> Statement:
    """Return the denial of all paths that are not plain, short because it is part of nearly every policy."""
    _, partition, *_ = api.split(":")
    return {
        "Action": _ACTION,
        "Effect": "Deny",
        "Resource": [f"arn:{partition}:execute-api:*:*:{glob}" for glob in _NOT_PLAIN_GLOBS],
    }


def _with_one_segment_more(rule: Rule) -> Iterator[Rule]:
    """Give the paths in which one parameter of a rule takes two segments."""
    for index, segment in enumerate(rule.segments):
        if _is_parameter(segment) and not segment.endswith("+}"):
            segments = (*rule.segments[:index], "{first}", "{second}", *rule.segments[index + 1 :])
            yield Rule(rule.method, "/" + "/".join(segments), None)


def _with_slash(rule: Rule) -> Rule:
    """Give the path of a rule with a slash at its end."""
    return Rule(rule.method, f"{rule.path}/", rule.permission)


def _crossings(glob: tuple[str, ...], route: tuple[str, ...], *, generic: bool) -> set[bool]:
    """Tell how a glob can match paths of a route: with a `*` that crosses a slash where its parameter may not, without.

    Args:
        glob: segments whose parameters match slashes too.
        route: segments whose parameters match none, but for `{rest+}`.
        generic: whether the route's parameters only have values that are no literal segment.
    """
    if not glob or not route:
        return {False} if glob == route else set()
    first = glob[0]
    if route[0].endswith("+}"):
        if generic and not all(map(_is_parameter, glob)):
            return set()
        # It has as many segments as are needed, or more if there is a `*` to take them.
        return {False, any(_is_parameter(segment) and not segment.endswith("+}") for segment in glob)}
    if not _is_parameter(first):
        is_same = first == route[0] or (_is_parameter(route[0]) and not generic)
        return _crossings(glob[1:], route[1:], generic=generic) if is_same else set()
    found: set[bool] = set()
    for taken in range(1, len(route) + 1):
        crosses = not first.endswith("+}") and (taken > 1 or route[taken - 1].endswith("+}"))
        # Of the last segments, as many as `{rest+}` has, the `*` may take some and leave the others.
        left = taken - 1 if taken > 1 and route[taken - 1].endswith("+}") else taken
        for rest in {route[taken:], route[left:]}:
            found |= {crosses or later for later in _crossings(glob[1:], rest, generic=generic)}
    return found


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{")


def _segment_pattern(segment: str) -> str:
    if segment.endswith("+}"):
        return ".+"
    return "[^/]+" if _is_parameter(segment) else re.escape(segment)


@once
def access_rules() -> AccessRules:
    """Give the rules of this deployment. Tests that change the environment call `access_rules.cache_clear()`.

    Raises:
        ConfigurationError: they make no sense.
    """
    return parse(settings().access_rules)


def parse(text: str) -> AccessRules:
    """Read rules from JSON; an empty text holds none.

    Raises:
        ConfigurationError: they make no sense; the message says which one and why.
    """
    try:
        content = json.loads(text or "[]")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, list):
        raise ConfigurationError(
            'ACCESS_RULES must be a JSON array like [{"method": "GET", "path": "/sessions/{id}", "permission": "..."}]'
        )
    rules = [_rule(f"ACCESS_RULES[{index}]", entry) for index, entry in enumerate(content)]
    seen: dict[tuple[str, str], str] = {}
    for index, rule in enumerate(rules):
        same = (rule.method, _PARAMETER.sub(_unnamed, rule.path))
        earlier = seen.setdefault(same, f"ACCESS_RULES[{index}]")
        if earlier != f"ACCESS_RULES[{index}]":
            raise ConfigurationError(f"ACCESS_RULES[{index}] is about the same route as {earlier}")
    _require_expressible(rules)
    return AccessRules(tuple(sorted(rules, key=lambda rule: rule.generality)))


def _require_expressible(rules: Sequence[Rule]) -> None:
    """Refuse rules of which a policy would deny what they allow, whatever the values of the parameters are.

    That is so if a key may lack the permission of one route, has to be denied it because the policy lets it in through
    a second one that the key may call, and the denial would hit a third one that it may call.
    """
    for lacked, let_in, hit in itertools.product(rules, repeat=3):
        held = [rule.permission for rule in (let_in, hit) if rule.permission is not None]
        if lacked.permission is None or lacked.permission in permissions.effective(held):
            continue
        if let_in.covers(lacked) and lacked.covers(hit, generic=True):
            raise ConfigurationError(
                f"ACCESS_RULES: no policy can deny {lacked.method} {lacked.path} to a key that may call "
                f"{let_in.method} {let_in.path} and {hit.method} {hit.path}, because * in policies matches slashes; "
                "give them the same permission, or one of them a path of its own"
            )


def _unnamed(parameter: re.Match[str]) -> str:
    return "{+}" if parameter[0].endswith("+}") else "{}"


def _rule(place: str, entry: object) -> Rule:
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise ConfigurationError(f"{place} must be an object with method, path and permission, and nothing else")
    method, path, permission = entry["method"], entry["path"], entry["permission"]
    if method not in (ANY, *METHODS):
        raise ConfigurationError(f"{place}.method must be one of {', '.join((ANY, *METHODS))}; it is {method!r}")
    if not isinstance(path, str) or not _is_path(path):
        raise ConfigurationError(
            f"{place}.path must be a path without the stage, as /sessions/{{id}}, with {{rest+}} only at its end, of "
            f"letters, digits and any of ._~!$&'()+,=:@-; it is {path!r}"
        )
    catalogue = settings().permissions
    if permission is not None and permission not in catalogue:
        raise ConfigurationError(
            f"{place}.permission must be null or one of {', '.join(catalogue)}; it is {permission!r}"
        )
    return Rule(method, path, permission)


def _is_path(path: str) -> bool:
    segments = path.removeprefix("/").split("/")
    return path.startswith("/") and all(
        _LITERAL.fullmatch(segment) or (_PARAMETER.fullmatch(segment) and not (segment.endswith("+}") and rest))
        for segment, rest in zip(segments, [*segments[1:], ""], strict=True)
    )
