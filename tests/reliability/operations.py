"""Every operation of the service, and the invariants that hold under any fault of DynamoDB.

A new function needs one entry in OPERATIONS; a test compares them with the template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from keywright.domain.permissions import Role
from keywright.domain.principals import Actor, ActorType
from keywright.errors import ServiceError, Unauthorized
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.operators import keys as operator_keys
from keywright.operators import members as operator_members
from keywright.operators.refusals import NotFoundError
from tests.lifecycle.service import VALID_BODY, Answer, Caller, audit_record, audited, replayed
from tests.support.event_queue import about, event, message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.lifecycle.service import Service
    from tests.reliability.proxy import FaultProxy

    Partition = Mapping[str, Mapping[str, Any]]

SECONDS_TO_LIVE = 3600
OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")
ROUTE = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/GET/auth/api-keys/current"
MEMBER_ADDED = event("member.added", event_id="evt_1", **about("user_9", role="admin"))
PRESENT = {"verify_api_key", "authorize_api_key"}
"""Functions that receive the text of a key."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An organization with an owner, an admin (user_1), another member, and one key.

    Attributes:
        proxy: the proxy between service and DynamoDB.
        text: the key's text.
    """

    service: Service
    proxy: FaultProxy
    organization_id: str
    key_id: str
    text: str

    @classmethod
    def opened(cls, service: Service, proxy: FaultProxy, organization_id: str) -> Scene:
        """Write the organization and create its key."""
        service.open_organization(organization_id, user_1="admin", owner="owner", user_2="member")
        created = service.create(Caller(organization_id)).data
        return cls(service, proxy, organization_id, created["id"], created["key"])

    def partition(self) -> Partition:
        """Return the organization's items."""
        return self.service.partition(self.organization_id)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the service, with valid arguments.

    Attributes:
        name: name of the function, or of the operator's act.
        requests: number of requests to DynamoDB without faults.
        ask: runs it, with an Idempotency-Key if it takes one.
        event: its event in the audit log; None if it only reads.
        repeat_status: status of a repeat: 200 unless it cannot be done twice.
        is_repeatable: whether it takes an Idempotency-Key.
        is_idempotent: whether a repeat changes nothing and is answered with 200.
        has_deadline: whether its time is limited; an operator's is not.
        prepare: what to do before it.
    """

    name: str
    requests: int
    ask: Callable[[Scene, str | None], Answer]
    event: str | None = None
    repeat_status: int = 200
    is_repeatable: bool = False
    is_idempotent: bool = False
    has_deadline: bool = True
    prepare: Callable[[Scene], None] = field(default=lambda _: None)


def asks(
    function: str, *, body: object = None, user_id: str = "user_1", has_key_id: bool = False
) -> Callable[[Scene, str | None], Answer]:
    """Return an operation that calls a function with a route."""

    def ask(scene: Scene, idempotency_key: str | None) -> Answer:
        return scene.service.call(
            function,
            Caller(scene.organization_id, user_id),
            body={"key": scene.text} if function in PRESENT else body,
            key_id=scene.key_id if has_key_id else None,
            idempotency_key=idempotency_key,
            authorizer={"apiKeyId": scene.key_id, "keyName": "CI", "permissions": "sessions:read"},
        )

    return ask


def _authorized(scene: Scene, _: str | None) -> Answer:
    """Call the authorizer as API Gateway does, which turns every outcome into an answer."""
    asked = {"type": "REQUEST", "methodArn": ROUTE, "headers": {"x-api-key": scene.text}}
    try:
        answer = scene.service.handlers["authorize_api_key"](asked, scene.service.world.context)
    except Unauthorized:
        return Answer(401, {}, "")
    except ServiceError as error:
        return _refused(error)
    (statement,) = answer["policyDocument"]["Statement"]
    return Answer(200 if statement["Effect"] == "Allow" else 403, {}, json.dumps(answer))


def _synced(scene: Scene, _: str | None) -> Answer:
    """Deliver an event; a returned event is unavailable."""
    happened = {**MEMBER_ADDED, "detail": {**MEMBER_ADDED["detail"], "organization": {"id": scene.organization_id}}}
    batch = {"Records": [message(happened, "message-1")]}
    answer = scene.service.handlers["sync_organizations"](batch, scene.service.world.context)
    return UNAVAILABLE if answer["batchItemFailures"] else Answer(200, {}, json.dumps(answer))


def _operator(act: Callable[[UUID, Scene], object]) -> Callable[[Scene, str | None], Answer]:
    """Return an operation of the operator's command line."""

    def ask(scene: Scene, _: str | None) -> Answer:
        try:
            return Answer(200, {}, json.dumps(act(UUID(scene.organization_id), scene), default=str))
        except NotFoundError:
            return Answer(404, {}, "")
        except ServiceError as error:
            return _refused(error)

    return ask


def _refused(error: ServiceError) -> Answer:
    return Answer(error.error.status, UNAVAILABLE.headers, json.dumps({"error": {"code": error.error.code}}))


