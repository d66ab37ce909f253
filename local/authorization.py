"""Lambda authorizers: their input, their answers, and the cache of these answers."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from local.events import method_arn
from local.functions import FunctionError
from local.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.events import Request
    from local.intrinsics import Json
    from local.template import Authorizer

_LOG = logging.getLogger(__name__)
_ACTION = "execute-api:Invoke"
_CACHE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer of an authorizer for one identity.

    Attributes:
        statements: of the policy.
        context: the `requestContext.authorizer` of the event for the function behind the authorizer.
        usage_plan_key: its usageIdentifierKey, the API key of a usage plan.
    """

    statements: tuple[dict[str, Json], ...]
    context: dict[str, Json]
    usage_plan_key: str | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """Invokes authorizers and caches their answers as API Gateway does: by identity alone, for the whole stage.

    Attributes:
        invoke: runs the function with a logical id on an event.
        stage: part of the ARNs that policies name.
        clock: monotonic time in seconds.
    """

    invoke: Callable[[str, dict[str, Json]], Json]
    stage: str
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _grants: OrderedDict[tuple[str, bytes], tuple[float, Grant]] = field(default_factory=OrderedDict)

    def check(self, authorizer: Authorizer, request: Request, event: dict[str, Json]) -> Grant:
        """Return the answer of an authorizer that allows a request.

        Args:
            authorizer: the authorizer of the route.
            request: the request to authorize.
            event: the request as a proxy event, for authorizers of type REQUEST.

        Raises:
            RefusalError: the request is denied, or the authorizer failed.
        """
        identity = _identity(authorizer, request)
        key = (authorizer.name, hashlib.sha256("\0".join(identity).encode()).digest())
        grant = self._remembered(key)
        if grant is None:
            grant = self._ask(authorizer, request, event, identity)
            self._remember(key, grant, authorizer.reauthorize_seconds)
        if not allows(grant.statements, method_arn(request, self.stage), request.source_ip):
            code = grant.context.get("code")
            raise RefusalError("ACCESS_DENIED", authorizer=grant.context, reason=None if code is None else str(code))
        return grant

    def _ask(
        self, authorizer: Authorizer, request: Request, event: dict[str, Json], identity: tuple[str, ...]
    ) -> Grant:
        arn = method_arn(request, self.stage)
        if authorizer.kind == "TOKEN":
            question: dict[str, Json] = {"type": "TOKEN", "methodArn": arn, "authorizationToken": identity[0]}
        else:
            unasked = {"body", "isBase64Encoded"}
            # An absent query is null to a function, but an empty object to an authorizer.
            kept = {name: {} if value is None else value for name, value in event.items() if name not in unasked}
            question = {"type": "REQUEST", "methodArn": arn, **kept}
        try:
            return _read_grant(self.invoke(authorizer.function, question))
        except FunctionError as error:
            # API Gateway checks the message only, not the type of the exception (docs/decisions/0003).
            kind = "UNAUTHORIZED" if error.message == "Unauthorized" else "AUTHORIZER_CONFIGURATION_ERROR"
            raise RefusalError(kind) from error

    def _remembered(self, key: tuple[str, bytes]) -> Grant | None:
        with self._lock:
            until, grant = self._grants.get(key, (0.0, None))
        return grant if self.clock() < until else None

    def _remember(self, key: tuple[str, bytes], grant: Grant, seconds: int) -> None:
        if seconds == 0:
            return
        with self._lock:
            self._grants[key] = (self.clock() + seconds, grant)
            self._grants.move_to_end(key)
            while len(self._grants) > _CACHE_SIZE:
                self._grants.popitem(last=False)


def allows(statements: tuple[dict[str, Json], ...], arn: str, source_ip: str | None = None) -> bool:
    """Return whether an IAM policy allows to invoke a method: a Deny wins, and the default is to deny.

    Args:
        statements: of the policy.
        arn: of the method.
        source_ip: address of the client; None as for private APIs, whose requests have no aws:SourceIp.
    """
    effects = {
        statement.get("Effect")
        for statement in statements
        if _matches(statement.get("Action"), _ACTION, re.IGNORECASE)
        and _matches(statement.get("Resource"), arn, 0)
        and _is_from(_ranges(statement), source_ip)
    }
    return effects == {"Allow"}


