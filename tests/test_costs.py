"""The cost model of docs/costs: bills add up, and what is assumed is what the service does."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.cost import MeasuredOperation, differences
from local.intrinsics import mapping
from tests.support.capacity import Consumption, documented
from tests.support.cloudformation import properties, resources, section
from tests.support.environment import ROOT
from tests.support.sample_keys import SampleKey
from tests.support.world import Context
from tools import cost_tables, costs, log_lines
from tools.costs import ARGON2ID, HMAC_SHA256, WARM, Company, Consumed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.world import Table, World
    from tools.costs import Costs, Way

MILLION = 1_000_000
MEMORY_MB = 1024
ROUTE = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/GET/auth/api-keys/current"
MODEL = costs.read_costs()
COMPANY = MODEL.companies[cost_tables.EXAMPLE]
ONE_KEY = Company(keys=1, verifications=MILLION, changes=0, created_keys=0, active_methods=0)


def content(name: str) -> dict[str, Any]:
    """Return a file of docs/costs."""
    parsed: dict[str, Any] = json.loads((costs.COSTS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return parsed


def assuming(**numbers: float) -> Costs:
    """Return the model with other numbers."""
    assumptions = content("assumptions")
    for name, value in numbers.items():
        assumptions["numbers"][name]["value"] = value
    return costs.Costs(content("prices"), assumptions)


def consumed(name: str, company: Company = COMPANY, start: costs.Start = WARM) -> Consumed:
    """Return what a way of asking consumes in a month, with the numbers of the documentation."""
    return MODEL.consumed(MODEL.ways[name], company, start)


# ---- The documents -------------------------------------------------------------------------------------------


def test_the_tables_are_current() -> None:
    """The tables of costs are those of the prices; `make generate` writes them after a change of one."""
    guide = cost_tables.GUIDE.read_text(encoding="utf-8")

    assert cost_tables.with_tables(guide) == guide
    assert 3 == guide.count("<!-- costs of ")
    assert "| **together, USD** |" in guide


def test_the_prices_in_the_guide_are_those_of_the_list() -> None:
    """What the text says of a request, a trace and a unit is in the price list."""
    guide = " ".join(cost_tables.GUIDE.read_text(encoding="utf-8").split())

    assert (
        f"API Gateway's share of a verification, ${MODEL.price('api_gateway_rest_request', MILLION):.2f} for" in guide
    )
    assert f"5 % of the rest, at ${MODEL.price('trace', MILLION):.2f} for a million traces" in guide
    assert f"one more write unit, ${MODEL.price('dynamodb_write_unit', MILLION) + 0.001:.2f} for a million" in guide
    assert f"4 KiB, ${MODEL.price('dynamodb_read_unit', MILLION) + 0.001:.2f} for a million" in guide


def test_the_guide_names_the_company_of_its_example() -> None:
    """The costs of a million verifications are those of the company that the text describes."""
    guide = " ".join(cost_tables.GUIDE.read_text(encoding="utf-8").split())

    assert f"verifies {COMPANY.keys:,} keys {COMPANY.verifications // MILLION} million times a month" in guide
    assert f"the default settings, and {100 * MODEL.assumed('cold_start_share'):g} % cold starts" in guide


def test_every_number_has_a_unit_and_a_reason() -> None:
    """No number of the assumptions is without a unit, and without a source or a reason."""
    numbers = content("assumptions")["numbers"]

    assert not [name for name, number in numbers.items() if not (number["unit"] and number["why"])]


def test_every_price_has_its_page() -> None:
    """Each price says what is priced, and which page has the price."""
    prices = content("prices")

    assert not [name for name, price in prices["prices"].items() if not price["what"]]
    assert prices["pages"].keys() == {
        page for price in prices["prices"].values() for name, page in price.items() if name.startswith("page")
    }


# ---- What others charge --------------------------------------------------------------------------------------


def other(kind: str) -> dict[str, Any]:
    """Return the provider with a kind of price."""
    entries: list[dict[str, Any]] = cost_tables.read_others()["others"]
    (entry,) = [entry for entry in entries if entry["kind"] == kind]
    return entry


def test_the_prices_of_others_have_pages() -> None:
    """Each provider's price names the titles and addresses of its pages, and what it includes."""
    others = cost_tables.read_others()["others"]
    pages = [page for entry in others for page in entry["pages"]]

    assert all(entry["includes"] and entry["pages"] for entry in others)
    assert all(page["title"] and page["url"].startswith("https://") for page in pages)


