"""The table of metrics: literal expositions of small jobs, and the names, types and labels that others rely on."""

import re
from collections.abc import Sequence

import pytest
from builders import event, record, snapshot

from exporter.core import EventKey, JobRecord, JobSnapshot
from exporter.metrics.aggregate_metrics import AGGREGATE_FAMILIES
from exporter.metrics.exporter_metrics import EXPORTER_FAMILIES
from exporter.metrics.exposition import render
from exporter.metrics.families import all_families
from exporter.metrics.family import Family, tag_label
from exporter.metrics.job_metrics import job_families

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"

JOB = ("job_arn", "job_name")
ACCOUNT = ("aws_account_id", "aws_region")
TARGET = (*ACCOUNT, "target")
GROUP = (*ACCOUNT, "device")
DEVICE = ("aws_region", "device")
LIMIT = (*GROUP, "spending_limit")

CONTRACT = {
    "braket_job_info": (
        "gauge",
        (*JOB, *GROUP, "device_name", "device_provider", "device_type", "instance_type"),
    ),
    "braket_job_status": ("gauge", (*JOB, "status")),
    "braket_job_queue_position": ("gauge", JOB),
    "braket_job_queue_position_is_floor": ("gauge", JOB),
    "braket_job_billable_duration_seconds": ("gauge", JOB),
    "braket_job_instances": ("gauge", JOB),
    "braket_job_max_runtime_seconds": ("gauge", JOB),
    "braket_job_created_timestamp_seconds": ("gauge", JOB),
    "braket_job_started_timestamp_seconds": ("gauge", JOB),
    "braket_job_ended_timestamp_seconds": ("gauge", JOB),
    "braket_job_events_total": ("counter", (*JOB, "event_type")),
    "braket_job_event_timestamp_seconds": ("gauge", (*JOB, "event_type")),
    "braket_job_failure": ("gauge", (*JOB, "category")),
    "braket_job_reserved": ("gauge", JOB),
    "braket_job_last_poll_timestamp_seconds": ("gauge", JOB),
    "braket_job_poll_failing": ("gauge", (*JOB, "code")),
    "braket_jobs": ("gauge", (*GROUP, "status")),
    "braket_job_transitions_total": ("counter", (*GROUP, "from_status", "to_status")),
    "braket_job_outcomes_total": ("counter", (*GROUP, "outcome")),
    "braket_billable_seconds_total": ("counter", (*GROUP, "instance_type")),
    "braket_job_queue_duration_seconds": ("histogram", GROUP),
    "braket_job_run_duration_seconds": ("histogram", (*GROUP, "outcome")),
    "braket_job_phase_seconds_total": ("counter", (*GROUP, "phase")),
    "braket_job_phases_total": ("counter", (*GROUP, "phase")),
    "braket_device_info": ("gauge", (*DEVICE, "device_name", "device_provider", "device_type")),
    "braket_device_status": ("gauge", (*DEVICE, "status")),
    "braket_device_status_reason": ("gauge", (*DEVICE, "reason")),
    "braket_device_status_reason_started_timestamp_seconds": ("gauge", DEVICE),
    "braket_device_status_estimated_end_timestamp_seconds": ("gauge", DEVICE),
    "braket_device_queue_size": ("gauge", (*DEVICE, "queue", "priority")),
    "braket_device_queue_size_is_floor": ("gauge", (*DEVICE, "queue", "priority")),
    "braket_device_running_priority_jobs": ("gauge", DEVICE),
    "braket_device_last_poll_timestamp_seconds": ("gauge", DEVICE),
    "braket_spending_limit_usd": ("gauge", LIMIT),
    "braket_spending_limit_spent_usd": ("gauge", LIMIT),
    "braket_spending_limit_queued_usd": ("gauge", LIMIT),
    "braket_spending_limit_start_timestamp_seconds": ("gauge", LIMIT),
    "braket_spending_limit_end_timestamp_seconds": ("gauge", LIMIT),
    "braket_exporter_build_info": ("gauge", ("version", "python_version", "boto3_version")),
    "braket_exporter_target_up": ("gauge", TARGET),
    "braket_exporter_target_last_success_timestamp_seconds": ("gauge", TARGET),
    "braket_exporter_target_poll_duration_seconds": ("gauge", TARGET),
    "braket_exporter_target_staleness_seconds": ("gauge", TARGET),
    "braket_exporter_target_jobs": ("gauge", (*TARGET, "state")),
    "braket_exporter_api_requests_total": ("counter", (*ACCOUNT, "operation", "code")),
    "braket_exporter_api_request_duration_seconds": ("histogram", (*ACCOUNT, "operation")),
    "braket_exporter_api_budget_requests_per_second": ("gauge", (*ACCOUNT, "operation")),
    "braket_exporter_jobs_dropped_total": ("counter", ("reason",)),
    "braket_exporter_parse_errors_total": ("counter", ()),
    "braket_exporter_log_lines_dropped_total": ("counter", ()),
    "braket_exporter_unknown_values_total": ("counter", ("field",)),
    "braket_exporter_tag_values_dropped_total": ("counter", ("tag",)),
    "braket_exporter_logins_refused_total": ("counter", ()),
    "braket_exporter_config_last_reload_successful": ("gauge", ()),
    "braket_exporter_config_last_reload_success_timestamp_seconds": ("gauge", ()),
    "braket_exporter_state_up": ("gauge", ()),
    "braket_exporter_state_size_bytes": ("gauge", ()),
    "braket_exporter_state_last_write_timestamp_seconds": ("gauge", ()),
    "braket_exporter_event_queue_up": ("gauge", ()),
    "braket_exporter_event_queue_last_receive_timestamp_seconds": ("gauge", ()),
    "braket_exporter_events_total": ("counter", ("detail_type", "outcome")),
    "braket_exporter_event_delay_seconds": ("histogram", ()),
    "braket_exporter_transitions_found_total": ("counter", ("by",)),
}

