"""IAM policies, as API Gateway takes them from Lambda authorizers.

API Gateway may reuse a policy for every route of a stage, so a policy is right for all of them. It compares the
policy's resources with the path of a request, and a `*` in a resource matches slashes too. So the policy for a key
allows the routes that the key may call, and denies the routes that it may not call and that a `*` of an allowed one
would let in:

    resource of GET /a/{x}/b     GET/a/   *   /b
    WITHIN a segment             GET/a/   1   /b     a path of /a/{x}/b itself
                                 GET/a/   c   /b     also a path of /a/c/b: the more specific route decides
    ACROSS a slash               GET/a/  1/2  /b     a path of /a/{x}/{y}/b or /a/{rest+}: another route

- The policy never lets in a request for a route that the rules name and refuse.
- It refuses an allowed request in one case: the value of a parameter repeats a literal segment of a denied route, as in
  `/a/1/b/b` where `/a/{x}/b/{y}` is allowed and `/a/{x}/b` is denied. Rules that no policy can express are refused as a
  whole.
- It denies routes that the rules do not name, with one exception when a policy is reused: a route below an allowed
  parameter and beside a longer allowed path. So name every route behind the authorizer.

A policy is right for every address, too: what it allows to a key with allowed addresses has them as a condition, which
API Gateway checks for each request, also when it reuses the policy.
"""

from __future__ import annotations

from enum import Flag, auto
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING

from keywright.cache import once
from keywright.domain import permissions
from keywright.domain.access_rules import ANY, METHODS, Rule, is_greedy, is_parameter, parse_rules
from keywright.settings import ConfigurationError, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from keywright.api.lambda_types import AuthorizerAnswer, Statement
    from keywright.domain.access_rules import AccessRules

_ACTION = "execute-api:Invoke"
_RESOURCE_CHARACTERS = 512
"""Amazon API Gateway Developer Guide, "Output from an API Gateway Lambda authorizer"; a request's ARN may have 1600."""
_REMEMBERED_POLICIES = 256

_NOT_PLAIN_GLOBS = (
    *("*//*", "*/./*", "*/../*", "*/.", "*/..", "*\\*", "*;*", "*#*"),
    *(f"*%{high}?*" for high in "0134567"),
    *(f"*%2{low}*" for low in "123456789ABCDEFabcdef"),
    # Overlong UTF-8 (RFC 3629, section 3), which lenient decoders read as ASCII; and IIS's %u0061.
    *(f"*%{lead}*" for lead in ("C0", "c0", "C1", "c1", "F8", "f8", "FC", "fc", "U", "u")),
    *(f"*%{lead}?*" for lead in ("E0%8", "e0%8", "E0%9", "e0%9", "F0%8", "f0%8")),
)
"""Resources that match the paths that are not plain (`access_rules.is_plain_path`). Wildcards are `*` and `?`, so they
cannot name a `?`. They need not name it, nor control characters: no request line has either in its path."""


class Match(Flag):
    """The ways in which a resource matches paths of a route; the drawing above shows both."""

    NONE = 0
    WITHIN = auto()
    ACROSS = auto()


def answer(
    principal_id: str, statements: list[Statement], context: dict[str, str], usage_plan_key: str | None = None
) -> AuthorizerAnswer:
    """Return an authorizer's answer with a policy of these statements.

    Args:
        principal_id: of the caller.
        statements: of the policy.
        context: for the function behind the authorizer, and for the response to a denied request.
        usage_plan_key: API Gateway's API key of the usage plan that the request counts for; REST APIs only.
    """
    answered: AuthorizerAnswer = {
        "principalId": principal_id,
        "policyDocument": {"Version": "2012-10-17", "Statement": statements},
        "context": context,
    }
    if usage_plan_key is not None:
        answered["usageIdentifierKey"] = usage_plan_key
    return answered


