"""Use the installed Python client in a Python without sockets; print its version and the number of checks.

The client's packages are mounted at /packages. Answers come from a function in place of the network.
"""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import json
import sys
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, "/packages")


def without_tls() -> types.ModuleType:
    """Return a stand-in for `ssl`, which some of these Pythons lack: names to import, which nothing here uses."""
    module = types.ModuleType("ssl")

    def attribute(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "OPENSSL_VERSION":
            return "OpenSSL 3.0.0"
        if name == "OPENSSL_VERSION_INFO":
            return (3, 0, 0, 0, 0)
        return 0 if name.isupper() else type(name, (Exception,) if name.endswith("Error") else (), {})

    module.__getattr__ = attribute  # type: ignore[method-assign]
    return module


try:
    import ssl  # noqa: F401
except ImportError:
    sys.modules["ssl"] = without_tls()

import httpx  # noqa: E402 - needs the path and the module above
from botocore.credentials import Credentials  # noqa: E402

from keywright_client import (  # noqa: E402
    ApiError,
    AsyncKeywright,
    Expired,
    Keywright,
    NotFound,
    RateLimited,
    Refused,
    Valid,
)

URL = "https://abc123.execute-api.us-east-1.amazonaws.com/v1"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:verify"
DETAILS = {
    "id": "01a20a38-9585-719d-81cb-3b8af1c594c2",
    "organizationId": "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
    "name": "CI",
    "permissions": ["sessions:read"],
    "missingPermissions": [],
    "metadata": {"seats": 9007199254740993},
    "expiresAt": "2030-01-31T12:00:00.000Z",
    "allowedIps": None,
    "rateLimit": None,
    "quota": None,
    "retryAfterSeconds": None,
    "leak": None,
}
ANSWERS: dict[str, tuple[dict[str, object], type]] = {
    "valid": ({**DETAILS, "valid": True, "code": "VALID"}, Valid),
    "unknown": ({"valid": False, "code": "NOT_FOUND"}, NotFound),
    "expired": ({**DETAILS, "valid": False, "code": "EXPIRED"}, Expired),
    "limited": ({**DETAILS, "valid": False, "code": "RATE_LIMITED", "retryAfterSeconds": 3}, RateLimited),
    "newer": ({**DETAILS, "valid": False, "code": "OUTSIDE_OF_OFFICE_HOURS"}, Refused),
}
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret")
attempts: list[str] = []


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as Keywright, or as Lambda. The first attempt of all fails."""
    attempts.append(request.headers.get("authorization", ""))
    if len(attempts) == 1:
        raise httpx.ConnectError("refused", request=request)
    if request.method == "GET":
        error = {"code": "FORBIDDEN", "message": "You may not", "hint": "Ask an admin.", "docs": "/v1/docs#FORBIDDEN"}
        return httpx.Response(403, json={"data": None, "error": error})
    data = ANSWERS[json.loads(request.content)["key"]][0]
    envelope = {"data": data, "error": None}
    is_invocation = "/2015-03-31/functions/" in str(request.url)
    return httpx.Response(200, json={"status": 200, "headers": {}, **envelope} if is_invocation else envelope)


checks = 0


def check(is_right: object, said: str) -> None:
    """Count a check.

    Raises:
        SystemExit: it failed.
    """
    global checks  # noqa: PLW0603 - a counter
    checks += 1
    if not is_right:
        raise SystemExit(f"Python {sys.version.split()[0]}: {said}")


def use(make: Callable[..., Keywright]) -> None:
    """Ask with every kind of key, and for a list that is refused."""
    for where in ({"url": URL, "token": "t"}, {"function": FUNCTION}):
        keywright = make(credentials=CREDENTIALS, **where)
        for text, (_, kind) in ANSWERS.items():
            result = keywright.verify(text, permissions=["sessions:read"], client_ip="192.0.2.7")
            check(type(result) is kind, f"{text}: {result!r}")
        check(attempts[-1].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "no signature")
    try:
        list(make(url=URL, token="t").list())
    except ApiError as error:
        check(error.code == "FORBIDDEN", str(error))
    else:
        check(False, "a refused list has no error")  # noqa: FBT003 - the check failed


async def use_async() -> None:
    """Ask with every kind of key, with coroutines."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        keywright = AsyncKeywright(URL, credentials=CREDENTIALS, http=http, reuse_seconds=60)
        for text, (_, kind) in ANSWERS.items():
            check(type(await keywright.verify(text)) is kind, f"async, {text}")
        before = len(attempts)
        check(type(await keywright.verify("valid")) is Valid, "reused")
        check(len(attempts) == before, "an answer to reuse was asked for")


with httpx.Client(transport=httpx.MockTransport(answer)) as http:
    use(lambda **options: Keywright(http=http, **options))
await use_async()  # type: ignore[top-level-await] # noqa: F704, PLE1142 - Pyodide runs a program in its event loop
print(f"Python {sys.version.split()[0]}: {checks} checks")