UNAVAILABLE = Answer(503, {"retry-after": "1"}, '{"error": {"code": "SERVICE_UNAVAILABLE"}}')


def _frozen(scene: Scene) -> None:
    answer = scene.service.call("request_organization_deletion", Caller(scene.organization_id, "owner"))
    assert 200 == answer.status


OPERATIONS = [
    Operation(
        "create_api_key", 1, asks("create_api_key", body=VALID_BODY), event="api_key.created", is_repeatable=True
    ),
    Operation("list_api_keys", 3, asks("list_api_keys")),
    Operation("get_api_key", 1, asks("get_api_key", has_key_id=True)),
    Operation(
        "update_api_key",
        2,
        asks("update_api_key", body={"name": "new", "enabled": False}, has_key_id=True),
        event="api_key.updated",
    ),
    Operation("delete_api_key", 2, asks("delete_api_key", has_key_id=True), event="api_key.deleted", repeat_status=404),
    Operation(
        "rotate_api_key",
        2,
        asks("rotate_api_key", body={"gracePeriodSeconds": SECONDS_TO_LIVE}, has_key_id=True),
        event="api_key.rotated",
        is_repeatable=True,
    ),
    Operation("list_audit_logs", 2, asks("list_audit_logs")),
    Operation("verify_api_key", 1, asks("verify_api_key")),
    Operation("get_current_api_key", 1, asks("get_current_api_key")),
    Operation("authorize_api_key", 1, _authorized),
    Operation(
        "request_organization_deletion",
        1,
        asks("request_organization_deletion", user_id="owner"),
        event="organization.deletion_requested",
        repeat_status=410,
    ),
    Operation(
        "cancel_organization_deletion",
        2,
        asks("cancel_organization_deletion", user_id="owner"),
        event="organization.deletion_canceled",
        repeat_status=409,
        prepare=_frozen,
    ),
    Operation("sync_organizations", 2, _synced, event="member.added", is_idempotent=True),
    Operation(
        "operator suspends a member",
        2,
        _operator(lambda organization_id, _: operator_members.suspend(OPERATOR, organization_id, "user_2")),
        event="member.suspended",
        is_idempotent=True,
        has_deadline=False,
    ),
    Operation(
        "operator removes a member",
        2,
        _operator(lambda organization_id, _: operator_members.remove(OPERATOR, organization_id, "user_2")),
        event="member.removed",
        repeat_status=404,
        has_deadline=False,
    ),
    Operation(
        "operator sets a role",
        2,
        _operator(
            lambda organization_id, _: operator_members.set_role(OPERATOR, organization_id, "user_2", Role.ADMIN)
        ),
        event="member.role_changed",
        is_idempotent=True,
        has_deadline=False,
    ),
    Operation(
        "operator revokes a key",
        2,
        _operator(
            lambda organization_id, scene: operator_keys.revoke_key(OPERATOR, organization_id, UUID(scene.key_id))
        ),
        event="api_key.deleted",
        repeat_status=404,
        has_deadline=False,
    ),
]
NAMES = [operation.name for operation in OPERATIONS]


def assert_consistent(partition: Partition) -> None:
    """Check that the replayed audit log is the state of the table: one record for each change."""
    log = [audit_record(item) for sort_key, item in partition.items() if sort_key.startswith("AUDIT#")]
    keys = {sort_key.removeprefix("KEY#"): item for sort_key, item in partition.items() if sort_key.startswith("KEY#")}
    of_keys = [record for record in log if record["targetType"] == "api_key"]
    assert replayed(of_keys) == {key_id: audited(item) for key_id, item in keys.items()}
    ends = [record["changes"]["after"]["pendingDeletionAt"] for record in log if record["targetType"] == "organization"]
    assert (ends or [None])[-1] == partition["ORG"].get("pending_deletion_at")
    answers = [sort_key for sort_key in partition if sort_key.startswith("IDEMPOTENCY#")]
    assert len(answers) <= sum(record["event"] in {"api_key.created", "api_key.rotated"} for record in log)


def assert_all_or_nothing(operation: Operation, before: Partition, after: Partition, *, has_key: bool) -> bool:
    """Check that an operation was done completely or not at all; return whether it was done.

    Args:
        operation: the operation that was called.
        before: the organization's items before the call.
        after: the items after it.
        has_key: whether the request had an Idempotency-Key.
    """
    assert_consistent(after)
    records = [after[sort_key]["event"] for sort_key in after.keys() - before.keys() if sort_key.startswith("AUDIT#")]
    if not records:
        assert before == after
        return False
    assert [operation.event] == records
    answers = [sort_key for sort_key in after.keys() - before.keys() if sort_key.startswith("IDEMPOTENCY#")]
    assert (operation.is_repeatable and has_key) == len(answers)
    return True


def assert_there(operation: Operation, answer: Answer, after: Partition) -> None:
    """Check that a successful answer matches the table; above all, that a returned secret works."""
    if not operation.is_repeatable:
        return
    assert f"KEY#{answer.data['id']}" in after
    assert Code.VALID == verify(answer.data["key"]).code
