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


def test_an_id_in_capitals(deployment: Deployment) -> None:
    """Ids are not case-sensitive (RFC 9562, section 4)."""
    key_id = deployment.create_key()["id"]

    assert 30 == len(data(deployment.request("GET", USAGE.format(id=key_id.upper())))["days"])
