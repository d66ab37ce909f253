"""Both clients against the local service: the life of a key, lists, limits, lost answers, a wrong clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import Credentials

from keywright_client import (
    ApiError,
    Disabled,
    InsufficientPermissions,
    IpNotAllowed,
    NotFound,
    Quota,
    QuotaExceeded,
    RateLimit,
    RateLimited,
    Use,
    Valid,
)
from tests.clients.python.drivers import shown
from tests.support.environment import LOOPBACK
from tests.support.fault_proxy import FaultProxy
from tests.support.network_faults import injected, lost_answer, lost_request, reset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.deployment import Deployment
    from tests.clients.python.drivers import Kind
    from tests.support.network_faults import Fault

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

PERMISSIONS = ["sessions:read"]


@pytest.fixture
def options(deployment: Deployment) -> dict[str, Any]:
    """Return the options of a client of the deployment."""
    iam = deployment.iam
    return {
        "token": deployment.tokens["owner"],
        "credentials": Credentials(iam["access_key_id"], iam["secret_access_key"]),
        "region": iam["region"],
        "timeout_seconds": 60,
    }


@pytest.fixture
def keywright(kind: Kind, deployment: Deployment, options: dict[str, Any]) -> Any:
    """Return a client of the deployment."""
    return kind.client(deployment.base_url, **options)


@pytest.fixture
def proxy(deployment: Deployment) -> Iterator[FaultProxy]:
    """Return a proxy in front of the deployment."""
    proxy = FaultProxy(deployment.base_url)
    yield proxy
    proxy.close()


def test_the_life_of_a_key(keywright: Any, deployment: Deployment) -> None:
    """A key is created, verified, shown, changed, rotated and deleted, and the audit log has each change."""
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    created = keywright.create(
        name="Life", permissions=PERMISSIONS, metadata={"plan": "pro", "seats": 3}, expires_at=expires_at
    )
    valid = keywright.verify(created.key, permissions=PERMISSIONS, client_ip="192.0.2.7")
    shown_key = keywright.get(created.id)
    changed = keywright.update(created.id, name="Changed", expires_at=None)
    rotated = keywright.rotate(created.id, grace_period_seconds=60, reason="superseded")
    previous = keywright.verify(created.key)
    disabled = keywright.update(created.id, enabled=False, reason="no_longer_used")
    refused = keywright.verify(rotated.key)
    keywright.delete(created.id, reason="other")
    gone = keywright.verify(rotated.key)
    events = [record.event for record in keywright.audit_logs(target_id=created.id)]

    assert isinstance(valid, Valid)
    assert deployment.organization_id == valid.organization_id
    assert {"plan": "pro", "seats": 3} == valid.metadata
    assert expires_at == valid.expires_at == shown_key.expires_at
    assert "Changed" == changed.name
    assert changed.expires_at is None
    assert rotated.previous_key_expires_at == rotated.api_key.previous_key_expires_at
    assert isinstance(previous, Valid)
    assert disabled.enabled is False
    assert isinstance(refused, Disabled)
    assert NotFound() == gone
    assert ["deleted", "updated", "rotated", "updated", "created"] == [event.partition(".")[2] for event in events]


def test_refusals(keywright: Any) -> None:
    """Missing permissions, other addresses and used-up limits are results with what a backend needs to answer."""
    limit, quota = RateLimit(limit=1, window_seconds=3600), Quota(limit=1, period="total")
    slow = keywright.create(name="Slow", permissions=PERMISSIONS, rate_limit=limit)
    short = keywright.create(name="Short", permissions=PERMISSIONS, quota=quota, allowed_ips=["192.0.2.0/24"])
    missing = keywright.verify(slow.key, permissions=["webhooks:write"])
    first, limited = (keywright.verify(slow.key) for _ in range(2))
    elsewhere = keywright.verify(short.key, client_ip="198.51.100.1")
    used_up = [keywright.verify(short.key, client_ip="192.0.2.1") for _ in range(2)][1]

    assert isinstance(missing, InsufficientPermissions)
    assert ("webhooks:write",) == missing.missing_permissions
    assert isinstance(first, Valid)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_seconds in range(3500, 3601)
    assert isinstance(elsewhere, IpNotAllowed)
    assert isinstance(used_up, QuotaExceeded)
    assert used_up.retry_after_seconds is None


def test_a_batch(keywright: Any) -> None:
    """Keys of a batch get the results that single verifications would, and use up a quota one after the other."""
    plain = keywright.create(name="Plain", permissions=PERMISSIONS)
    short = keywright.create(name="Short", permissions=PERMISSIONS, quota=Quota(limit=1, period="total"))
    missing = Use(plain.key, permissions=["webhooks:write"], client_ip="192.0.2.7")
    texts = [plain.key, short.key, "kk_nonsense", short.key, "\N{GRINNING FACE}" * 5000]
    results = keywright.verify_batch([*texts, missing])

    assert [Valid, Valid, NotFound, QuotaExceeded, NotFound, InsufficientPermissions] == [*map(type, results)]
    assert ["Plain", "Short"] == [result.name for result in results[:2]]


def test_an_argument_of_a_batch_that_is_wrong(keywright: Any) -> None:
    """A batch with an address that is none is refused as a whole, and the error names its place."""
    with pytest.raises(ApiError, match=r"verifications\[1\]\.clientIp"):
        keywright.verify_batch(["kk_nonsense", Use("kk_nonsense", client_ip="nowhere")])


def test_pages(keywright: Any) -> None:
    """All keys are listed with pages of any size, and filters are the service's."""
    soon = datetime.now(UTC) + timedelta(minutes=10)  # few other keys expire as soon
    fields: dict[str, Any] = {"permissions": ["analytics:read"], "expires_at": soon}
    ids = [keywright.create(name=f"Page {number}", **fields).id for number in range(5)]
    keywright.update(ids[0], enabled=False)
    wanted: dict[str, Any] = {"permission": "analytics:read", "expires_before": soon + timedelta(seconds=1)}
    by_two = [key.id for key in keywright.list(**wanted, page_size=2)]

    assert ids == [key_id for key_id in reversed(by_two) if key_id in ids]
    assert by_two == [key.id for key in keywright.list(**wanted)]
    assert ids[0] in {key.id for key in keywright.list(**wanted, enabled=False)}


