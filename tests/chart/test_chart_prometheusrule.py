"""templates/prometheusrule.yaml: the rules of rules/, with the user's thresholds, labels and texts."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_support import CHART, LABELS, NAME, NAMESPACE, everything, of_kind, only, program, refusal, render

GROUPS = [
    group
    for name in ("devices", "exporter", "jobs", "recording")
    for group in yaml.safe_load((CHART / "rules" / f"{name}.yaml").read_text(encoding="utf-8"))["groups"]
]
TABLE = yaml.safe_load((CHART / "files" / "thresholds.yaml").read_text(encoding="utf-8"))
RUNBOOKS = "https://github.com/braket-exporter/braket-exporter/blob/main/docs/runbooks"

EXCEEDED = "job_arn:braket_job_max_runtime_exceeded_timestamp_seconds:max"
FAILED = "job_arn:braket_job_failed_timestamp_seconds:max"
NEAR = "job_arn:braket_job_run_seconds:near_max_runtime"
QUEUED = "job_arn:braket_job_queued_seconds:stuck"
CANCELLING = "job_arn:braket_job_cancelling_seconds:stuck"
DEPRIORITIZED = "job_arn:braket_job_deprioritized_seconds:lost"


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
                NEAR: {"expr": ("> 0.8 * (max", "> 0.95 * (max")},
                "BraketJobNearMaxRuntime": {"summary": ("80 %", "{{ 0.95 | humanizePercentage }}")},
            },
        ),
        (
            "stuckInQueueSeconds",
            1209600,
            {
                QUEUED: {"expr": ("> 86400", "> 1209600")},
                "BraketJobStuckInQueue": {"summary": ("for a day", "for {{ 1209600 | humanizeDuration }}")},
            },
        ),
        ("deprioritizedSeconds", 3600, {DEPRIORITIZED: {"expr": ("< 86400", "< 3600")}}),
        ("stuckCancellingSeconds", 7200, {CANCELLING: {"expr": (">= 1800", ">= 7200")}}),
        ("spendingLimitNearRatio", 0.5, {"BraketSpendingLimitNear": {"expr": (">= 0.8)", ">= 0.5)")}}),
        ("staleSeconds", 900, {"BraketExporterStale": {"expr": ("> 600", "> 900")}}),
        ("throttledRatio", 0.25, {"BraketExporterThrottled": {"expr": ("> 0.1", "> 0.25")}}),
        (
            "eventsMissingTransitions",
            3,
            {"BraketExporterEventsMissing": {"expr": ('{by="poll"}[50m])) > 0', '{by="poll"}[50m])) > 3')}},
        ),
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
    assert len(TABLE["thresholds"]) == 9


def test_no_old_threshold_remains_when_all_are_changed() -> None:
    ratios = dict.fromkeys(("nearMaxRuntimeRatio", "spendingLimitNearRatio", "throttledRatio"), 0.7777)
    thresholds: dict[str, float] = {**dict.fromkeys(TABLE["thresholds"], 7777), **ratios}
    changed = json.dumps(groups_with(thresholds=thresholds))
    assert changed.count("7777") == 12
    for old in ("86400", "0.8 ", "0.8)", "80 %", "a day", "1800", "> 600", "> 0.1"):
        assert old in json.dumps(GROUPS)
        assert old not in changed


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_can_be_disabled(alert: str) -> None:
    left = rules(groups_with(alerts={alert: {"enabled": False}}))
    assert left == {name: rule for name, rule in ORIGINAL.items() if name != alert}


def test_a_group_without_rules_is_left_out() -> None:
    off = {alert: {"enabled": False} for alert in ALERTS if alert.startswith("BraketExporter")}
    assert [group["name"] for group in groups_with(alerts=off)] == [
        "braket-devices",
        "braket-jobs",
        "braket-recording",
    ]


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
        ("BraketDeviceUnavailable", "has not been ONLINE for 15 minutes", "has not been ONLINE for 2h"),
        ("BraketExporterDown", "any braket-exporter for 10 minutes", "any braket-exporter for more than 2h"),
        ("BraketExporterTargetMissing", "has polled it for 10 minutes", "has polled it for 2h"),
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


JOB_LABELS = "job_name, aws_account_id, aws_region, device"


@pytest.mark.parametrize(
    ("config", "rule", "labels"),
    [
        ({"tag_labels": ["team", "cost-center"]}, {}, "tag_team, tag_cost_center"),
        ({"tag_labels": "team, cost-center"}, {}, "tag_team, tag_cost_center"),
        ({"tag_labels": '["team"]'}, {}, "tag_team"),
        ({"tag_labels": ["team"]}, {"tagLabels": ["owner"]}, "tag_owner"),
    ],
)
def test_tags_become_labels_of_the_alerts_on_jobs(config: dict[str, Any], rule: dict[str, Any], labels: str) -> None:
    values = {"config": config, "prometheusRule": {"enabled": True, **rule}}
    changed = rules(only(render(values), "PrometheusRule")["spec"]["groups"])
    for name, original in ORIGINAL.items():
        assert changed[name]["expr"] == original["expr"].replace(JOB_LABELS, f"{JOB_LABELS}, {labels}"), name
    with_labels = [name for name in ALERTS if labels in changed[name]["expr"]]
    assert with_labels == [name for name in ALERTS if name.startswith("BraketJob")]


def test_tags_are_no_labels_of_the_alerts_if_an_empty_list_says_so() -> None:
    values = {"config": {"tag_labels": ["team"]}, "prometheusRule": {"enabled": True, "tagLabels": []}}
    assert only(render(values), "PrometheusRule")["spec"] == {"groups": GROUPS}


def test_an_alert_has_the_tag_of_its_job_and_the_documented_edit_of_plain_files_does_the_same(tmp_path: Path) -> None:
    page = (CHART.parents[1] / "docs" / "use" / "alerting.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (sed -i .*) jobs\.yaml$", page, re.MULTILINE)
    plain = tmp_path / "jobs.yaml"
    plain.write_text((CHART / "rules" / "jobs.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run(["bash", "-c", f"{command} jobs.yaml"], cwd=tmp_path, check=True)
    chart = rules(groups_with(tagLabels=["team"]))
    edited = rules(yaml.safe_load(plain.read_text(encoding="utf-8"))["groups"])
    assert {name: rule["expr"] for name, rule in edited.items()} == {name: chart[name]["expr"] for name in edited}
    labels = 'job_arn="a",job_name="vqe",aws_account_id="1",aws_region="r",device="d",tag_team="chemistry"'
    series = {
        f"braket_job_info{{{labels}}}": "1x9",
        'braket_job_status{job_arn="a",job_name="vqe",status="FAILED"}': "1x9",
        'braket_job_ended_timestamp_seconds{job_arn="a",job_name="vqe"}': "60x9",
    }
    expected = f'{{{labels},alertname="BraketJobFailed",alertstate="firing",severity="critical",__name__="ALERTS"}}'
    asked = {"expr": "ALERTS", "eval_time": "5m", "exp_samples": [{"labels": expected, "value": 1}]}
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}
    test_file = tmp_path / "test.json"
    test_file.write_text(json.dumps({"rule_files": [plain.name], "tests": [test]}), encoding="utf-8")
    done = subprocess.run(
        [program("promtool"), "test", "rules", test_file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/braket-events"

REFUSED = [
    ({"serviceMonitor": {"enabled": True, "interval": "10m"}}, "serviceMonitor.interval is 10m"),
    ({"podMonitor": {"enabled": True, "interval": "2m1s"}}, "podMonitor.interval is 2m1s"),
    ({"config": {"poll_interval": "10m"}}, "config.poll_interval is 10m, so BraketExporterStale always fires"),
    (
        {"config": {"event_queue_url": QUEUE, "event_poll_interval": "10m"}},
        "config.event_poll_interval is 10m, so BraketExporterStale always fires",
    ),
    (
        {
            "config": {
                "all_jobs": None,
                "targets": [{"all_jobs": True}, {"all_jobs": True, "event_queue_url": QUEUE}],
                "event_poll_interval": "1h",
            }
        },
        "config.event_poll_interval is 1h, so BraketExporterStale always fires",
    ),
    ({"config": {"retention_failed": "30m"}}, "config.retention_failed is 30m"),
    (
        {"config": {"per_job_metrics": False}},
        "config.per_job_metrics is false, so these alerts never fire: BraketJobFai",
    ),
    ({"config": {"disabled_metrics": ["braket_job_status"]}}, "config.disabled_metrics has braket_job_status"),
    (
        {"config": {"disabled_metrics": ["braket_spending_limit_spent_usd"]}},
        "config.disabled_metrics has braket_spending_limit_spent_usd",
    ),
    (
        {"config": {"disabled_metrics": "braket_job_instances,braket_exporter_target_up"}},
        "has braket_exporter_target_up",
    ),
]


@pytest.mark.parametrize(("values", "reported"), REFUSED)
def test_settings_that_disable_alerts_are_refused_beside_them(values: dict[str, Any], reported: str) -> None:
    assert reported in refusal({**values, "prometheusRule": {"enabled": True}})
    assert of_kind(render(values), "PrometheusRule") == []


NO_LIMIT_ALERTS = {alert: {"enabled": False} for alert in ALERTS if alert.startswith("BraketSpendingLimit")}
NO_JOB_ALERTS = {alert: {"enabled": False} for alert in ALERTS if alert.startswith("BraketJob")}


@pytest.mark.parametrize(
    "values",
    [
        {"serviceMonitor": {"enabled": True, "interval": "2m"}, "podMonitor": {"interval": "10m"}},
        {"config": {"poll_interval": "9m59s", "retention_failed": 1209600}},
        {"config": {"event_poll_interval": "1h"}},
        {"config": {"event_queue_url": QUEUE, "event_poll_interval": "9m59s"}},
        {"config": {"disabled_metrics": ["braket_job_instances"], "retention_failed": "1h"}},
        {
            "config": {"poll_interval": "20m"},
            "prometheusRule": {"enabled": True, "thresholds": {"staleSeconds": 3600}},
        },
        {
            "config": {"disabled_metrics": ["braket_spending_limit_spent_usd"]},
            "prometheusRule": {"enabled": True, "alerts": NO_LIMIT_ALERTS},
        },
        {
            "config": {"per_job_metrics": False, "disabled_metrics": ["braket_job_status"]},
            "prometheusRule": {"enabled": True, "alerts": NO_JOB_ALERTS},
        },
    ],
)
def test_settings_that_leave_the_alerts_working_are_accepted(values: dict[str, Any]) -> None:
    assert only(render({"prometheusRule": {"enabled": True}, **values}), "PrometheusRule")


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
        "vqe on d: hybrid job has been queued for 2h 0m 0s",
        "The job a on d in r has been queued for 2h 5m 0s. The device may be offline, or its queue may be long.",
    )
    near = (
        "vqe on d: hybrid job has used 95% of its maximum run time",
        (
            "The job a on d in r has run for 58m 0s. Braket stops the job at its maximum run time. "
            "Until then, the job can save a checkpoint."
        ),
    )

    def asked(minute: int, alert: str, *texts: tuple[str, str]) -> dict[str, Any]:
        logs = "https://r.console.aws.amazon.com/cloudwatch/home?region=r#logsV2:log-groups/log-group/"
        logs += "$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3Dvqe$252Fa$252F"
        links = {"dashboard": "/d/braket-job?var-job=a", "logs_url": logs}
        annotations = ORIGINAL[alert]["annotations"] | links
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


def test_groups_can_be_added_and_evaluated_at_another_interval() -> None:
    own = {"name": "mine", "rules": [{"record": "braket:jobs", "expr": "sum(braket_jobs)"}]}
    spec = only(
        render({"prometheusRule": {"enabled": True, "interval": "45s", "additionalGroups": [own]}}), "PrometheusRule"
    )["spec"]
    *groups, last = spec["groups"]
    assert last == own
    assert {group["interval"] for group in groups} == {"45s"}
    default = only(render({"prometheusRule": {"enabled": True}}), "PrometheusRule")["spec"]["groups"]
    assert [group for group in default if "interval" in group] == []


def test_an_alert_can_keep_firing() -> None:
    values = {"prometheusRule": {"enabled": True, "alerts": {"BraketExporterDown": {"keepFiringFor": "10m"}}}}
    groups = only(render(values), "PrometheusRule")["spec"]["groups"]
    kept = [rule["alert"] for group in groups for rule in group["rules"] if rule.get("keep_firing_for") == "10m"]
    assert kept == ["BraketExporterDown"]
