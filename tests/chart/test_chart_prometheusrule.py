"""templates/prometheusrule.yaml: the rules of rules/, with the user's thresholds, labels and texts."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_support import CHART, LABELS, NAME, NAMESPACE, everything, of_kind, only, program, refusal, render

GROUPS = [
    group
    for name in ("exporter", "jobs", "recording")
    for group in yaml.safe_load((CHART / "rules" / f"{name}.yaml").read_text(encoding="utf-8"))["groups"]
]
TABLE = yaml.safe_load((CHART / "files" / "thresholds.yaml").read_text(encoding="utf-8"))
RUNBOOKS = "https://github.com/braket-exporter/braket-exporter/blob/main/docs/runbooks"

EXCEEDED = "job_arn:braket_job_max_runtime_exceeded_timestamp_seconds:max"
FAILED = "job_arn:braket_job_failed_timestamp_seconds:max"
NEAR = "job_arn:braket_job_near_max_runtime_timestamp_seconds:max"


def rules(groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each rule by its name."""
    return {rule.get("alert") or rule["record"]: rule for group in groups for rule in group["rules"]}


ORIGINAL = rules(GROUPS)
ALERTS = [name for name, rule in ORIGINAL.items() if "alert" in rule]


def groups_with(**values: object) -> list[dict[str, Any]]:
    rendered = only(render({"prometheusRule": {"enabled": True, **values}}), "PrometheusRule")
    return list(rendered["spec"]["groups"])


