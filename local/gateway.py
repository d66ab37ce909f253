"""API Gateway's REST API on one machine: serves HTTP requests with the template's authorizers and functions."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import time
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, get_header_lines
from waitress.task import ErrorTask, WSGITask

from local import logs, sigv4
from local.authorization import Authorization
from local.events import Request, proxy_event, request_context
from local.functions import FunctionError
from local.intrinsics import mapping
from local.refusals import HEADER_VALUE, HttpResponse, RefusalError, render
from local.template import IAM_AUTHORIZER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from local.intrinsics import Json
    from local.template import Api, Route

PAYLOAD_LIMIT_BYTES = 10 * 1024 * 1024
"""Amazon API Gateway quotas, REST API: payload size, 10 MB."""

_REFERENCE = "/docs"
_LOG = logging.getLogger(__name__)
_HEADERS_KEY = "keywright.headers"
_PROXY_ANSWER_FIELDS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_STATUS = re.compile(r"[2-5][0-9][0-9]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers that a function cannot set (Amazon API Gateway important notes, REST APIs): connection headers are removed,
# others are renamed.
_DROPPED_HEADERS = frozenset(
    {"connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"}
)
_REMAPPED_HEADERS = frozenset(
    {"authorization", "content-md5", "date", "host", "max-forwards", "pragma", "proxy-authenticate", "range"}
    | {"referer", "server", "user-agent", "via", "warn", "www-authenticate"}
)
_NO_CONTENT = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Gateway:
    """A WSGI application that serves an API of a template.

    Args:
        api: routes, authorizers and gateway responses.
        invoke: invokes the function with a logical id.
        credential: access key that must sign requests to routes with AWS_IAM; also an attribute.
        domain: host and port of the service.
        port: port of the service.
        announce: called with one line for each request, without token, query and body.
        clock: monotonic time in seconds, for the cache of authorizer answers.
    """

    def __init__(  # noqa: PLR0913 - keyword arguments
        self,
        *,
        api: Api,
        invoke: Callable[[str, dict[str, Json]], Json],
        credential: sigv4.SigningCredential,
        domain: str,
        port: int,
        announce: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._invoke = invoke
        self.credential = credential
        self._domain = domain
        self._port = port
        self._announce = announce
        self._authorization = Authorization(invoke, api.stage, clock)
        self._resources = _resources(api.routes)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        started = time.perf_counter()
        request = received(environ, self._domain, self._port)
        with logs.collected() as lines:
            answer = self.answer(request)
        reason = answer.reason or logs.reason(lines, answer.status)
        self._announce(logs.line(request.method, request.path, answer.status, started, reason))
        headers = [*answer.headers, ("x-amzn-requestid", request.request_id)]
        if answer.status not in _NO_CONTENT:
            headers.append(("content-length", str(len(answer.body))))
        start_response(status_line(answer.status), headers)
        return [] if request.method == "HEAD" or answer.status in _NO_CONTENT else [answer.body]

    def answer(self, request: Request) -> HttpResponse:
        """Answer a request. Every failure is answered with a gateway response of the template."""
        context = request_context(request, self._api.stage, request.path.removeprefix(f"/{self._api.stage}"))
        if self._leads_to_the_reference(request):
            return HttpResponse(HTTPStatus.FOUND, (("location", f"/{self._api.stage}{_REFERENCE}"),), b"")
        try:
            return self._serve(request, context)
        except RefusalError as refusal:
            return render(refusal, self._api.gateway_responses, context, request)
        except Exception:  # noqa: BLE001 - every failure is answered
            _LOG.exception("the local gateway failed on %s", request.method)
            return render(RefusalError("DEFAULT_5XX", status=500), self._api.gateway_responses, context, request)

    def refuse_malformed(self, status: int) -> HttpResponse:
        """Answer a request that is not valid HTTP, or too large."""
        types = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "REQUEST_TOO_LARGE"}
        if status == HTTPStatus.NOT_IMPLEMENTED:  # an unknown transfer coding is an error of the client
            status = HTTPStatus.BAD_REQUEST
        default = "DEFAULT_5XX" if status == HTTPStatus.INTERNAL_SERVER_ERROR else "DEFAULT_4XX"
        request = Request("-", "-", "", (), b"", "-", self._domain, self._port)
        self._announce(logs.line(request.method, request.path, status, time.perf_counter()))
        refusal = RefusalError(types.get(HTTPStatus(status), default), status=status)
        return render(refusal, self._api.gateway_responses, request_context(request, self._api.stage, "-"), None)

    def _leads_to_the_reference(self, request: Request) -> bool:
        """Return whether a path is an abbreviation of the reference page's. API Gateway has none."""
        abbreviations = {"/", _REFERENCE, f"/{self._api.stage}", f"/{self._api.stage}/"}
        has_reference = any(route.path == _REFERENCE for route in self._api.routes)
        return has_reference and request.method in {"GET", "HEAD"} and request.path in abbreviations

    def _serve(self, request: Request, context: dict[str, Json]) -> HttpResponse:
        """Route, authorize and answer a request. The route and the caller are added to its context."""
        if len(request.body) > PAYLOAD_LIMIT_BYTES:
            raise RefusalError("REQUEST_TOO_LARGE")
        route, parameters = self._route(request)
        context["resourcePath"] = route.path
        event = proxy_event(request, route.path, parameters, context)
        usage_plan_key = None
        if route.authorizer == IAM_AUTHORIZER:
            mapping(context["identity"], "identity").update(sigv4.caller(request, self.credential))
        elif route.authorizer is not None:
            grant = self._authorization.check(self._api.authorizers[route.authorizer], request, event)
            context["authorizer"] = grant.context
            usage_plan_key = grant.usage_plan_key
        if route.needs_usage_plan_key:
            if usage_plan_key is None:
                raise RefusalError("INVALID_API_KEY", reason="the authorizer named no key of a usage plan")
            mapping(context["identity"], "identity")["apiKey"] = usage_plan_key
        try:
            return parse_proxy_answer(self._invoke(route.function, event))
        except FunctionError as error:
            # API Gateway treats an error report as a malformed answer.
            raise RefusalError("DEFAULT_5XX") from error

    def _route(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        prefix = f"/{self._api.stage}/"
        if request.path.startswith(prefix):
            path = request.path[len(prefix) - 1 :]
            for resource in self._resources:
                match = resource.pattern.fullmatch(path)
                if match is None:
                    continue
                # Only the most specific path counts, even if it lacks the method.
                route = resource.methods.get(request.method) or resource.methods.get("ANY")
                if route is None:
                    break
                return route, dict(zip(resource.parameters, match.groups(), strict=True))
        raise RefusalError("MISSING_AUTHENTICATION_TOKEN", reason="there is no such route")


def received(environ: WSGIEnvironment, domain: str, port: int) -> Request:
    """Return the request of a channel of `channel_for`, for the service at this domain and port."""
    target = environ["REQUEST_URI"]
    path = target.split("?", 1)[0] if target.startswith("/") else urlsplit(target).path
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ["QUERY_STRING"],
        headers=environ[_HEADERS_KEY],
        body=environ["wsgi.input"].read(),
        source_ip=environ["REMOTE_ADDR"],
        domain=domain,
        port=port,
    )


