"""Writes the table of costs into docs/deploy.md, from docs/costs/prices.json and docs/costs/sizes.json: `make docs`."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "deploy.md"
FOLDER = ROOT / "docs" / "costs"

_PLACE = re.compile(r"(?<=<!-- costs -->\n).*?(?=<!-- end of costs -->)", re.DOTALL)
_GB = 10**9


@dataclass(frozen=True, slots=True)
class Costs:
    """Prices, and what is taken as given about one request, one key and one month."""

    prices: dict[str, Any]
    assumptions: dict[str, float]

    def rows(self, size: dict[str, int]) -> dict[str, float]:
        """Give what a deployment of a size costs in a month, by the part of the bill."""
        given = self.assumptions
        requests = size["verifications"] + size["changes"]
        gb_seconds = given["memory_gb"] * (
            size["verifications"] * given["seconds_per_verification"]
            + size["changes"] * given["seconds_per_change"]
            + size["cold_starts"] * given["seconds_per_cold_start"]
        )
        reads = (
            size["verifications"] * given["read_units_per_verification"]
            + size["changes"] * given["read_units_per_change"]
        )
        writes = (
            size["usage_writes"] * given["write_units_per_usage_write"]
            + size["changes"] * given["write_units_per_change"]
        )
        stored_gb = (
            size["keys"] * given["bytes_per_key"]
            + size["changes"] * given["audit_months"] * given["bytes_per_audit_record"]
        ) / _GB
        logs_gb = requests * given["log_bytes_per_request"] / _GB
        metrics = size["active_methods"] * given["metrics_per_active_method"] + given["verification_metrics"]
        return {
            "API Gateway": self._price("api_gateway_rest_request", requests),
            "Lambda": self._price("lambda_request", requests) + self._price("lambda_arm_gb_second", gb_seconds),
            "DynamoDB": self._price("dynamodb_read_unit", reads)
            + self._price("dynamodb_write_unit", writes)
            + self._price("dynamodb_storage_gb", stored_gb)
            + self._price("dynamodb_recovery_gb", stored_gb),
            "Logs": self._price("logs_ingested_gb", logs_gb) + self._price("logs_stored_gb", logs_gb),
            "Metrics, alarms, dashboard": self._price("metric", metrics)
            + self._price("alarm_metric", given["alarm_metrics"])
            + self._price("dashboard", 1),
            "Traces": self._price("trace", self._traces(requests)),
            "Pepper": self._price("secret", 1) + self._price("secret_request", size["cold_starts"]),
        }

    def _traces(self, requests: int) -> float:
        """Give how many requests X-Ray's default rule records, if they come evenly."""
        given = self.assumptions
        at_once = min(requests, given["traced_at_once_per_second"] * given["seconds_per_month"])
        return at_once + (requests - at_once) * given["traced_share_of_the_rest"]

    def _price(self, name: str, amount: float) -> float:
        entry = self.prices[name]
        return float(entry["price"]) * amount / float(entry["per"])


def table() -> str:
    """Write the table."""
    prices = json.loads((FOLDER / "prices.json").read_text(encoding="utf-8"))
    given = json.loads((FOLDER / "sizes.json").read_text(encoding="utf-8"))
    costs = Costs(prices["prices"], given["assumptions"])
    sizes: dict[str, dict[str, int]] = given["sizes"]
    columns = {name: costs.rows(size) for name, size in sizes.items()}
    lines = [
        "| a month | " + " | ".join(sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
        "| verifications | " + " | ".join(f"{size['verifications']:,}" for size in sizes.values()) + " |",
        "| changes and lists | " + " | ".join(f"{size['changes']:,}" for size in sizes.values()) + " |",
        "| keys | " + " | ".join(f"{size['keys']:,}" for size in sizes.values()) + " |",
    ]
    lines += [
        f"| {part} | " + " | ".join(_money(column[part]) for column in columns.values()) + " |"
        for part in next(iter(columns.values()))
    ]
    totals = " | ".join(f"**{_money(sum(column.values()))}**" for column in columns.values())
    lines.append(f"| **together, {prices['currency']}** | {totals} |")
    note = f"{prices['note']} Region {prices['region']}, as of {prices['as_of']}."
    return "\n".join(lines) + f"\n\n{note}\n"


def _money(amount: float) -> str:
    return f"{amount:,.2f}"


def with_table(guide: str) -> str:
    """Put the table in its place in the guide."""
    return _PLACE.sub(lambda _: table(), guide)


def main() -> int:
    """Rewrite the guide; 0."""
    GUIDE.write_text(with_table(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
