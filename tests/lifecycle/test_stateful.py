"""Random calls to two organizations side by side: answers and table always match a small model."""

from __future__ import annotations

import hmac
import json
import logging
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import argon2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from keywright.keys import verification
from keywright.store import pepper
from tests.lifecycle import model
from tests.lifecycle.model import SECOND, Kept, Key, Organization, Refused, Repeated, rfc3339
from tests.lifecycle.service import READS, Caller, audit_record, audited, replayed
from tests.support.sample_keys import key_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    from tests.lifecycle.service import Answer, Service, SteppedClock

EXAMPLES = 35
STEPS = 40

STATUSES = {
    "BAD_REQUEST": 400,
    "FORBIDDEN": 403,
    "API_KEY_NOT_FOUND": 404,
    "CONFLICT": 409,
    "ORGANIZATION_FROZEN": 410,
    "IDEMPOTENCY_KEY_REUSED": 422,
}
UNKNOWN_IDS = ["0198d3c4-0000-7000-8000-000000000000", "no-id"]
PERMISSIONS = ["webhooks:read", "webhooks:write", "sessions:read", "sessions:write", "analytics:read"]

organizations = st.integers(0, 1)
users = st.sampled_from(["owner"] * 4 + ["admin"] * 4 + ["member", "stranger"])
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
bodies: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": names, "permissions": permissions}, optional={"metadata": metadata}
)
changes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"name": names, "enabled": st.booleans(), "permissions": permissions, "metadata": metadata}
)
# Seconds from now; an expiry in the past is refused.
expiries = st.sampled_from([None, None, 400 * model.DAY, 3600 * SECOND, SECOND, 1, 0])
idempotency_keys = st.sampled_from([None, None, "a", "b"])
grace_periods_seconds = st.sampled_from([0, 0, 1, 3600, 604_800])
# The key: usually the organization's, sometimes deleted, of the other organization, or unknown.
choices = st.tuples(st.sampled_from(["own", "own", "own", "any"]), st.integers(0, 50))
limits = st.sampled_from(["1", "2", "3", "10", "100"])
filters_of_keys = st.fixed_dictionaries(
    {"limit": limits},
    optional={"enabled": st.sampled_from(["true", "false"]), "permission": st.sampled_from(PERMISSIONS)},
)
filters_of_records = st.fixed_dictionaries(
    {"limit": limits},
    optional={
        "event": st.just("api_key.deleted,organization.deletion_requested"),
        "actor_user_id": users,
        "actor_api_key_id": users,
    },
)
# A record of the audit log as cursor, or none.
places = st.none() | st.integers(0, 50)


