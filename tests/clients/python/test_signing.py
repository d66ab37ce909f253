"""AWS signatures: regions, credentials, and a clock that is wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.auth
import httpx
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError
from botocore.session import Session

from keywright_client import (
    ApiConnectionError,
    ApiError,
    AsyncKeywright,
    ConfigurationError,
    Keywright,
    NotFound,
    signing,
    sigv4,
)
from keywright_client.signing import Signer
from tests.clients.python.drivers import (
    FUNCTION,
    KEY_TEXT,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    URL,
    credentials,
    failure,
    invoked,
    leaked,
    pretended,
    shown,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.python.drivers import Kind

UNKNOWN = {"valid": False, "code": "NOT_FOUND"}
NOT_FOUND = success(UNKNOWN)
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
LOCAL = "http://127.0.0.1:8787/v1"
TOGETHER = 4
"""Threads, or tasks, at the same time."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without credentials, region or profile."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def scope(request: httpx.Request) -> list[str]:
    """Return access key id, region and service of a signature."""
    credential = request.headers["authorization"].partition("Credential=")[2].partition(",")[0]
    access_key_id, _, region, service, _ = credential.split("/")
    return [access_key_id, region, service]


def resigned(request: httpx.Request) -> str:
    """Return the signature that botocore alone computes for what was sent."""
    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: request.headers[name] for name in names if name != "x-amz-security-token"}
    url = f"{request.url.scheme}://{request.headers['host']}{request.url.raw_path.decode()}"
    _, region, service = scope(request)
    copy = AWSRequest(request.method, url, headers, request.content)
    copy.context["timestamp"] = request.headers["x-amz-date"]
    signer = botocore.auth.SigV4Auth(credentials(), service, region)
    copy.headers["X-Amz-Security-Token"] = SESSION_TOKEN
    return signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)


@pytest.mark.parametrize(
    "options",
    [
        {"url": URL},
        {"url": "https://abc123.execute-api.eu-west-1.amazonaws.com:443/v1"},
        {"url": "https://Api.Example.com/base path/ä/v1"},
        {"url": "https://api.example.com:8443/v1/"},
        {"url": "https://münchen.example.com/v1"},
        {"url": LOCAL},
        {"url": "http://[::1]:8787/v1"},
        {"url": "http://localhost/v1"},
        {"function": FUNCTION},
        {"function": f"{FUNCTION}:live"},
    ],
    ids=lambda options: next(iter(options.values())),
)
def test_a_signature_is_valid_for_what_is_sent(kind: Kind, options: dict[str, Any]) -> None:
    """Host, encoded path and body are signed as they are sent; the user agent is not signed."""
    keywright = pretended(invoked(NOT_FOUND) if "function" in options else NOT_FOUND)
    kind.client(handler=keywright, **options).verify(KEY_TEXT)
    (request,) = keywright.received

    assert request.headers["authorization"].endswith(f"Signature={resigned(request)}")
    assert request.headers["host"] == request.url.netloc.decode()
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token," in request.headers["authorization"]
    assert SESSION_TOKEN == request.headers["x-amz-security-token"]


def test_signing_at_a_time_of_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the time of the clock, the signature is the one that botocore makes by itself."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOON.replace(tzinfo=None))
    url, body = f"{URL}/auth/api-keys/verify", b"{}"
    headers = {"host": httpx.URL(url).host, "content-type": "application/json"}
    expected = AWSRequest("POST", url, headers, body)
    botocore.auth.SigV4Auth(credentials(), "execute-api", "eu-west-1").add_auth(expected)
    signed = sigv4.signed(
        url=url,
        headers=headers,
        body=body,
        credentials=credentials(),
        scope=("execute-api", "eu-west-1"),
        moment=NOON,
    )

    assert dict(expected.headers.items()) == signed


