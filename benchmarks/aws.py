"""A benchmark of a deployment of yours: what its callers wait, and what Lambda reports.

usage: python -m benchmarks.aws STACK

STACK is a stack file, as `make run` writes it and `make test-api` reads it, or the name of a CloudFormation stack. The
stack is described with the AWS credentials of the environment, which may also have:

    KEY     text of a valid key, which is verified and otherwise left alone
    TOKEN   session token of an owner or admin; with it, and with a stack file, keys are made and deleted again
    COUNT   rounds, 100 unless told

`make bench-aws STACK=...` runs it.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import os
import re
import signal
import statistics
import sys
import textwrap
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import quote, urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from keywright.domain import key_text
from tools.costs import read_costs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

VERIFY = "/auth/api-keys/verify"
KEYS = "/auth/api-keys"
ORGANIZATION = "/auth/orgs/current"
ROUNDS = 100
MOST_ROUNDS = 1_000
MOST_SECONDS = 120
"""The rounds end after this time, however many there were."""
KEPT = timedelta(hours=1)
"""Expiry of a key that is made, for the case that it cannot be deleted."""
WIDTH = 80

_TIMEOUT_SECONDS = 30
"""API Gateway's integration timeout is 29 seconds."""
_ASSUMED_MILLISECONDS = 10
"""Billed for a verification: more than a warm one takes, less than a cold start."""
_READ_UNITS = {"valid": 2, "forged": 0, "unknown": 2}
"""Of a verification (docs/capacity.md)."""
_MADE_AND_DELETED_UNITS = 14 + 12
"""Write units of a key with an expiry, made with an Idempotency-Key (docs/capacity.md)."""
_MILLISECONDS = 1000
_INTERRUPTED = 130
_NAMES = {"valid": "valid key", "forged": "forged key, no read", "unknown": "unknown key, deleted before"}
_REPORT = re.compile(r"^REPORT RequestId: .*$", re.MULTILINE)
_FIELDS = re.compile(r"(Billed Duration|Init Duration|Duration|Max Memory Used): ([0-9.]+) (?:ms|MB)")
_OF_METRICS = {
    "durationMs": "Duration",
    "billedDurationMs": "Billed Duration",
    "initDurationMs": "Init Duration",
    "maxMemoryUsedMB": "Max Memory Used",
}


class BenchmarkError(Exception):
    """The benchmark cannot go on. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment.

    Attributes:
        base_url: address with the stage, without a slash at its end.
        region: that requests are signed for.
        credentials: of a backend; asked before each request, since they may be renewed.
        function_arn: of verify_api_key; None if it is not known.
        lambda_url: address of Lambda.
        token: session token of an owner or admin; None if there is none.
    """

    base_url: str
    region: str
    credentials: Callable[[], Credentials | ReadOnlyCredentials] = field(repr=False)
    function_arn: str | None
    lambda_url: str
    token: str | None = field(repr=False)


class Answer(NamedTuple):
    """An answer, and the seconds between sending the request and its last byte."""

    seconds: float
    status: int
    headers: Mapping[str, str]
    content: Any


@dataclass(frozen=True, slots=True)
class Report:
    """Lambda's report of an invocation.

    Attributes:
        init_milliseconds: of a cold start; None if there was none.
    """

    milliseconds: float
    billed_milliseconds: float
    init_milliseconds: float | None
    most_megabytes: float


@dataclass(slots=True)
class Row:
    """Measurements of one kind of request.

    Attributes:
        seconds: of the answers that were expected.
        failures: number of others, by status or code.
        reports: those of Lambda.
    """

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    reports: list[Report] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts that are verified, by kind, and the ids of keys to be deleted."""

    texts: dict[str, str] = field(default_factory=dict, repr=False)
    made: list[str] = field(default_factory=list)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the benchmark; return 0, 1 if it could not be done, 2 for wrong arguments, or 130 after an interruption."""
    if len(arguments) != 1 or not arguments[0]:
        _complain("name the deployment: make bench-aws STACK=keywright, or STACK=.local/stack.json")
        return 2
    try:
        rounds = _rounds(environment)
        target = find(arguments[0], environment)
        return measure(target, environment.get("KEY", ""), rounds)
    except BenchmarkError as error:
        _complain(str(error))
        return 1
    except BotoCoreError as error:
        _complain(f"the AWS credentials cannot be used: {type(error).__name__}")
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED


def _rounds(environment: Mapping[str, str]) -> int:
    text = environment.get("COUNT") or str(ROUNDS)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_ROUNDS:
        raise BenchmarkError(f"COUNT must be a number from 1 to {MOST_ROUNDS:,}; it is {text!r}")
    return int(text)


def find(stack: str, environment: Mapping[str, str]) -> Target:
    """Return the deployment of a stack file or of a CloudFormation stack.

    Args:
        stack: path of the file, or name of the stack.
        environment: may have a TOKEN, which goes before that of a stack file.

    Raises:
        BenchmarkError: there is no such file or stack, or it cannot be read.
    """
    token = environment.get("TOKEN") or None
    if stack.endswith(".json") or Path(stack).is_file():
        return _of_file(Path(stack), token)
    return _of_stack(stack, token)


def _of_file(path: Path, token: str | None) -> Target:
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
        iam = stack["iam"]
        credentials = Credentials(iam["access_key_id"], iam["secret_access_key"], iam.get("session_token"))
        return Target(
            stack["base_url"],
            iam["region"],
            lambda: credentials,
            stack.get("function_arn"),
            stack.get("lambda_url") or f"https://lambda.{iam['region']}.amazonaws.com",
            token or stack.get("tokens", {}).get("admin"),
        )
    except FileNotFoundError:
        raise BenchmarkError(f"there is no {path}: make run writes .local/stack.json while it runs") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkError(f"{path} is not a stack file: {type(error).__name__}") from None


def _of_stack(name: str, token: str | None) -> Target:
    try:
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        credentials = session.get_credentials()
        (stack,) = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        lambda_url = session.client("lambda").meta.endpoint_url
    except NoCredentialsError:  # raised by the first request
        raise BenchmarkError("no AWS credentials: set AWS_PROFILE, or sign in, as for the AWS CLI") from None
    except NoRegionError:
        raise BenchmarkError("no region: set AWS_REGION to that of the stack") from None
    except ClientError as error:
        raise BenchmarkError(_refused(name, error)) from None
    except BotoCoreError as error:
        raise BenchmarkError(f"the stack cannot be described: {type(error).__name__}") from None
    if "ApiUrl" not in outputs or "VerifyApiKeyFunctionArn" not in outputs:
        raise BenchmarkError(f"{name} is not a stack of Keywright: it has no output VerifyApiKeyFunctionArn")
    return Target(
        outputs["ApiUrl"].rstrip("/"),
        str(session.region_name),
        _frozen(credentials),
        outputs["VerifyApiKeyFunctionArn"],
        lambda_url,
        token,
    )


def _frozen(credentials: Credentials | None) -> Callable[[], ReadOnlyCredentials]:
    """Return what a stack was described with."""
    assert credentials is not None, "the stack could not have been described"  # noqa: S101
    return credentials.get_frozen_credentials


def _refused(name: str, error: ClientError) -> str:
    code = error.response["Error"]["Code"]
    if code == "ValidationError":
        return f"there is no stack {name} in this account and region"
    if "AccessDenied" in code or code == "UnauthorizedOperation":
        return f"access denied: the credentials need cloudformation:DescribeStacks on the stack {name}"
    return f"the stack {name} cannot be described: {code}"


def measure(target: Target, key: str, rounds: int) -> int:
    """Measure a deployment and print what was measured; return 0, or 1 if something could not be measured.

    Args:
        target: the deployment.
        key: text of a valid key; empty to make keys.
        rounds: of all kinds of requests.

    Raises:
        BenchmarkError: there is no key, or the deployment refuses it.
    """
    if not key and target.token is None:
        raise BenchmarkError(
            "no key: set KEY to the text of a valid key, or TOKEN to the session token of an owner or admin"
        )
    client = Client(target)
    _say(f"Keywright at {target.base_url}")
    if urlsplit(target.base_url).hostname in {"127.0.0.1", "localhost"}:
        _say("It runs on this machine: its times are not those of a deployment on AWS.")
    _say_cost(rounds, is_made=not key)
    texts = Texts()
    try:
        if key:
            texts.texts.update(valid=key, forged=forged(key))
        else:
            _make(client, texts)
        rows = _measured(client, texts.texts, rounds)
    finally:
        with undisturbed():
            left = [key_id for key_id in texts.made if not _is_deleted(client, key_id)]
    if texts.made:
        _say("\nThe keys that were made are deleted." if not left else f"\nNot deleted: {', '.join(left)}")
    for line in [*table(rows), *reported(rows), *_missing(target, rows, is_made=not key)]:
        _say(line)
    return int(bool(left) or any(not row.seconds for row in rows.values()))