def _is_from(ranges: list[IPv4Network | IPv6Network] | None, source_ip: str | None) -> bool:
    """Return whether a request is from one of the ranges of a condition. A missing key fulfills no condition."""
    if ranges is None:
        return True
    return source_ip is not None and any(ip_address(source_ip) in range_ for range_ in ranges)


def _ranges(statement: dict[str, Json]) -> list[IPv4Network | IPv6Network] | None:
    """Return the ranges of a statement's condition, or None if it has no condition.

    Raises:
        ValueError: the condition is not of the form `{"IpAddress": {"aws:SourceIp": ...}}`, or a range is invalid.
    """
    match statement.get("Condition"):
        case None:
            return None
        case {"IpAddress": {"aws:SourceIp": values, **other_keys}, **others} if not other_keys and not others:
            return [ip_network(value if isinstance(value, str) else "") for value in _listed(values)]
        case condition:
            raise ValueError(f"the local service does not evaluate the condition {condition}")


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _identity(authorizer: Authorizer, request: Request) -> tuple[str, ...]:
    """Return the identity sources of a request. If one is missing, API Gateway refuses and asks no authorizer."""
    if authorizer.kind == "TOKEN":
        # Repeated header lines equal one comma-separated line (RFC 9110, section 5.3), which is never a valid token.
        sources: list[str | None] = [", ".join(request.header_values(authorizer.header))]
    else:
        query = dict(parse_qsl(request.query, keep_blank_values=True, errors="replace"))
        sources = [request.header(name) for name in authorizer.headers]
        sources += [query.get(name) for name in authorizer.query_parameters]
    identity = tuple(value for value in sources if value)
    if len(identity) != len(sources):
        token = authorizer.kind == "TOKEN"
        names = (authorizer.header,) if token else authorizer.headers + authorizer.query_parameters
        raise RefusalError("UNAUTHORIZED", reason=f"the request has no {' or no '.join(names)}")
    is_token = authorizer.kind == "TOKEN"  # the only kind with a validation expression (API Gateway, CreateAuthorizer)
    if is_token and authorizer.validation is not None and not authorizer.validation.fullmatch(identity[0]):
        raise RefusalError("UNAUTHORIZED", reason=f"{authorizer.header} does not match the ValidationExpression")
    return identity


def _read_grant(answer: Json) -> Grant:
    if not isinstance(answer, dict) or not isinstance(answer.get("principalId"), str):
        raise RefusalError("AUTHORIZER_CONFIGURATION_ERROR")
    policy, context = answer.get("policyDocument"), answer.get("context") or {}
    usage_plan_key = answer.get("usageIdentifierKey")
    listed = _listed(policy.get("Statement") if isinstance(policy, dict) else None)
    checked = tuple(statement for statement in listed if isinstance(statement, dict) and _is_known(statement))
    if len(checked) != len(listed) or not isinstance(context, dict):
        raise RefusalError("AUTHORIZER_CONFIGURATION_ERROR")
    if any(value is None or isinstance(value, dict | list) for value in context.values()):
        raise RefusalError("AUTHORIZER_CONFIGURATION_ERROR")
    if usage_plan_key is not None and not isinstance(usage_plan_key, str):
        raise RefusalError("AUTHORIZER_CONFIGURATION_ERROR")
    texts: dict[str, Json] = {name: _as_text(value) for name, value in context.items()}
    return Grant(checked, {"principalId": answer["principalId"], **texts}, usage_plan_key)


def _is_known(statement: dict[str, Json]) -> bool:
    """Return whether a statement can be evaluated: other conditions, NotAction and NotResource are not supported."""
    try:
        _ranges(statement)
    except ValueError as error:
        _LOG.error("an authorizer's policy: %s", error)
        return False
    fields = {"Sid", "Effect", "Action", "Resource", "Condition"}
    return set(statement) <= fields and statement.get("Effect") in {"Allow", "Deny"}


def _as_text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matches(patterns: Json, value: str, flags: int) -> bool:
    return any(isinstance(pattern, str) and re.fullmatch(_glob(pattern), value, flags) for pattern in _listed(patterns))


def _glob(pattern: str) -> str:
    wildcards = {"*": ".*", "?": "."}
    return "(?s:" + "".join(wildcards.get(character, re.escape(character)) for character in pattern) + ")"