ALL_FAMILIES: tuple[Family, ...] = all_families()


def job(**members: object) -> JobSnapshot:
    return snapshot(**{"arn": "a", "name": "n", **members})


def seen(**members: object) -> JobRecord:
    return record(job(**members))


def exposed(family: str, of: JobRecord, tags: Sequence[str] = ()) -> str:
    families = job_families(tags)
    names = [each.name for each in families]
    return render(families, of)[names.index(family)].decode()


def lines(line: str, *samples: tuple[str, str]) -> str:
    """Write samples that differ in the text of one label, which the line marks, and in their value."""
    return "".join(f"{line.replace('@', text)} {value}\n" for text, value in samples)


def test_every_family_has_the_name_type_and_labels_of_the_contract_and_there_are_no_others() -> None:
    written = {family.name: (family.type, family.labels) for family in ALL_FAMILIES}
    assert written == CONTRACT


def test_no_two_families_share_a_name() -> None:
    assert len(ALL_FAMILIES) == len(CONTRACT)


@pytest.mark.parametrize("family", ALL_FAMILIES, ids=lambda family: family.name)
def test_a_family_follows_prometheus_conventions(family: Family) -> None:
    assert re.fullmatch(r"braket_[a-z0-9_]+", family.name)
    assert family.name.endswith("_total") == (family.type == "counter")
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in family.labels)
    assert family.help.endswith(".")
    assert "\n" not in family.help
    assert bool(family.buckets) == (family.type == "histogram")
    assert list(family.buckets) == sorted(set(family.buckets))


def test_info_tells_what_does_not_change_about_the_job() -> None:
    assert exposed("braket_job_info", seen(device=SV1)) == (
        'braket_job_info{aws_account_id="123456789012",aws_region="us-west-2",'
        'device="arn:aws:braket:::device/quantum-simulator/amazon/sv1",device_name="sv1",device_provider="amazon",'
        'device_type="simulator",instance_type="ml.m5.large",job_arn="a",job_name="n"} 1.0\n'
    )