def test_a_price_for_each_verification() -> None:
    """Verifications and creations beyond the free ones are charged."""
    company = replace(COMPANY, verifications=1_100_000, created_keys=2_000)

    assert "11.00" == cost_tables.charged(other("per_verification"), company)


def test_a_price_that_is_only_known_for_a_part() -> None:
    """Tokens beyond those with a known price cost at most that price."""
    assert "164.25" == cost_tables.charged(other("per_token"), replace(COMPANY, keys=100))
    assert "at most 1,642.50" == cost_tables.charged(other("per_token"), replace(COMPANY, keys=1_000))


def test_a_price_that_is_not_published() -> None:
    """Beyond the largest plan there is no price."""
    plans = other("plans")

    assert "250.00" == cost_tables.charged(plans, replace(COMPANY, verifications=10 * MILLION))
    assert "not published" == cost_tables.charged(plans, replace(COMPANY, verifications=100 * MILLION + 1))


def test_a_provider_that_refuses_so_many_keys() -> None:
    """More keys than a provider admits have no price there."""
    included = other("included")

    assert "0.00" == cost_tables.charged(included, replace(COMPANY, keys=10_000))
    assert "at most 10,000 keys" == cost_tables.charged(included, replace(COMPANY, keys=10_001))


# ---- A bill --------------------------------------------------------------------------------------------------


def test_a_bill_adds_up() -> None:
    """Each part of a bill is its amount times its price, and all parts together are the total."""
    bill = MODEL.bill(
        Consumed(
            api_gateway_requests=MILLION,
            invocations=MILLION,
            gb_seconds=10_000,
            read_units=2 * MILLION,
            write_units=MILLION,
            log_gb=10,
            traces=MILLION,
            secret_requests=10_000,
        )
    )

    assert asdict(bill) == pytest.approx(
        {
            "api_gateway": 3.5,
            "function": 0.2 + 10_000 * 0.0000133334,
            "dynamodb": 2 * 0.125 + 0.625,
            "logs": 10 * (0.5 + 0.03),
            "traces": 5.0,
            "pepper": 0.05,
        }
    )
    assert sum(asdict(bill).values()) == pytest.approx(bill.total)


def test_a_month_without_use() -> None:
    """A company that verifies next to nothing pays for the secret, alarms, metrics and the dashboard."""
    idle = replace(ONE_KEY, verifications=1)
    month = MODEL.month(MODEL.ways["authorizer"], idle, WARM)
    metrics = MODEL.assumed("verification_metrics") * 0.3 + MODEL.assumed("alarm_metrics") * 0.1 + 3

    assert metrics == pytest.approx(month["Metrics, alarms, dashboard"])
    assert pytest.approx(0.4) == month["Pepper"]
    assert sum(month.values()) == pytest.approx(metrics + 0.4, abs=0.001)


def test_a_month_of_changes() -> None:
    """Each change is an event that is published by an invocation of fifty milliseconds."""
    month = MODEL.month(MODEL.ways["authorizer"], replace(ONE_KEY, changes=MILLION), WARM)

    assert pytest.approx(1.0 + 0.2 + 50_000 * 0.0000133334) == month["Events"]


def test_requests_are_cheaper_beyond_some() -> None:
    """A billion requests to a REST API in a month cost less than a thousand times a million."""
    assert pytest.approx(333 * 3.5) == MODEL.price("api_gateway_rest_request", 333 * MILLION)
    assert pytest.approx(333 * 3.5 + 667 * 2.8 + 2.38) == MODEL.price("api_gateway_rest_request", 1001 * MILLION)


def test_traces_follow_the_default_rule() -> None:
    """One request in a second is traced, and five percent of the rest."""
    assert 10 == MODEL.traces(10, seconds=100)
    assert pytest.approx(100 + 0.05 * 900) == MODEL.traces(1000, seconds=100)