def test_no_log_has_the_session_token(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """Even a DEBUG log of everything has no key, no session token and no signature's input."""
    caplog.set_level(logging.DEBUG)
    kind.client(URL, handler=pretended(NOT_FOUND)).verify(KEY_TEXT)

    assert [] == leaked(caplog.text)
    assert hashlib.sha256(b'{"key":"' + KEY_TEXT.encode() + b'"}').hexdigest() not in caplog.text


# ---- Region --------------------------------------------------------------------------------------------------


def region_of(kind: Kind, url: str = LOCAL, **options: Any) -> str:
    """Return the region that a request is signed for."""
    keywright = pretended(NOT_FOUND)
    kind.client(url, handler=keywright, **{"region": None, **options}).verify(KEY_TEXT)
    return scope(keywright.received[0])[1]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, "eu-west-1"),
        ("https://abc123-vpce-1.execute-api.us-gov-west-1.amazonaws.com/v1", "us-gov-west-1"),
        ("https://abc123.execute-api.cn-north-1.amazonaws.com.cn/v1", "cn-north-1"),
    ],
)
def test_region_of_the_address(kind: Kind, bare: pytest.MonkeyPatch, url: str, region: str) -> None:
    """The region in an address of API Gateway counts, also against the environment."""
    bare.setenv("AWS_REGION", "us-east-2")

    assert region == region_of(kind, url)


@pytest.mark.parametrize("host", ["api.example.com", "abc.execute-api.eu-west-1.amazonaws.com.evil.example"])
def test_addresses_without_a_region(kind: Kind, bare: pytest.MonkeyPatch, host: str) -> None:
    """A host that is not API Gateway's has no region."""
    bare.setenv("AWS_REGION", "us-east-2")

    assert "us-east-2" == region_of(kind, f"https://{host}/v1")