class Client:
    """Sends requests to a deployment, each kind of address over one connection.

    Args:
        target: the deployment.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def verify(self, text: str) -> Answer:
        """Verify a key through API Gateway."""
        url = self.target.base_url + VERIFY
        return self._send("POST", url, {"key": text}, self._signed(url, {"key": text}, "execute-api"))

    def invoke(self, text: str) -> Answer:
        """Verify a key by a direct invocation, which asks for the end of its log."""
        name = quote(str(self.target.function_arn), safe="")
        url = f"{self.target.lambda_url}/2015-03-31/functions/{name}/invocations"
        signed = self._signed(url, {"key": text}, "lambda", {"x-amz-log-type": "Tail"})
        return self._send("POST", url, {"key": text}, signed)

    def manage(self, method: str, path: str, content: object = None) -> Answer:
        """Send a request with the session token."""
        headers = {"authorization": f"Bearer {self.target.token}", "content-type": "application/json"}
        # A request that is sent twice makes one key.
        repeatable = {"idempotency-key": str(uuid.uuid4())} if method == "POST" else {}
        return self._send(method, self.target.base_url + path, content, headers | repeatable)

    def _signed(
        self, url: str, content: object, service: str, headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        sent = {"content-type": "application/json", **(headers or {})}
        request = AWSRequest("POST", url, sent, json.dumps(content).encode())
        SigV4Auth(self.target.credentials(), service, self.target.region).add_auth(request)
        return dict(request.headers.items())

    def _send(self, method: str, url: str, content: object, headers: Mapping[str, str]) -> Answer:
        """Send a request, a second time if the connection was closed meanwhile.

        Raises:
            BenchmarkError: there is no answer.
        """
        address = urlsplit(url)
        body = None if content is None else json.dumps(content).encode()
        target = f"{address.path}?{address.query}" if address.query else address.path
        for is_last in (False, True):
            connection = self._connections.get(address.netloc) or _connection(address.scheme, address.netloc)
            self._connections[address.netloc] = connection
            started = time.perf_counter()
            try:
                connection.request(method, target, body, dict(headers))
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_last:
                    raise BenchmarkError(f"no answer from {address.netloc}: {type(error).__name__}") from None
                continue
            seconds = time.perf_counter() - started
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(seconds, response.status, names, _parsed(text))
        raise AssertionError("the last attempt returns or raises")


def _connection(scheme: str, netloc: str) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(netloc, timeout=_TIMEOUT_SECONDS)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def forged(text: str) -> str:
    """Return another text of the same form, whose tag is wrong: with a key of Keywright, its checksum is right."""
    if key_text.claimed(text) is None:
        return text[:-1] + ("A" if text[-1] != "A" else "B")
    unchecked = text[: -key_text.CHECKSUM_CHARACTERS]
    unchecked = unchecked[:-1] + ("A" if unchecked[-1] != "A" else "B")
    return unchecked + key_text.checksum(unchecked)


def _make(client: Client, texts: Texts) -> None:
    """Make a key to be verified, and one that is deleted at once.

    Raises:
        BenchmarkError: the deployment refuses to.
    """
    organization = client.manage("GET", ORGANIZATION)
    _require(organization)
    permissions = organization.content["data"]["permissions"][:1]
    for kind in ("valid", "unknown"):
        expires_at = (datetime.now(UTC) + KEPT).strftime("%Y-%m-%dT%H:%M:%SZ")
        with undisturbed():
            body = {"name": "make bench-aws", "permissions": permissions, "expiresAt": expires_at}
            answer = client.manage("POST", KEYS, body)
            _require(answer)
            texts.made.append(answer.content["data"]["id"])
        texts.texts[kind] = answer.content["data"]["key"]
    texts.texts["forged"] = forged(texts.texts["valid"])
    if not _is_deleted(client, texts.made[1]):
        raise BenchmarkError("a key that was made could not be deleted")
    del texts.made[1]


def _require(answer: Answer) -> None:
    """Raise an error if a request with the session token was refused.

    Raises:
        BenchmarkError: it was.
    """
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise BenchmarkError(
            f"the session token is refused ({_code(answer)}): set TOKEN to a new one of an owner or admin, or KEY"
        )
    if answer.status != HTTPStatus.OK:
        raise BenchmarkError(f"no key could be made: {_code(answer)}")


def _is_deleted(client: Client, key_id: str) -> bool:
    """Delete a key; return whether it is gone."""
    try:
        answer = client.manage("DELETE", f"{KEYS}/{key_id}")
    except BenchmarkError:
        return False
    return answer.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off interruptions while the context is open, so that no key is left that was made."""
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arrived:
        raise KeyboardInterrupt