@pytest.mark.parametrize(
    ("device", "name", "provider", "kind"),
    [
        (SV1, "sv1", "amazon", "simulator"),
        (GARNET, "Garnet", "iqm", "qpu"),
        ("arn:aws:braket:us-east-1::device/qpu/ionq/Aria-1", "Aria-1", "ionq", "qpu"),
        ("arn:aws:braket:us-east-1::device/annealer/dwave/old", "old", "dwave", ""),
        (
            "local:pennylane/lightning.gpu",
            "lightning.gpu",
            "pennylane",
            "local",
        ),
        ("local:none", "none", "", "local"),
        ("local:none/none", "none", "none", "local"),
        ("something else", "something else", "", ""),
        ("", "", "", ""),
    ],
)
def test_info_takes_the_device_apart(device: str, name: str, provider: str, kind: str) -> None:
    assert exposed("braket_job_info", seen(device=device)) == (
        f'braket_job_info{{aws_account_id="123456789012",aws_region="us-west-2",device="{device}",'
        f'device_name="{name}",device_provider="{provider}",device_type="{kind}",'
        'instance_type="ml.m5.large",job_arn="a",job_name="n"} 1.0\n'
    )


def test_info_carries_the_chosen_tags_and_leaves_absent_ones_empty() -> None:
    tagged = seen(tags=(("cost-centre", 'q"1'), ("other", "hidden"), ("team", "chemistry")))
    assert exposed("braket_job_info", tagged, ["team", "cost-centre", "stage"]) == (
        'braket_job_info{aws_account_id="123456789012",aws_region="us-west-2",'
        'device="arn:aws:braket:::device/quantum-simulator/amazon/sv1",device_name="sv1",device_provider="amazon",'
        'device_type="simulator",instance_type="ml.m5.large",job_arn="a",job_name="n",'
        r'tag_cost_centre="q\"1",tag_stage="",tag_team="chemistry"} 1.0'
        "\n"
    )


@pytest.mark.parametrize(
    ("key", "label"),
    [("team", "tag_team"), ("aws:created-by", "tag_aws_created_by"), ("1st", "tag_1st"), ("Größe/x", "tag_Gr__e_x")],
)
def test_a_tag_key_becomes_a_label_name_that_prometheus_allows(key: str, label: str) -> None:
    assert tag_label(key) == label


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED"])
def test_the_current_status_is_one_and_the_five_others_are_zero(status: str) -> None:
    known = ("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED")
    samples = [(name, "1.0" if name == status else "0.0") for name in known]
    assert exposed("braket_job_status", seen(status=status)) == lines(
        'braket_job_status{job_arn="a",job_name="n",status="@"}', *samples
    )


def test_a_status_that_is_new_is_added_under_its_own_name() -> None:
    assert exposed("braket_job_status", seen(status="PAUSED")) == (
        'braket_job_status{job_arn="a",job_name="n",status="QUEUED"} 0.0\n'
        'braket_job_status{job_arn="a",job_name="n",status="RUNNING"} 0.0\n'
        'braket_job_status{job_arn="a",job_name="n",status="COMPLETED"} 0.0\n'
        'braket_job_status{job_arn="a",job_name="n",status="FAILED"} 0.0\n'
        'braket_job_status{job_arn="a",job_name="n",status="CANCELLING"} 0.0\n'
        'braket_job_status{job_arn="a",job_name="n",status="CANCELLED"} 0.0\n'
        'braket_job_status{job_arn="a",job_name="n",status="PAUSED"} 1.0\n'
    )


@pytest.mark.parametrize(
    ("family", "members", "text"),
    [
        ("braket_job_queue_position", {"queue_position": 2}, "2.0"),
        ("braket_job_queue_position", {"queue_position": 0}, "0.0"),
        ("braket_job_queue_position", {"queue_position": 15, "queue_position_is_floor": True}, "15.0"),
        ("braket_job_queue_position_is_floor", {"queue_position": 2}, "0.0"),
        ("braket_job_queue_position_is_floor", {"queue_position": 15, "queue_position_is_floor": True}, "1.0"),
        ("braket_job_billable_duration_seconds", {"billable_seconds": 62.137}, "62.137"),
        ("braket_job_billable_duration_seconds", {"billable_seconds": 0.0}, "0.0"),
        ("braket_job_instances", {"instance_count": 4}, "4.0"),
        ("braket_job_max_runtime_seconds", {"max_runtime_seconds": 432000}, "432000.0"),
        ("braket_job_created_timestamp_seconds", {"created": 1700000000.123}, "1.700000000123e+09"),
        ("braket_job_started_timestamp_seconds", {"started": 1700000040.0}, "1.70000004e+09"),
        ("braket_job_ended_timestamp_seconds", {"ended": 0.0}, "0.0"),
        ("braket_job_reserved", {"reservation_arn": "arn:aws:braket:us-west-2:123456789012:reservation/1"}, "1.0"),
        ("braket_job_reserved", {"reservation_arn": ""}, "1.0"),
    ],
)
def test_a_number_of_the_answer_becomes_one_sample(family: str, members: dict[str, object], text: str) -> None:
    assert exposed(family, seen(**members)) == f'{family}{{job_arn="a",job_name="n"}} {text}\n'


