"""The alerts on devices and spending limits, run by promtool."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from processes import GARNET
from scenarios import ALERTS, DEVICE_ALERTS, RULES, RUNBOOKS, SECOND, Promtool, Series, joined, own, steady, step

REGION = {"aws_region": "eu-north-1", "device": GARNET}
ACCOUNT = {"aws_account_id": "123456789012", **REGION}
LIMIT = {**ACCOUNT, "spending_limit": "7d1f"}
WHOLE = range(121)
END = 60 * 60.0
"""The end of the period, seconds: minute 60."""

Values = Callable[[int], float]


@pytest.fixture
def devices(tmp_path: Path) -> Promtool:
    return Promtool(tmp_path, RULES / "devices.yaml")


def status(online: Values, minutes: Iterable[int] = WHOLE, other: str = "PAUSED", **labels: str) -> Series:
    seen = range(min(minutes), max(minutes) + 1)
    place = {**REGION, **labels}
    return joined(
        own("braket_device_status", online, seen, status="ONLINE", **place),
        own("braket_device_status", lambda minute: 1.0 - online(minute), seen, status=other, **place),
    )


def jobs(number: Values, state: str = "QUEUED", instance: str = "10.0.0.1:9834") -> Series:
    return own("braket_jobs", number, WHOLE, instance, status=state, **ACCOUNT)


def limit(spent: Values, *, most: float = 100.0, end: float = 1e6) -> Series:
    return joined(
        own("braket_spending_limit_spent_usd", spent, WHOLE, **LIMIT),
        own("braket_spending_limit_usd", steady(most), WHOLE, **LIMIT),
        own("braket_spending_limit_end_timestamp_seconds", steady(end), WHOLE, **LIMIT),
    )


def firing(alert: str) -> str:
    return f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'


def check(devices: Promtool, series: Series, alert: str, fires: range, whole: range = WHOLE) -> None:
    """See that an alert fires once in these minutes and in no others."""
    quiet = [minute for minute in whole if minute not in fires]
    expected: dict[range, Mapping[str, float]] = {range(minute, minute + 1): {} for minute in quiet}
    devices.ask(series, firing(alert), {**expected, fires: {"{}": 1.0}} if fires else expected)


# Devices.


def test_a_device_that_is_not_online_for_15_minutes_fires_while_a_job_is_queued_for_it(devices: Promtool) -> None:
    series = joined(status(step(20, 1.0, 0.0)), jobs(step(80, 1.0, 0.0)))
    check(devices, series, "BraketDeviceUnavailable", range(35, 80))


def test_a_device_that_comes_back_does_not_fire_any_more(devices: Promtool) -> None:
    series = joined(status(lambda minute: float(not 20 <= minute < 50)), jobs(steady(2.0)))
    check(devices, series, "BraketDeviceUnavailable", range(35, 50))


def test_a_device_without_queued_jobs_or_with_a_short_outage_does_not_fire(devices: Promtool) -> None:
    check(devices, joined(status(steady(0.0)), jobs(steady(1.0), "RUNNING")), "BraketDeviceUnavailable", range(0))
    short = status(lambda minute: float(not 20 <= minute < 34))
    check(devices, joined(short, jobs(steady(1.0))), "BraketDeviceUnavailable", range(0))


def test_two_exporters_with_the_same_device_make_one_alert(devices: Promtool) -> None:
    both = joined(status(steady(0.0)), jobs(steady(1.0)), jobs(steady(1.0), instance=SECOND))
    check(devices, both, "BraketDeviceUnavailable", range(15, 121))


# Spending limits.


@pytest.mark.parametrize(
    ("spent", "near", "exhausted"),
    [(79.9, False, False), (80.0, True, False), (99.99, True, False), (100.0, False, True), (101.0, False, True)],
)
def test_a_limit_is_near_from_80_percent_on_and_exhausted_at_100(
    spent: float,
    near: bool,  # noqa: FBT001
    exhausted: bool,  # noqa: FBT001
    devices: Promtool,
) -> None:
    series = limit(step(30, 10.0, spent))
    check(devices, series, "BraketSpendingLimitNear", range(30, 121) if near else range(0))
    check(devices, series, "BraketSpendingLimitExhausted", range(30, 121) if exhausted else range(0))


def test_a_period_that_is_over_fires_only_while_jobs_of_the_device_are_active(devices: Promtool) -> None:
    series = joined(limit(steady(10.0), end=END), jobs(step(100, 1.0, 0.0), "RUNNING"))
    check(devices, series, "BraketSpendingLimitExhausted", range(60, 100))
    check(devices, series, "BraketSpendingLimitNear", range(0))


def test_a_spent_limit_of_a_period_that_is_over_does_not_fire_without_jobs(devices: Promtool) -> None:
    check(devices, limit(steady(100.0), end=END), "BraketSpendingLimitExhausted", range(60))
    check(devices, limit(steady(90.0), end=END), "BraketSpendingLimitNear", range(60))


def test_a_limit_of_nothing_is_exhausted(devices: Promtool) -> None:
    question = [{"expr": "vector(1)", "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 1}]}]
    devices.run(limit(steady(0.0), most=0.0), promql_expr_test=question)
    check(devices, limit(steady(0.0), most=0.0), "BraketSpendingLimitExhausted", range(121))


# Texts.

REASON = own("braket_device_status_reason", steady(1.0), WHOLE, reason="MAINTENANCE", **REGION)
ESTIMATE = own("braket_device_status_estimated_end_timestamp_seconds", steady(1_700_003_600.0), WHOLE, **REGION)
TEXTS: dict[str, tuple[Series, dict[str, str], str, str]] = {
    "BraketDeviceUnavailable": (
        joined(status(steady(0.0)), jobs(steady(1.0)), REASON, ESTIMATE),
        {**REGION, "severity": "warning"},
        "Garnet in eu-north-1 is not available, and hybrid jobs are queued for it",
        (
            f"The device {GARNET} in eu-north-1 has not been ONLINE for 15 minutes. Its status is PAUSED "
            "(MAINTENANCE), estimated until 2023-11-14 23:13:20 +0000 UTC."
        ),
    ),
    "BraketSpendingLimitNear": (
        limit(steady(80.0)),
        {**LIMIT, "severity": "warning"},
        "80% of a spending limit for Garnet is spent",
        (
            f"The spending limit 7d1f of the account 123456789012 for {GARNET} is spent by 80%. "
            "At 100 %, Braket rejects the quantum tasks of hybrid jobs, and the jobs usually fail."
        ),
    ),
    "BraketSpendingLimitExhausted": (
        limit(steady(100.0)),
        {**LIMIT, "severity": "critical"},
        "A spending limit for Garnet is used up or over",
        (
            f"The spending limit 7d1f of the account 123456789012 for {GARNET} is spent by 100%, "
            "or its period is over. Braket rejects quantum tasks of hybrid jobs, and the jobs usually fail."
        ),
    ),
}


@pytest.mark.parametrize("alert", DEVICE_ALERTS)
def test_an_alert_names_the_device_and_what_to_do(alert: str, devices: Promtool) -> None:
    series, labels, summary, description = TEXTS[alert]
    annotations: dict[str, Any] = {
        "summary": summary,
        "description": description,
        "runbook_url": f"{RUNBOOKS}/{alert}.md",
        "dashboard": "/d/braket-fleet",
    }
    expected = {"exp_labels": labels, "exp_annotations": annotations}
    devices.run(series, alert_rule_test=[{"eval_time": "40m", "alertname": alert, "exp_alerts": [expected]}])
    assert ALERTS[alert]["labels"]["severity"] == labels["severity"]


def test_a_device_without_a_reason_is_named_with_its_status_alone(devices: Promtool) -> None:
    series = joined(status(steady(0.0), other="OFFLINE"), jobs(steady(1.0)))
    text = f"The device {GARNET} in eu-north-1 has not been ONLINE for 15 minutes. Its status is OFFLINE."
    _, labels, summary, _ = TEXTS["BraketDeviceUnavailable"]
    annotations = {
        "summary": summary,
        "description": text,
        "runbook_url": f"{RUNBOOKS}/BraketDeviceUnavailable.md",
        "dashboard": "/d/braket-fleet",
    }
    expected = {"exp_labels": labels, "exp_annotations": annotations}
    question = {"eval_time": "40m", "alertname": "BraketDeviceUnavailable", "exp_alerts": [expected]}
    devices.run(series, alert_rule_test=[question])
