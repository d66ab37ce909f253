"""Random requests to two organizations: every answer, and the table after it, is that of a small model.

Hypothesis draws sequences of requests, of acts of operators and of waits. After each step the tables of both
organizations must match their models (tests/support/model.py), so no request has an effect on the other organization.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.leak import Leak, LeakSource
from keywright.domain.principals import Actor, ActorType, Origin
from keywright.domain.revocation_reason import RevocationReason
from keywright.keys import limiter, verification
from keywright.keys.changes import commit_change
from keywright.store.api_keys import parse_api_key
from tests.support.announcements import expiries
from tests.support.audit_log import audit_log, key_states, replayed
from tests.support.depth import size
from tests.support.hashes import is_hash_of
from tests.support.model import (
    AUDIT_RETENTION,
    DAY,
    MALFORMED_ID,
    SECOND,
    AuditRecord,
    Organization,
    Refused,
    Repeated,
    Request,
    as_json,
    date_of,
    optional_rfc3339,
    rfc3339,
)
from tests.support.sample_keys import key_parts
from tests.support.service import READS, Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from tests.support.service import Answer, Service
    from tests.support.stepped_clock import SteppedClock

    By = tuple[int, str]
    """A caller: the index of an organization, and a user."""
    Choice = tuple[str, int]
    Fields = dict[str, Any]
    Items = dict[str, dict[str, Any]]

EXAMPLES = size("STATEFUL_EXAMPLES", 4, full=35)
STEPS = 40

STATUSES = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "API_KEY_NOT_FOUND": 404,
    "CONFLICT": 409,
    "API_KEY_LEAKED": 409,
    "ORGANIZATION_FROZEN": 410,
    "IDEMPOTENCY_KEY_REUSED": 422,
}
UNKNOWN_IDS = ["0198d3c4-0000-7000-8000-000000000000", MALFORMED_ID]
PERMISSIONS = ["webhooks:read", "webhooks:write", "sessions:read", "sessions:write", "analytics:read"]

organizations = st.integers(0, 1)
users = st.sampled_from(["owner"] * 4 + ["admin"] * 4 + ["member", "stranger"])
callers = st.tuples(organizations, users)
owners = st.tuples(organizations, st.sampled_from(["owner"] * 4 + ["admin", "stranger"]))
names = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Zl", "Zp"],
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    min_size=1,
    max_size=8,
).filter(str.strip)
permissions = st.lists(st.sampled_from(PERMISSIONS), min_size=1, max_size=4)
# Often values that Python, or a double, considers equal.
metadata = st.dictionaries(
    st.sampled_from(["a", "b"]) | st.text(max_size=4),
    st.sampled_from([1, 1.0, True, "1", 2**53, 2**53 + 1, 1e300])
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    max_size=2,
)
limit_fields: dict[str, st.SearchStrategy[Any]] = {
    "rateLimit": st.sampled_from(
        [
            None,
            {"limit": 2, "windowSeconds": 60},
            {"limit": 2, "windowSeconds": 60, "burst": 1},
            {"limit": 3600.0, "windowSeconds": 3600.0, "burst": 3},
        ]
    ),
    "quota": st.none()
    | st.fixed_dictionaries({"limit": st.integers(1, 4), "period": st.sampled_from(["day", "week", "month", "total"])}),
    "allowedIps": st.none()
    | st.lists(st.sampled_from(["192.0.2.0/24", "192.0.2.7", "::ffff:192.0.2.7", "2001:DB8::/32"]), max_size=3),
}
bodies: st.SearchStrategy[Fields] = st.fixed_dictionaries(
    {"name": names, "permissions": permissions}, optional={"metadata": metadata, **limit_fields}
)
reasons = st.sampled_from([reason.value for reason in RevocationReason])
changes: st.SearchStrategy[Fields] = st.fixed_dictionaries(
    {},
    optional={
        "name": names,
        "enabled": st.booleans(),
        "permissions": permissions,
        "metadata": metadata,
        "leak": st.none(),
        "reason": reasons,
        **limit_fields,
    },
)
addresses = st.sampled_from(["192.0.2.7", "192.0.2.7", "::ffff:192.0.2.8", "2001:db8::1", None])
costs = st.sampled_from([1, 1, 1, 1, 2, 0])
# Milliseconds from now; an expiry that has passed is refused.
lifetimes = st.sampled_from([None, None, 400 * DAY, 3600 * SECOND, SECOND, 1, 0])
idempotency_keys = st.sampled_from([None, None, "a", "b"])
graces_seconds = st.sampled_from([0, 0, 1, 3600, 604_800])
numbers = st.integers(0, 50)
days_ago = st.sampled_from([0, 0, 0, 1, 8, 9, 89, 89, 89, 90, -1])
# The key: usually of the organization, sometimes deleted, of the other organization, or unknown.
choices = st.tuples(st.sampled_from(["own", "own", "own", "any"]), numbers)
limits = st.sampled_from(["1", "2", "3", "10", "100"])
MISSPELLED: list[tuple[str, Fields]] = [
    ("create_api_key", {"body": {"name": "a", "permissions": PERMISSIONS, "expires_at": None}}),
    ("update_api_key", {"body": {"enable": False, "name": "a"}}),
    ("rotate_api_key", {"body": {"gracePeriod": 3600}}),
    ("rotate_api_key", {"query": {"gracePeriodSeconds": "3600"}}),
    ("delete_api_key", {"query": {"dryRun": "true"}}),
    ("request_organization_deletion", {"query": {"dryRun": "true"}}),
]
key_filters: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"limit": limits},
    optional={
        "enabled": st.sampled_from(["true", "false"]),
        "permission": st.sampled_from(PERMISSIONS),
        "expires_before": st.sampled_from([-3600 * SECOND, 0, 1, 3600 * SECOND, 401 * DAY]),
    },
)
record_filters: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {"limit": limits},
    optional={
        "event": st.just("api_key.deleted,organization.deletion_requested"),
        "actor_type": st.sampled_from(["user", "api_key,system", "operator", "system,user"]),
        "actor_user_id": users,
        "actor_api_key_id": users,
    },
)


EMPTY: Fields = {"metadata": {}, "rate_limit": None, "quota": None, "allowed_ips": None}
"""Fields of a create that are omitted, as they are stored."""


def refuse(_: Organization, __: Request) -> object:
    """Refuse a request before anyone's role is read."""
    raise Refused("BAD_REQUEST")