def changes(**values: object) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Return the changes of the rules by rule and field: the old and the new text."""
    changed = rules(groups_with(**values))
    assert changed.keys() == ORIGINAL.keys()
    found = {name: dict(_differences(ORIGINAL[name], changed[name])) for name in ORIGINAL}
    return {name: fields for name, fields in found.items() if fields}


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for field in sorted({*old, *new}):
        if isinstance(old.get(field), dict):
            yield from _differences(old[field], new[field])
        elif old.get(field) != new.get(field):
            yield field, (old.get(field), new.get(field))


def test_there_is_none_by_default() -> None:
    assert of_kind(render(), "PrometheusRule") == []


def test_it_exists_without_the_exporter() -> None:
    manifests = render({"exporter": {"enabled": False}, "prometheusRule": {"enabled": True}})
    assert [manifest["kind"] for manifest in manifests] == ["PrometheusRule"]


def test_by_default_the_rules_are_those_of_the_files() -> None:
    rule = only(render({"prometheusRule": {"enabled": True}}), "PrometheusRule")
    assert rule["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert rule["spec"] == {"groups": GROUPS}
    assert len(ORIGINAL) > 25


def test_a_threshold_has_a_place_in_the_rules() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["prometheusRule"]["thresholds"]
    assert {key: threshold["default"] for key, threshold in TABLE["thresholds"].items()} == values
    assert TABLE["runbooks"] == RUNBOOKS


@pytest.mark.parametrize(
    ("threshold", "value", "expected"),
    [
        (
            "failureSeconds",
            43200,
            {
                EXCEEDED: {"expr": ("> time() - 86400", "> time() - 43200")},
                FAILED: {"expr": ("> time() - 86400", "> time() - 43200")},
            },
        ),
        (
            "nearMaxRuntimeRatio",
            0.95,
            {
                NEAR: {"expr": ("+ 0.8 * max", "+ 0.95 * max")},
                "BraketJobNearMaxRuntime": {"summary": ("80 %", "{{ 0.95 | humanizePercentage }}")},
            },
        ),
        (
            "stuckInQueueSeconds",
            1209600,
            {
                "BraketJobStuckInQueue": {
                    "expr": ("> 86400", "> 1209600"),
                    "summary": ("for a day", "for {{ 1209600 | humanizeDuration }}"),
                }
            },
        ),
        ("deprioritizedSeconds", 3600, {"BraketJobDeprioritized": {"expr": ("< 86400", "< 3600")}}),
        ("staleSeconds", 900, {"BraketExporterStale": {"expr": ("> 600", "> 900")}}),
        ("throttledRatio", 0.25, {"BraketExporterThrottled": {"expr": ("> 0.1", "> 0.25")}}),
    ],
)
def test_a_threshold_changes_each_of_its_places_and_nothing_else(
    threshold: str, value: float, expected: dict[str, dict[str, tuple[str, str]]]
) -> None:
    found = changes(thresholds={threshold: value})
    assert {name: fields.keys() for name, fields in found.items()} == {
        name: fields.keys() for name, fields in expected.items()
    }
    for name, fields in expected.items():
        for field, (old, new) in fields.items():
            before, after = found[name][field]
            assert after == before.replace(old, new)
            assert old not in after


def test_every_threshold_is_tested() -> None:
    assert len(TABLE["thresholds"]) == 6


def test_no_old_threshold_remains_when_all_are_changed() -> None:
    thresholds = dict.fromkeys(TABLE["thresholds"], 7777) | {"nearMaxRuntimeRatio": 0.7777, "throttledRatio": 0.7777}
    changed = json.dumps(groups_with(thresholds=thresholds))
    assert changed.count("7777") == 9
    for old in ("86400", "0.8", "80 %", "a day", "> 600", "> 0.1"):
        assert old in json.dumps(GROUPS)
        assert old not in changed


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_can_be_disabled(alert: str) -> None:
    left = rules(groups_with(alerts={alert: {"enabled": False}}))
    assert left == {name: rule for name, rule in ORIGINAL.items() if name != alert}


def test_a_group_without_rules_is_left_out() -> None:
    off = {alert: {"enabled": False} for alert in ALERTS if alert.startswith("BraketExporter")}
    assert [group["name"] for group in groups_with(alerts=off)] == ["braket-jobs", "braket-recording"]


def test_an_enabled_alert_is_unchanged() -> None:
    assert changes(alerts={"BraketJobFailed": {"enabled": True}}) == {}


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_takes_a_severity_labels_and_annotations(alert: str) -> None:
    own = {
        "severity": "page",
        "labels": {"team": "chemistry"},
        "annotations": {"summary": "Short", "extra": "{{ $value }}"},
    }
    severity, summary = ORIGINAL[alert]["labels"]["severity"], ORIGINAL[alert]["annotations"]["summary"]
    assert changes(alerts={alert: own}) == {
        alert: {
            "severity": (severity, "page"),
            "team": (None, "chemistry"),
            "summary": (summary, "Short"),
            "extra": (None, "{{ $value }}"),
        }
    }  # fmt: skip


def test_labels_of_all_alerts_are_not_on_recording_rules_and_do_not_override_an_alerts_labels() -> None:
    own = {"BraketJobFailed": {"labels": {"team": "chemistry"}}}
    found = changes(alertLabels={"team": "platform"}, alerts=own)
    teams = {name: fields["team"][1] for name, fields in found.items()}
    assert teams == {**dict.fromkeys(ALERTS, "platform"), "BraketJobFailed": "chemistry"}


@pytest.mark.parametrize(
    ("alert", "old", "new"),
    [
        ("BraketJobStuckCancelling", "CANCELLING for 30 minutes", "CANCELLING for 2h"),
        ("BraketExporterDown", "any braket-exporter for 10 minutes", "any braket-exporter for more than 2h"),
        ("BraketExporterTargetFailing", "as a whole has failed for 10 minutes", "as a whole has failed for 2h"),
    ],
)
def test_a_text_with_the_wait_of_an_alert_changes_with_it(alert: str, old: str, new: str) -> None:
    description = ORIGINAL[alert]["annotations"]["description"]
    assert changes(alerts={alert: {"for": "2h"}}) == {
        alert: {"for": (ORIGINAL[alert]["for"], "2h"), "description": (description, description.replace(old, new))}
    }
    assert old in description


@pytest.mark.parametrize("alert", ["BraketJobFailed", "BraketExporterStale"])
def test_the_wait_of_an_alert_can_be_set(alert: str) -> None:
    assert changes(alerts={alert: {"for": "2h"}}) == {alert: {"for": (ORIGINAL[alert].get("for"), "2h")}}


def test_runbooks_and_dashboards_may_be_elsewhere() -> None:
    found = changes(runbookBaseUrl="https://wiki.example.com/braket/", grafanaUrl="https://grafana.example.com/")
    assert found.keys() == {*ALERTS}
    for alert, fields in found.items():
        old, new = fields["dashboard"]
        assert fields == {
            "runbook_url": (f"{RUNBOOKS}/{alert}.md", f"https://wiki.example.com/braket/{alert}.md"),
            "dashboard": (old, f"https://grafana.example.com{old}"),
        }
        assert new.startswith("https://grafana.example.com/d/braket-")


def test_its_metadata_can_be_set() -> None:
    metadata = only(everything(), "PrometheusRule")["metadata"]
    assert metadata["namespace"] == "monitoring"
    assert metadata["labels"] == {**LABELS, "team": "platform", "release": "kube-prometheus-stack"}
    assert metadata["annotations"] == {"example.com/owner": "platform", "example.com/rule": "yes"}


def test_a_misspelled_alert_is_rejected() -> None:
    reported = refusal({"prometheusRule": {"alerts": {"BraketJobFailled": {"enabled": False}}}})
    assert "at '/prometheusRule/alerts': additional properties 'BraketJobFailled' not allowed" in reported


def test_prometheus_uses_and_shows_the_users_thresholds(tmp_path: Path) -> None:
    groups = groups_with(thresholds={"stuckInQueueSeconds": 7200, "nearMaxRuntimeRatio": 0.95})
    rule_file = tmp_path / "rules.json"
    rule_file.write_text(json.dumps({"groups": groups}), encoding="utf-8")
    job = 'job_arn="a",job_name="vqe"'
    series = {
        f'braket_job_info{{{job},aws_account_id="1",aws_region="r",device="d"}}': "1x200",
        f'braket_job_status{{{job},status="QUEUED"}}': "1x130 0x70",
        f'braket_job_status{{{job},status="RUNNING"}}': "0x130 1x70",
        f"braket_job_created_timestamp_seconds{{{job}}}": "0x200",
        f"braket_job_started_timestamp_seconds{{{job}}}": "_x130 7800x70",
        f"braket_job_max_runtime_seconds{{{job}}}": "3600x200",
    }
    labels = {"job_arn": "a", "job_name": "vqe", "aws_account_id": "1", "aws_region": "r", "device": "d"}
    queued = (
        "vqe: hybrid job has been queued for 2h 0m 0s",
        "The job a on d in r has been queued for 2h 5m 0s. The device may be offline, or its queue may be long.",
    )
    near = (
        "vqe: hybrid job has used 95% of its maximum run time",
        (
            "The job a on d in r is near its maximum run time. Braket stops the job at that time. "
            "Until then, the job can save a checkpoint."
        ),
    )

    def asked(minute: int, alert: str, *texts: tuple[str, str]) -> dict[str, Any]:
        annotations = ORIGINAL[alert]["annotations"] | {"dashboard": "/d/braket-job?var-job=a"}
        expected = [
            {
                "exp_labels": {**labels, "severity": "warning"},
                "exp_annotations": {**annotations, "summary": summary, "description": description},
            }
            for summary, description in texts
        ]
        return {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected}

    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            asked(119, "BraketJobStuckInQueue"),
            asked(125, "BraketJobStuckInQueue", queued),
            asked(186, "BraketJobNearMaxRuntime"),
            asked(188, "BraketJobNearMaxRuntime", near),
        ],
    }
    test_file = tmp_path / "test.json"
    test_file.write_text(json.dumps({"rule_files": [rule_file.name], "tests": [test]}), encoding="utf-8")
    promtool = program("promtool")
    done = subprocess.run([promtool, "test", "rules", test_file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