def stage_of(arn: str) -> str:
    """Return the start of the ARNs of all requests to a stage, with its slash, from the ARN of one request.

    An example is `arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/`.
    """
    api, stage, _ = arn.split("/", 2)
    return f"{api}/{stage}/"


def allow(resource: str) -> Statement:
    """Return the statement that allows a resource."""
    return _statement("Allow", resource)


def deny(resource: str) -> Statement:
    """Return the statement that denies a resource. One that is too long is cut, which denies more than that."""
    if len(resource) > _RESOURCE_CHARACTERS:
        resource = f"{resource[: _RESOURCE_CHARACTERS - 1]}*"
    return _statement("Deny", resource)


def statements_for(granted: Iterable[str], access: AccessRules, stage: str) -> list[Statement]:
    """Return the statements for a key, which are right for every route of a stage.

    Args:
        granted: the key's permissions.
        access: the rules of the deployment.
        stage: as `stage_of` returns it.
    """
    if not access.rules:
        return [allow(f"{stage}*")]
    return list(_statements(access, stage, permissions.effective(granted)))


def only_from(addresses: Sequence[str], statements: Sequence[Statement]) -> list[Statement]:
    """Return statements that allow only requests from these addresses and ranges; no addresses stand for any.

    A request that has no `aws:SourceIp`, as those to private APIs, is from none of them (IAM User Guide, "AWS global
    condition context keys").
    """
    if not addresses:
        return list(statements)
    condition = {"IpAddress": {"aws:SourceIp": list(addresses)}}
    return [
        {**statement, "Condition": condition} if statement["Effect"] == "Allow" else statement
        for statement in statements
    ]


@once
def access_rules() -> AccessRules:
    """Return the rules of this deployment.

    Raises:
        ConfigurationError: they are invalid.
    """
    return expressible_rules(settings().access_rules)


def expressible_rules(text: str) -> AccessRules:
    """Parse rules from JSON, and require that policies can express them.

    A policy cannot if a key may lack the permission of one route, which has to be denied because an allowed route lets
    it in, and this denial also hits another allowed route, for every value of the parameters.

    Raises:
        ConfigurationError: a rule is invalid, or no policy can express the rules; the message names the rules.
    """
    access = parse_rules(text)
    for let_in_by, lacked in permutations(access.rules, 2):
        if lacked.permission is None or not _lets_in(let_in_by, lacked):
            continue
        for hit in access.rules:
            held = [rule.permission for rule in (let_in_by, hit) if rule.permission is not None]
            if lacked.permission not in permissions.effective(held) and _lets_in(lacked, hit, fresh_values=True):
                raise ConfigurationError(
                    f"ACCESS_RULES: no policy can deny {lacked.method} {lacked.path} to a key that may call "
                    f"{let_in_by.method} {let_in_by.path} and {hit.method} {hit.path}, because * in policies matches "
                    "slashes; give them the same permission, or change a path"
                )
    return access


@lru_cache(_REMEMBERED_POLICIES)
def _statements(access: AccessRules, stage: str, held: tuple[str, ...]) -> tuple[Statement, ...]:
    """Compute the statements for keys that hold these permissions, once for each combination."""
    allowed = [rule for rule in access.rules if rule.permission is None or rule.permission in held]
    if not allowed:
        return (deny(f"{stage}*"),)
    refused = [rule for rule in access.rules if rule not in allowed]
    let_in = [
        *(rule for rule in refused if any(_lets_in(other, rule) for other in allowed)),
        # Routes without a rule, where a `*` would take two segments.
        *(
            longer
            for rule in allowed
            for longer in _with_one_segment_more(rule)
            if not any(_match(longer, other) for other in allowed)
        ),
        *(slashed for slashed in map(_with_slash, refused) if any(_match(other, slashed) for other in allowed)),
    ]
    denials = [_statement("Deny", _resources(stage, let_in))] if let_in else []
    return _statement("Allow", _resources(stage, allowed)), *denials, _not_plain(stage)


