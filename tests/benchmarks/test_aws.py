"""The benchmark of a deployment: its errors, its tables, and that it deletes what it makes."""

from __future__ import annotations

import base64
import json
import secrets
import signal
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, SSOTokenLoadError

from benchmarks import aws
from benchmarks.aws import Answer, BenchmarkError, Report, Row, Target, Texts
from keywright.domain import key_text
from keywright.domain.key_text import NotIssuedHere

if TYPE_CHECKING:
    from pathlib import Path

TAG_KEY = bytes(32)
WARM = "REPORT RequestId: 1\tDuration: 2.50 ms\tBilled Duration: 3 ms"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:keywright-VerifyApiKey"


def issued() -> str:
    """Return the text of a key."""
    payload = key_text.payload(
        pepper_version=1,
        organization_id=uuid.UUID(int=1),
        key_id=uuid.UUID(int=2),
        generation=0,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    return key_text.encode("kk_", payload, TAG_KEY)


def target(token: str | None = "session-token") -> Target:  # noqa: S107 - no real one
    """Return a deployment that is nowhere."""
    return Target("https://api.example.com/v1", "us-east-1", lambda: Credentials("a", "s"), ARN, "https://l", token)


def log(*lines: str) -> str:
    """Return the end of a log as the header of an invocation has it."""
    return base64.b64encode("\n".join(lines).encode()).decode()


class Deployment:
    """A deployment in memory, in the place of the client.

    Attributes:
        keys: texts of keys that work, by id.
        denied: ways that are denied.
        interrupted_after: verifications until somebody presses Ctrl-C; None for nobody.
    """

    def __init__(self, *, denied: tuple[str, ...] = (), interrupted_after: int | None = None) -> None:
        self.keys: dict[str, str] = {}
        self.made = 0
        self.denied = denied
        self.interrupted_after = interrupted_after
        self.target = target()

    def __call__(self, deployment: Target) -> Deployment:
        """Be the client of a deployment."""
        self.target = deployment
        return self

    def verify(self, text: str) -> Answer:
        """Verify a key through API Gateway."""
        return self._answer("http", text, {})

    def invoke(self, text: str) -> Answer:
        """Verify a key by a direct invocation."""
        return self._answer("direct", text, {"x-amz-log-result": log(f"{WARM}\tMax Memory Used: 90 MB")})

    def manage(self, method: str, path: str, content: object = None) -> Answer:
        """Make and delete keys."""
        del content
        if method == "GET":
            return Answer(0.001, 200, {}, {"data": {"permissions": ["sessions:read"]}})
        if method == "DELETE":
            return Answer(0.001, 200 if self.keys.pop(path.rpartition("/")[2], None) else 404, {}, {})
        self.made += 1
        key_id, text = f"key-{self.made}", issued()
        self.keys[key_id] = text
        return Answer(0.001, 200, {}, {"data": {"id": key_id, "key": text}})

    def _answer(self, way: str, text: str, headers: dict[str, str]) -> Answer:
        if self.interrupted_after is not None:
            self.interrupted_after -= 1
            if self.interrupted_after < 0:
                raise KeyboardInterrupt
        if way in self.denied:
            return Answer(0.001, 403, {"x-amzn-errortype": "AccessDeniedException"}, {"Message": "not authorized"})
        code = "VALID" if text in self.keys.values() else "NOT_FOUND"
        return Answer(0.001, 200, headers, {"data": {"code": code}})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["END", f"{WARM}\tMemory Size: 1024 MB\tMax Memory Used: 99 MB"],
            Report(2.5, 3, None, 99),
        ),
        (
            [f"{WARM}\tMax Memory Used: 99 MB\tInit Duration: 200.5 ms\t"],
            Report(2.5, 3, 200.5, 99),
        ),
        (
            [
                '{"level": "INFO"}',
                json.dumps(
                    {
                        "type": "platform.report",
                        "record": {
                            "metrics": {
                                "durationMs": 2.5,
                                "billedDurationMs": 3,
                                "memorySizeMB": 1024,
                                "maxMemoryUsedMB": 88,
                                "initDurationMs": 180.25,
                            }
                        },
                    }
                ),
            ],
            Report(2.5, 3, 180.25, 88),
        ),
        (['{"type": "platform.report"}'], None),
        (["no report"], None),
    ],
)
def test_the_report_of_lambda(lines: list[str], expected: Report | None) -> None:
    """The last line of a log is read in both of Lambda's formats; a log without one has no report."""
    assert expected == aws.parse_report(log(*lines))