@dataclass(frozen=True)
class _Resource:
    """A path with its methods."""

    path: str
    methods: Mapping[str, Route]

    @cached_property
    def parameters(self) -> list[str]:
        return [segment.strip("{}").removesuffix("+") for segment in self._segments if segment.startswith("{")]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("".join(f"/{_segment_pattern(segment)}" for segment in self._segments))

    def generality(self) -> list[int]:
        """Return a sort key: literal segments come before parameters, and these before greedy parameters."""
        return [1 + segment.endswith("+}") if segment.startswith("{") else 0 for segment in self._segments]

    @property
    def _segments(self) -> list[str]:
        return self.path.removeprefix("/").split("/")


def _resources(routes: Iterable[Route]) -> list[_Resource]:
    """Return the paths of the API, the most specific first."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    return sorted((_Resource(path, methods) for path, methods in by_path.items()), key=_Resource.generality)


def _segment_pattern(segment: str) -> str:
    if segment.endswith("+}"):
        return "(.+)"
    return "([^/]+)" if segment.startswith("{") else re.escape(segment)


def parse_proxy_answer(result: Json) -> HttpResponse:
    """Parse the answer of a proxy integration.

    Raises:
        RefusalError: the answer is malformed, which API Gateway answers with 502.
    """
    if not isinstance(result, dict) or not set(result) <= _PROXY_ANSWER_FIELDS:
        raise _malformed("unknown fields, or not an object")
    status = str(result.get("statusCode"))
    body = result.get("body") or ""
    if not _STATUS.fullmatch(status) or not isinstance(body, str):
        raise _malformed("statusCode or body")
    headers = list(_passed_on(_header_lines(result)))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    try:
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") is True else body.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise _malformed("body") from error
    return HttpResponse(int(status), tuple(headers), content)


def _malformed(what: str) -> RefusalError:
    _LOG.error("malformed Lambda proxy response: %s", what)
    return RefusalError("DEFAULT_5XX")


def _header_lines(result: dict[str, Json]) -> Iterable[tuple[str, str]]:
    """Return a line for each value; a name in multiValueHeaders overrides the same name in headers."""
    single, multiple = result.get("headers") or {}, result.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multiple, dict):
        raise _malformed("headers")
    overridden = {name.lower() for name in multiple}
    lines: list[tuple[str, Json]] = [(name, value) for name, value in single.items() if name.lower() not in overridden]
    for name, values in multiple.items():
        lines += [(name, value) for value in (values if isinstance(values, list) else [values])]
    for name, value in lines:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        well_formed = _HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(shown)
        if not well_formed or value is None or isinstance(value, dict | list):
            raise _malformed(f"header {name!r}")
        yield name, shown


def _passed_on(lines: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in lines:
        if name.lower() in _REMAPPED_HEADERS:
            yield f"x-amzn-remapped-{name.lower()}", value
        elif name.lower() not in _DROPPED_HEADERS:
            yield name, value


def status_line(status: int) -> str:
    """Return a status with its phrase."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


