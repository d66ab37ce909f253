"""Rate limits, quotas and allowed addresses of keys, as managers set them and backends meet them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.deployment import CREATE, UNLIMITED, VERIFY, Deployment, data
from tests.api.moments import in_the_future, moment
from tests.api.signing import signed

ADDRESS = "192.0.2.7"
RATE = {"limit": 60, "windowSeconds": 3600, "burst": 10}
QUOTA = {"limit": 1000, "period": "month"}
LIMITS: dict[str, Any] = {"rateLimit": RATE, "quota": QUOTA, "allowedIps": ["192.0.2.0/24", "2001:db8::/32"]}
ONCE = {"limit": 1, "windowSeconds": 3600}
"""A rate that admits one use, and the next an hour later."""


def total(limit: int) -> dict[str, Any]:
    """Return a quota of a number of uses in total."""
    return {"limit": limit, "period": "total"}


def use(deployment: Deployment, key: str, **fields: Any) -> dict[str, Any]:
    """Verify a key for a use; return the answer."""
    return data(deployment.use({"key": key, **fields}))


def codes(deployment: Deployment, key: str, times: int, **fields: Any) -> list[str]:
    """Verify a key some times, one after the other; return the codes."""
    return [use(deployment, key, **fields)["code"] for _ in range(times)]


# ---- Setting limits ------------------------------------------------------------------------------------------


def test_limits_of_a_new_key_are_shown(deployment: Deployment) -> None:
    """A key that is created with limits has them, in one way to write them, alone, in lists, and in the audit log."""
    made = deployment.create_key(
        rateLimit={"limit": 60.0, "windowSeconds": 3600, "burst": 10},
        quota=QUOTA,
        allowedIps=["192.0.2.0/24", "2001:DB8:0::/32", "::ffff:192.0.2.0/120"],
    )

    shown = deployment.get_key(made["id"])
    (listed,) = (key for key in deployment.newest(CREATE, since=made["id"]) if key["id"] == made["id"])
    (record,) = deployment.records(made["id"])
    assert LIMITS == {name: shown[name] for name in LIMITS}
    assert LIMITS == {name: listed[name] for name in LIMITS}
    assert LIMITS == {name: record["changes"]["after"][name] for name in LIMITS}


def test_the_holder_sees_the_limits(deployment: Deployment) -> None:
    """The holder of a key sees its limits, and that its burst is the limit by default."""
    made = deployment.create_key(rateLimit={"limit": 60, "windowSeconds": 3600}, quota=QUOTA)

    shown = data(deployment.current(made["key"]))

    assert {"rateLimit": RATE | {"burst": 60}, "quota": QUOTA, "allowedIps": None} == {
        name: shown[name] for name in UNLIMITED
    }


@pytest.mark.parametrize("field", UNLIMITED)
def test_null_takes_one_limit_away(deployment: Deployment, field: str) -> None:
    """A PATCH with null takes one limit away, and the others stay; the audit log has it as it was."""
    made = deployment.create_key(**LIMITS)

    answer = data(deployment.update(made["id"], {field: None}))

    shown = deployment.get_key(made["id"])
    (record, _) = deployment.records(made["id"])
    assert LIMITS | {field: None} == {name: shown[name] for name in LIMITS}
    assert shown == answer["apiKey"]
    assert {"before": {field: LIMITS[field]}, "after": {field: None}} == record["changes"]


def test_limits_that_are_not_named_stay(deployment: Deployment) -> None:
    """A PATCH of another field changes no limit, and so does one with the same limits."""
    made = deployment.create_key(**LIMITS)
    data(deployment.update(made["id"], {"name": "another"}))
    data(deployment.update(made["id"], LIMITS))

    shown = deployment.get_key(made["id"])
    assert LIMITS == {name: shown[name] for name in LIMITS}
    assert [{}, {"name": "another"}] == [
        record["changes"]["after"] for record in deployment.records(made["id"], event="api_key.updated")
    ]


def test_an_empty_list_of_addresses_allows_all(deployment: Deployment) -> None:
    """An empty list of addresses is the same as null."""
    made = deployment.create_key(allowedIps=[ADDRESS])
    data(deployment.update(made["id"], {"allowedIps": []}))

    assert deployment.get_key(made["id"])["allowedIps"] is None
    assert "VALID" == use(deployment, made["key"])["code"]


@pytest.mark.parametrize(
    ("limits", "message", "hint"),
    [
        ({"rateLimit": RATE | {"burst": 61}}, "rateLimit.burst must not be greater than rateLimit.limit", "Omit burst"),
        ({"rateLimit": {"limit": 1}}, "rateLimit.windowSeconds is required", "rateLimit is an object"),
        ({"rateLimit": RATE | {"bursts": 1}}, "rateLimit.bursts is not a field of this request", "Did you mean burst?"),
        ({"quota": {"limit": 0, "period": "day"}}, "quota.limit must be at least 1", "quota is an object"),
        ({"quota": {"limit": 1, "period": "hour"}}, "quota.period must be 'day', 'week', 'month' or 'total'", "quota"),
        ({"allowedIps": ["192.0.2.1/24"]}, "allowedIps[0] has bits set after its prefix", "Did you mean 192.0.2.0/24?"),
        ({"allowedIps": [ADDRESS] * 51}, "allowedIps must have at most 50 items", "allowedIps is an array"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("request_", ["create", "update"])
def test_400_names_the_place_and_the_remedy(
    deployment: Deployment, request_: str, limits: dict[str, Any], message: str, hint: str
) -> None:
    """A limit that makes no sense is refused at its place, and the key stays as it was."""
    if request_ == "create":
        response = deployment.create({"name": "a", "permissions": ["sessions:read"], **limits})
    else:
        key_id = deployment.create_key()["id"]
        response = deployment.update(key_id, limits)
        assert UNLIMITED.items() <= deployment.get_key(key_id).items()

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert message == response.json()["error"]["message"]
    assert response.json()["error"]["hint"].startswith(hint)


# ---- Meeting them --------------------------------------------------------------------------------------------


def test_a_key_without_limits_has_none_left(deployment: Deployment) -> None:
    """What is left of limits is null if there are none, whatever a use costs."""
    answer = use(deployment, deployment.create_key()["key"], cost=1000, clientIp=ADDRESS)

    assert {"code": "VALID", **UNLIMITED, "retryAfterSeconds": None}.items() <= answer.items()


def test_a_rate_limit(deployment: Deployment) -> None:
    """A burst is admitted, the next use is refused, and the answers have what is left and when to come again."""
    key = deployment.create_key(rateLimit={"limit": 3, "windowSeconds": 3600, "burst": 2})["key"]

    first, second, third = (use(deployment, key) for _ in range(3))

    assert ["VALID", "VALID", "RATE_LIMITED"] == [answer["code"] for answer in (first, second, third)]
    assert [True, True, False] == [answer["valid"] for answer in (first, second, third)]
    assert [1, 0, 0] == [answer["rateLimit"]["remaining"] for answer in (first, second, third)]
    assert {3} == {answer["rateLimit"]["limit"] for answer in (first, second, third)}
    assert 2300 < second["rateLimit"]["resetSeconds"] <= 2400
    assert 1100 < third["retryAfterSeconds"] <= 1200
    assert first["retryAfterSeconds"] is None
    assert third["quota"] is None


def test_a_quota(deployment: Deployment) -> None:
    """A quota admits its number of uses in a period, and the answers have when the next one begins."""
    key = deployment.create_key(quota={"limit": 3, "period": "month"})["key"]

    first, second, third = use(deployment, key), use(deployment, key, cost=2), use(deployment, key)

    assert ["VALID", "VALID", "QUOTA_EXCEEDED"] == [answer["code"] for answer in (first, second, third)]
    assert [(1, 2), (3, 0), (3, 0)] == [
        (answer["quota"]["used"], answer["quota"]["remaining"]) for answer in (first, second, third)
    ]
    assert third["quota"]["resetsAt"].endswith("-01T00:00:00.000Z")
    assert moment(in_the_future(days=0)) < moment(third["quota"]["resetsAt"]) <= moment(in_the_future(days=31))
    assert 0 < third["retryAfterSeconds"] <= 31 * 24 * 3600


def test_a_quota_in_total_never_resets(deployment: Deployment) -> None:
    """No time is known at which a quota in total would admit another use."""
    key = deployment.create_key(quota=total(1))["key"]
    assert ["VALID", "QUOTA_EXCEEDED"] == codes(deployment, key, 2)

    answer = use(deployment, key)
    assert {"limit": 1, "used": 1, "remaining": 0, "resetsAt": None} == answer["quota"]
    assert answer["retryAfterSeconds"] is None


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("192.0.2.0", "VALID"),
        ("192.0.2.255", "VALID"),
        ("::ffff:192.0.2.7", "VALID"),
        ("::ffff:c000:207", "VALID"),
        ("2001:db8:ffff::1", "VALID"),
        ("2001:DB8::1", "VALID"),
        ("192.0.3.0", "IP_NOT_ALLOWED"),
        ("::192.0.2.7", "IP_NOT_ALLOWED"),
        ("2001:db9::1", "IP_NOT_ALLOWED"),
        (None, "IP_NOT_ALLOWED"),
    ],
)
def test_allowed_addresses(deployment: Deployment, address: str | None, code: str) -> None:
    """A key is valid from its addresses alone; from an unknown address it is refused."""
    key = deployment.create_key(allowedIps=LIMITS["allowedIps"])["key"]

    answer = use(deployment, key, **({} if address is None else {"clientIp": address}))

    assert code == answer["code"]
    assert answer["valid"] is (code == "VALID")
    assert LIMITS["allowedIps"] == answer["allowedIps"]


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip"])
def test_no_header_is_an_address(deployment: Deployment, header: str) -> None:
    """The address is that of the body, never that of a header."""
    key = deployment.create_key(allowedIps=[ADDRESS])["key"]
    url, body = deployment.base_url + VERIFY, json.dumps({"key": key}).encode()

    response = deployment.client.post(url, content=body, headers={**signed(url, body, deployment.iam), header: ADDRESS})

    assert "IP_NOT_ALLOWED" == data(response)["code"]


def test_the_order_of_codes(deployment: Deployment) -> None:
    """A key is disabled, then used from elsewhere, then lacks a permission, then is too fast, then used up."""
    made = deployment.create_key(allowedIps=[ADDRESS], rateLimit=ONCE, quota=total(1))
    elsewhere: dict[str, Any] = {"permissions": ["analytics:read"], "clientIp": "198.51.100.1"}
    here = {"clientIp": ADDRESS}

    def change_and_use(changes: dict[str, Any], fields: dict[str, Any]) -> str:
        data(deployment.update(made["id"], changes))
        code: str = use(deployment, made["key"], **fields)["code"]
        return code

    assert "VALID" == use(deployment, made["key"], **here)["code"]
    assert [
        "DISABLED",
        "IP_NOT_ALLOWED",
        "INSUFFICIENT_PERMISSIONS",
        "RATE_LIMITED",
        "QUOTA_EXCEEDED",
        "VALID",
    ] == [
        change_and_use({"enabled": False}, elsewhere),
        change_and_use({"enabled": True}, elsewhere),
        change_and_use({"name": "a"}, elsewhere | here),
        change_and_use({"name": "b"}, here),
        change_and_use({"rateLimit": None}, here),
        change_and_use({"quota": None}, here),
    ]


def test_a_refused_use_spends_nothing(deployment: Deployment) -> None:
    """No refusal takes anything of a limit, for whichever reason, and looking takes nothing either."""
    key = deployment.create_key(allowedIps=[ADDRESS], rateLimit=RATE, quota=total(5))["key"]
    refused = [
        use(deployment, key),
        use(deployment, key, clientIp=ADDRESS, permissions=["analytics:read"]),
        use(deployment, key, clientIp=ADDRESS, cost=11),
        use(deployment, key, clientIp=ADDRESS, cost=6),
    ]

    looked = use(deployment, key, clientIp=ADDRESS, cost=0)

    assert ["IP_NOT_ALLOWED", "INSUFFICIENT_PERMISSIONS", "RATE_LIMITED", "QUOTA_EXCEEDED"] == [
        answer["code"] for answer in refused
    ]
    assert [None, None, 10, 10] == [answer["rateLimit"] and answer["rateLimit"]["remaining"] for answer in refused]
    assert ["VALID", 10, 0, 0] == [
        looked["code"],
        looked["rateLimit"]["remaining"],
        looked["rateLimit"]["resetSeconds"],
        looked["quota"]["used"],
    ]


def test_a_cost_above_a_limit_is_never_admitted(deployment: Deployment) -> None:
    """A use that costs more than a burst or a quota is refused without a time to come again."""
    key = deployment.create_key(rateLimit=RATE, quota={"limit": 5, "period": "day"})["key"]

    answers = [use(deployment, key, cost=cost) for cost in (11, 6, 5)]

    assert ["RATE_LIMITED", "QUOTA_EXCEEDED", "VALID"] == [answer["code"] for answer in answers]
    assert [None, None, None] == [answer["retryAfterSeconds"] for answer in answers]


def test_cost_0_looks_at_a_limit_that_is_used_up(deployment: Deployment) -> None:
    """Looking at a quota that is used up is admitted, and shows that nothing is left."""
    key = deployment.create_key(quota=total(1))["key"]
    assert ["VALID", "VALID", "VALID"] == [use(deployment, key, cost=cost)["code"] for cost in (0, 1, 0)]

    assert 0 == use(deployment, key, cost=0)["quota"]["remaining"]


def test_at_once_no_more_than_the_quota_are_admitted(deployment: Deployment) -> None:
    """Of ten uses at once, a quota of four admits four."""
    key = deployment.create_key(quota=total(4))["key"]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: use(deployment, key)["code"], range(10)))

    assert ["QUOTA_EXCEEDED"] * 6 + ["VALID"] * 4 == sorted(answers)


@pytest.mark.parametrize(
    ("limits", "raised", "code"),
    [
        ({"quota": total(1)}, {"quota": total(2)}, "QUOTA_EXCEEDED"),
        ({"rateLimit": ONCE}, {"rateLimit": {"limit": 2, "windowSeconds": 3600}}, "RATE_LIMITED"),
        ({"allowedIps": ["198.51.100.1"]}, {"allowedIps": ["198.51.100.1", ADDRESS]}, "IP_NOT_ALLOWED"),
    ],
    ids=["quota", "rate", "addresses"],
)
def test_a_raised_limit_counts_on_the_next_use(
    deployment: Deployment, limits: dict[str, Any], raised: dict[str, Any], code: str
) -> None:
    """A use that was refused is admitted right after the limit is raised."""
    made = deployment.create_key(**limits)
    use(deployment, made["key"], clientIp=ADDRESS)
    refused = use(deployment, made["key"], clientIp=ADDRESS)
    data(deployment.update(made["id"], raised))

    assert [code, "VALID"] == [refused["code"], use(deployment, made["key"], clientIp=ADDRESS)["code"]]


def test_a_lowered_quota_counts_on_the_next_use(deployment: Deployment) -> None:
    """What was used stays used: a quota that is lowered below it is exceeded, with nothing left."""
    made = deployment.create_key(quota=total(10))
    assert ["VALID"] * 3 == codes(deployment, made["key"], 3)
    data(deployment.update(made["id"], {"quota": total(2)}))

    answer = use(deployment, made["key"])
    assert "QUOTA_EXCEEDED" == answer["code"]
    assert {"limit": 2, "used": 3, "remaining": 0, "resetsAt": None} == answer["quota"]


def test_a_rotation_keeps_what_was_used(deployment: Deployment) -> None:
    """Both texts of a rotated key count on the same quota, which the rotation does not reset."""
    made = deployment.create_key(quota=total(3))
    assert 1 == use(deployment, made["key"])["quota"]["used"]

    rotated = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))

    assert total(3) == rotated["apiKey"]["quota"]
    assert [1, 2, 3] == [
        use(deployment, text, cost=cost)["quota"]["used"]
        for text, cost in ((rotated["key"], 0), (rotated["key"], 1), (made["key"], 1))
    ]
    assert "QUOTA_EXCEEDED" == use(deployment, rotated["key"])["code"]


def test_limits_that_are_taken_away_and_set_again_start_anew(deployment: Deployment) -> None:
    """Without any limit nothing is counted, and a later quota starts at 0."""
    made = deployment.create_key(quota=total(5))
    assert ["VALID"] * 2 == codes(deployment, made["key"], 2)
    data(deployment.update(made["id"], {"quota": None}))
    assert use(deployment, made["key"])["quota"] is None
    data(deployment.update(made["id"], {"quota": total(5)}))

    assert 1 == use(deployment, made["key"])["quota"]["used"]


def test_a_deleted_key_is_unknown_whatever_its_limits(deployment: Deployment) -> None:
    """A key with limits that is deleted is unknown on the next use, used up or not."""
    made = deployment.create_key(quota=total(1))
    assert ["VALID", "QUOTA_EXCEEDED"] == codes(deployment, made["key"], 2)
    data(deployment.delete(made["id"]))

    assert {"valid": False, "code": "NOT_FOUND"} == use(deployment, made["key"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cost": -1}, "cost must be at least 0"),
        ({"cost": 10**6 + 1}, "cost must be at most 1000000"),
        ({"cost": 0.5}, "cost must be a whole number"),
        ({"clientIp": "203.0.113.7:443"}, "clientIp must be an IP address"),
        ({"clientIP": ADDRESS}, "clientIP is not a field of this request"),
    ],
    ids=str,
)
def test_400_of_a_use(deployment: Deployment, fields: dict[str, Any], message: str) -> None:
    """A use that makes no sense is refused with the field and the rule, before the key is read."""
    response = deployment.use({"key": "kk_", **fields})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert message == response.json()["error"]["message"]
