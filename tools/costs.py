"""The table of costs in docs/deploy.md, from docs/costs/prices.json and docs/costs/sizes.json."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from local.options import ROOT

GUIDE = ROOT / "docs" / "deploy.md"
COSTS_FOLDER = ROOT / "docs" / "costs"

_PLACE = re.compile(r"(?<=<!-- costs -->\n).*?(?=<!-- end of costs -->)", re.DOTALL)
_GB = 10**9


@dataclass(frozen=True, slots=True)
class Costs:
    """Prices, and assumptions about a request, a key and a month."""

    prices: dict[str, Any]
    assumptions: dict[str, float]

    def rows(self, size: dict[str, int]) -> dict[str, float]:
        """Return the monthly cost of a deployment of a size, by part of the bill."""
        assumed = self.assumptions
        requests = size["verifications"] + size["changes"]
        gb_seconds = assumed["memory_gb"] * (
            size["verifications"] * assumed["seconds_per_verification"]
            + size["changes"] * assumed["seconds_per_change"]
            + size["cold_starts"] * assumed["seconds_per_cold_start"]
        )
        reads = (
            size["verifications"] * assumed["read_units_per_verification"]
            + size["changes"] * assumed["read_units_per_change"]
        )
        writes = (
            size["usage_writes"] * assumed["write_units_per_usage_write"]
            + size["changes"] * assumed["write_units_per_change"]
        )
        stored_gb = (
            size["keys"] * assumed["bytes_per_key"]
            + size["changes"] * assumed["audit_months"] * assumed["bytes_per_audit_record"]
        ) / _GB
        logs_gb = requests * assumed["log_bytes_per_request"] / _GB
        metrics = size["active_methods"] * assumed["metrics_per_active_method"] + assumed["verification_metrics"]
        return {
            "API Gateway": self._price("api_gateway_rest_request", requests),
            "Lambda": self._price("lambda_request", requests) + self._price("lambda_arm_gb_second", gb_seconds),
            "DynamoDB": self._price("dynamodb_read_unit", reads)
            + self._price("dynamodb_write_unit", writes)
            + self._price("dynamodb_storage_gb", stored_gb)
            + self._price("dynamodb_recovery_gb", stored_gb),
            # At most: lists have no event, and an invocation publishes up to 100.
            "Events": self._price("eventbridge_event", size["changes"])
            + self._price("lambda_request", size["changes"])
            + self._price(
                "lambda_arm_gb_second", assumed["memory_gb"] * size["changes"] * assumed["seconds_per_event"]
            ),
            "Logs": self._price("logs_ingested_gb", logs_gb) + self._price("logs_stored_gb", logs_gb),
            "Metrics, alarms, dashboard": self._price("metric", metrics)
            + self._price("alarm_metric", assumed["alarm_metrics"])
            + self._price("dashboard", 1),
            "Traces": self._price("trace", self._traces(requests)),
            "Pepper": self._price("secret", 1) + self._price("secret_request", size["cold_starts"]),
        }

    def archive(self, size: dict[str, int]) -> float:
        """Return the monthly cost of the archive of the audit log, with an object of each shard every five minutes."""
        assumed = self.assumptions
        objects = min(size["changes"], assumed["stream_shards"] * assumed["archived_objects_per_shard"])
        stored_gb = size["changes"] * assumed["audit_months"] * assumed["bytes_per_archived_record"] / _GB
        gb_seconds = assumed["memory_gb"] * objects * assumed["seconds_per_archived_object"]
        return (
            self._price("s3_put_request", objects)
            + self._price("s3_get_request", objects)
            + self._price("s3_storage_gb", stored_gb)
            + self._price("lambda_request", objects)
            + self._price("lambda_arm_gb_second", gb_seconds)
            + self._price("dynamodb_read_unit", objects)
            + self._price("dynamodb_write_unit", objects)
            + self._price("alarm_metric", assumed["archive_alarm_metrics"])
        )

    def _traces(self, requests: int) -> float:
        """Return how many evenly spread requests the default rule of X-Ray records."""
        assumed = self.assumptions
        at_once = min(requests, assumed["traced_at_once_per_second"] * assumed["seconds_per_month"])
        return at_once + (requests - at_once) * assumed["traced_share_of_the_rest"]

    def _price(self, name: str, amount: float) -> float:
        entry = self.prices[name]
        return float(entry["price"]) * amount / float(entry["per"])


def costs_table() -> str:
    """Return the table of costs."""
    prices = json.loads((COSTS_FOLDER / "prices.json").read_text(encoding="utf-8"))
    sizes_file = json.loads((COSTS_FOLDER / "sizes.json").read_text(encoding="utf-8"))
    costs = Costs(prices["prices"], sizes_file["assumptions"])
    sizes: dict[str, dict[str, int]] = sizes_file["sizes"]
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
    archives = " | ".join(_money(costs.archive(size)) for size in sizes.values())
    lines.append(f"| with `AuditArchive`, in addition | {archives} |")
    note = f"{prices['note']} Region {prices['region']}, as of {prices['as_of']}."
    return "\n".join(lines) + f"\n\n{note}\n"


def _money(amount: float) -> str:
    return f"{amount:,.2f}"


def with_table(guide: str) -> str:
    """Return the guide with the current table of costs."""
    return _PLACE.sub(lambda _: costs_table(), guide)