def test_a_name_that_is_empty(keywright: Any) -> None:
    """The service's own rules are errors of the service, with its request id."""
    with pytest.raises(ApiError, match="name must") as caught:
        keywright.create(name="", permissions=PERMISSIONS)

    assert 400 == caught.value.status
    assert "BAD_REQUEST" == caught.value.code
    assert caught.value.request_id


def test_an_unknown_id(keywright: Any) -> None:
    """A key that does not exist is API_KEY_NOT_FOUND."""
    with pytest.raises(ApiError, match="API_KEY_NOT_FOUND"):
        keywright.get("019b7e3c-9585-719d-81cb-3b8af1c594c2")


@pytest.mark.parametrize("fault", [lost_answer, lost_request, reset], ids=lambda fault: fault.__name__)
@pytest.mark.usefixtures("pauses")
def test_a_key_is_created_once(
    kind: Kind, options: dict[str, Any], deployment: Deployment, proxy: FaultProxy, fault: Fault
) -> None:
    """If the answer to a creation is lost, the client gets the same key with its second attempt."""
    before = deployment.create_key()["id"]
    client = kind.client(f"{proxy.url}/v1", **options)
    with injected(proxy, fault):
        created = client.create(name="Once", permissions=PERMISSIONS)

    assert 2 == proxy.requests
    assert {created.id, before} == {key["id"] for key in deployment.newest("/auth/api-keys", since=before)}
    assert isinstance(client.verify(created.key), Valid)


