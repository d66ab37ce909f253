"""HTTP answers of the authorization server, and the forms that it is sent."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from local.sign_in import page
from local.sign_in.requests import CLIENT_ID, Parameters, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_FORM = "application/x-www-form-urlencoded"
_LARGEST_BODY_BYTES = 65536


class Answer:
    """An HTTP response."""

    def __init__(self, status: HTTPStatus, headers: dict[str, str], body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self._body = body

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Send it. Nothing is cached."""
        length = {} if self.status is HTTPStatus.NO_CONTENT else {"content-length": str(len(self._body))}
        headers = {"cache-control": "no-store", **self.headers, **length}
        start_response(f"{self.status.value} {self.status.phrase}", list(headers.items()))
        return [self._body]


def as_json(status: HTTPStatus, document: dict[str, object]) -> Answer:
    """Return a JSON document."""
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())


def refusal(error: RefusedError) -> Answer:
    """Return the error of a token request (RFC 6749, section 5.2)."""
    status = HTTPStatus.UNAUTHORIZED if error.code == "invalid_client" else HTTPStatus.BAD_REQUEST
    return as_json(status, {"error": error.code, "error_description": error.description})


def as_page(status: HTTPStatus, text: str, form_target: str | None = None) -> Answer:
    """Return a page, whose form redirects to an origin or which has no form."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": page.policy(form_target),
        "referrer-policy": "same-origin",  # no-referrer would hide the origin of the form
        "x-content-type-options": "nosniff",
    }
    return Answer(status, headers, text.encode())


def client_form(environ: WSGIEnvironment) -> Parameters:
    """Return the parameters of a request of the client, which is public and does not authenticate.

    Raises:
        RefusedError: it is no form, or of another client, or has credentials.
    """
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _FORM:
        raise RefusedError("invalid_request", f"the body must be {_FORM}")
    parameters = Parameters(_body(environ))
    if environ.get("HTTP_AUTHORIZATION") or parameters.one("client_secret"):
        raise RefusedError("invalid_client", "the client is public: it has no secret")
    if parameters.required("client_id") != CLIENT_ID:
        raise RefusedError("invalid_client", f"client_id must be {CLIENT_ID}")
    return parameters


def parameters_of(environ: WSGIEnvironment) -> Parameters:
    """Return the parameters of a request that a browser is sent with: of its body or its query.

    Raises:
        RefusedError: the body is too large.
    """
    return Parameters(_body(environ) if environ["REQUEST_METHOD"] == "POST" else environ.get("QUERY_STRING", ""))


def _body(environ: WSGIEnvironment) -> str:
    """Return the body of a request.

    Raises:
        RefusedError: it is too large.
    """
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _LARGEST_BODY_BYTES:
        raise RefusedError("invalid_request", f"the body has more than {_LARGEST_BODY_BYTES} bytes")
    content: bytes = environ["wsgi.input"].read(length)
    return content.decode("ascii", errors="replace")