# ---- Ways of asking ------------------------------------------------------------------------------------------


def test_a_verification_by_the_authorizer() -> None:
    """Each verification is an invocation that reads two units, and API Gateway charges nothing for it."""
    month = consumed("authorizer")

    assert pytest.approx(COMPANY.verifications) == month.invocations
    assert pytest.approx(2 * COMPANY.verifications) == month.read_units
    assert 0 == month.api_gateway_requests


def test_reused_records_save_reads() -> None:
    """With RecordReuseSeconds, the same invocations read less."""
    asked, reused = consumed("authorizer"), consumed("authorizer_with_reuse")

    assert asked.invocations == reused.invocations
    assert reused.read_units < asked.read_units
    assert reused.gb_seconds < asked.gb_seconds


def test_kept_answers_save_invocations() -> None:
    """GIVEN a key that is used once a second WHEN answers are kept for 60 s THEN one use in 61 is asked about."""
    seconds = int(MODEL.assumed("seconds_per_month"))
    month = consumed("authorizer_kept", replace(ONE_KEY, verifications=seconds))

    assert pytest.approx(seconds / 61) == month.invocations


def test_limits_take_a_write_of_each_use() -> None:
    """A use of a key with limits takes one more write unit, and the time of one more request."""
    plain, limited = consumed("authorizer"), consumed("authorizer_with_limits")
    milliseconds = 1000 * (limited.gb_seconds - plain.gb_seconds) / COMPANY.verifications

    assert COMPANY.verifications == pytest.approx(limited.write_units - plain.write_units, rel=0.02)
    assert MODEL.assumed("update_milliseconds") == pytest.approx(milliseconds, rel=0.02)


def test_a_request_is_a_direct_invocation_and_api_gateway() -> None:
    """A verification by POST costs what the invocation costs, and a request with its line in the access log."""
    direct, posted = consumed("invocation"), consumed("verify")
    request = replace(direct, api_gateway_requests=COMPANY.verifications)

    assert asdict(replace(request, log_gb=posted.log_gb)) == pytest.approx(asdict(posted))
    assert MODEL.assumed("access_line_bytes") == pytest.approx(
        (posted.log_gb - direct.log_gb) * 1e9 / COMPANY.verifications
    )


def test_a_batch_shares_its_request() -> None:
    """A hundred keys share a request, an invocation and two reads, but each takes its two units and its line."""
    month, single = consumed("batch"), consumed("verify")

    assert pytest.approx(single.api_gateway_requests / 100) == month.api_gateway_requests
    assert single.read_units == pytest.approx(month.read_units)
    assert month.log_gb * 1e9 > COMPANY.verifications * MODEL.assumed("verification_line_bytes")


def test_each_use_is_written_once_in_an_interval() -> None:
    """GIVEN one key and a container WHEN it is used once a second THEN one of 61 uses is a write."""
    seconds = int(MODEL.assumed("seconds_per_month"))
    model = assuming(least_containers=1)
    month = model.consumed(model.ways["authorizer"], replace(ONE_KEY, verifications=seconds))

    assert pytest.approx(seconds / 61) == month.write_units


@pytest.mark.parametrize("way", MODEL.ways.values(), ids=MODEL.ways)
def test_cold_starts_cost_more(way: Way) -> None:
    """Cold starts cost something with each way of asking, and more if first uses take an Argon2id hash."""
    warm, quick, slow = (
        cost_tables.million(MODEL, way, start) for start in (WARM, MODEL.start(HMAC_SHA256), MODEL.start(ARGON2ID))
    )

    assert warm < quick < slow


def test_the_start_of_a_container_is_billed() -> None:
    """A cold start adds INIT, the first connections and a fetch of the pepper; a hundredth of invocations are cold."""
    cold = MODEL.start(HMAC_SHA256)
    warm, started = consumed("authorizer", ONE_KEY), consumed("authorizer", ONE_KEY, cold)
    added = MODEL.assumed("authorizer_init_milliseconds") + MODEL.assumed("first_invocation_milliseconds")

    assert 0.01 == cold.share
    assert pytest.approx(0.01 * added) == 1000 * (started.gb_seconds - warm.gb_seconds) / MILLION
    assert pytest.approx(10_000) == started.secret_requests


