"""The alert on missing events, run by promtool."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scenarios import (
    FIRST,
    RULES,
    RUNBOOKS,
    SECOND,
    Promtool,
    Series,
    alive,
    found,
    grouped,
    joined,
    labels_of,
    own,
    queue_up,
    steady,
    step,
)


@pytest.fixture
def exporters(tmp_path: Path) -> Promtool:
    return Promtool(tmp_path, RULES / "exporter.yaml")


def job_events(outcome: str, value: Callable[[int], float], minutes: range, instance: str = FIRST) -> Series:
    labels = {"detail_type": "Braket Job State Change", "outcome": outcome}
    return own("braket_exporter_events_total", value, minutes, instance, **labels)


MISSING = ["BraketExporterEventsMissing "]
WHOLE = range(240)


def listening(minutes: range, *events: Series, instance: str = FIRST, polls: Callable[[int], float] = float) -> Series:
    """Show an exporter with a healthy queue whose polls find a transition each minute, if they are not named."""
    nothing = joined(
        found("event", steady(0.0), minutes, instance),
        *(job_events(outcome, steady(0.0), minutes, instance) for outcome in ("applied", "known", "unselected")),
    )
    queue = joined(alive(minutes, instance), queue_up(steady(1.0), minutes, instance))
    return joined(queue, nothing, found("poll", polls, minutes, instance), *events)


def test_transitions_that_only_polls_find_fire_after_an_hour_until_an_event_arrives(exporters: Promtool) -> None:
    series = listening(WHOLE, job_events("applied", step(200, 0.0, 1.0), WHOLE), found("event", step(200, 0, 1), WHOLE))
    exporters.check(series, {range(60): [], range(62, 200): MISSING, range(201, 240): []})


def test_events_that_end_while_polls_find_transitions_fire_an_hour_later(exporters: Promtool) -> None:
    series = listening(WHOLE, job_events("applied", lambda minute: min(minute, 100.0), WHOLE))
    exporters.check(series, {range(159): [], range(162, 240): MISSING})


@pytest.mark.parametrize("outcome", ["applied", "known"])
def test_one_event_about_a_job_in_an_hour_is_enough(outcome: str, exporters: Promtool) -> None:
    series = listening(WHOLE, job_events(outcome, lambda minute: minute // 45, WHOLE))
    exporters.check(series, {WHOLE: []})


def test_transitions_that_events_found_are_enough_too(exporters: Promtool) -> None:
    exporters.check(listening(WHOLE, found("event", lambda minute: minute // 45, WHOLE)), {WHOLE: []})


@pytest.mark.parametrize("outcome", ["unselected", "foreign", "malformed"])
def test_events_about_other_jobs_do_not_hide_the_missing_ones(outcome: str, exporters: Promtool) -> None:
    series = listening(WHOLE, job_events(outcome, float, WHOLE))
    exporters.check(series, {range(60): [], range(62, 240): MISSING})


def test_events_about_devices_do_not_hide_the_missing_ones(exporters: Promtool) -> None:
    labels = {"detail_type": "Braket Device Status Change", "outcome": "applied"}
    series = listening(WHOLE, own("braket_exporter_events_total", float, WHOLE, **labels))
    exporters.check(series, {range(60): [], range(62, 240): MISSING})


def test_a_lone_transition_that_a_poll_finds_a_moment_before_its_event_does_not_fire(exporters: Promtool) -> None:
    events = job_events("known", step(121, 0.0, 1.0), WHOLE)
    exporters.check(listening(WHOLE, events, polls=step(120, 0.0, 1.0)), {WHOLE: []})


def test_a_lone_transition_without_an_event_fires_ten_minutes_later(exporters: Promtool) -> None:
    series = listening(WHOLE, polls=step(120, 0.0, 1.0))
    exporters.check(series, {range(130): [], range(131, 169): MISSING, range(172, 240): []})


def test_a_quiet_account_does_not_fire(exporters: Promtool) -> None:
    exporters.check(listening(WHOLE, polls=steady(7.0)), {WHOLE: []})


def test_an_exporter_without_a_queue_does_not_fire_whatever_polls_find(exporters: Promtool) -> None:
    exporters.check(joined(alive(WHOLE), found("poll", float, WHOLE), found("event", steady(0.0), WHOLE)), {WHOLE: []})


@pytest.mark.parametrize("successor", [FIRST, SECOND], ids=["same exporter", "another exporter"])
def test_events_that_arrived_before_the_first_scrape_after_a_restart_count(successor: str, exporters: Promtool) -> None:
    before, after = range(101), range(103, 240)
    old = listening(before, job_events("applied", lambda minute: min(minute, 60.0), before), polls=steady(0.0))
    new = job_events("applied", lambda minute: 5.0 + max(minute - 150, 0), after, successor)
    restarted = listening(after, new, instance=successor, polls=lambda minute: minute - 103.0)
    exporters.check(joined(old, restarted), {WHOLE: []})


@pytest.mark.parametrize("gap", [2, 5, 14, 60])
def test_missing_events_begin_to_fire_only_while_an_exporter_is_scraped(gap: int, exporters: Promtool) -> None:
    before, after = range(110), range(110 + gap, 240)
    old = listening(before, polls=step(105, 0.0, 1.0))
    new = listening(after, job_events("known", steady(1.0), after), polls=steady(1.0))
    series = joined(alive(WHOLE, "10.0.0.9:9834"), old, new)
    exporters.ask(series, 'ALERTS{alertname="BraketExporterEventsMissing",alertstate="firing"}', {WHOLE: {}})


def test_one_of_two_replicas_receives_the_event_for_both(exporters: Promtool) -> None:
    receives = listening(WHOLE, job_events("applied", lambda minute: minute // 45, WHOLE), polls=steady(0.0))
    polls = listening(WHOLE, instance=SECOND)
    exporters.check(joined(receives, polls), {WHOLE: []})


def test_exporters_of_another_group_do_not_hide_missing_events(exporters: Promtool) -> None:
    good = listening(WHOLE, job_events("applied", float, WHOLE))
    bad = listening(WHOLE, instance=SECOND)
    series = joined(grouped(good, "chemistry"), grouped(bad, "physics"))
    expression = 'count by (alertname, exporter_group) (ALERTS{alertstate="firing"})'
    firing = {labels_of(alertname="BraketExporterEventsMissing", exporter_group="physics"): 1.0}
    exporters.ask(series, expression, {range(60): {}, range(62, 240): firing})


def test_a_queue_that_fails_for_an_hour_fires_until_it_recovers(exporters: Promtool) -> None:
    up = queue_up(lambda minute: float(not 70 <= minute < 200), WHOLE)
    exporters.check(joined(alive(WHOLE), up), {range(129): [], range(132, 200): MISSING, range(200, 240): []})


def test_a_queue_that_fails_for_less_or_from_time_to_time_does_not_fire(exporters: Promtool) -> None:
    up = queue_up(lambda minute: float(minute % 55 == 0), WHOLE)
    exporters.check(joined(alive(WHOLE), up), {WHOLE: []})


def test_a_new_exporter_with_a_failing_queue_fires_after_an_hour(exporters: Promtool) -> None:
    series = joined(alive(WHOLE), queue_up(steady(0.0), WHOLE))
    exporters.check(series, {range(60): [], range(61, 240): MISSING})


def test_a_failing_queue_fires_through_the_replacement_of_its_exporter_and_missed_scrapes(exporters: Promtool) -> None:
    first, second = range(90), range(93, 240)
    old = joined(alive(first), queue_up(steady(0.0), first))
    new = joined(alive(second, SECOND), queue_up(steady(0.0), second, SECOND))
    exporters.check(joined(old, new), {range(61, 240): MISSING})


def test_a_healthy_queue_of_one_exporter_does_not_hide_the_failing_one_of_another(exporters: Promtool) -> None:
    series = joined(alive(WHOLE), queue_up(steady(1.0), WHOLE), queue_up(steady(0.0), WHOLE, SECOND))
    exporters.check(series, {range(60): [], range(61, 240): MISSING})


@pytest.mark.parametrize("polls", [steady(0.0), float], ids=["quiet", "polls find transitions"])
def test_the_alert_says_when_a_queue_fails_and_of_which_group(
    polls: Callable[[int], float], exporters: Promtool
) -> None:
    series = grouped(listening(WHOLE, queue_up(steady(0.0), WHOLE), polls=polls), "physics")
    annotations = {
        "summary": "braket-exporter cannot receive from an event queue",
        "description": (
            "An exporter of the group physics has not been able to receive from an event queue for an hour. "
            "The log of the exporter shows the cause. Meanwhile, all active jobs are polled at poll_interval."
        ),
        "runbook_url": f"{RUNBOOKS}/BraketExporterEventsMissing.md",
        "dashboard": "/d/braket-exporter",
    }
    labels = {"exporter_group": "physics", "severity": "warning"}
    expected = {"exp_labels": labels, "exp_annotations": annotations}
    question = {"eval_time": "170m", "alertname": "BraketExporterEventsMissing", "exp_alerts": [expected]}
    exporters.run(series, alert_rule_test=[question])