class TwoOrganizations(RuleBasedStateMachine):
    """Calls of members of both organizations in any order, while time passes."""

    def __init__(self, service: Service, clock: SteppedClock) -> None:
        super().__init__()
        self.service = service
        self.clock = clock
        self.models = [Organization(str(uuid.uuid4())) for _ in range(2)]
        self.tables: list[dict[str, dict[str, Any]]] = [{}, {}]
        self.key_ids: list[str] = []
        self.texts: list[str] = []
        self.repeatable: list[Callable[[], None]] = []
        for organization, its_model in enumerate(self.models):
            its_model.members = {"owner": "owner", "admin": "admin", "member": "member"}
            service.open_organization(its_model.organization_id, **its_model.members)
            self._refresh(organization)
            for name in ("disabled", "enabled"):
                self._create(organization, "admin", {"name": name, "permissions": PERMISSIONS[:2]}, None, None)
            disable = {"enabled": False}
            self.update(organization, "admin", ("own", 0), changes=disable, expiry="absent")

    # The API.

    @rule(organization=organizations, user=users, body=bodies, expiry=expiries, idempotency_key=idempotency_keys)
    def create(
        self, organization: int, user: str, body: dict[str, Any], expiry: int | None, idempotency_key: str | None
    ) -> None:
        """Create a key."""
        expires_at = None if expiry is None else self.clock.milliseconds + expiry
        self._create(organization, user, body, expires_at, idempotency_key)
        if idempotency_key:
            self.repeatable.append(lambda: self._create(organization, user, body, expires_at, idempotency_key))

    @rule(organization=organizations, user=users, choice=choices)
    def get(self, organization: int, user: str, choice: tuple[str, int]) -> None:
        """Read a key."""
        key_id = self._choose(organization, choice)
        answer = self._call(organization, "get_api_key", user, key_id=key_id)
        with self._refusals(answer):
            _check_id(key_id)
            key = self.models[organization].get(user, key_id)
            self._same(key.details(self.clock.milliseconds), answer.data)

    @rule(
        organization=organizations,
        user=users,
        choice=choices,
        changes=changes,
        expiry=st.sampled_from(["absent", None]) | expiries,
    )
    def update(
        self, organization: int, user: str, choice: tuple[str, int], changes: dict[str, Any], expiry: int | str | None
    ) -> None:
        """Change a key."""
        key_id, now = self._choose(organization, choice), self.clock.milliseconds
        body, expected = dict(changes), _normalized(changes)
        if expiry != "absent":
            expected["expires_at"] = None if expiry is None else now + int(expiry)
            body["expiresAt"] = model.optional_time(expected["expires_at"])
        answer = self._call(organization, "update_api_key", user, key_id=key_id, body=body)
        with self._refusals(answer):
            if not body:
                raise Refused("BAD_REQUEST")
            _check_id(key_id)
            self.models[organization].update(user, key_id, expected, now)
            self._done(organization, answer, {"status": "success", "message": "The API key was updated"})

    @rule(
        organization=organizations,
        user=users,
        choice=choices,
        grace_period_seconds=grace_periods_seconds,
        idempotency_key=idempotency_keys,
    )
    def rotate(
        self,
        organization: int,
        user: str,
        choice: tuple[str, int],
        grace_period_seconds: int,
        idempotency_key: str | None,
    ) -> None:
        """Rotate a key."""
        key_id = self._choose(organization, choice)
        self._rotate(organization, user, key_id, grace_period_seconds, idempotency_key)
        if idempotency_key:
            self.repeatable.append(
                lambda: self._rotate(organization, user, key_id, grace_period_seconds, idempotency_key)
            )

    @precondition(lambda self: self.repeatable)
    @rule(choice=st.integers(0, 50))
    def repeat(self, choice: int) -> None:
        """Repeat a request with an Idempotency-Key."""
        self.repeatable[choice % len(self.repeatable)]()

    @rule(organization=organizations, user=users, choice=choices)
    def delete(self, organization: int, user: str, choice: tuple[str, int]) -> None:
        """Delete a key."""
        key_id = self._choose(organization, choice)
        answer = self._call(organization, "delete_api_key", user, key_id=key_id)
        with self._refusals(answer):
            _check_id(key_id)
            self.models[organization].delete(user, key_id, self.clock.milliseconds)
            self._done(organization, answer, {"status": "success", "message": "The API key was deleted"})

    @rule(organization=organizations, user=users, filters=filters_of_keys, start=st.none() | choices)
    def list_keys_from(
        self, organization: int, user: str, filters: dict[str, str], start: tuple[str, int] | None
    ) -> None:
        """List keys from a cursor to the end, page by page."""
        query = dict(filters)
        after = None if start is None else self._choose(organization, start)
        if after in self.key_ids:
            query["starting_after"] = after
        expected = [
            key.summary()
            for key in self.models[organization].listed()
            if ("starting_after" not in query or key.key_id < query["starting_after"])
            and query.get("enabled") in {None, json.dumps(key.enabled)}
            and ("permission" not in query or query["permission"] in key.permissions)
        ]
        self._pages(organization, "list_api_keys", user, query, expected)

    @rule(
        organization=organizations,
        user=users,
        filters=filters_of_records,
        about=st.none() | choices,
        start_from_to=st.tuples(places, places, places),
    )
    def list_audit_logs(
        self,
        organization: int,
        user: str,
        filters: dict[str, str],
        about: tuple[str, int] | None,
        start_from_to: tuple[int | None, int | None, int | None],
    ) -> None:
        """List audit records from a cursor to the end, page by page."""
        log = self._audit_log(organization)
        start, created_from, created_to = (None if at is None else log[at % len(log)][0] for at in start_from_to)
        query = dict(filters)
        if about:
            query["target_id"] = self._choose(organization, about)
        if start:
            query["starting_after"] = start["id"]
        if created_from:
            query["created_from"] = created_from["createdAt"]
        if created_to:
            query["created_to"] = created_to["createdAt"]
        expected = [
            shown
            for shown, record in reversed(log)
            if record.is_live(self.clock.milliseconds)
            and ("event" not in query or shown["event"] in query["event"].split(","))
            and query.get("actor_user_id") in {None, shown["actor"]["id"]}
            and "actor_api_key_id" not in query  # only users act here
            and query.get("target_id") in {None, shown["targetId"]}
            and (start is None or shown["id"] < start["id"])
            and (created_from is None or shown["createdAt"] >= created_from["createdAt"])
            and (created_to is None or shown["createdAt"] <= created_to["createdAt"])
        ]
        self._pages(organization, "list_audit_logs", user, query, expected)

    @rule(
        organization=organizations,
        user=st.sampled_from(["owner"] * 4 + ["admin", "stranger"]),
        is_again=st.sampled_from([False, False, False, True]),
    )
    def schedule(self, organization: int, user: str, is_again: bool) -> None:  # noqa: FBT001 - passed by name
        """Request or cancel the deletion of an organization, sometimes twice."""
        self.clock.advance(seconds=0.001)  # records of the organization are ordered by the clock alone
        its_model, now = self.models[organization], self.clock.milliseconds
        if (its_model.pending_deletion_at is None) != is_again:
            answer = self._call(organization, "request_organization_deletion", user)
            until = rfc3339(now + model.DELETION_GRACE)
            message = f"The organization will be deleted at {until}. An owner can cancel the deletion until then"
            change = its_model.freeze
        else:
            answer = self._call(organization, "cancel_organization_deletion", user)
            message = "The deletion was canceled. The organization's keys work again"
            change = its_model.cancel
        with self._refusals(answer):
            change(user, now)
            self._done(organization, answer, {"status": "success", "message": message})

    # Events around the API.

    @rule(
        organization=organizations,
        user=st.sampled_from(["member", "stranger", "admin", "member", "stranger", "admin", "owner"]),
        change=st.sampled_from(["owner", "admin", "member", "suspend", "reinstate", "remove"]),
    )
    def change_member(self, organization: int, user: str, change: str) -> None:
        """Add, promote, demote, suspend, reinstate or remove a member, as an operator does."""
        its_model = self.models[organization]
        match change:
            case "remove":
                its_model.members.pop(user, None)
                its_model.suspended.discard(user)
                self.service.delete_item(its_model.organization_id, f"MEMBER#{user}")
                self._refresh(organization)
                return
            case "suspend" if user in its_model.members:
                its_model.suspended.add(user)
            case "reinstate":
                its_model.suspended.discard(user)
            case "owner" | "admin" | "member":
                its_model.members[user] = change
        if user in its_model.members:
            suspension = {"suspended_at": rfc3339(self.clock.milliseconds)} if user in its_model.suspended else {}
            self.service.world.table.put_member(user, its_model.members[user], its_model.organization_id, **suspension)
        self._refresh(organization)

    @rule(choice=st.integers(0, 50), required=st.lists(st.sampled_from(PERMISSIONS), max_size=3))
    def verify(self, choice: int, required: list[str]) -> None:
        """Verify a key's text, current or not; usually one of the latest."""
        text = self.texts[-1 - choice % len(self.texts)]
        organization = self._owner(text)
        its_model = self.models[organization]
        before, others = self.tables[organization], self.tables[1 - organization]
        answer = self.service.call(
            "verify_api_key", Caller(its_model.organization_id), body={"key": text, "permissions": required}
        )
        code, key, lacked = its_model.verify(text, required, self.clock.milliseconds)
        self._same(_verified(its_model, code, key, lacked), answer.data)
        after = self._refresh(organization)
        usage = {} if key is None or key.used is None else {f"USAGE#{key.key_id}": after.get(f"USAGE#{key.key_id}")}
        assert {**before, **usage} == after
        assert others == self._refresh(1 - organization)
        if key is not None and key.used is not None:
            item = after[f"USAGE#{key.key_id}"]
            assert key.used == (item["request_count"], item["last_used_at"])

    @rule()
    def start_another_container(self) -> None:
        """Verify in a container with an empty memory."""
        verification.matches.cache_clear()

    @rule(seconds=st.sampled_from([0.001, 0.001, 1, 1, 1, 3600, 3600, 86_399, 86_400, 8 * 86_400, 366 * 86_400]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds=seconds)

    def teardown(self) -> None:
        """Compare everything in the table with the models."""
        for organization, its_model in enumerate(self.models):
            table = self._refresh(organization)
            kinds = [sort_key.partition("#")[0] for sort_key in table]
            assert {
                "ORG": 1,
                "MEMBER": len(its_model.members),
                "KEY": len(its_model.keys),
                "USAGE": len(its_model.keys),
                "AUDIT": len(its_model.audit_log),
                "IDEMPOTENCY": len(its_model.answers),
            } == {kind: kinds.count(kind) for kind in ("ORG", "MEMBER", "KEY", "USAGE", "AUDIT", "IDEMPOTENCY")}
            items = {key_id: table[f"KEY#{key_id}"] for key_id in its_model.keys}
            assert {key_id: audited(item) for key_id, item in items.items()} == replayed(
                [shown for shown, _ in self._audit_log(organization)]
            )
            for key_id, key in its_model.keys.items():
                assert _matches(items[key_id]["hash"], key.text)
                assert (key.previous_text is None) == ("previous_hash" not in items[key_id])
                assert key.previous_text is None or _matches(items[key_id]["previous_hash"], key.previous_text)
            self._list_the_end(organization)

    def _list_the_end(self, organization: int) -> None:
        """List everything, now and after the retention of most audit records."""
        self.change_member(organization=organization, user="owner", change="owner")
        self.change_member(organization=organization, user="owner", change="reinstate")
        for _ in range(2):
            self.list_keys_from(organization=organization, user="owner", filters={"limit": "100"}, start=None)
            self.list_audit_logs(
                organization=organization,
                user="owner",
                filters={"limit": "100"},
                about=None,
                start_from_to=(None, None, None),
            )
            self.clock.advance(seconds=model.AUDIT_RETENTION // SECOND - 3600)

    # Calls and comparisons.

    def _create(
        self,
        organization: int,
        user: str,
        body: Mapping[str, Any],
        expires_at: int | None,
        idempotency_key: str | None,
    ) -> None:
        its_model, now = self.models[organization], self.clock.milliseconds
        sent = {**body, "expiresAt": model.optional_time(expires_at)}
        chosen = {"metadata": {}, **_normalized(body)}
        request = json.dumps(["create", chosen, expires_at], sort_keys=True)
        answer = self._call(organization, "create_api_key", user, body=sent, idempotency_key=idempotency_key)
        with self._refusals(answer):
            its_model.check_create(user, idempotency_key, request, expires_at=expires_at, now=now)
            created = answer.data
            assert {"id", "key"} == created.keys()
            self._is_text(created["key"], organization, created["id"], 0)
            its_model.create(
                Key(created["id"], created["key"], **chosen, expires_at=expires_at, created_by=user, created_at=now,
                    updated_at=now)
            )  # fmt: skip
            its_model.keep(user, idempotency_key, Kept(request, created, now))
            self.key_ids.append(created["id"])
            self.texts.append(created["key"])
            self._done(organization, answer, created)

    def _rotate(
        self, organization: int, user: str, key_id: str, grace_period_seconds: int, idempotency_key: str | None
    ) -> None:
        its_model = self.models[organization]
        request = json.dumps(["rotate", key_id, grace_period_seconds])
        answer = self._call(
            organization,
            "rotate_api_key",
            user,
            key_id=key_id,
            body={"gracePeriodSeconds": grace_period_seconds},
            idempotency_key=idempotency_key,
        )
        with self._refusals(answer):
            _check_id(key_id)
            at = its_model.check_rotate(user, key_id, idempotency_key, request, self.clock.milliseconds)
            key, text = its_model.keys[key_id], answer.data["key"]
            self._is_text(text, organization, key_id, key.generation + 1)
            until = its_model.rotate(user, key, text, grace_period_seconds * SECOND, at)
            expected = {"id": key_id, "key": text, "previousKeyExpiresAt": until}
            its_model.keep(user, idempotency_key, Kept(request, expected, at))
            self.texts.append(text)
            self._done(organization, answer, expected)

    def _call(self, organization: int, function: str, user: str, **request: Any) -> Answer:
        """Call a function and check that nothing else changed."""
        answer = self.service.call(function, Caller(self.models[organization].organization_id, user), **request)
        before = list(self.tables)
        after = [self._refresh(0), self._refresh(1)]
        assert before[1 - organization] == after[1 - organization]
        if function in READS or answer.status != 200 or answer.is_replayed:
            assert before[organization] == after[organization]
        return answer

    def _pages(
        self, organization: int, function: str, user: str, query: dict[str, str], expected: list[dict[str, Any]]
    ) -> None:
        limit = int(query["limit"])
        for start in range(0, max(len(expected), 1), limit):
            answer = self._call(organization, function, user, query=query)
            page, has_more = expected[start : start + limit], start + limit < len(expected)
            cursor = page[-1]["id"] if has_more else None
            with self._refusals(answer, is_list=True):
                self.models[organization].require(user, model.MANAGERS)
                self._same(page, answer.data)
                self._same({"limit": limit, "has_more": has_more, "next_cursor": cursor}, answer.content["pagination"])
            query = query | {"starting_after": cursor or ""}

    @contextmanager
    def _refusals(self, answer: Answer, *, is_list: bool = False) -> Iterator[None]:
        """Check that the answer is the refusal or repeat of the model."""
        refused, repeated = None, None
        try:
            yield
        except Refused as caught:
            refused = str(caught)
        except Repeated as caught:
            repeated = caught.data
        if refused:
            assert STATUSES[refused] == answer.status
            assert refused == answer.code
            expected = {"data": None, "error": answer.content["error"]}
            if is_list:
                expected["pagination"] = answer.content["pagination"] | {"has_more": False, "next_cursor": None}
            assert expected == answer.content
        if repeated:
            self._same(repeated, answer.data)
        assert bool(repeated) == answer.is_replayed

    def _done(self, organization: int, answer: Answer, expected: dict[str, Any]) -> None:
        """Check that a change succeeded and that the table matches the model."""
        self._same(expected, answer.data)
        assert not answer.is_replayed
        its_model, table = self.models[organization], self.tables[organization]
        items = {sk.removeprefix("KEY#"): dict(item) for sk, item in table.items() if sk.startswith("KEY#")}
        for item in items.values():
            for name in ("pk", "sk", "hash", "previous_hash"):
                item.pop(name, None)
            item["metadata"] = json.loads(item["metadata"])
        self._same({key_id: key.item() for key_id, key in its_model.keys.items()}, items)
        assert its_model.pending_deletion_at is not None or "pending_deletion_at" not in table["ORG"]
        assert its_model.keys.keys() == {sk.removeprefix("USAGE#") for sk in table if sk.startswith("USAGE#")}
        self._audit_log(organization, newest=answer)

    def _audit_log(self, organization: int, newest: Answer | None = None) -> list[tuple[dict[str, Any], model.Record]]:
        """Pair the table's audit records, oldest first, with the model's, and check that they match.

        Args:
            organization: index of the organization.
            newest: the answer to the request of the model's newest record, if that was the last call.
        """
        table, its_model = self.tables[organization], self.models[organization]
        if newest is not None:
            record = its_model.audit_log[-1]
            record.received_at = self.clock.milliseconds  # earlier than createdAt after a clock that is ahead
            record.shown |= {
                "requestId": newest.headers["x-request-id"],
                "receivedAt": model.rfc3339(record.received_at),
            }
        records = {record.shown["requestId"]: record for record in its_model.audit_log}
        shown = [audit_record(item) for sk, item in table.items() if sk.startswith("AUDIT#")]
        assert len(its_model.audit_log) == len(shown)
        for item in shown:
            self._same(records[item["requestId"]].shown, {name: item[name] for name in item if name != "id"})
        for target_id in {item["targetId"] for item in shown}:
            assert [r.shown["requestId"] for r in its_model.audit_log if r.shown["targetId"] == target_id] == [
                item["requestId"] for item in shown if item["targetId"] == target_id
            ]
        return [(item, records[item["requestId"]]) for item in shown]

    def _refresh(self, organization: int) -> dict[str, dict[str, Any]]:
        self.tables[organization] = self.service.partition(self.models[organization].organization_id)
        return self.tables[organization]

    def _choose(self, organization: int, choice: tuple[str, int]) -> str:
        own = sorted(self.models[organization].keys, key=self.key_ids.index)
        ids = own if choice[0] == "own" and own else self.key_ids + UNKNOWN_IDS
        return ids[choice[1] % len(ids)]

    def _owner(self, text: str) -> int:
        """Return the index of the organization that a text belongs to."""
        organization_id = str(key_parts(text).organization_id)
        return [its_model.organization_id for its_model in self.models].index(organization_id)

    def _is_text(self, text: str, organization: int, key_id: str, generation: int) -> None:
        parts = key_parts(text)
        assert self.models[organization].organization_id == str(parts.organization_id)
        assert key_id == str(parts.key_id)
        assert generation == parts.generation

    def _same(self, expected: object, actual: object) -> None:
        """Compare as JSON, which distinguishes 1, 1.0 and true."""
        assert json.dumps(expected, sort_keys=True) == json.dumps(actual, sort_keys=True, default=int)


def _verified(its_model: Organization, code: str, key: Key | None, lacked: list[str]) -> dict[str, Any]:
    """Return the expected answer of a verification."""
    if key is None:
        return {"valid": False, "code": code}
    return {
        "valid": code == "VALID",
        "code": code,
        "id": key.key_id,
        "organizationId": its_model.organization_id,
        "name": key.name,
        "permissions": key.permissions,
        "missingPermissions": lacked,
        "metadata": key.metadata,
        "expiresAt": model.optional_time(key.expires_at),
    }


def _check_id(key_id: str) -> None:
    if key_id == "no-id":
        raise Refused("API_KEY_NOT_FOUND")


def _normalized(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body's fields as the service reads them: trimmed names, each permission once."""
    normalized = dict(body)
    if "name" in body:
        normalized["name"] = body["name"].strip()
    if "permissions" in body:
        normalized["permissions"] = list(dict.fromkeys(body["permissions"]))
    return normalized


def _matches(phc: str, text: str) -> bool:
    parts = key_parts(text)
    return argon2.PasswordHasher().verify(phc, hmac.digest(pepper.keyring().current.hash_key, parts.payload, "sha256"))


def test_two_organizations_match_the_model(
    service: Service,
    clock: SteppedClock,
    setting: Callable[[str, str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Answers and table match the model, and no call of one organization affects the other."""
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