def _measured(client: Client, texts: Mapping[str, str], rounds: int) -> dict[tuple[str, str], Row]:
    """Verify every text both ways, in turns.

    Raises:
        BenchmarkError: the first verification of the valid key says that it is not valid.
    """
    ways: dict[str, Callable[[str], Answer]] = {"POST /verify": client.verify}
    if client.target.function_arn:
        ways["invocation"] = client.invoke
    rows = {(way, kind): Row() for way in ways for kind in ("valid", "forged", "unknown") if kind in texts}
    denied: set[str] = set()
    for way, send in ways.items():
        answer = send(texts["valid"])
        outcome = _outcome(answer)
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            denied.add(way)
            rows[way, "valid"].failures[f"access denied, {_code(answer)}"] += 1
        elif outcome != "VALID":
            raise BenchmarkError(f"the key cannot be used: {way} says {outcome}")
        else:
            _say(f"{way}: the first one took {answer.seconds * _MILLISECONDS:,.1f} ms, with its connection")
    ends_at = time.monotonic() + MOST_SECONDS
    for number in range(rounds):
        if time.monotonic() > ends_at:
            _say(f"{MOST_SECONDS} s are over: {number} rounds")
            break
        for (way, kind), row in rows.items():
            if way not in denied:
                _add(row, ways[way](texts[kind]), "VALID" if kind == "valid" else "NOT_FOUND")
    return rows


def _add(row: Row, answer: Answer, expected: str) -> None:
    outcome = _outcome(answer)
    if outcome != expected:
        row.failures[outcome] += 1
        return
    row.seconds.append(answer.seconds)
    report = parse_report(answer.headers.get("x-amz-log-result", ""))
    if report is not None:
        row.reports.append(report)


def _outcome(answer: Answer) -> str:
    """Return the code of a verification, or of the error in its place."""
    data = answer.content.get("data") if isinstance(answer.content, dict) else None
    return str(data["code"]) if isinstance(data, dict) and "code" in data else _code(answer)


def _code(answer: Answer) -> str:
    """Return what an error is called: by Keywright, by AWS, or by its status alone."""
    error = answer.content.get("error") if isinstance(answer.content, dict) else None
    if isinstance(error, dict) and "code" in error:
        return str(error["code"])
    kind = answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    return f"{answer.status} {kind}".strip()


def parse_report(log: str) -> Report | None:
    """Parse the end of a log: the line that Lambda writes after an invocation, as text or as JSON.

    Args:
        log: the header x-amz-log-result, in base64.

    Returns:
        None if it has no such line.
    """
    try:
        text = base64.b64decode(log).decode(errors="replace")
    except binascii.Error:
        return None
    line = _REPORT.search(text)
    fields = {name: float(value) for name, value in _FIELDS.findall(line[0])} if line else _of_json(text)
    if not fields.keys() >= {"Duration", "Billed Duration", "Max Memory Used"}:
        return None
    init = fields.get("Init Duration")
    return Report(fields["Duration"], fields["Billed Duration"], init, fields["Max Memory Used"])


def _of_json(text: str) -> dict[str, float]:
    for line in reversed(text.splitlines()):
        content = _parsed(line.encode())
        if isinstance(content, dict) and content.get("type") == "platform.report":
            metrics = content.get("record", {}).get("metrics", {})
            return {_OF_METRICS[name]: float(value) for name, value in metrics.items() if name in _OF_METRICS}
    return {}


def table(rows: Mapping[tuple[str, str], Row]) -> list[str]:
    """Return the lines of the table of what callers wait, in milliseconds."""
    lines = ["", "Milliseconds, as the caller sees them", _line("", ("n", "p50", "p90", "p99", "max"))]
    for (way, kind), row in rows.items():
        lines.append(_line(f"{way}, {_NAMES[kind]}", _figures([second * _MILLISECONDS for second in row.seconds])))
        lines += [f"  not counted: {number} x {what}" for what, number in row.failures.items()]
    return lines


