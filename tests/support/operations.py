"""Every operation of the service, and the invariants that hold under any fault of its requests.

A new function needs one entry in OPERATIONS; a test compares them with the template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from uuid import UUID

from keywright import clock
from keywright.domain.leak import Finding, IssuedText, LeakReport, LeakSource
from keywright.domain.permissions import Role
from keywright.domain.principals import Actor, ActorType, Origin
from keywright.errors import ServiceError, Unauthorized
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.operators import keys as operator_keys
from keywright.operators import members as operator_members
from keywright.operators.refusals import NotFoundError, RefusedError
from local import github
from tests.support import counts, network_faults
from tests.support.announcements import expiries, expiries_of_keys
from tests.support.audit_log import audit_log, key_states, replayed
from tests.support.client import VALID_BODY
from tests.support.event_queue import about, event, message
from tests.support.github import report as github_report
from tests.support.imported_keys import run_import, source
from tests.support.service import Answer, Caller
from tests.support.world import Context, create_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.audit_log import Partition
    from tests.support.fault_proxy import FaultProxy
    from tests.support.network_faults import Fault
    from tests.support.service import Service
    from tests.support.simulated_time import SimulatedTime

    Run = Callable[["Scene", str], Answer]

SECONDS_TO_LIVE = 3600
REPORT_SECONDS = 25
OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")
EXPIRING_BODY = VALID_BODY | {"expiresAt": "2099-12-31T00:00:00.000Z"}
REPORTED_AT = clock.stored("2026-03-01T12:00:00.000Z")
ROUTE = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/GET/auth/api-keys/current"


@dataclass(frozen=True, slots=True)
class Scene:
    """An organization with an owner, an admin (user_1), another member, and one key.

    Attributes:
        proxy: the proxy between service and DynamoDB.
        time: the simulated time of both.
        text: the key's text.
    """

    service: Service
    proxy: FaultProxy
    time: SimulatedTime
    organization_id: str
    key_id: str
    text: str

    @classmethod
    def opened(cls, service: Service, proxy: FaultProxy, time: SimulatedTime, organization_id: str) -> Scene:
        """Write the organization and create its key."""
        service.open_organization(organization_id, user_1="admin", owner="owner", user_2="member")
        created = service.create(Caller(organization_id), EXPIRING_BODY).data
        return cls(service, proxy, time, organization_id, created["id"], created["key"])

    def partition(self) -> Partition:
        """Return the organization's items."""
        return self.service.partition(self.organization_id)


class Repeat(Enum):
    """The effect of a request that is sent again after it was done."""

    IS_DONE_AGAIN = auto()
    CHANGES_NOTHING = auto()
    IS_REPLAYED = auto()
    """It has an Idempotency-Key: it changes nothing, and the first answer is returned again."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the service, with valid arguments.

    Attributes:
        name: name of the function, or of the operator's act.
        requests: number of requests to DynamoDB without faults.
        run: runs it, with an Idempotency-Key, which only some operations take.
        event: its event in the audit log; None if it only reads.
        repeat: the effect of a repeat, or the status with which it is refused.
        has_deadline: whether its time is limited; an operator's is not.
        seconds: its time limit; None for that of most functions.
        prepare: what to do before it.
    """

    name: str
    requests: int
    run: Run
    event: str | None = None
    repeat: Repeat | int = Repeat.IS_DONE_AGAIN
    has_deadline: bool = True
    seconds: int | None = None
    prepare: Callable[[Scene], object] = field(default=lambda _: None)

    @property
    def issues_a_key(self) -> bool:
        """Return whether its answer holds the text of a key; these operations take an Idempotency-Key."""
        return self.repeat is Repeat.IS_REPLAYED


_OF_THE_KEY: dict[str, Callable[[str], object]] = {
    "verify_api_key": lambda text: {"key": text},
    "verify_api_keys": lambda text: {"verifications": [{"key": text}, {"key": "kk_"}, {"key": text}]},
}
"""The bodies of functions that take the key's text."""


def call(function: str, *, body: object = None, user_id: str = "user_1", has_key_id: bool = False) -> Run:
    """Return how to call a function with a route."""

    def run(scene: Scene, idempotency_key: str) -> Answer:
        return scene.service.call(
            function,
            Caller(scene.organization_id, user_id),
            body=_OF_THE_KEY[function](scene.text) if function in _OF_THE_KEY else body,
            key_id=scene.key_id if has_key_id else None,
            idempotency_key=idempotency_key,
            authorizer={"apiKeyId": scene.key_id, "keyName": "CI", "permissions": "sessions:read"},
        )

    return run


def rotate(grace_period_seconds: int) -> Run:
    """Return how to rotate the key."""
    return call("rotate_api_key", body={"gracePeriodSeconds": grace_period_seconds}, has_key_id=True)


def update(**changes: object) -> Run:
    """Return how to change the key."""
    return call("update_api_key", body=changes, has_key_id=True)