@pytest.mark.parametrize(
    ("family", "member"),
    [
        ("braket_job_queue_position", "queue_position"),
        ("braket_job_queue_position_is_floor", "queue_position"),
        ("braket_job_billable_duration_seconds", "billable_seconds"),
        ("braket_job_instances", "instance_count"),
        ("braket_job_max_runtime_seconds", "max_runtime_seconds"),
        ("braket_job_created_timestamp_seconds", "created"),
        ("braket_job_started_timestamp_seconds", "started"),
        ("braket_job_ended_timestamp_seconds", "ended"),
        ("braket_job_failure", "failure_reason"),
        ("braket_job_reserved", "reservation_arn"),
    ],
)
def test_a_member_that_braket_does_not_give_is_no_sample(family: str, member: str) -> None:
    assert exposed(family, seen(**{member: None})) == ""


def test_events_count_from_zero_for_every_known_type() -> None:
    assert exposed("braket_job_events_total", seen(events=())) == lines(
        'braket_job_events_total{event_type="@",job_arn="a",job_name="n"}',
        ("WAITING_FOR_PRIORITY", "0.0"),
        ("QUEUED_FOR_EXECUTION", "0.0"),
        ("STARTING_INSTANCE", "0.0"),
        ("DOWNLOADING_DATA", "0.0"),
        ("RUNNING", "0.0"),
        ("DEPRIORITIZED_DUE_TO_INACTIVITY", "0.0"),
        ("UPLOADING_RESULTS", "0.0"),
        ("COMPLETED", "0.0"),
        ("FAILED", "0.0"),
        ("MAX_RUNTIME_EXCEEDED", "0.0"),
        ("CANCELLED", "0.0"),
    )


def test_distinct_events_count_once_each_and_unknown_types_come_after_the_known_ones() -> None:
    of = seen(
        events=(
            event("RUNNING", 5.0),
            event("RUNNING", 5.0, "told twice"),
            event("RUNNING", 9.0),
            event("RUNNING", None),
            event("ZEBRA", 1.0),
            event("APE", 1.0),
            event(None, 3.0),
        )
    )
    text = exposed("braket_job_events_total", of)
    counted = dict(re.findall(r'event_type="([^"]*)",job_arn="a",job_name="n"} (\S+)', text))
    assert {kind: value for kind, value in counted.items() if value != "0.0"} == {
        "RUNNING": "3.0",
        "APE": "1.0",
        "ZEBRA": "1.0",
    }
    assert [*counted][-3:] == ["CANCELLED", "APE", "ZEBRA"]
    assert len(counted) == 13


def test_the_latest_event_of_each_type_that_was_seen_has_its_time() -> None:
    of = seen(
        events=(
            event("RUNNING", 9.5),
            event("RUNNING", 5.0),
            event("NEW_KIND", 2.0),
            event("FAILED", None),
            event(None, 3.0),
            event("COMPLETED", 0.0),
        )
    )
    assert exposed("braket_job_event_timestamp_seconds", of) == lines(
        'braket_job_event_timestamp_seconds{event_type="@",job_arn="a",job_name="n"}',
        ("COMPLETED", "0.0"),
        ("NEW_KIND", "2.0"),
        ("RUNNING", "9.5"),
    )