def reported(rows: Mapping[tuple[str, str], Row]) -> list[str]:
    """Return the lines of the table of what Lambda reports."""
    lines = ["", "Milliseconds of the function, as Lambda reports them"]
    lines.append(_line("", ("n", "p50", "p90", "p99", "max")))
    reports = []
    for (way, kind), row in rows.items():
        if way == "invocation":
            reports += row.reports
            taken = [report.milliseconds for report in row.reports]
            lines.append(
                _line(_NAMES[kind], _figures(taken)) if taken else f"{_NAMES[kind]}: no REPORT line in the answer"
            )
    if not reports:
        return lines
    starts = [report.init_milliseconds for report in reports if report.init_milliseconds is not None]
    billed = sum(report.billed_milliseconds for report in reports)
    lines.append(f"billed: {billed:,.0f} ms for {len(reports):,} invocations")
    lines.append(f"memory: {max(report.most_megabytes for report in reports):,.0f} MB at most")
    longest = f", of up to {max(starts):,.0f} ms" if starts else ""
    lines.append(f"cold starts: {len(starts)}{longest}; more are seen after a pause or a deployment")
    return lines


def _missing(target: Target, rows: Mapping[tuple[str, str], Row], *, is_made: bool) -> list[str]:
    """Return a line for everything that was not measured, and what it needs."""
    lines = []
    if not is_made:
        lines.append("unknown key: not measured; it needs TOKEN and no KEY, to delete a key")
    if target.function_arn is None:
        lines.append("invocation: not measured; the stack file has no function_arn")
    needs = {
        "POST /verify": "execute-api:Invoke on the stack's output VerifyApiKeyArn",
        "invocation": "lambda:InvokeFunction on the stack's output VerifyApiKeyFunctionArn",
    }
    for (way, kind), row in rows.items():
        if kind == "valid" and any(what.startswith("access denied") for what in row.failures):
            lines += [f"{way}: access denied. The credentials need", f"  {needs[way]}"]
    return ["", *lines] if lines else []


def _figures(values: Sequence[float]) -> tuple[str, ...]:
    """Return number, p50, p90, p99 and maximum."""
    if not values:
        return ("0", "-", "-", "-", "-")
    hundredths = statistics.quantiles([*values, values[-1]] if len(values) == 1 else values, n=100, method="inclusive")
    return (f"{len(values):,}", *(f"{value:,.1f}" for value in (*(hundredths[at] for at in (49, 89, 98)), max(values))))


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<41}" + "".join(f"{cell:>7}" for cell in cells[:1]) + "".join(f"{cell:>8}" for cell in cells[1:])


def _say_cost(rounds: int, *, is_made: bool) -> None:
    """Print what the benchmark will use, and what AWS charges for that."""
    kinds = ("valid", "forged", "unknown") if is_made else ("valid", "forged")
    requests = rounds * len(kinds) + 1
    read_units = 2 * (rounds * sum(_READ_UNITS[kind] for kind in kinds) + _READ_UNITS["valid"])
    write_units = 2 * _MADE_AND_DELETED_UNITS if is_made else 0
    # A container writes the uses of a key once a minute; each way may be served by several.
    write_units += 10
    costs = read_costs()
    gb_seconds = 2 * requests * _ASSUMED_MILLISECONDS / 1000 * costs.assumed("function_memory_gb")
    log_gb = requests * sum(costs.log_bytes(costs.ways[way]) for way in ("verify", "invocation")) / 1e9
    dollars = (
        costs.price("api_gateway_rest_request", requests)
        + costs.price("lambda_request", 2 * requests)
        + costs.price("lambda_arm_gb_second", gb_seconds)
        + costs.price("dynamodb_read_unit", read_units)
        + costs.price("dynamodb_write_unit", write_units)
        + costs.price("logs_ingested_gb", log_gb)
    )
    _say(
        f"Up to {requests:,} requests, {requests:,} invocations, {read_units:,} read units, {write_units} write units."
    )
    _say(f"AWS charges about ${dollars:.4f} for that ({costs.region}, {costs.as_of}). At most {MOST_SECONDS} s.")


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(message: str) -> None:
    print(textwrap.fill(f"bench-aws: {message}", WIDTH, subsequent_indent="  "), file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for terminating in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(terminating, _interrupt)
    sys.exit(main(sys.argv[1:], os.environ))