def _authorize(scene: Scene, _: str) -> Answer:
    """Call the authorizer as API Gateway does, which turns every outcome into an answer."""
    request = {"type": "REQUEST", "methodArn": ROUTE, "headers": {"x-api-key": scene.text}}
    try:
        answer = scene.service.handlers["authorize_api_key"](request, scene.service.world.context)
    except Unauthorized:
        return Answer(401, {}, "")
    except ServiceError as error:
        return _failure(error)
    (statement,) = answer["policyDocument"]["Statement"]
    return Answer(200 if statement["Effect"] == "Allow" else 403, {}, json.dumps(answer))


def _sync(scene: Scene, _: str) -> Answer:
    """Deliver an event; one that returns to the queue is unavailable."""
    added = event(
        "member.added", event_id="evt_1", organization={"id": scene.organization_id}, **about("user_9", role="admin")
    )
    answer = scene.service.handlers["sync_organizations"](
        {"Records": [message(added, "message-1")]}, scene.service.world.context
    )
    return UNAVAILABLE if answer["batchItemFailures"] else Answer(200, {}, json.dumps(answer))


def _report(scene: Scene, _: str) -> Answer:
    """Report the key's text, as anyone can."""
    return _answered(scene, "report_leak", create_event({"keys": [scene.text]}))


def _report_as_github(scene: Scene, _: str) -> Answer:
    """Report the key's text, as GitHub does."""
    body = github_report(scene.text)
    headers = {"Github-Public-Key-Identifier": github.IDENTIFIER, "Github-Public-Key-Signature": github.sign(body)}
    return _answered(scene, "report_github_leaks", create_event(body.decode(), headers=headers))


def _process_report(scene: Scene, _: str) -> Answer:
    """Deliver a report of the key's text from the queue; one that returns to the queue is unavailable."""
    text = IssuedText(UUID(scene.organization_id), UUID(scene.key_id), 0)
    report = LeakReport((Finding(text, None),), LeakSource.GITHUB, REPORTED_AT, Origin("203.0.113.7", "request-1"))
    answer = scene.service.handlers["process_leak_reports"](
        {"Records": [message(report.message(), "message-1")]}, scene.service.world.context
    )
    return UNAVAILABLE if answer["batchItemFailures"] else Answer(200, {}, json.dumps(answer))


def _answered(scene: Scene, function: str, event: dict[str, Any]) -> Answer:
    answer = scene.service.handlers[function](event, Context(remaining_milliseconds=REPORT_SECONDS * 1000))
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def _by_operator(
    name: str, act: Callable[[UUID, UUID], object], event: str, repeat: Repeat | int, requests: int = 2
) -> Operation:
    """Return an act of the operator's command line, on an organization and a key."""

    def run(scene: Scene, _: str) -> Answer:
        try:
            return Answer(200, {}, json.dumps(act(UUID(scene.organization_id), UUID(scene.key_id)), default=str))
        except NotFoundError:
            return Answer(404, {}, "")
        except RefusedError:
            return Answer(410, {}, "")
        except ServiceError as error:
            return _failure(error)

    return Operation(f"operator {name}", requests, run, event, repeat, has_deadline=False)


def _failure(error: ServiceError) -> Answer:
    return Answer(error.error.status, UNAVAILABLE.headers, json.dumps({"error": {"code": error.error.code}}))


UNAVAILABLE = Answer(503, {"retry-after": "1"}, '{"error": {"code": "SERVICE_UNAVAILABLE"}}')