def test_events_that_the_answer_does_not_tell_any_more_still_count() -> None:
    of = record(job(events=()), events=(EventKey("RUNNING", 5.0),))
    line = '{event_type="RUNNING",job_arn="a",job_name="n"}'
    assert f"{line} 1.0\n" in exposed("braket_job_events_total", of)
    assert f"{line} 5.0\n" in exposed("braket_job_event_timestamp_seconds", of)


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("AlgorithmError: Job at... exit code 1", "AlgorithmError"),
        ("ClientError: cannot pull the image: denied", "ClientError"),
        ("InternalServerError: try again", "InternalServerError"),
        ("CapacityError:no such instance", "CapacityError"),
        ("CapacityError", "CapacityError"),
        (" ClientError : spaced", "ClientError"),
        ("ClientErrors: another word", "Other"),
        ("clienterror: case matters", "Other"),
        ("No colon at all", "Other"),
        (": nothing before it", "Other"),
        ("Said: ClientError: too late", "Other"),
        ("", "Other"),
    ],
)
def test_a_failure_is_classed_by_the_word_before_the_first_colon(reason: str, category: str) -> None:
    assert exposed("braket_job_failure", seen(failure_reason=reason)) == (
        f'braket_job_failure{{category="{category}",job_arn="a",job_name="n"}} 1.0\n'
    )


def test_a_failure_reason_counts_whatever_the_status_is() -> None:
    assert exposed("braket_job_failure", seen(status="CANCELLED", failure_reason="ClientError: x")) == (
        'braket_job_failure{category="ClientError",job_arn="a",job_name="n"} 1.0\n'
    )


def test_the_last_poll_is_when_the_job_was_last_answered() -> None:
    assert exposed("braket_job_last_poll_timestamp_seconds", record(job(), polled_at=1700000130.25)) == (
        'braket_job_last_poll_timestamp_seconds{job_arn="a",job_name="n"} 1.70000013025e+09\n'
    )


def test_a_poll_that_fails_has_its_code_and_the_last_good_data_stays() -> None:
    of = record(job(status="RUNNING"), failing="AccessDeniedException")
    assert exposed("braket_job_poll_failing", of) == (
        'braket_job_poll_failing{code="AccessDeniedException",job_arn="a",job_name="n"} 1.0\n'
    )
    assert 'status="RUNNING"} 1.0\n' in exposed("braket_job_status", of)


def test_a_poll_that_does_not_fail_is_no_sample() -> None:
    assert exposed("braket_job_poll_failing", seen()) == ""


def test_of_a_job_that_was_never_answered_only_the_failing_poll_is_known_and_the_name_is_empty() -> None:
    families = job_families(["team"])
    rows = render(families, JobRecord(arn="a", failing="ResourceNotFoundException"))
    assert b"".join(rows) == (
        b'braket_job_poll_failing{code="ResourceNotFoundException",job_arn="a",job_name=""} 1.0\n'
    )


def test_a_job_that_was_not_asked_for_yet_has_no_series() -> None:
    assert b"".join(render(job_families(), JobRecord(arn="a"))) == b""


def bounds(name: str) -> tuple[float, ...]:
    (family,) = (family for family in AGGREGATE_FAMILIES if family.name == name)
    return family.buckets


def test_run_durations_reach_from_seconds_to_the_longest_run_that_braket_allows() -> None:
    assert (bounds("braket_job_run_duration_seconds")[0], bounds("braket_job_run_duration_seconds")[-1]) == (10, 432000)


def test_queue_durations_reach_from_seconds_to_14_days_in_fine_steps_between_8_and_24_hours() -> None:
    hours = [bound / 3600 for bound in bounds("braket_job_queue_duration_seconds")]
    assert (hours[0] * 3600, [hour for hour in hours if hour >= 8]) == (
        10,
        [8, 12, 16, 20, 24, 2 * 24, 3 * 24, 5 * 24, 7 * 24, 10 * 24, 14 * 24],
    )


def test_the_codes_of_http_attempts_are_listed() -> None:
    (family,) = (family for family in EXPORTER_FAMILIES if family.name == "braket_exporter_api_requests_total")
    assert family.help.endswith(": ok, a known error code, timeout, connection, malformed, other.")
