"""Access rules for tests, and random ones."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from keywright.authorizers.policies import expressible_rules
from keywright.settings import ConfigurationError
from tests.support.depth import size

if TYPE_CHECKING:
    from keywright.domain.access_rules import AccessRules

    Entry = tuple[str, str, str | None]

READ, WRITE, ANALYZE = "sessions:read", "sessions:write", "analytics:read"

ADMIN = [
    *("//admin", "/%61dmin", "/x/../admin", "/./admin", "/admin/.", "/admin/x/..", "/x/..//admin", "/admin//"),
    *("/%2e/admin", "/x/%2e%2E/admin", "/x/.%2e/admin", "/x%2f..%2fadmin", "/x%2F..%2Fadmin", "/%2fadmin"),
    *("/%2561dmin", "/%25%36%31dmin", "/x%252f..%252fadmin", "/x%5c..%5cadmin", "/x\\..\\admin", "/\\admin"),
    *("/admin;x", "/admin;x=1", "/;/admin", "/x/..;/admin", "/admin%3bx", "/admin%3Bx", "/admin%23", "/admin#"),
    *("/%c1%a1dmin", "/%C1%A1dmin", "/x/%c0%ae%c0%ae/admin", "/x%c0%af..%c0%afadmin", "/%u0061dmin"),
    *("/admin%00", "/admin%00.png", "/%41%44min/%2e%2e/admin", "/%7e/../admin", "/admin%3f"),
]
"""Other spellings of /admin: each has a reading that is /admin."""
ADMIN_DECODED = ["/admin?", "/admin?x", "/admin\0", "/admin\0.png"]
"""More of them, which no request line contains: only an HTTP API makes them, since it decodes before it asks."""


def rules(*entries: Entry) -> AccessRules:
    """Return rules of (method, path, permission)."""
    return expressible_rules(text(*entries))


def text(*entries: Entry) -> str:
    """Return rules of (method, path, permission) as the setting has them."""
    return json.dumps([dict(zip(("method", "path", "permission"), entry, strict=True)) for entry in entries])


def assumed_expressible(entries: list[Entry]) -> AccessRules:
    """Return rules, and skip examples that no policy can express."""
    try:
        return rules(*entries)
    except ConfigurationError as error:
        assume("no policy can deny" not in str(error))
        raise


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "ANY"]),
        st.tuples(
            st.lists(st.sampled_from(["a", "b", "{x}"]), min_size=1, max_size=4),
            st.sampled_from(["", "", "", "/{rest+}"]),
        ).map(lambda parts: "/" + "/".join(parts[0]) + parts[1]),
        st.sampled_from([None, READ, WRITE, ANALYZE]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda entry: entry[:2],
)
GRANTS = st.sets(st.sampled_from([READ, WRITE, ANALYZE])).map(sorted)
METHODS = st.sampled_from(["GET", "POST"])
PATHS = ["/" + "/".join(segments) for length in range(1, 6) for segments in itertools.product("ab1", repeat=length)]

many_rules = settings(
    max_examples=size("POLICIES", 20, full=500),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