def test_region_of_the_argument(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """The argument counts first."""
    bare.setenv("AWS_REGION", "us-east-2")

    assert "eu-central-1" == region_of(kind, URL, region="eu-central-1")


def test_region_of_the_environment(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """AWS_REGION counts before AWS_DEFAULT_REGION."""
    bare.setenv("AWS_DEFAULT_REGION", "us-west-1")
    second = region_of(kind)
    bare.setenv("AWS_REGION", "us-east-2")

    assert "us-west-1" == second
    assert "us-east-2" == region_of(kind)


def test_region_of_the_profile(kind: Kind, bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The region of the AWS profile counts last."""
    (tmp_path / "config").write_text("[profile ops]\nregion = ap-south-1\n", encoding="utf-8")
    bare.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    bare.setenv("AWS_PROFILE", "ops")

    assert "ap-south-1" == region_of(kind)


def test_no_region(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """Without a region, the message says how to set one; management needs none."""
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    keywright = pretended(failure(404, "API_KEY_NOT_FOUND"))
    client = kind.client(LOCAL, handler=keywright, region=None)
    with pytest.raises(ConfigurationError, match="region: pass region, or set AWS_REGION"):
        client.verify(KEY_TEXT)
    with pytest.raises(ApiError):
        client.get("7")

    assert 1 == len(keywright.received)


@pytest.mark.parametrize(
    ("options", "url", "region"),
    [
        ({"function": FUNCTION}, "https://lambda.eu-west-1.amazonaws.com", "eu-west-1"),
        ({"function": FUNCTION, "region": "eu-west-1"}, "https://lambda.eu-west-1.amazonaws.com", "eu-west-1"),
        (
            {"function": "arn:aws-cn:lambda:cn-north-1:123456789012:function:f"},
            "https://lambda.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
        ),
    ],
    ids=["ARN", "same region", "China"],
)
def test_region_of_a_function(
    kind: Kind, options: dict[str, str], url: str, region: str, bare: pytest.MonkeyPatch
) -> None:
    """The region of a function is always that of its ARN, also in an environment with another one."""
    bare.setenv("AWS_REGION", "us-west-2")
    keywright = pretended(invoked(NOT_FOUND))
    kind.client(handler=keywright, **{"region": None, **options}).verify(KEY_TEXT)

    assert str(keywright.received[0].url).startswith(f"{url}/2015-03-31/functions/")
    assert ["AKIDEXAMPLE", region, "lambda"] == scope(keywright.received[0])


def test_another_address_of_lambda(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """The variables of AWS SDKs set the address of Lambda, the one for Lambda alone first."""
    bare.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/all/")
    keywright = pretended(invoked(NOT_FOUND))
    kind.client(function=FUNCTION, handler=keywright).verify(KEY_TEXT)
    bare.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:4567")
    kind.client(function=FUNCTION, handler=keywright).verify(KEY_TEXT)
    path = f"/2015-03-31/functions/{FUNCTION.replace(':', '%3A')}/invocations"

    assert [f"http://127.0.0.1:4566/all{path}", f"http://127.0.0.1:4567{path}"] == [
        str(request.url) for request in keywright.received
    ]


# ---- Credentials ---------------------------------------------------------------------------------------------


def test_credentials_of_the_environment(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """Without the argument, credentials come from where all AWS SDKs look."""
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT")
    bare.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    keywright = pretended(NOT_FOUND)
    kind.client(URL, handler=keywright, credentials=None).verify(KEY_TEXT)

    assert "AKIDENVIRONMENT" == scope(keywright.received[0])[0]
    assert "x-amz-security-token" not in keywright.received[0].headers


@pytest.mark.usefixtures("bare")
def test_no_credentials(kind: Kind) -> None:
    """Without AWS credentials, the message says where they are looked for."""
    with pytest.raises(ConfigurationError, match="credentials: no AWS credentials"):
        kind.client(URL, handler=pretended(NOT_FOUND), credentials=None).verify(KEY_TEXT)


@pytest.mark.parametrize("empty", [Credentials("", "S"), Credentials("A", "")], ids=["no id", "no secret"])
def test_empty_credentials(kind: Kind, empty: Credentials) -> None:
    """Empty credentials are none: nothing is signed with them."""
    keywright = pretended(NOT_FOUND)
    with pytest.raises(ConfigurationError, match="credentials: no AWS credentials"):
        kind.client(URL, handler=keywright, credentials=empty).verify(KEY_TEXT)

    assert [] == keywright.received


def test_a_broken_profile(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """A profile that does not exist is an error of the configuration."""
    bare.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(ConfigurationError, match=r"\(ProfileNotFound: nowhere\)") as caught:
        kind.client(URL, handler=pretended(NOT_FOUND), credentials=None).verify(KEY_TEXT)

    assert caught.value.__context__ is None


class Failing:
    """Credentials whose refresh fails."""

    def __init__(self, failures: int) -> None:
        self._failures = failures

    def get_frozen_credentials(self) -> Any:
        """Fail, or return the credentials."""
        self._failures -= 1
        if self._failures >= 0:
            raise CredentialRetrievalError(provider="process", error_msg=SECRET_ACCESS_KEY)
        return credentials()


@pytest.mark.usefixtures("pauses")
def test_a_refresh_that_fails_once(kind: Kind) -> None:
    """A failed refresh of credentials is repeated as a failed connection is."""
    client = kind.client(URL, handler=pretended(NOT_FOUND), credentials=Failing(1))

    assert NotFound() == client.verify(KEY_TEXT)


@pytest.mark.usefixtures("pauses")
def test_a_refresh_that_fails(kind: Kind) -> None:
    """A refresh that keeps failing is not an answer; the output of a credential process is not shown."""
    keywright = pretended(NOT_FOUND)
    with pytest.raises(ApiConnectionError, match="cannot be refreshed \\(CredentialRetrievalError\\)") as caught:
        kind.client(URL, handler=keywright, credentials=Failing(9)).verify(KEY_TEXT)

    assert "Nothing was sent: the AWS credentials cannot be refreshed (CredentialRetrievalError)" == str(caught.value)
    assert "" == caught.value.host

    assert [] == leaked(shown(caught.value))
    assert [] == keywright.received


class Raising:
    """Credentials whose refresh fails in a way of its own."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_frozen_credentials(self) -> Any:
        """Fail."""
        raise self._error


def refused_by_aws(code: str) -> ClientError:
    """Return the error of AWS for a role that cannot be assumed."""
    error: Any = {"Error": {"Code": code, "Message": SECRET_ACCESS_KEY}}
    return ClientError(error, "AssumeRoleWithWebIdentity")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused_by_aws("AccessDenied"), "ClientError: AccessDenied"),
        (refused_by_aws("InvalidIdentityToken"), "ClientError: InvalidIdentityToken"),
        (refused_by_aws(f"{SECRET_ACCESS_KEY} 7"), "ClientError"),
        (json.JSONDecodeError("no", SECRET_ACCESS_KEY, 0), "JSONDecodeError"),
        (RuntimeError(SECRET_ACCESS_KEY), "RuntimeError"),
        (FileNotFoundError(2, "no", SECRET_ACCESS_KEY), "FileNotFoundError"),
    ],
    ids=["AWS", "another code of AWS", "no code", "no JSON", "any", "no program"],
)
@pytest.mark.usefixtures("pauses")
def test_why_a_refresh_fails(kind: Kind, error: Exception, reason: str) -> None:
    """Whatever a refresh raises, the error has its type and AWS's code only, and chains no other error."""
    with pytest.raises(ApiConnectionError) as caught:
        kind.client(URL, handler=pretended(NOT_FOUND), credentials=Raising(error)).verify(KEY_TEXT)

    assert f"the AWS credentials cannot be refreshed ({reason})" == caught.value.reason
    assert [] == leaked(shown(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("output", [f"{{'SecretAccessKey':'{SECRET_ACCESS_KEY}'}}", "[]"], ids=["no JSON", "a list"])
def test_a_broken_credential_process(kind: Kind, bare: pytest.MonkeyPatch, tmp_path: Path, output: str) -> None:
    """The output of a credential process that cannot be read is not shown."""
    (tmp_path / "config").write_text(f"[default]\ncredential_process = /bin/echo {output}\n", encoding="utf-8")
    bare.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ConfigurationError, match=r"credentials: AWS configuration is not usable \(\w+\)") as caught:
        kind.client(URL, handler=pretended(NOT_FOUND), credentials=None).verify(KEY_TEXT)

    assert [] == leaked(shown(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("unsendable", "name"),
    [
        (Credentials("AKID\n", SECRET_ACCESS_KEY), "access key id"),
        (Credentials("AKID", f"{SECRET_ACCESS_KEY}é"), "secret access key"),
        (Credentials("AKID", SECRET_ACCESS_KEY, f"{SESSION_TOKEN}\n"), "session token"),
        (Credentials("AKID", SECRET_ACCESS_KEY, f"{SESSION_TOKEN}é"), "session token"),
    ],
    ids=["id with a line break", "secret with an accent", "token with a line break", "token with an accent"],
)
def test_credentials_that_cannot_be_sent(kind: Kind, unsendable: Credentials, name: str) -> None:
    """Credentials with other than visible ASCII characters are named, not shown, and nothing is sent."""
    keywright = pretended(NOT_FOUND)
    with pytest.raises(ConfigurationError, match=f"credentials: the {name} must be visible ASCII") as caught:
        kind.client(URL, handler=keywright, credentials=unsendable).verify(KEY_TEXT)

    assert [] == leaked(shown(caught.value))
    assert [] == keywright.received


@pytest.mark.parametrize("wrong", [("AKID", SECRET_ACCESS_KEY), {"access_key": SECRET_ACCESS_KEY}], ids=type)
@pytest.mark.parametrize("client", [Keywright, AsyncKeywright])
def test_credentials_of_another_type(client: Callable[..., object], wrong: object) -> None:
    """Credentials that are none of botocore's are refused at once, and not shown."""
    with pytest.raises(ConfigurationError, match=r"credentials: must have get_frozen_credentials\(\)") as caught:
        client(URL, credentials=wrong)

    assert [] == leaked(shown(caught.value))


@pytest.mark.usefixtures("bare")
def test_many_threads_share_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for a look-up without success get its outcome, rather than repeat it one after the other."""
    looked: list[float] = []
    all_wait = threading.Barrier(TOGETHER, timeout=10)

    def look(_: Session) -> None:
        time.sleep(0.05)
        looked.append(time.monotonic())

    monkeypatch.setattr(Session, "get_credentials", look)
    http = httpx.Client(transport=httpx.MockTransport(pretended(NOT_FOUND)))
    client = Keywright(URL, http=http)

    def verify() -> None:
        all_wait.wait()
        with pytest.raises(ConfigurationError, match="no AWS credentials"):
            client.verify(KEY_TEXT)

    with ThreadPoolExecutor(TOGETHER) as pool:
        for done in [pool.submit(verify) for _ in range(TOGETHER)]:
            done.result()

    assert 1 == len(looked)


@pytest.mark.usefixtures("bare")
def test_many_tasks_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that wait for credentials leave the threads of their event loop to others."""
    looking: list[str] = []

    def look(_: Session) -> Credentials:
        looking.append(threading.current_thread().name)
        time.sleep(0.05)
        return credentials()

    async def verified() -> list[object]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(pretended(NOT_FOUND))) as http:
            client = AsyncKeywright(URL, http=http)
            started = threading.active_count()
            results = await asyncio.gather(*(client.verify(KEY_TEXT) for _ in range(TOGETHER)))
            assert 1 == threading.active_count() - started
            return list(results)

    monkeypatch.setattr(Session, "get_credentials", look)

    assert [NotFound()] * TOGETHER == asyncio.run(verified())
    assert 1 == len(looking)


def test_a_source_that_does_not_answer_yet(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """A first look-up that fails at the source of the credentials may pass, as a later one may."""

    def look(_: Session) -> None:
        raise CredentialRetrievalError(provider="container-role", error_msg=SECRET_ACCESS_KEY)

    bare.setattr(Session, "get_credentials", look)
    with pytest.raises(ApiConnectionError, match="cannot be refreshed \\(CredentialRetrievalError\\)"):
        kind.client(URL, handler=pretended(NOT_FOUND), credentials=None, retries=0).verify(KEY_TEXT)


@pytest.mark.parametrize("region", ["us-east-1\n", "evil.example/", "US"])
def test_a_region_that_is_not_one(kind: Kind, bare: pytest.MonkeyPatch, region: str) -> None:
    """A region of the environment that cannot be one is named, and nothing is sent."""
    bare.setenv("AWS_REGION", region)
    client = kind.client("https://keys.example.com/v1", handler=pretended(NOT_FOUND), region=None)
    with pytest.raises(ConfigurationError, match="region: must be the name of an AWS region"):
        client.verify(KEY_TEXT)


def test_credentials_that_appear(kind: Kind, bare: pytest.MonkeyPatch) -> None:
    """A look-up without success is repeated after a moment."""
    clock = [100.0]
    bare.setattr(signing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    client = kind.client(URL, handler=pretended(NOT_FOUND), credentials=None)
    with pytest.raises(ConfigurationError):
        client.verify(KEY_TEXT)
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    bare.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    with pytest.raises(ConfigurationError):
        client.verify(KEY_TEXT)
    clock[0] += 1.1

    assert NotFound() == client.verify(KEY_TEXT)


def refreshable(seconds: float, threads: list[str]) -> RefreshableCredentials:
    """Return credentials that expire soon or late, and note the threads that refresh them."""

    def refresh() -> dict[str, str]:
        threads.append(threading.current_thread().name)
        return {
            "access_key": "AKIDREFRESHED",
            "secret_key": SECRET_ACCESS_KEY,
            "token": SESSION_TOKEN,
            "expiry_time": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        }

    expiry = datetime.now(UTC) + timedelta(seconds=seconds)
    return RefreshableCredentials("AKIDFIRST", SECRET_ACCESS_KEY, SESSION_TOKEN, expiry, refresh, "test")


def test_credentials_are_refreshed(kind: Kind) -> None:
    """Credentials that are about to expire are refreshed before a request is signed."""
    keywright = pretended(NOT_FOUND)
    kind.client(URL, handler=keywright, credentials=refreshable(1, [])).verify(KEY_TEXT)

    assert "AKIDREFRESHED" == scope(keywright.received[0])[0]


def test_a_refresh_does_not_block_an_event_loop() -> None:
    """The asyncio client refreshes credentials in another thread."""
    threads: list[str] = []
    transport = httpx.MockTransport(pretended(NOT_FOUND))

    async def verified() -> None:
        async with httpx.AsyncClient(transport=transport) as http:
            await AsyncKeywright(URL, credentials=refreshable(1, threads), http=http).verify(KEY_TEXT)

    asyncio.run(verified())

    assert 1 == len(threads)
    assert threading.current_thread().name not in threads


@pytest.mark.parametrize(
    ("loaded", "blocks"),
    [
        (Credentials("A", "S"), False),
        (refreshable(3600, []), False),
        (refreshable(60, []), True),
        (Failing(0), True),
        (None, True),
    ],
    ids=["fixed", "fresh", "expiring", "unknown", "not yet loaded"],
)
def test_when_another_thread_is_needed(loaded: Any, blocks: bool) -> None:  # noqa: FBT001 - a parameter
    """Only credentials that may be loaded or refreshed now can block."""
    assert blocks is Signer("execute-api", "eu-west-1", loaded).blocks


def test_credentials_that_were_found_need_no_thread(bare: pytest.MonkeyPatch) -> None:
    """After the first look-up, credentials of the environment do not block."""
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    bare.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    signer = Signer("execute-api", "eu-west-1", None)
    signer.load()

    assert signer.blocks is False


# ---- Clock ---------------------------------------------------------------------------------------------------


def dated(response: httpx.Response, offset: timedelta) -> httpx.Response:
    """Return a response with the date of a server whose clock differs."""
    headers = {**response.headers, "date": format_datetime(datetime.now(UTC) + offset, usegmt=True)}
    return httpx.Response(response.status_code, headers=headers, content=response.content)


def signed_at(request: httpx.Request) -> datetime:
    """Return the time of a signature."""
    return datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize("offset", [timedelta(minutes=5), -timedelta(minutes=5), timedelta(days=400)], ids=str)
@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_clock(kind: Kind, pauses: list[float], offset: timedelta, status: int) -> None:
    """A refused signature of another time is repeated once, at once, with the server's time, which is kept."""
    refusal = dated(failure(status, "UNAUTHORIZED"), offset)
    keywright = pretended(refusal, NOT_FOUND, NOT_FOUND)
    client = kind.client(URL, handler=keywright, retries=0)
    client.verify(KEY_TEXT)
    client.verify(KEY_TEXT)
    _, second, third = keywright.received

    assert [] == pauses
    for request in (second, third):
        assert abs(signed_at(request) - (datetime.now(UTC) + offset)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    "answer",
    [
        dated(failure(403, "FORBIDDEN"), timedelta(minutes=3)),
        failure(403, "FORBIDDEN"),
        failure(403, "FORBIDDEN", date="yesterday"),
        failure(403, "FORBIDDEN", date="Mon, 01 Jan 2026 00:00:00 +99999999999999999999"),
        failure(403, "FORBIDDEN", date="Mon, 01 Jan 0101 00:00:00 GMT"),
        failure(403, "FORBIDDEN", date="Fri, 31 Dec 9999 23:59:59 GMT"),
        dated(failure(400, "BAD_REQUEST"), timedelta(hours=1)),
    ],
    ids=["a small difference", "no date", "a broken date", "a huge zone", "year 101", "year 9999", "another error"],
)
def test_a_refusal_for_another_reason(kind: Kind, answer: httpx.Response) -> None:
    """A refusal that the clock does not explain is raised."""
    keywright = pretended(answer)
    with pytest.raises(ApiError):
        kind.client(URL, handler=keywright).verify(KEY_TEXT)

    assert 1 == len(keywright.received)


def test_a_clock_that_cannot_be_corrected(kind: Kind) -> None:
    """If the corrected signature is refused too, that is the error."""
    answers = (dated(failure(403, "FORBIDDEN"), offset * timedelta(hours=1)) for offset in (1, 2, 3))
    keywright = pretended(*answers)
    with pytest.raises(ApiError):
        kind.client(URL, handler=keywright).verify(KEY_TEXT)

    assert 2 == len(keywright.received)


def test_a_clock_that_was_corrected(kind: Kind) -> None:
    """With a corrected clock, a refusal by the same server is not taken for a wrong clock again."""
    refusal = dated(failure(403, "FORBIDDEN"), timedelta(hours=1))
    keywright = pretended(refusal, NOT_FOUND, refusal)
    client = kind.client(URL, handler=keywright)
    client.verify(KEY_TEXT)
    with pytest.raises(ApiError):
        client.verify(KEY_TEXT)

    assert 3 == len(keywright.received)


def test_a_wrong_clock_does_not_matter_for_tokens(kind: Kind) -> None:
    """A refused token is not sent again for the date of the answer."""
    keywright = pretended(dated(failure(401, "UNAUTHORIZED"), timedelta(hours=1)))
    with pytest.raises(ApiError):
        kind.client(URL, handler=keywright).get("7")

    assert 1 == len(keywright.received)


# ---- Configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "url, function: pass exactly one of them; both are missing"),
        ({"url": URL, "function": FUNCTION}, "url, function: pass exactly one of them; both are given"),
        ({"url": ""}, "url: must be an address"),
        ({"url": "api.example.com/v1"}, "url: must be an address"),
        ({"url": "ftp://api.example.com"}, "url: must be an address"),
        ({"url": "https:///v1"}, "url: must be an address"),
        ({"url": "https://api.example.com:port"}, "url: must be an address"),
        ({"url": "https://user:secret@api.example.com/v1"}, "url: must have no user"),
        ({"url": f"{URL}?a=b"}, "url: must have no user, query"),
        ({"url": f"{URL}?"}, "url: must have no user, query"),
        ({"url": f"{URL}#top"}, "url: must have no user, query"),
        ({"url": "http://api.example.com/v1"}, "url: must begin with https://"),
        ({"url": "http://127.0.0.1.example.com/v1"}, "url: must begin with https://"),
        ({"url": "http://192.168.1.7/v1"}, "url: must begin with https://"),
        ({"function": "arn:aws:s3:::bucket"}, "function: must be the ARN"),
        ({"function": "arn:aws:lambda:eu-west-1:1:function:f"}, "function: must be the ARN"),
        ({"function": "keywright-VerifyApiKey"}, "function: must be the ARN"),
        ({"function": "../f"}, "function: must be the ARN"),
        ({"function": FUNCTION, "region": "us-east-1"}, "region: the ARN of the function has another"),
    ],
    ids=lambda value: str(value)[-60:] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("client", [Keywright, AsyncKeywright])
def test_what_cannot_work(client: Callable[..., object], options: dict[str, str], text: str) -> None:
    """A client that cannot work is not made. The message names the argument and shows no secret."""
    with pytest.raises(ConfigurationError, match=text) as caught:
        client(**options)

    assert "secret" not in shown(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": 11},
        {"timeout_seconds": 0},
        {"timeout_seconds": 900.1},
        {"timeout_seconds": float("nan")},
        {"timeout_seconds": float("inf")},
        {"reuse_seconds": -1},
        {"reuse_seconds": 3601},
        {"reuse_seconds": float("nan")},
        {"reuse_entries": 0},
        {"reuse_entries": 10_000_001},
    ],
    ids=str,
)
@pytest.mark.parametrize("client", [Keywright, AsyncKeywright])
def test_numbers_out_of_range(client: Callable[..., object], options: dict[str, float]) -> None:
    """A number out of its range is a ValueError that names it."""
    with pytest.raises(ValueError, match=next(iter(options))):
        client(URL, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": 0, "timeout_seconds": 0.001, "reuse_seconds": 0, "reuse_entries": 1},
        {"retries": 10, "timeout_seconds": 900, "reuse_seconds": 3600, "reuse_entries": 10_000_000},
    ],
    ids=["least", "most"],
)
@pytest.mark.parametrize("client", [Keywright, AsyncKeywright])
def test_the_least_and_the_most_of_numbers(client: Callable[..., object], options: dict[str, float]) -> None:
    """Both ends of each range are in it."""
    assert client(LOCAL, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": 1.5},
        {"retries": True},
        {"timeout_seconds": "5"},
        {"timeout_seconds": True},
        {"reuse_seconds": True},
        {"reuse_entries": 2.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("client", [Keywright, AsyncKeywright])
def test_options_that_are_no_numbers(client: Callable[..., object], options: dict[str, object]) -> None:
    """An option of another type is a TypeError that names it."""
    with pytest.raises(TypeError, match=next(iter(options))):
        client(URL, **options)


def test_an_endpoint_in_clear_text(bare: pytest.MonkeyPatch) -> None:
    """Keys are not sent to another host in clear text, even if the environment says so."""
    bare.setenv("AWS_ENDPOINT_URL", "http://lambda.example.com")
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL: must begin with https://"):
        Keywright(function=FUNCTION)


# ---- Clock, for concurrent requests --------------------------------------------------------------------------

AHEAD = timedelta(minutes=10)


def by_the_clock_of_the_server(request: httpx.Request) -> httpx.Response:
    """Return the answer of a server that is ahead: it refuses signatures that are older than five minutes."""
    age = datetime.now(UTC) + AHEAD - signed_at(request)
    return dated(failure(403, "FORBIDDEN"), AHEAD) if age > timedelta(minutes=5) else success(UNKNOWN)


def test_a_wrong_clock_of_many_threads() -> None:
    """Requests that were signed together, before the clock was corrected, are all signed again."""
    signed = threading.Barrier(TOGETHER, timeout=10)
    waiting = [True] * TOGETHER

    def handler(request: httpx.Request) -> httpx.Response:
        if waiting:
            waiting.pop()
            signed.wait()
        return by_the_clock_of_the_server(request)

    client = Keywright(URL, credentials=credentials(), http=httpx.Client(transport=httpx.MockTransport(handler)))
    with ThreadPoolExecutor(TOGETHER) as pool:
        results = [pool.submit(client.verify, KEY_TEXT) for _ in range(TOGETHER)]

    assert [NotFound()] * TOGETHER == [result.result() for result in results]


def test_a_wrong_clock_of_many_tasks() -> None:
    """The asyncio client signs them all again, too."""

    async def verified() -> list[object]:
        signed = asyncio.Event()
        received: list[httpx.Request] = []

        async def handler(request: httpx.Request) -> httpx.Response:
            received.append(request)
            if len(received) == TOGETHER:
                signed.set()
            await signed.wait()
            return by_the_clock_of_the_server(request)

        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            client = AsyncKeywright(URL, credentials=credentials(), http=http)
            return await asyncio.gather(*(client.verify(KEY_TEXT) for _ in range(TOGETHER)))

    assert [NotFound()] * TOGETHER == asyncio.run(verified())