@pytest.mark.parametrize("header", ["", "not base64!", "AA"])
def test_an_answer_without_a_log(header: str) -> None:
    """An answer whose header is missing or damaged has no report."""
    assert aws.parse_report(header) is None


def test_a_forged_key_has_the_form_of_a_key() -> None:
    """Its checksum is right and its tag is wrong, so that the tag is what refuses it."""
    text = issued()

    forged = aws.forged(text)

    assert NotIssuedHere.FORGED == key_text.decode(forged, "kk_", lambda _: TAG_KEY)


def test_a_key_of_another_form_is_changed() -> None:
    """Of an imported key the last character is changed, whatever it is."""
    assert ["another-tokeB", "another-tokeA"] == [aws.forged("another-tokeA"), aws.forged("another-tokeB")]


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "expected"),
    [
        ([], {}, 2, "name the deployment"),
        ([""], {}, 2, "name the deployment"),
        (["nowhere/stack.json"], {}, 1, "there is no nowhere/stack.json"),
        (["nowhere/stack.json"], {"COUNT": "0"}, 1, "COUNT must be a number from 1 to 1,000; it is '0'"),
        (["nowhere/stack.json"], {"COUNT": "many"}, 1, "COUNT must be a number"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    environment: dict[str, str],
    status: int,
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A missing stack, a missing file and a wrong number end with a sentence that names them."""
    assert status == aws.main(arguments, environment)
    assert capsys.readouterr().err.startswith(f"bench-aws: {expected}")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"iam": {}, "base_url": 1}'])
def test_a_file_that_describes_no_stack(content: str, tmp_path: Path) -> None:
    """A file without an address or credentials is named as such."""
    path = tmp_path / "stack.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(BenchmarkError, match="is not a stack file"):
        aws.find(str(path), {})


def test_a_stack_file(tmp_path: Path) -> None:
    """The token of a stack file is its admin's, unless the environment has one; Lambda's address is that of AWS."""
    iam = {"access_key_id": "a", "secret_access_key": "s", "region": "eu-west-1"}
    path = tmp_path / "stack.json"
    path.write_text(json.dumps({"base_url": "https://a/v1", "iam": iam, "tokens": {"admin": "t"}}), encoding="utf-8")

    found, other = aws.find(str(path), {}), aws.find(str(path), {"TOKEN": "another"})

    assert "https://a/v1" == found.base_url
    assert found.function_arn is None
    assert "t" == found.token
    assert "https://lambda.eu-west-1.amazonaws.com" == found.lambda_url
    assert "another" == other.token


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ValidationError", "there is no stack keywright"),
        ("AccessDenied", "access denied: the credentials need cloudformation:DescribeStacks"),
        ("ExpiredToken", "the stack keywright cannot be described: ExpiredToken"),
    ],
)
def test_a_stack_that_cannot_be_described(code: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do about what CloudFormation answers."""

    class Session:
        region_name = "us-east-1"

        def __init__(self, **_: object) -> None:
            pass

        def get_credentials(self) -> Credentials:
            return Credentials("a", "s")

        def client(self, _: str) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")

    monkeypatch.setattr(boto3, "Session", Session)

    with pytest.raises(BenchmarkError, match=expected):
        aws.find("keywright", {})


@pytest.mark.deep
def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AWS credentials, the message says so before anything is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    with pytest.raises(BenchmarkError, match="no AWS credentials"):
        aws.find("keywright", {})


def test_credentials_that_cannot_be_renewed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Credentials that end while the benchmark runs end it with a sentence."""

    def ended(*_: object) -> int:
        raise SSOTokenLoadError(error_msg="expired")

    monkeypatch.setattr(aws, "find", lambda *_: target())
    monkeypatch.setattr(aws, "measure", ended)

    assert 1 == aws.main(["keywright"], {})
    assert "bench-aws: the AWS credentials cannot be used: SSOTokenLoadError\n" == capsys.readouterr().err


def test_no_key() -> None:
    """Without a key and without a token, the message names both."""
    with pytest.raises(BenchmarkError, match=r"no key: set KEY .* or TOKEN"):
        aws.measure(target(None), "", 1)


def test_everything_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """GIVEN a token WHEN a deployment is measured THEN both ways have all rows, in 80 columns, and no key is left."""
    deployment = Deployment()
    monkeypatch.setattr(aws, "Client", deployment)

    status = aws.measure(target(), "", 3)

    lines = capsys.readouterr().out.splitlines()
    assert 0 == status
    assert 2 == deployment.made
    assert {} == deployment.keys
    assert [] == [line for line in lines if len(line) > aws.WIDTH]
    assert 6 == sum(line.endswith("3     1.0     1.0     1.0     1.0") for line in lines)
    assert "billed: 27 ms for 9 invocations" in lines
    assert "cold starts: 0; more are seen after a pause or a deployment" in lines


def test_nothing_is_made_with_a_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """GIVEN a key WHEN a deployment is measured THEN it is not deleted, and its text is not printed."""
    deployment = Deployment()
    text = deployment.keys["theirs"] = issued()
    monkeypatch.setattr(aws, "Client", deployment)

    status = aws.measure(target(None), text, 2)

    printed = capsys.readouterr().out
    assert 0 == status
    assert 0 == deployment.made
    assert {"theirs": text} == deployment.keys
    assert "unknown key: not measured" in printed
    assert text not in printed


@pytest.mark.parametrize("verifications", [0, 1, 7])
def test_an_interruption_leaves_no_key(verifications: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN keys that were made WHEN the benchmark is interrupted THEN they are deleted."""
    deployment = Deployment(interrupted_after=verifications)
    monkeypatch.setattr(aws, "Client", deployment)

    with pytest.raises(KeyboardInterrupt):
        aws.measure(target(), "", 3)

    assert 2 == deployment.made
    assert {} == deployment.keys


def test_a_second_interruption_leaves_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN an interrupted benchmark WHEN it is interrupted again while it deletes a key THEN the key is deleted."""
    deployment = Deployment(interrupted_after=1)
    manage = deployment.manage

    def interrupted(method: str, path: str, content: object = None) -> Answer:
        if method == "DELETE" and deployment.interrupted_after == -1:
            signal.raise_signal(signal.SIGINT)
        return manage(method, path, content)

    monkeypatch.setattr(deployment, "manage", interrupted)
    monkeypatch.setattr(aws, "Client", deployment)

    with pytest.raises(KeyboardInterrupt):
        aws.measure(target(), "", 3)

    assert {} == deployment.keys


def test_an_interruption_waits_for_the_answer() -> None:
    """An interruption while a key is made is put off until its id is known, and not lost."""
    seen = []

    def interrupted() -> None:
        with aws.undisturbed():
            signal.raise_signal(signal.SIGINT)
            seen.append("the id")

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert ["the id"] == seen


@pytest.mark.parametrize(("denied", "action"), [("http", "execute-api:Invoke"), ("direct", "lambda:InvokeFunction")])
def test_access_denied(
    denied: str, action: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GIVEN one way that is denied WHEN a deployment is measured THEN the other is, and the missing action is named."""
    monkeypatch.setattr(aws, "Client", Deployment(denied=(denied,)))

    status = aws.measure(target(), "", 2)

    lines = capsys.readouterr().out.splitlines()
    assert 1 == status
    assert [] == [line for line in lines if len(line) > aws.WIDTH]
    assert any(action in line for line in lines)
    assert 3 == sum(line.endswith("2     1.0     1.0     1.0     1.0") for line in lines)


def test_a_key_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a key that is refused WHEN a deployment is measured THEN the message has the code, and not the key."""
    monkeypatch.setattr(aws, "Client", Deployment())
    text = issued()

    with pytest.raises(BenchmarkError, match="the key cannot be used: POST /verify says NOT_FOUND") as raised:
        aws.measure(target(None), text, 2)

    assert text not in str(raised.value)


def test_other_answers_are_not_counted() -> None:
    """An answer that was not expected has no time in the table, and a line that names it."""
    rows = {("invocation", "valid"): Row()}
    rows["invocation", "valid"].failures["RATE_LIMITED"] += 2

    lines = aws.table(rows)

    assert lines[-1] == "  not counted: 2 x RATE_LIMITED"
    assert "0       -" in lines[-2]


def test_a_way_without_reports() -> None:
    """A deployment whose answers have no report, as on an emulator, is named in its row."""
    assert "valid key: no REPORT line in the answer" in aws.reported({("invocation", "valid"): Row([0.1])})


def test_cold_starts_are_counted() -> None:
    """Cold starts are those that Lambda reports an initialization for; the longest is shown."""
    row = Row([0.1] * 3, reports=[Report(1, 1, None, 80), Report(1, 2, 200, 90), Report(1, 3, 300, 90)])

    lines = aws.reported({("invocation", "valid"): row})

    assert "cold starts: 2, of up to 300 ms; more are seen after a pause or a deployment" in lines
    assert "memory: 90 MB at most" in lines


def test_no_secret_is_shown() -> None:
    """Keys, the session token and credentials are in no representation."""
    shown = repr(target("a-token")) + repr(Texts({"valid": "kk_text"}, ["id"]))

    assert [] == [secret for secret in ("a-token", "kk_text") if secret in shown]
