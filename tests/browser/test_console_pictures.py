"""The pictures of the console in the documentation.

To write them anew: make test-browser ARGS="tests/browser/test_console_pictures.py --pictures docs".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.api.deployment import LEAKS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.api.deployment import Deployment
    from tests.browser.console import Visit

USES = {"Status page": 7, "Partner: Globex": 41, "Mobile app, beta": 3, "CI, staging": 12, "Billing webhooks": 23}


def fill(organization: Deployment) -> None:
    """Create keys in every state."""

    def key(name: str, *permissions: str, **fields: object) -> dict[str, str]:
        created = organization.create_key(persona="owner", name=name, permissions=permissions, **fields)
        for _ in range(USES.get(name, 0)):
            organization.verify(created["key"])
        return created

    def after(days: int) -> str:
        return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    key("Status page", "reports:read")
    partner = key("Partner: Globex", "sessions:read")
    organization.update(partner["id"], {"enabled": False, "reason": "no_longer_used"})
    leaked = key("Pasted into a ticket", "sessions:write")
    report = {"keys": [leaked["key"]], "url": "https://github.com/octocat/Hello-World/blob/main/.env"}
    organization.request("POST", LEAKS, persona=None, json=report)
    key("Mobile app, beta", "sessions:read", expiresAt=after(12))
    key("CI, staging", "sessions:write", "reports:read", expiresAt=after(300))
    key("Billing webhooks", "reports:write")
    limited = key(
        "Nightly import, production",
        "sessions:write",
        "reports:read",
        rateLimit={"limit": 60, "windowSeconds": 60, "burst": 10},
        quota={"limit": 25, "period": "month"},
        allowedIps=["192.0.2.0/24"],
        metadata={"team": "data", "cost center": 4711},
    )
    for _ in range(8):
        organization.use({"key": limited["key"], "clientIp": "192.0.2.7"})
    organization.rotate(limited["id"], {"gracePeriodSeconds": 86400})


def test_pictures(visit: Visit, request: pytest.FixtureRequest) -> None:
    """`--pictures DIRECTORY` saves three pictures, of keys in every state."""
    fill(visit.organization)
    browser = visit.browser
    pictures = {}

    visit.open("/keys", role="owner")
    visit.wait_loaded()
    pictures["desktop"] = browser.screenshot()
    browser.resize(390, 844)
    pictures["phone"] = browser.screenshot()
    browser.resize(1280, 1280)
    browser.prefer("dark")
    visit.click("link", "Nightly import, production")
    visit.wait_loaded()
    pictures["dark"] = browser.screenshot()

    directory: Path | None = request.config.getoption("--pictures")
    for name, picture in pictures.items():
        assert picture.startswith(b"\x89PNG")
        if directory is not None:
            (directory / f"console-{name}.png").write_bytes(picture)
