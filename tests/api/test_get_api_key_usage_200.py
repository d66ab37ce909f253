"""GET /auth/api-keys/{id}/usage: successes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tests.api.deployment import USAGE, Deployment, data


def days_to(last: date, count: int) -> list[str]:
    """Return the days that end at a day, the first of them first."""
    return [str(last - timedelta(days=number)) for number in range(count - 1, -1, -1)]


def test_the_last_30_days(deployment: Deployment) -> None:
    """Every day is there, zeros included, and the last is today (UTC)."""
    key_id = deployment.create_key()["id"]

    before = datetime.now(UTC).date()
    shown = data(deployment.request("GET", USAGE.format(id=key_id)))
    after = datetime.now(UTC).date()

    assert shown["to"] in {str(before), str(after)}
    days = days_to(date.fromisoformat(shown["to"]), 30)
    assert shown == {
        "from": days[0],
        "to": days[-1],
        "requestCount": 0,
        "days": [{"date": day, "requestCount": 0} for day in days],
        "rateLimit": None,
        "quota": None,
    }


def test_every_day_that_is_kept(deployment: Deployment) -> None:
    """The longest range has 90 days, the shortest one."""
    path = USAGE.format(id=deployment.create_key()["id"])
    today = date.fromisoformat(data(deployment.request("GET", path))["to"])
    days = days_to(today, 90)

    # A day later, if midnight comes between, the oldest day is not kept any more.
    longest = data(deployment.request("GET", path, params={"from": days[1], "to": days[-1]}))
    shortest = data(deployment.request("GET", path, params={"from": days[1], "to": days[1]}))

    assert days[1:] == [day["date"] for day in longest["days"]]
    assert [{"date": days[1], "requestCount": 0}] == shortest["days"]


def test_what_is_left_of_the_limits(deployment: Deployment) -> None:
    """After a use, the same is left as the verification said, and looking takes nothing."""
    made = deployment.create_key(
        rateLimit={"limit": 1, "windowSeconds": 3600}, quota={"limit": 1000, "period": "total"}
    )
    used = data(deployment.use({"key": made["key"]}))

    shown = [data(deployment.request("GET", USAGE.format(id=made["id"]))) for _ in range(2)]

    assert [used["quota"]] * 2 == [answer["quota"] for answer in shown]
    assert {"limit": 1000, "used": 1, "remaining": 999, "resetsAt": None} == used["quota"]
    assert [(1, 0)] * 2 == [(answer["rateLimit"]["limit"], answer["rateLimit"]["remaining"]) for answer in shown]
    assert all(0 < answer["rateLimit"]["resetSeconds"] <= used["rateLimit"]["resetSeconds"] for answer in shown)


def test_an_id_in_capitals(deployment: Deployment) -> None:
    """Ids are not case-sensitive (RFC 9562, section 4)."""
    key_id = deployment.create_key()["id"]

    assert 30 == len(data(deployment.request("GET", USAGE.format(id=key_id.upper())))["days"])