class TwoOrganizations(RuleBasedStateMachine):
    """Requests to both organizations in any order, while time passes."""

    def __init__(self, service: Service, clock: SteppedClock) -> None:
        super().__init__()
        self.service = service
        self.clock = clock
        self.models = [Organization(str(uuid.uuid4())) for _ in range(2)]
        self.tables: list[Items] = [{}, {}]
        self.key_ids: list[str] = []
        self.texts: list[str] = []
        self.repeatable: list[Callable[[], None]] = []
        for organization, model in enumerate(self.models):
            service.open_organization(model.organization_id)
            for role in ("owner", "admin", "member"):
                self.change_member(organization, role, role)
            for name in ("disabled", "enabled"):
                self.create((organization, "admin"), {"name": name, "permissions": PERMISSIONS[:2]}, None, None)
            self.update((organization, "admin"), ("own", 0), {"enabled": False}, "absent")

    # Requests of members, each by a user of one of the organizations.

    @rule(by=callers, body=bodies, lifetime=lifetimes, idempotency_key=idempotency_keys)
    def create(self, by: By, body: Fields, lifetime: int | None, idempotency_key: str | None) -> None:
        """Create a key."""
        expires_at, fields = self._after(lifetime), {**EMPTY, **as_stored(body)}
        send = partial(
            self._ask,
            by,
            "create_api_key",
            lambda model, request: model.create(request, fields, expires_at),
            idempotency_key=idempotency_key,
            body={**body, "expiresAt": optional_rfc3339(expires_at)},
        )
        send()
        if idempotency_key:
            self.repeatable.append(send)

    @rule(by=callers)
    def get_organization(self, by: By) -> None:
        """Read the organization."""
        self._ask(by, "get_current_organization", lambda model, request: model.current(request, PERMISSIONS))

    @rule(by=callers, choice=choices)
    def get(self, by: By, choice: Choice) -> None:
        """Read a key."""
        key_id = self._chosen(by, choice)
        self._ask(by, "get_api_key", lambda model, request: model.get(request, key_id), key_id=key_id)

    @rule(by=callers, choice=choices, first=days_ago, last=days_ago)
    def get_usage(self, by: By, choice: Choice, first: int, last: int) -> None:
        """Read the uses of a key by day."""
        key_id, now = self._chosen(by, choice), self.clock.milliseconds
        self._ask(
            by,
            "get_api_key_usage",
            lambda model, request: model.usage(request, key_id, first, last),
            key_id=key_id,
            query={"from": date_of(now - first * DAY), "to": date_of(now - last * DAY)},
        )

    @rule(by=callers, choice=choices, changes=changes, lifetime=st.just("absent") | lifetimes)
    def update(self, by: By, choice: Choice, changes: Fields, lifetime: int | str | None) -> None:
        """Change a key."""
        key_id, body, fields = self._chosen(by, choice), dict(changes), as_stored(changes)
        if not isinstance(lifetime, str):
            fields["expires_at"] = self._after(lifetime)
            body["expiresAt"] = optional_rfc3339(fields["expires_at"])
        self._ask(
            by, "update_api_key", lambda model, request: model.update(request, key_id, fields), key_id=key_id, body=body
        )
        self.clock.advance(seconds=limiter.TRUSTED_NS / 1e9)  # a container may refuse from memory until then

    @rule(
        by=callers,
        choice=choices,
        grace_seconds=graces_seconds,
        reason=st.none() | reasons,
        idempotency_key=idempotency_keys,
    )
    def rotate(
        self, by: By, choice: Choice, grace_seconds: int, reason: str | None, idempotency_key: str | None
    ) -> None:
        """Rotate a key."""
        key_id = self._chosen(by, choice)
        send = partial(
            self._ask,
            by,
            "rotate_api_key",
            lambda model, request: model.rotate(request, key_id, grace_seconds * SECOND, reason),
            idempotency_key=idempotency_key,
            key_id=key_id,
            body={"gracePeriodSeconds": grace_seconds, **({"reason": reason} if reason else {})},
        )
        send()
        if idempotency_key:
            self.repeatable.append(send)

    @precondition(lambda self: self.repeatable)
    @rule(number=numbers)
    def repeat(self, number: int) -> None:
        """Repeat a request that had an Idempotency-Key."""
        self.repeatable[number % len(self.repeatable)]()

    @rule(by=callers, choice=choices, reason=st.none() | reasons)
    def delete(self, by: By, choice: Choice, reason: str | None) -> None:
        """Delete a key."""
        key_id = self._chosen(by, choice)
        self._ask(
            by,
            "delete_api_key",
            lambda model, request: model.delete(request, key_id, reason),
            key_id=key_id,
            query={"reason": reason} if reason else None,
        )

    @rule(organization=organizations, number=numbers, reason=st.none() | reasons)
    def delete_current(self, organization: int, number: int, reason: str | None) -> None:
        """Delete a key as its holder, sometimes one that is gone since it was verified, or another organization's."""
        key_id = self.key_ids[-1 - number % len(self.key_ids)]
        self._ask(
            (organization, "holder"),
            "revoke_current_api_key",
            lambda model, request: model.delete_current(request, key_id, reason),
            authorizer={"apiKeyId": key_id},
            query={"reason": reason} if reason else None,
        )

    @rule(by=callers, choice=choices, request=st.sampled_from(MISSPELLED))
    def misspell(self, by: By, choice: Choice, request: tuple[str, Fields]) -> None:
        """Send a request with a field or a query parameter that it does not have."""
        function, content = request
        self._ask(by, function, refuse, key_id=self._chosen(by, choice), **content)

    @rule(by=owners, is_again=st.sampled_from([False, False, False, True]))
    def schedule(self, by: By, is_again: bool) -> None:  # noqa: FBT001 - passed by name
        """Request or cancel the deletion of an organization, sometimes twice."""
        self.clock.advance(seconds=0.001)  # records of the organization are ordered by the clock alone
        if (self.models[by[0]].pending_deletion_at is not None) == is_again:
            self._ask(by, "request_organization_deletion", lambda model, request: model.schedule_deletion(request))
        else:
            self._ask(by, "cancel_organization_deletion", lambda model, request: model.cancel_deletion(request))

    @rule(by=callers, filters=key_filters, start=st.none() | choices)
    def list_keys(self, by: By, filters: dict[str, Any], start: Choice | None) -> None:
        """List keys from a cursor to the end, page by page."""
        query, before = dict(filters), self._after(filters.get("expires_before"))
        if before is not None:
            query["expires_before"] = rfc3339(before)
        cursor = start and self._chosen(by, start)
        if cursor in self.key_ids:
            query["starting_after"] = cursor
        newest_first = sorted(self.models[by[0]].keys.values(), key=lambda key: key.key_id, reverse=True)
        matches = [
            key.summary()
            for key in newest_first
            if ("starting_after" not in query or key.key_id < query["starting_after"])
            and query.get("enabled") in {None, json.dumps(key.enabled)}
            and ("permission" not in query or query["permission"] in key.permissions)
            and (before is None or (key.expires_at is not None and key.expires_at < before))
        ]
        self._list(by, "list_api_keys", query, matches)

    @rule(by=callers, filters=record_filters, about=st.none() | choices, places=st.tuples(*[st.none() | numbers] * 3))
    def list_audit_logs(
        self, by: By, filters: dict[str, str], about: Choice | None, places: tuple[int | None, int | None, int | None]
    ) -> None:
        """List audit records from a cursor to the end, page by page."""
        log = self._audit_log(by[0])
        start, first, last = (None if place is None else log[place % len(log)][0] for place in places)
        query = dict(filters)
        if about:
            query["target_id"] = self._chosen(by, about)
        if start:
            query["starting_after"] = start["id"]
        if first:
            query["created_from"] = first["createdAt"]
        if last:
            query["created_to"] = last["createdAt"]
        matches = [
            shown
            for shown, record in reversed(log)
            if record.is_live(self.clock.milliseconds)
            and ("event" not in query or shown["event"] in query["event"].split(","))
            and ("actor_type" not in query or shown["actor"]["type"] in query["actor_type"].split(","))
            and query.get("actor_user_id") in {None, shown["actor"]["type"] == "user" and shown["actor"]["id"]}
            and "actor_api_key_id" not in query  # no key has such an id
            and query.get("target_id") in {None, shown["targetId"]}
            and (start is None or shown["id"] < start["id"])
            and (first is None or shown["createdAt"] >= first["createdAt"])
            and (last is None or shown["createdAt"] <= last["createdAt"])
        ]
        self._list(by, "list_audit_logs", query, matches)

    # Acts of backends and operators, and time.

    @rule(
        number=numbers,
        required=st.lists(st.sampled_from(PERMISSIONS), max_size=3) | st.just([]),
        address=addresses,
        cost=costs,
    )
    def verify(self, number: int, required: list[str], address: str | None, cost: int) -> None:
        """Verify a text, current or not; usually one of the latest."""
        text = self.texts[-1 - number % len(self.texts)]
        parts = key_parts(text)
        organization = [model.organization_id for model in self.models].index(str(parts.organization_id))
        self._ask(
            (organization, "backend"),
            "verify_api_key",
            lambda model, request: model.verify(text, required, address, cost, request.now),
            may_change=f"USAGE#{parts.key_id}",
            body={"key": text, "permissions": required, "clientIp": address, "cost": cost},
        )

    @rule(
        organization=organizations,
        user=st.sampled_from(["member", "stranger", "admin", "member", "stranger", "admin", "owner"]),
        change=st.sampled_from(["owner", "admin", "member", "suspend", "reinstate", "remove"]),
    )
    def change_member(self, organization: int, user: str, change: str) -> None:
        """Add, promote, demote, suspend, reinstate or remove a member, as an operator does."""
        model = self.models[organization]
        model.change_member(user, change)
        member = model.members.get(user)
        if member is None:
            self.service.delete_item(model.organization_id, f"MEMBER#{user}")
        else:
            suspension = {"suspended_at": rfc3339(self.clock.milliseconds)} if member.is_suspended else {}
            self.service.world.table.put_member(user, member.role, model.organization_id, **suspension)
        self.tables[organization] = self._read(organization)

    @rule(organization=organizations, number=numbers, disables=st.booleans())
    def report_leak(self, organization: int, number: int, disables: bool) -> None:  # noqa: FBT001 - passed by name
        """Record that the current text of a key is public."""
        model = self.models[organization]
        if not model.keys:
            return
        key = list(model.keys.values())[number % len(model.keys)]
        now, request_id = self.clock.milliseconds, str(uuid.uuid4())
        leak = Leak(key.generation, clock.now(), LeakSource.GITHUB, "https://example.com/leak")
        actor = Actor(ActorType.SYSTEM, "leak_reports")
        item = self.service.world.table.client.get_item(
            TableName=self.service.world.table.name,
            Key={"pk": {"S": f"ORG#{model.organization_id}"}, "sk": {"S": f"KEY#{key.key_id}"}},
            ConsistentRead=True,
        )["Item"]
        commit_change(
            parse_api_key(item),
            {"leak": leak, **({"enabled": False} if disables else {})},
            actor,
            Origin("203.0.113.7", request_id),
            [],
            event=AuditEvent.API_KEY_LEAK_REPORTED,
            reason=RevocationReason.COMPROMISED,
        )
        request = Request(request_id, "", now, dict)
        stored_leak = {"generation": leak.generation, **leak.as_json()}
        shown = {"type": "system", "id": "leak_reports", "name": "leak reports"}
        model.report_leak(request, key, stored_leak, shown, disables=disables)
        self.tables[organization] = self._read(organization)

    @rule()
    def start_another_container(self) -> None:
        """Verify in a container with an empty memory."""
        verification.matches.cache_clear()
        limiter.known_limits.cache_clear()

    @rule(seconds=st.sampled_from([0.001, 0.001, 1, 1, 1, 3600, 3600, 86_399, 86_400, 8 * 86_400, 366 * 86_400]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds=seconds)

    # Checks.

    @invariant()
    def tables_match_the_models(self) -> None:
        """Compare all items with the models, except for hashes and stored answers, which are only counted."""
        for organization, model in enumerate(self.models):
            table = self.tables[organization]
            assert model.count_items() == Counter(sort_key.partition("#")[0] for sort_key in table)
            assert optional_rfc3339(model.pending_deletion_at) == table["ORG"].get("pending_deletion_at")
            for key in model.keys.values():
                assert as_json(key.item()) == as_json(without_hashes(table[f"KEY#{key.key_id}"]))
                assert key.request_count == table[f"USAGE#{key.key_id}"]["request_count"]
                assert key.last_used_at == table[f"USAGE#{key.key_id}"].get("last_used_at")
                assert key.retired_uses == table[f"USAGE#{key.key_id}"].get("retired", 0)
                assert key.retired_on == table[f"USAGE#{key.key_id}"].get("retired_on")
            self._audit_log(organization)
        assert self._used_by_the_models() == self._used_in_the_table()
        assert self._expiries_of_the_models() == self._expiries_in_the_table()

    def _used_by_the_models(self) -> dict[str, Fields]:
        keys = [key for model in self.models for key in model.keys.values()]
        return {f"LIMIT#{key.key_id}": key.used.item() for key in keys if key.used is not None}

    def _used_in_the_table(self) -> dict[str, Fields]:
        """Return what the table has of the limits of these organizations' keys, with times in milliseconds."""
        used = {}
        own = {f"LIMIT#{key_id}" for key_id in self.key_ids}
        for item in self.service.world.table.under("LIMIT"):
            if item["pk"] in own:
                times = {name: int(item[name]) // 10**6 for name in ("tat", "rate_interval") if name in item}
                used[item["pk"]] = without(item, "pk", "sk") | times
        return used

    def _expiries_of_the_models(self) -> set[str]:
        return {
            f"{rfc3339(key.expires_at)}#{model.organization_id}#{key.key_id}"
            for model in self.models
            for key in model.keys.values()
            if key.expires_at is not None
        }

    def _expiries_in_the_table(self) -> set[str]:
        own = {model.organization_id for model in self.models}
        return {sort_key for sort_key in expiries(self.service.world.table) if sort_key.split("#")[1] in own}

    def teardown(self) -> None:
        """Check the hashes, replay the audit log, and list everything, also after the retention of audit records."""
        for organization, model in enumerate(self.models):
            table = self._read(organization)
            assert key_states(table) == replayed(audit_log(table))
            for key in model.keys.values():
                item = table[f"KEY#{key.key_id}"]
                assert is_hash_of(item["hash"], key.text)
                assert (key.previous_text is None) == ("previous_hash" not in item)
                assert key.previous_text is None or is_hash_of(item["previous_hash"], key.previous_text)
            self.change_member(organization, "owner", "owner")
            self.change_member(organization, "owner", "reinstate")
            for _ in range(2):
                self.list_keys((organization, "owner"), {"limit": "100"}, None)
                self.list_audit_logs((organization, "owner"), {"limit": "100"}, None, (None, None, None))
                self.clock.advance(seconds=AUDIT_RETENTION // SECOND - 3600)

    def _ask(
        self,
        by: By,
        function: str,
        expected: Callable[[Organization, Request], object],
        *,
        pagination: Fields | None = None,
        may_change: str | None = None,
        **call: Any,
    ) -> None:
        """Call a function, and check that the answer is the model's and that only a change has an effect.

        Args:
            by: the caller.
            function: name of the function.
            expected: returns the data of the expected answer, from the caller's model.
            pagination: that of the answer, if it is a list.
            may_change: the only sort key whose item may change, beside new audit records, which are compared later; by
                default a change may have any effect.
            call: further arguments of the call.
        """
        organization, user = by
        model, now = self.models[organization], self.clock.milliseconds
        answer = self.service.call(function, Caller(model.organization_id, user), **call)
        request = Request(
            answer.headers["x-request-id"], user, now, lambda: self._issued(model, answer), call.get("idempotency_key")
        )
        check_answer(answer, lambda: expected(model, request), pagination)
        is_change = function not in READS and answer.status == 200 and not answer.is_replayed
        for number, before in enumerate(self.tables):
            after = self.tables[number] = self._read(number)
            if number != organization or not is_change:
                assert before == after
            elif may_change:
                new_records = [key for key in after if key not in before and key.startswith("AUDIT#")]
                assert without(before, may_change) == without(after, may_change, *new_records)

    def _list(self, by: By, function: str, query: dict[str, str], matches: list[Fields]) -> None:
        """Read a list page by page."""
        limit = int(query["limit"])
        for start in range(0, max(len(matches), 1), limit):
            page = matches[start : start + limit]
            cursor = page[-1]["id"] if start + limit < len(matches) else None
            self._ask(
                by,
                function,
                lambda model, request, page=page: model.show(request, page),  # type: ignore[misc]
                pagination={"limit": limit, "has_more": cursor is not None, "next_cursor": cursor},
                query=query,
            )
            query = query | {"starting_after": cursor or ""}

    def _issued(self, model: Organization, answer: Answer) -> Fields:
        """Return the data with a new text, which must hold organization, key and generation."""
        data: Fields = answer.data
        parts, key = key_parts(data["key"]), model.keys.get(data["id"])
        assert model.organization_id == str(parts.organization_id)
        assert data["id"] == str(parts.key_id)
        assert (key.generation + 1 if key else 0) == parts.generation
        self.texts.append(data["key"])
        if key is None:
            self.key_ids.append(data["id"])
        return data

    def _audit_log(self, organization: int) -> list[tuple[Fields, AuditRecord]]:
        """Pair the audit records of the table, oldest first, with the model's, and check that they match."""
        records = {identity(record.shown): record for record in self.models[organization].audit_log}
        log = [(shown, records[identity(shown)]) for shown in audit_log(self.tables[organization])]
        for shown, record in log:
            assert as_json(record.shown) == as_json(without(shown, "id"))
        # Records of one target are in the order of its changes; those of two targets in one millisecond in any.
        # The use of a former text is no change: a change in the same millisecond may be recorded as of the next.
        changes = [record.shown for record in records.values() if record.shown["requestId"]]
        for target_id in {shown["targetId"] for shown, _ in log}:
            assert [shown["requestId"] for shown in changes if shown["targetId"] == target_id] == [
                shown["requestId"] for shown, _ in log if shown["targetId"] == target_id and shown["requestId"]
            ]
        return log

    def _after(self, lifetime: int | None) -> int | None:
        return None if lifetime is None else self.clock.milliseconds + lifetime

    def _read(self, organization: int) -> Items:
        return self.service.partition(self.models[organization].organization_id)

    def _chosen(self, by: By, choice: Choice) -> str:
        kind, number = choice
        own = list(self.models[by[0]].keys)
        ids = own if kind == "own" and own else self.key_ids + UNKNOWN_IDS
        return ids[number % len(ids)]


def identity(shown: Fields) -> str:
    """Return what identifies an audit record: its request, or else its target and time."""
    return shown["requestId"] or f"{shown['targetId']} {shown['createdAt']}"


def check_answer(answer: Answer, expected: Callable[[], object], pagination: Fields | None) -> None:
    """Check that an answer is what the model returns or raises."""
    data, code, is_repeated = None, "", False
    try:
        data = expected()
    except Repeated as repeated:
        data, is_repeated = repeated.data, True
    except Refused as refused:
        code = str(refused)
        pagination = pagination and {**pagination, "has_more": False, "next_cursor": None}
    error = answer.content["error"]
    assert code == (error["code"] if error else "")
    assert STATUSES.get(code, 200) == answer.status
    assert is_repeated == answer.is_replayed
    content = {"data": data, "error": error, **({"pagination": pagination} if pagination else {})}
    assert as_json(content) == as_json(answer.content)


def as_stored(body: Mapping[str, Any]) -> Fields:
    """Return a body's fields as the service stores them: trimmed names, each permission once."""
    fields = dict(body)
    if "name" in body:
        fields["name"] = body["name"].strip()
    if "permissions" in body:
        fields["permissions"] = list(dict.fromkeys(body["permissions"]))
    if "rateLimit" in body:
        rate = fields.pop("rateLimit")
        fields["rate_limit"] = rate and {
            name: int(rate.get(name, rate["limit"])) for name in ("limit", "windowSeconds", "burst")
        }
    if "allowedIps" in body:
        lowered = [text.lower().removeprefix("::ffff:") for text in fields.pop("allowedIps") or ()]
        fields["allowed_ips"] = list(dict.fromkeys(lowered)) or None
    return fields


def without(mapping: Mapping[str, Any], *names: str) -> Fields:
    """Return a mapping without some of its names."""
    return {name: value for name, value in mapping.items() if name not in names}


def without_hashes(item: Mapping[str, Any]) -> Fields:
    """Return a key's item without its own key and the hashes, as JSON can show it."""
    shown = without(item, "pk", "sk", "hash", "previous_hash")
    numbers = {name: int(item[name]) for name in ("generation", "version")}
    return {**shown, **numbers, "metadata": json.loads(item["metadata"])}


def test_two_organizations_match_their_models(
    service: Service,
    clock: SteppedClock,
    setting: Callable[[str, str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """GIVEN two organizations WHEN they get random requests THEN answers and tables are those of the models."""
    caplog.set_level(logging.ERROR, logger="keywright")
    setting("USAGE_FLUSH_SECONDS", "0")
    run: Callable[..., None] = run_state_machine_as_test
    run(
        lambda: TwoOrganizations(service, clock),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            # Without Phase.shrink, which takes minutes here; add it to shorten a failing example.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