def test_a_container_hashes_each_key_once() -> None:
    """GIVEN one key WHEN a container makes a hundred verifications THEN it computes one hash."""
    quick, slow = (consumed("authorizer", ONE_KEY, MODEL.start(scheme)) for scheme in (HMAC_SHA256, ARGON2ID))

    assert pytest.approx(0.01 * MODEL.assumed("argon2id_milliseconds")) == (
        1000 * (slow.gb_seconds - quick.gb_seconds) / MILLION
    )


def test_first_uses() -> None:
    """Two uses of two keys meet one and a half of them on average, and very many uses meet both."""
    shares = [(0.5, 2)]

    assert pytest.approx(1.5) == costs.first_uses(shares, 2)
    assert pytest.approx(2) == costs.first_uses(shares, 1000)


def test_groups_stand_for_their_keys() -> None:
    """What is summed over groups of keys is, within a thousandth, the sum over all keys."""
    rates, groups = costs.zipf_rates(500, 20_000, 1), costs.zipf_groups(500, 20_000, 1)
    exact = sum(costs.asked_per_second(rate, 60) for rate in rates)

    assert 20_000 == sum(count for _, count in groups)
    assert exact == pytest.approx(sum(count * costs.asked_per_second(rate, 60) for rate, count in groups), rel=0.001)


@pytest.mark.parametrize(("key_bytes", "units"), [(1, 2), (4096, 2), (4097, 3), (16 * 1024, 5)])
def test_larger_keys_take_more_read_units(key_bytes: int, units: int) -> None:
    """Each 4 KiB of a key take a unit, and its organization takes one."""
    assert units == MODEL.read_units(key_bytes)


# ---- What is assumed is so -----------------------------------------------------------------------------------


