"""Faults between a page and the service: a refusal in the service's own envelope, or no answer."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keywright.api import envelope
from keywright.errors import ServiceError
from tests.support.fault_proxy import Exchange, FaultProxy, Reply, passed_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keywright.errors import ErrorType
    from tests.support.network_faults import Fault


def refusal(error: ErrorType, base_url: str, request_id: str = "a-request") -> Fault:
    """Answer with an error as the functions do, also to pages of other origins."""

    def fault(exchange: Exchange) -> None:
        headers = {"x-request-id": request_id}
        if origin := exchange.header("origin"):
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = "x-request-id, retry-after"
        answer = envelope.failure(ServiceError(error), base_url, headers)
        exchange.answer(Reply(answer["statusCode"], tuple(answer["headers"].items()), answer["body"].encode()))

    return fault


def once(fault: Fault) -> Fault:
    """Apply a fault to the first request; pass all others."""
    faults = [fault]

    def first(exchange: Exchange) -> None:
        (faults.pop() if faults else passed_on)(exchange)

    return first


def path_pattern(path: str) -> str:
    """Return a regular expression of a path; `{id}` stands for any segment."""
    return re.escape(path).replace(r"\{id\}", "[^/?]+")


@contextmanager
def failing(proxy: FaultProxy, method: str, path: str, fault: Fault) -> Iterator[list[Exchange]]:
    """Apply a fault to the requests with a method and a path while the context is open; yield these requests.

    The path is without stage and query; `{id}` stands for any segment.
    """
    pattern = re.compile(r"/\w+" + path_pattern(path))
    requests: list[Exchange] = []

    def of_these(exchange: Exchange) -> None:
        if exchange.method == method and pattern.fullmatch(exchange.target.partition("?")[0]):
            requests.append(exchange)
            fault(exchange)
        else:
            passed_on(exchange)

    with proxy.inflicting(of_these):
        yield requests
