"""The budgets of the benchmarks: every limit, in one place.

A limit of time or size stays within a quarter of what the committed run measured (tests/benchmarks/test_budgets.py),
so that a budget which is met says something. It never exceeds what the design allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Limit(Enum):
    """Limits of measured values: name, highest value, and the highest that the design allows.

    A limit without a design's is one of a count: it is the same on every machine, and measured without noise.
    """

    WARM_REQUESTS = ("warm verification, requests to DynamoDB", 1)
    WARM_READ_UNITS = ("warm verification, read units", 2)
    WARM_HASHES = ("warm verification, Argon2id hashes", 0)
    FIRST_REQUESTS = ("first verification of a key in a container, requests to DynamoDB", 1)
    FIRST_HASHES = ("first verification of a key in a container, Argon2id hashes", 1)
    FIRST_HMAC_REQUESTS = ("first verification of a key in a container, KeyHash=hmac-sha256, requests to DynamoDB", 1)
    FIRST_HMAC_HASHES = ("first verification of a key in a container, KeyHash=hmac-sha256, Argon2id hashes", 0)
    LIMITED_REQUESTS = ("warm verification of a key with limits, requests to DynamoDB", 2)
    LIMITED_WRITE_UNITS = ("warm verification of a key with limits, write units", 1)
    FLUSH_REQUESTS = ("warm verification that writes the uses of a minute, requests to DynamoDB", 2)
    FLUSH_WRITE_UNITS = ("warm verification that writes the uses of a minute, write units", 1)
    FORGED_REQUESTS = ("forged key, requests to DynamoDB", 0)
    FORGED_HASHES = ("forged key, Argon2id hashes", 0)
    CREATE_REQUESTS = ("create, requests to DynamoDB", 1)
    CREATE_WRITE_UNITS = ("create, write units", 10)
    POPULATION_DIFFERENCES = ("populations, differences of counted and simulated uses", 0)

    WARM = ("warm verification, whole handler, x one bare boto3 batch_get_item", 0.38, 0.40)
    LIMITED = ("warm verification of a key with limits, whole handler, x one bare boto3 batch_get_item", 0.72, 0.75)
    FIRST_HMAC = ("first verification of a key in a container, KeyHash=hmac-sha256, x a warm one", 1.2, 1.2)
    # The design allows 20 microseconds, where a bare call takes a millisecond.
    FORGED = ("forged key, refused by its tag, x one bare boto3 batch_get_item", 0.012, 0.020)
    COLD_AUTHORIZER = ("cold start, authorize_api_key, x a boto3 DynamoDB client", 0.60, 0.65)
    COLD_CREATE = ("cold start, create_api_key, x a boto3 DynamoDB client", 1.02, 1.05)
    LAYER = ("layer, unzipped, MB", 33, 40)
    PARTITION_BELOW = ("partition, 1,400/s, share of 503", 0, 0)
    PARTITION_REUSED = ("partition, 3,000/s, RecordReuseSeconds=10, share of 503", 0, 0)
    PARTITION_OTHERS = ("partition, share of 503 of another organization", 0, 0)
    ADMITTED = ("admitted uses at 10 x the limit, x the limit", 1.02, 1.02)
    PYTHON_CLIENT = ("Python client, verification, x a bare signed request", 1.15, 1.15)
    PYTHON_REUSE = ("Python client, reused answer, x a bare signed request", 0.0158, 0.05)
    TYPESCRIPT_CLIENT = ("TypeScript client, verification, x a bare signed request", 1.15, 1.15)
    TYPESCRIPT_REUSE = ("TypeScript client, reused answer, x a bare signed request", 0.0035, 0.05)

    def __init__(self, title: str, most: float, design: float | None = None) -> None:
        self.title = title
        self.most = most
        self.design = design

    @property
    def is_count(self) -> bool:
        """Whether it limits a count."""
        return self.design is None


@dataclass(frozen=True, slots=True)
class Budget:
    """A result with an upper limit."""

    limit: Limit
    value: float

    @property
    def is_met(self) -> bool:
        """Whether the result is within its limit."""
        return self.value <= self.limit.most

    @property
    def row(self) -> tuple[str, str, float, float, str]:
        """The line of a table with the columns COLUMNS."""
        kind = "count" if self.limit.is_count else ""
        return self.limit.title, kind, self.value, self.limit.most, "met" if self.is_met else "missed"


COLUMNS = ("budget", "kind", "measured", "limit", "")


def budgets(report: Mapping[str, Any]) -> list[Budget]:
    """Return the budgets of all sections of a report in the order of their limits, which are the present ones."""
    values = {entry["name"]: entry["value"] for section in report.values() for entry in section.get("budgets", [])}
    return [Budget(limit, values[limit.title]) for limit in Limit if limit.title in values]


def missed(measured: Iterable[Budget], *, is_quick: bool) -> list[Budget]:
    """Return the budgets that are missed. A quick run is too short for any but counts."""
    return [budget for budget in measured if not budget.is_met and (budget.limit.is_count or not is_quick)]