OPERATIONS = [
    Operation("list_api_keys", 3, call("list_api_keys")),
    Operation("get_api_key", 1, call("get_api_key", has_key_id=True)),
    Operation("get_api_key_usage", 1, call("get_api_key_usage", has_key_id=True)),
    Operation("get_current_organization", 1, call("get_current_organization", user_id="user_2")),
    Operation("list_audit_logs", 2, call("list_audit_logs")),
    Operation("verify_api_key", 1, call("verify_api_key")),
    Operation("verify_api_keys", 1, call("verify_api_keys")),
    Operation("get_current_api_key", 1, call("get_current_api_key")),
    Operation("revoke_current_api_key", 2, call("revoke_current_api_key"), "api_key.deleted", 401),
    Operation("authorize_api_key", 1, _authorize),
    Operation("create_api_key", 1, call("create_api_key", body=EXPIRING_BODY), "api_key.created", Repeat.IS_REPLAYED),
    Operation("rotate_api_key", 2, rotate(SECONDS_TO_LIVE), "api_key.rotated", Repeat.IS_REPLAYED),
    Operation(
        "update_api_key",
        2,
        update(name="new", enabled=False, expiresAt="2098-12-31T00:00:00Z"),
        "api_key.updated",
        Repeat.IS_DONE_AGAIN,
    ),
    Operation("delete_api_key", 2, call("delete_api_key", has_key_id=True), "api_key.deleted", 404),
    Operation(
        "request_organization_deletion",
        1,
        call("request_organization_deletion", user_id="owner"),
        "organization.deletion_requested",
        410,
    ),
    Operation(
        "cancel_organization_deletion",
        2,
        call("cancel_organization_deletion", user_id="owner"),
        "organization.deletion_canceled",
        409,
        prepare=lambda scene: scene.service.freeze(scene.organization_id),
    ),
    Operation("report_leak", 2, _report, "api_key.leak_reported", Repeat.CHANGES_NOTHING, seconds=REPORT_SECONDS),
    Operation(
        "report_github_leaks",
        2,
        _report_as_github,
        "api_key.leak_reported",
        Repeat.CHANGES_NOTHING,
        seconds=REPORT_SECONDS,
    ),
    Operation("process_leak_reports", 2, _process_report, "api_key.leak_reported", Repeat.CHANGES_NOTHING),
    Operation("sync_organizations", 2, _sync, "member.added", Repeat.CHANGES_NOTHING),
    _by_operator(
        "suspends a member",
        lambda organization_id, _: operator_members.suspend(OPERATOR, organization_id, "user_2"),
        "member.suspended",
        Repeat.CHANGES_NOTHING,
    ),
    _by_operator(
        "removes a member",
        lambda organization_id, _: operator_members.remove(OPERATOR, organization_id, "user_2"),
        "member.removed",
        Repeat.CHANGES_NOTHING,
    ),
    _by_operator(
        "sets a role",
        lambda organization_id, _: operator_members.set_role(OPERATOR, organization_id, "user_2", Role.ADMIN),
        "member.role_changed",
        Repeat.CHANGES_NOTHING,
    ),
    _by_operator(
        "revokes a key",
        lambda organization_id, key_id: operator_keys.revoke_key(OPERATOR, organization_id, key_id),
        "api_key.deleted",
        Repeat.CHANGES_NOTHING,
    ),
    _by_operator(
        "imports a key",
        lambda organization_id, _: run_import([source(f"acme_{organization_id.hex}", "sha256")], organization_id),
        "api_key.imported",
        Repeat.CHANGES_NOTHING,
        requests=3,
    ),
]
NAMES = [operation.name for operation in OPERATIONS]


def run_under_faults(scene: Scene, operation: Operation, idempotency_key: str, *script: Fault | None) -> Answer:
    """Run an operation with faults at its requests, and check that it is answered within the function's time.

    Each key that expires has its expiry in the table then, and there is no other.
    """
    started = scene.time.monotonic()
    with network_faults.injected(scene.proxy, *script):
        answer = operation.run(scene, idempotency_key)
    limit_seconds = operation.seconds or scene.service.world.context.remaining_milliseconds / 1000
    assert scene.time.monotonic() - started < limit_seconds or not operation.has_deadline
    table = scene.service.world.table
    assert expiries_of_keys(table) == expiries(table).keys()
    counts.add(operations=1)
    return answer


def check_audit_log(partition: Partition) -> None:
    """Check that the audit log, replayed, is the state of the table: there is one record for each change."""
    log = audit_log(partition)
    assert replayed(record for record in log if record["targetType"] == "api_key") == key_states(partition)
    ends = [record["changes"]["after"]["pendingDeletionAt"] for record in log if record["targetType"] == "organization"]
    assert (ends or [None])[-1] == partition["ORG"].get("pending_deletion_at")


def was_done(operation: Operation, before: Partition, after: Partition) -> bool:
    """Return whether an operation was done once, by the items before and after it.

    Raises:
        AssertionError: it was done in part, or more than once.
    """
    check_audit_log(after)
    new = after.keys() - before.keys()
    events = [after[sort_key]["event"] for sort_key in new if sort_key.startswith("AUDIT#")]
    if not events:
        assert before == after
        return False
    assert [operation.event] == events
    assert operation.issues_a_key == sum(sort_key.startswith("IDEMPOTENCY#") for sort_key in new)
    return True


def check_issued_key(operation: Operation, answer: Answer, after: Partition) -> None:
    """Check that a key whose text was answered exists, and that the text works."""
    if operation.issues_a_key:
        assert f"KEY#{answer.data['id']}" in after
        assert Code.VALID == verify(answer.data["key"]).code


def check_repeat(scene: Scene, operation: Operation, idempotency_key: str, before: Partition, answer: Answer) -> None:
    """Repeat a request without faults, and check that it has been done once in all.

    Args:
        scene: the organization.
        operation: its operation.
        idempotency_key: that of the request.
        before: the organization's items before the request.
        answer: the first answer.
    """
    counts.add(operations=1)
    between = scene.partition()
    was_done_before = was_done(operation, before, between)
    repeated = operation.run(scene, idempotency_key)
    after = scene.partition()
    check_audit_log(after)
    if operation.event is None:
        assert 200 == repeated.status
        assert between == after
        assert answer.status != 200 or answer.body == repeated.body
    elif not was_done_before or operation.repeat is Repeat.IS_DONE_AGAIN:
        assert 200 == repeated.status
        assert not repeated.is_replayed
        assert was_done(operation, between, after)
        check_issued_key(operation, repeated, after)
    else:
        assert (200 if isinstance(operation.repeat, Repeat) else operation.repeat) == repeated.status
        assert operation.issues_a_key == repeated.is_replayed
        assert between == after
        assert answer.status != 200 or not operation.issues_a_key or answer.body == repeated.body
        check_issued_key(operation, repeated, after)