def _statement(effect: str, resource: str | list[str]) -> Statement:
    return {"Action": _ACTION, "Effect": effect, "Resource": resource}


def _resources(stage: str, rules: Iterable[Rule]) -> list[str]:
    return list(dict.fromkeys(f"{stage}{glob}" for rule in rules for glob in _globs(rule)))


def _globs(rule: Rule) -> list[str]:
    """Return a rule's route as ends of resources. A method is never `*`, which would match the path as well."""
    path = "/".join("*" if is_parameter(segment) else segment for segment in rule.segments)
    return [f"{method}/{path}" for method in (METHODS if rule.method == ANY else (rule.method,))]


def _not_plain(stage: str) -> Statement:
    """Return the denial of all paths that are not plain, kept short because nearly every policy has it."""
    _, partition, *_ = stage.split(":")
    return _statement("Deny", [f"arn:{partition}:execute-api:*:*:{glob}" for glob in _NOT_PLAIN_GLOBS])


def _with_one_segment_more(rule: Rule) -> Iterator[Rule]:
    """Return the paths in which one parameter of a rule takes two segments."""
    for index, segment in enumerate(rule.segments):
        if is_parameter(segment) and not is_greedy(segment):
            segments = (*rule.segments[:index], "{first}", "{second}", *rule.segments[index + 1 :])
            yield Rule(rule.method, "/" + "/".join(segments), None)


def _with_slash(rule: Rule) -> Rule:
    """Return a rule's path with a slash at its end."""
    return Rule(rule.method, f"{rule.path}/", rule.permission)


def _lets_in(rule: Rule, other: Rule, *, fresh_values: bool = False) -> bool:
    """Return whether the resources of a rule match a request that API Gateway routes to another rule's route."""
    match = _match(rule, other, fresh_values=fresh_values)
    # A path that matches within segments is one of both routes, and API Gateway takes the more specific one.
    return Match.ACROSS in match or (Match.WITHIN in match and other.generality < rule.generality)


def _match(rule: Rule, other: Rule, *, fresh_values: bool = False) -> Match:
    """Return how the resources of a rule match paths of another rule's route."""
    if ANY not in {rule.method, other.method} and rule.method != other.method:
        return Match.NONE
    return _match_segments(rule.segments, other.segments, fresh_values=fresh_values)


def _match_segments(glob: tuple[str, ...], route: tuple[str, ...], *, fresh_values: bool) -> Match:
    """Return how a glob matches paths of a route.

    Args:
        glob: segments whose parameters match slashes too.
        route: segments whose parameters match no slashes, unless they are greedy.
        fresh_values: count only paths whose parameters have values that are no literal segment of any rule.
    """
    if not glob or not route:
        return Match.WITHIN if glob == route else Match.NONE
    first = glob[0]
    if is_greedy(route[0]):
        if fresh_values and not all(map(is_parameter, glob)):
            return Match.NONE
        # It takes as many segments as the glob has, or more if a `*` can take them.
        has_star = any(is_parameter(segment) and not is_greedy(segment) for segment in glob)
        return Match.WITHIN | Match.ACROSS if has_star else Match.WITHIN
    if not is_parameter(first):
        is_same = first == route[0] or (is_parameter(route[0]) and not fresh_values)
        return _match_segments(glob[1:], route[1:], fresh_values=fresh_values) if is_same else Match.NONE
    match = Match.NONE
    for taken in range(1, len(route) + 1):
        is_last_greedy = is_greedy(route[taken - 1])
        crosses = not is_greedy(first) and (taken > 1 or is_last_greedy)
        # The `*` may take some of a greedy parameter's segments and leave the others.
        left = taken - 1 if taken > 1 and is_last_greedy else taken
        for rest in {route[taken:], route[left:]}:
            later = _match_segments(glob[1:], rest, fresh_values=fresh_values)
            match |= Match.ACROSS if crosses and later else later
    return match