class _Parser(HTTPRequestParser):
    """Keeps every header line as sent: WSGI would join lines and lose the case of names."""

    header_lines: tuple[tuple[str, str], ...] = ()

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # Python does not convert integers of this length
            raise ParsingError("Content-Length is invalid") from error
        _, _, block = header_plus.partition(b"\r\n")
        pairs = (line.partition(b":") for line in get_header_lines(block))
        self.header_lines = tuple(
            (name.decode("latin-1"), value.strip(b" \t").decode("latin-1")) for name, _, value in pairs
        )


class _Task(WSGITask):
    """Passes the header lines to the application."""

    def get_environment(self) -> WSGIEnvironment:
        environ = super().get_environment()
        environ[_HEADERS_KEY] = cast("_Parser", self.request).header_lines
        return environ


def channel_for(gateway: Gateway) -> type[HTTPChannel]:
    """Return a waitress channel class that answers malformed requests with gateway responses."""

    class _ErrorTask(ErrorTask):
        def execute(self) -> None:
            error = cast("HTTPRequestParser", self.request).error
            answer = gateway.refuse_malformed(HTTPStatus.BAD_REQUEST if error is None else error.code)
            self.status = status_line(answer.status)
            self.response_headers = [*answer.headers, ("content-length", str(len(answer.body)))]
            self.set_close_on_finish()
            self.content_length = len(answer.body)
            self.write(answer.body)

    class _Channel(HTTPChannel):
        parser_class = _Parser
        task_class = _Task
        error_task_class = _ErrorTask

    return _Channel