@pytest.mark.usefixtures("pauses")
def test_a_key_is_rotated_once(kind: Kind, options: dict[str, Any], deployment: Deployment, proxy: FaultProxy) -> None:
    """If the answer to a rotation is lost, the second attempt gets the text of the same rotation."""
    created = deployment.create_key()
    client = kind.client(f"{proxy.url}/v1", **options)
    with injected(proxy, lost_answer):
        rotated = client.rotate(created["id"])

    assert isinstance(client.verify(rotated.key), Valid)
    assert 1 == [record["event"] for record in deployment.records(created["id"])].count("api_key.rotated")


@pytest.mark.usefixtures("pauses")
def test_a_lost_deletion(kind: Kind, options: dict[str, Any], deployment: Deployment, proxy: FaultProxy) -> None:
    """If the answer to a deletion is lost, the second attempt finds no key, and the call succeeds."""
    created = deployment.create_key()
    client = kind.client(f"{proxy.url}/v1", **options)
    with injected(proxy, lost_answer):
        client.delete(created["id"])

    assert 2 == proxy.requests
    assert 404 == deployment.request("GET", f"/auth/api-keys/{created['id']}").status_code


@pytest.mark.usefixtures("pauses")
def test_a_lost_verification(kind: Kind, options: dict[str, Any], deployment: Deployment, proxy: FaultProxy) -> None:
    """A verification whose answer is lost is repeated, and both attempts count for the limits of the key."""
    created = deployment.create_key(quota={"limit": 10, "period": "total"})
    client = kind.client(f"{proxy.url}/v1", **options)
    with injected(proxy, lost_answer):
        result = client.verify(created["key"])

    assert 2 == result.quota.used


@pytest.mark.parametrize("minutes", [10, -10, 60 * 24 * 30])
def test_a_clock_that_is_wrong(keywright: Any, deployment: Deployment, minutes: int) -> None:
    """A machine whose clock is wrong verifies keys: the client signs again with the service's time."""
    created = deployment.create_key()
    signer = getattr(keywright, "client", keywright)._engine._verifying.signer
    signer._now = lambda: datetime.now(UTC) + timedelta(minutes=minutes)

    assert isinstance(keywright.verify(created["key"]), Valid)
    assert abs(signer._offset + timedelta(minutes=minutes)) < timedelta(minutes=1)


def test_wrong_credentials(kind: Kind, options: dict[str, Any], deployment: Deployment) -> None:
    """A signature with another secret is refused; the error shows neither the secret nor the key."""
    created = deployment.create_key()
    wrong = Credentials(deployment.iam["access_key_id"], "WRONGSECRETACCESSKEY")
    with pytest.raises(ApiError) as caught:
        kind.client(deployment.base_url, **{**options, "credentials": wrong}).verify(created["key"])

    assert caught.value.status in {401, 403}
    assert "WRONGSECRETACCESSKEY" not in shown(caught.value)
    assert created["key"] not in shown(caught.value)


def test_a_wrong_address(kind: Kind, options: dict[str, Any], deployment: Deployment) -> None:
    """An address below the API is an error, not a refused key."""
    with pytest.raises(ApiError) as caught:
        kind.client(f"{deployment.base_url}/nowhere", **options).verify("kk_nonsense")

    assert 404 == caught.value.status


def test_a_revoked_key_is_reused_for_seconds_only(kind: Kind, options: dict[str, Any], deployment: Deployment) -> None:
    """A client that reuses answers admits a revoked key for as long as its option says; another one does not."""
    created = deployment.create_key()
    reusing = kind.client(deployment.base_url, reuse_seconds=3600, **options)
    asking = kind.client(deployment.base_url, **options)
    reusing.verify(created["key"])
    deployment.delete(created["id"])

    assert isinstance(reusing.verify(created["key"]), Valid)
    assert NotFound() == asking.verify(created["key"])


def test_texts_of_every_kind(keywright: Any) -> None:
    """Any text that a caller presents as a key is verified and unknown, not an error."""
    texts = ["", " ", "kk_", "é", "\N{GRINNING FACE}", "\x00", "\ud800", '"}', "x" * 5000]

    assert [NotFound()] * len(texts) == [keywright.verify(text) for text in texts]
