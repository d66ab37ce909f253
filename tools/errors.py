"""The errors of keywright.errors in template.yaml and docs/using.md; `make generate` writes them."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path

from keywright import errors
from keywright.errors import CATALOGUE, ErrorType

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
GUIDE = ROOT / "docs" / "using.md"

RESPONSES: dict[str, ErrorType] = {
    "DEFAULT_4XX": errors.BAD_REQUEST,
    "BAD_REQUEST_BODY": errors.BAD_REQUEST,
    "BAD_REQUEST_PARAMETERS": errors.BAD_REQUEST,
    "UNSUPPORTED_MEDIA_TYPE": errors.UNSUPPORTED_MEDIA_TYPE,
    "UNAUTHORIZED": errors.UNAUTHORIZED,
    "INVALID_API_KEY": errors.UNAUTHORIZED,
    "EXPIRED_TOKEN": errors.AWS_CREDENTIALS_EXPIRED,
    "INVALID_SIGNATURE": errors.INVALID_SIGNATURE,
    "WAF_FILTERED": errors.BLOCKED_BY_FIREWALL,
    # No route matches, or the request to a route for backends has no signature. API Gateway's own status is 403.
    "MISSING_AUTHENTICATION_TOKEN": errors.NOT_FOUND,
    "RESOURCE_NOT_FOUND": errors.NOT_FOUND,
    "REQUEST_TOO_LARGE": errors.PAYLOAD_TOO_LARGE,
    "THROTTLED": errors.TOO_MANY_REQUESTS,
    "QUOTA_EXCEEDED": errors.TOO_MANY_REQUESTS,
    # Among them the 502 of a function that crashed.
    "DEFAULT_5XX": errors.INTERNAL_SERVER_ERROR,
    "API_CONFIGURATION_ERROR": errors.INTERNAL_SERVER_ERROR,
    # An authorizer failed, for example because the identity provider did not answer. Any exception but "Unauthorized"
    # arrives here, and only some of them as AUTHORIZER_FAILURE (docs/decisions/0003).
    "AUTHORIZER_CONFIGURATION_ERROR": errors.SERVICE_UNAVAILABLE,
    "AUTHORIZER_FAILURE": errors.SERVICE_UNAVAILABLE,
    "INTEGRATION_FAILURE": errors.SERVICE_UNAVAILABLE,
    "INTEGRATION_TIMEOUT": errors.SERVICE_UNAVAILABLE,
}
"""The errors that API Gateway returns itself, by its names for them; all but ACCESS_DENIED.

ACCESS_DENIED takes code, message and hint from the authorizer, and is written in template.yaml by hand.
"""

_RESPONSES = re.compile(r"(?<=# errors \(make generate\)\n).*?(?=^ *# end of errors$)", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"(?<=<!-- errors -->\n).*?(?=<!-- end of errors -->)", re.DOTALL)
_INDENT = " " * 8


def gateway_responses() -> str:
    """Return the gateway responses as YAML. What was written before is an alias."""
    written = {"Headers"}
    lines: list[str] = []
    for name, error in RESPONSES.items():
        anchor = _anchor(error)
        if anchor in written:
            lines.append(f"{name}: *{anchor}")
        else:
            lines += [f"{name}: &{anchor}", *_response(error, written)]
            written.add(anchor)
    return "".join(f"{_INDENT}{line}\n" for line in lines)


def _anchor(error: ErrorType) -> str:
    """Return the anchor of an error, after its name in keywright.errors: NOT_FOUND is NotFound."""
    constant = next(name for name, value in vars(errors).items() if value is error)
    return constant.title().replace("_", "")


def _response(error: ErrorType, written: set[str]) -> list[str]:
    message, hint = (json.dumps(text).replace("'", "''") for text in (error.message, error.hint))
    return [
        f"  StatusCode: {error.status}",
        *_headers(error, written),
        "  ResponseTemplates:",
        "    application/json: !Sub",
        f"""      - '{{"data":null,"error":{{"code":"{error.code}","message":{message},""",
        f"""        "hint":{hint},""",
        f"""        "docs":"${{Docs}}#{error.code}"}}}}'""",
        "      - *Docs",
    ]


def _headers(error: ErrorType, written: set[str]) -> list[str]:
    anchor, header = _own_header(error)
    if anchor in written:
        return [f"  ResponseParameters: *{anchor}"]
    written.add(anchor)
    return [
        f"  ResponseParameters: &{anchor}",
        "    Headers:",
        """      cache-control: "'no-store'\"""",
        "      x-request-id: context.requestId",
        "      access-control-allow-origin: *AllowOrigin",
        "      vary: *VaryOrigin",
        f"      {header}",
    ]


def _own_header(error: ErrorType) -> tuple[str, str]:
    """Return the header that an error adds to those of every response, after the anchor of both together."""
    if error.retry_after_seconds is not None:
        return f"RetryAfter{error.retry_after_seconds}", f"""retry-after: "'{error.retry_after_seconds}'\""""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return "Challenge", """www-authenticate: "'Bearer'\""""
    return "Headers", ""


def table() -> str:
    """Return the table of errors for docs/using.md."""
    rows = [f"| `{error.code}` | {error.status} | {error.cause} |\n" for error in CATALOGUE.values()]
    return "".join(["| code | status | when |\n", "| --- | --- | --- |\n", *rows])


def with_responses(template: str) -> str:
    """Return the template with the gateway responses of the catalogue."""
    return _RESPONSES.sub(lambda _: gateway_responses(), template)


def with_table(guide: str) -> str:
    """Return the guide with the table of the catalogue."""
    return _TABLE.sub(lambda _: table(), guide)