def test_all_alarms_are_counted() -> None:
    """An alarm costs as much as the metrics that it watches."""
    watched = Counter[object]()
    for alarm in resources("AWS::CloudWatch::Alarm").values():
        watched[alarm.get("Condition")] += max(1, str(alarm).count("'MetricStat'"))
    of_archive = MODEL.assumed("archive_alarm_metrics")

    assert {None: MODEL.assumed("alarm_metrics"), "ArchivesAuditRecords": of_archive} == watched
    dollars = f"the three alarms {MODEL.price('alarm_metric', of_archive):.2f}."
    assert dollars in (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")


def test_settings_are_those_of_the_template() -> None:
    """The memory of functions and the interval of counted uses are the template's."""
    memory = properties("AuthorizeApiKey")["MemorySize"]

    assert MEMORY_MB == memory
    assert 1 == MODEL.assumed("function_memory_gb")
    flush = mapping(section("Parameters")["UsageFlushSeconds"], "UsageFlushSeconds")["Default"]
    assert MODEL.assumed("usage_flush_seconds") == flush


@pytest.mark.parametrize(
    ("way", "function", "event"),
    [
        ("authorizer", "authorize_api_key", "200_rest_request_x_api_key"),
        ("authorizer_with_limits", "authorize_api_key", "200_within_a_quota"),
        ("verify", "verify_api_key", "200_valid"),
        ("invocation", "verify_api_key", "200_valid"),
    ],
)
def test_units_are_those_that_were_measured(way: str, function: str, event: str) -> None:
    """A way of asking takes the requests and units that the page of capacity has, measured on DynamoDB Local."""
    assumed = MODEL.ways[way]

    assert documented("By event")[function, event] == Consumption(
        assumed.read_requests + assumed.limit_updates, assumed.read_units, assumed.limit_updates
    )


def test_a_measurement_that_differs_is_reported() -> None:
    """The benchmark says where it measured other requests or units than the costs assume."""
    measured = {
        "verify, by the authorizer": Consumption(1, 2, 0),
        "verify, by POST /verify": Consumption(2, 4, 0),
        "verify, 100 keys by POST /verify-batch": Consumption(2, 200, 0),
        "verify, key with a rate limit": Consumption(2, 2, 1),
        "write the uses of a key, once in UsageFlushSeconds": Consumption(1, 0, 1),
    }
    operations = {name: MeasuredOperation(consumption, 0, 0.0) for name, consumption in measured.items()}

    (difference,) = differences(operations, MODEL)
    assert difference.startswith("verify, by POST /verify: ")


# ---- Bytes of logs -------------------------------------------------------------------------------------------


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


def written_bytes(written: str) -> int:
    """Return the bytes of lines as CloudWatch Logs stores them, without their ends."""
    return len("".join(written.splitlines()).encode())


def test_bytes_of_the_authorizer(
    table: Table,
    world: World,
    load_handler: Callable[[str], Callable[..., Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A warm verification by the authorizer logs what is assumed, within ten percent."""
    handler = load_handler("authorize_api_key")
    event = {"type": "REQUEST", "methodArn": ROUTE, "headers": {"x-api-key": SampleKey().put(table)}}
    handler(event, world.context)
    capsys.readouterr()
    handler(event, world.context)
    measured = written_bytes(capsys.readouterr().out)

    assert MODEL.assumed("verification_line_bytes") == pytest.approx(measured, rel=0.1)
    measured += sum(map(len, log_lines.lambda_lines(MEMORY_MB)))
    assert MODEL.log_bytes(MODEL.ways["authorizer"]) == pytest.approx(measured, rel=0.1)


def test_bytes_of_a_request(functions: Callable[[str], Call], capsys: pytest.CaptureFixture[str]) -> None:
    """A warm verification by POST logs what is assumed, within ten percent, with the line of the access log."""
    call = functions("verify_api_key")
    body = {"key": SampleKey().put(call.table)}
    call(body)
    capsys.readouterr()
    call(body)
    measured = written_bytes(capsys.readouterr().out)
    measured += sum(map(len, [*log_lines.lambda_lines(MEMORY_MB), log_lines.access_line(properties("Api"))]))

    assert MODEL.log_bytes(MODEL.ways["verify"]) == pytest.approx(measured, rel=0.1)


def test_bytes_of_a_batch(functions: Callable[[str], Call], capsys: pytest.CaptureFixture[str]) -> None:
    """A warm verification of several keys in one request logs what is assumed, within ten percent."""
    call = functions("verify_api_keys")
    body = {"verifications": [{"key": SampleKey().put(call.table)}] * 10}
    call(body)
    capsys.readouterr()
    call(body)
    measured = written_bytes(capsys.readouterr().out)
    measured += sum(map(len, [*log_lines.lambda_lines(MEMORY_MB), log_lines.access_line(properties("Api"))]))

    assert MODEL.log_bytes(replace(MODEL.ways["batch"], batch=10)) == pytest.approx(measured, rel=0.1)


def test_bytes_of_a_direct_invocation(functions: Callable[[str], Call], capsys: pytest.CaptureFixture[str]) -> None:
    """A warm direct invocation logs what is assumed, within ten percent."""
    call = functions("verify_api_key")
    event = {"key": SampleKey().put(call.table)}
    call.handler(event, Context())
    capsys.readouterr()
    call.handler(event, Context())
    measured = written_bytes(capsys.readouterr().out) + sum(map(len, log_lines.lambda_lines(MEMORY_MB)))

    assert MODEL.log_bytes(MODEL.ways["invocation"]) == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        ("platform_lines_bytes", log_lines.lambda_lines(MEMORY_MB)),
        ("cold_start_line_bytes", [log_lines.cold_start_line(MEMORY_MB)]),
        ("access_line_bytes", [log_lines.access_line(properties("Api"))]),
    ],
    ids=["Lambda", "cold start", "access log"],
)
def test_bytes_of_lines_by_aws(number: str, lines: list[str]) -> None:
    """The lines that Lambda and API Gateway add have the assumed size, within ten percent, and each is JSON."""
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert MODEL.assumed(number) == pytest.approx(sum(map(len, lines)), rel=0.1)
