"""The exporter from end to end: jobs of simulated AWS in, exposition and log lines out."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import (
    FAST,
    GARNET,
    LONG_AGO,
    PATIENCE,
    PATIENT,
    SV1,
    Daemon,
    closed_port,
    command,
    daemon,
    environment,
    eventually,
    fetch,
    iso,
    run,
    samples_of,
    wire_event,
    wire_job,
)
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ACCOUNT = "123456789012"
REGION = "us-west-2"
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}

TIMESTAMPS = ("braket_job_last_poll_timestamp_seconds",)


def arn(number: int) -> str:
    return f"arn:aws:braket:{REGION}:{ACCOUNT}:job/00000000-0000-4000-8000-{number:012d}"


class Fleet:
    """Jobs whose answers the test changes while the exporter looks on."""

    def __init__(self, server: SimulatorServer, *arns: str) -> None:
        self.server = server
        self.arns = arns
        self.answers: dict[str, dict[str, Any]] = {}
        server.world.put(*(ScriptedJob(one, LONG_AGO, self._script(one)) for one in arns))

    def _script(self, one: str) -> Callable[[float], dict[str, Any] | None]:
        return lambda _: self.answers.get(one)

    def put(self, one: str, status: str, **members: Any) -> None:
        self.answers[one] = wire_job(one, status, **members)

    def requests(self, one: str) -> int:
        return sum(request.arn == one for request in self.server.requests)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with simulated(3) as jobs:
        yield jobs


@contextmanager
def simulated(count: int) -> Iterator[Fleet]:
    with SimulatorServer(World(), clock=time.time) as server:
        yield Fleet(server, *(arn(number) for number in range(1, count + 1)))


@contextmanager
def exporting(fleet: Fleet, *arguments: str, prelude: str = "") -> Iterator[Daemon]:
    env = {"AWS_ENDPOINT_URL_BRAKET": fleet.server.url}
    with daemon("run", "--jobs", ",".join(fleet.arns), *FAST, *arguments, env=env, prelude=prelude) as running:
        yield running


def ready(running: Daemon) -> bool:
    return running.get("/-/ready").status == 200


def of_job(samples: list[str], one: str) -> list[str]:
    """Pick a job's sample lines, without the ones that tell when it was asked."""
    return sorted(line for line in samples if one in line and not line.startswith(TIMESTAMPS))


def counted(one: str, kinds: dict[str, int]) -> list[str]:
    known = [
        *("WAITING_FOR_PRIORITY", "QUEUED_FOR_EXECUTION", "STARTING_INSTANCE", "DOWNLOADING_DATA", "RUNNING"),
        *("DEPRIORITIZED_DUE_TO_INACTIVITY", "UPLOADING_RESULTS", "COMPLETED", "FAILED", "MAX_RUNTIME_EXCEEDED"),
        "CANCELLED",
    ]
    return [
        f'braket_job_events_total{{event_type="{kind}",job_arn="{one}",job_name="vqe-h2"}} {kinds.get(kind, 0)}.0'
        for kind in [*known, *(kind for kind in kinds if kind not in known)]
    ]


def statuses(one: str, status: str) -> list[str]:
    known = ["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED"]
    return [
        f'braket_job_status{{job_arn="{one}",job_name="vqe-h2",status="{name}"}} {float(name == status)}'
        for name in (known if status in known else [*known, status])
    ]


def test_a_job_far_back_in_the_queue_of_a_qpu(fleet: Fleet) -> None:
    queued, running, failed = fleet.arns
    fleet.put(
        queued,
        "QUEUED",
        deviceConfig={"device": GARNET},
        queueInfo={"queue": "JOBS_QUEUE", "position": ">15"},
        events=[wire_event("QUEUED_FOR_EXECUTION", LONG_AGO + 0.5)],
        tags={"team": "chemistry", "owner": "amara"},
    )
    fleet.put(running, "RUNNING", startedAt=iso(LONG_AGO + 42.8), events=[{"message": "of no type and no time"}])
    fleet.put(
        failed,
        "FAILED",
        startedAt=iso(LONG_AGO + 40),
        endedAt=iso(LONG_AGO + 119.354),
        billableDuration=80000,
        failureReason="AlgorithmError: secret traceback, exit code: 1",
        events=[wire_event("FAILED", LONG_AGO + 119.354), wire_event("FAILED", LONG_AGO + 119.354)],
        instanceConfig={"instanceType": "ml.m5.4xlarge", "instanceCount": 2, "volumeSizeInGb": 30},
    )
    with exporting(fleet, "--tag-labels", "team") as exporter:
        eventually(lambda: ready(exporter))
        page = exporter.get("/metrics").text
        assert exporter.stop() == 0
    samples = samples_of(page)
    base = f'job_arn="{queued}",job_name="vqe-h2"'
    assert of_job(samples, queued) == sorted(
        [
            (
                f'braket_job_info{{aws_account_id="123456789012",aws_region="us-west-2",device="{GARNET}",'
                f'device_name="Garnet",device_provider="iqm",device_type="qpu",instance_type="ml.m5.large",{base},'
                'tag_team="chemistry"} 1.0'
            ),
            *statuses(queued, "QUEUED"),
            f"braket_job_queue_position{{{base}}} 15.0",
            f"braket_job_queue_position_is_floor{{{base}}} 1.0",
            f"braket_job_instances{{{base}}} 1.0",
            f"braket_job_max_runtime_seconds{{{base}}} 3600.0",
            f"braket_job_created_timestamp_seconds{{{base}}} 1.75e+09",
            *counted(queued, {"QUEUED_FOR_EXECUTION": 1}),
            f'braket_job_event_timestamp_seconds{{event_type="QUEUED_FOR_EXECUTION",{base}}} 1.7500000005e+09',
        ]
    )
    base = f'job_arn="{running}",job_name="vqe-h2"'
    assert of_job(samples, running) == sorted(
        [
            (
                f'braket_job_info{{aws_account_id="123456789012",aws_region="us-west-2",device="{SV1}",'
                f'device_name="sv1",device_provider="amazon",device_type="simulator",instance_type="ml.m5.large",{base},'
                'tag_team=""} 1.0'
            ),
            *statuses(running, "RUNNING"),
            f"braket_job_instances{{{base}}} 1.0",
            f"braket_job_max_runtime_seconds{{{base}}} 3600.0",
            f"braket_job_created_timestamp_seconds{{{base}}} 1.75e+09",
            f"braket_job_started_timestamp_seconds{{{base}}} 1.7500000428e+09",
            *counted(running, {}),
        ]
    )
    base = f'job_arn="{failed}",job_name="vqe-h2"'
    assert of_job(samples, failed) == sorted(
        [
            (
                f'braket_job_info{{aws_account_id="123456789012",aws_region="us-west-2",device="{SV1}",'
                f'device_name="sv1",device_provider="amazon",device_type="simulator",instance_type="ml.m5.4xlarge",{base},'
                'tag_team=""} 1.0'
            ),
            *statuses(failed, "FAILED"),
            f"braket_job_billable_duration_seconds{{{base}}} 80.0",
            f"braket_job_instances{{{base}}} 2.0",
            f"braket_job_max_runtime_seconds{{{base}}} 3600.0",
            f"braket_job_created_timestamp_seconds{{{base}}} 1.75e+09",
            f"braket_job_started_timestamp_seconds{{{base}}} 1.75000004e+09",
            f"braket_job_ended_timestamp_seconds{{{base}}} 1.750000119354e+09",
            *counted(failed, {"FAILED": 1}),
            f'braket_job_event_timestamp_seconds{{event_type="FAILED",{base}}} 1.750000119354e+09',
            f'braket_job_failure{{category="AlgorithmError",{base}}} 1.0',
        ]
    )
    place = 'aws_account_id="123456789012",aws_region="us-west-2"'
    group = f'{place},device="{SV1}"'
    for line in (
        f'braket_jobs{{{group},status="RUNNING"}} 1.0',
        f'braket_jobs{{{group},status="FAILED"}} 1.0',
        f'braket_jobs{{{group},status="QUEUED"}} 0.0',
        f'braket_jobs{{{group.replace(SV1, GARNET)},status="QUEUED"}} 1.0',
        f'braket_job_outcomes_total{{{group},outcome="FAILED"}} 0.0',
        f'braket_job_outcomes_total{{{group},outcome="MAX_RUNTIME_EXCEEDED"}} 0.0',
        f'braket_billable_seconds_total{{{group},instance_type="ml.m5.4xlarge"}} 0.0',
        f'braket_exporter_target_jobs{{{place},state="active",target=""}} 2.0',
        f'braket_exporter_target_jobs{{{place},state="finished",target=""}} 1.0',
    ):
        assert line in samples
    assert not [line for line in samples if line.startswith("braket_job_transitions_total")]
    for secret in ("hunter2", "top-secret-role", "s3://", "secret traceback", "of no type", "amara"):
        assert secret not in page
    discovered = exporter.logs("job_discovered")
    assert sorted((line["job_arn"], line["status"], line["level"]) for line in discovered) == [
        (queued, "QUEUED", "info"),
        (running, "RUNNING", "info"),
        (failed, "FAILED", "info"),
    ]
    assert exporter.logs("job_transition") == exporter.logs("job_event") == []


@pytest.mark.parametrize(("final", "level"), [("COMPLETED", "info"), ("FAILED", "error"), ("CANCELLED", "warning")])
def test_a_job_that_runs_out_of_time_is_told_by_its_event_alone(final: str, level: str, fleet: Fleet) -> None:
    job, other, baseline = fleet.arns
    fleet.put(other, "RUNNING")
    out_of_time = [wire_event("MAX_RUNTIME_EXCEEDED", LONG_AGO + 3640, "Too long."), wire_event(final, LONG_AGO + 3650)]
    ended = {"startedAt": iso(LONG_AGO + 40), "endedAt": iso(LONG_AGO + 3650), "billableDuration": 3610000}
    fleet.put(baseline, final, **ended, events=out_of_time)
    fleet.put(job, "RUNNING", startedAt=iso(LONG_AGO + 40))
    group = f'aws_account_id="123456789012",aws_region="us-west-2",device="{SV1}"'
    with exporting(fleet) as exporter:
        eventually(lambda: ready(exporter))
        assert exporter.has(f'braket_job_outcomes_total{{{group},outcome="MAX_RUNTIME_EXCEEDED"}} 0.0')
        fleet.put(job, final, **ended, events=out_of_time)
        wanted = f'braket_job_outcomes_total{{{group},outcome="MAX_RUNTIME_EXCEEDED"}} 1.0'
        eventually(lambda: exporter.has(wanted))
        samples = exporter.samples
        assert exporter.stop() == 0
    for line in (
        f'braket_job_outcomes_total{{{group},outcome="{final}"}} 1.0',
        f'braket_job_transitions_total{{{group},from_status="RUNNING",to_status="{final}"}} 1.0',
        f'braket_billable_seconds_total{{{group},instance_type="ml.m5.large"}} 3610.0',
        f'braket_job_run_duration_seconds_count{{{group},outcome="{final}"}} 1.0',
        f'braket_job_run_duration_seconds_sum{{{group},outcome="{final}"}} 3610.0',
        f'braket_job_events_total{{event_type="MAX_RUNTIME_EXCEEDED",job_arn="{job}",job_name="vqe-h2"}} 1.0',
        f'braket_job_events_total{{event_type="MAX_RUNTIME_EXCEEDED",job_arn="{baseline}",job_name="vqe-h2"}} 1.0',
        f'braket_job_status{{job_arn="{job}",job_name="vqe-h2",status="{final}"}} 1.0',
    ):
        assert line in samples
    outcomes = {line for line in samples if line.startswith("braket_job_outcomes_total")}
    assert len(outcomes) == 4
    assert sum(line.endswith(" 1.0") for line in outcomes) == 2
    (transition,) = exporter.logged("job_transition")
    assert transition["level"] == level
    (event,) = exporter.logged("job_event", event_type="MAX_RUNTIME_EXCEEDED")
    assert (event["level"], event["job_arn"], event["message"]) == ("error", job, "Too long.")


def test_the_life_of_a_new_job_is_logged_once_and_counted_once(fleet: Fleet) -> None:
    job, witness, _ = fleet.arns
    fleet.put(witness, "RUNNING")
    group = f'aws_account_id="123456789012",aws_region="us-west-2",device="{GARNET}"'
    device = {"device": GARNET}
    with exporting(fleet) as exporter:
        eventually(lambda: exporter.logs("poll_failed", job_arn=job))
        created = round(time.time(), 3)
        events = [wire_event("QUEUED_FOR_EXECUTION", created, "In the queue.")]
        common = {"createdAt": iso(created), "deviceConfig": device, "events": events}
        fleet.put(job, "QUEUED", **common, queueInfo={"queue": "JOBS_QUEUE", "position": ">15"})
        eventually(lambda: exporter.value("braket_job_queue_position", job) == 15)
        fleet.put(job, "QUEUED", **common, queueInfo={"queue": "JOBS_QUEUE", "position": "3"})
        eventually(lambda: exporter.value("braket_job_queue_position", job) == 3)
        assert exporter.value("braket_job_queue_position_is_floor", job) == 0
        started = round(created + 0.25, 3)
        events.append(wire_event("RUNNING", started))
        events.append(wire_event("DEPRIORITIZED_DUE_TO_INACTIVITY", started + 0.2, "Idle."))
        fleet.put(job, "RUNNING", **common, startedAt=iso(started))
        eventually(lambda: exporter.value("braket_job_status", job, 'status="RUNNING"') == 1)
        assert exporter.value("braket_job_queue_position", job) is None
        fleet.put(job, "CANCELLING", **common, startedAt=iso(started))
        eventually(lambda: exporter.value("braket_job_status", job, 'status="CANCELLING"') == 1)
        assert exporter.value("braket_job_outcomes_total", GARNET, 'outcome="CANCELLED"') == 0
        ended = round(started + 0.5, 3)
        events.append(wire_event("CANCELLED", ended))
        finish = {"startedAt": iso(started), "endedAt": iso(ended), "billableDuration": 1000}
        fleet.put(job, "CANCELLED", **common, **finish, failureReason="Odd: stopped by the user")
        eventually(lambda: exporter.value("braket_job_outcomes_total", GARNET, 'outcome="CANCELLED"'))
        asked, looked = fleet.requests(job), fleet.requests(witness)
        eventually(lambda: fleet.requests(witness) >= looked + 5)
        assert fleet.requests(job) == asked
        samples = exporter.samples
        assert exporter.stop() == 0
    for line in (
        f'braket_job_transitions_total{{{group},from_status="",to_status="QUEUED"}} 1.0',
        f'braket_job_transitions_total{{{group},from_status="QUEUED",to_status="RUNNING"}} 1.0',
        f'braket_job_transitions_total{{{group},from_status="RUNNING",to_status="CANCELLING"}} 1.0',
        f'braket_job_transitions_total{{{group},from_status="CANCELLING",to_status="CANCELLED"}} 1.0',
        f'braket_billable_seconds_total{{{group},instance_type="ml.m5.large"}} 1.0',
        f"braket_job_queue_duration_seconds_count{{{group}}} 1.0",
        f"braket_job_queue_duration_seconds_sum{{{group}}} 0.25",
        f'braket_job_run_duration_seconds_count{{{group},outcome="CANCELLED"}} 1.0',
        f'braket_job_run_duration_seconds_sum{{{group},outcome="CANCELLED"}} 0.5',
        f'braket_job_failure{{category="Other",job_arn="{job}",job_name="vqe-h2"}} 1.0',
    ):
        assert _rounded(line) in {_rounded(sample) for sample in samples}
    transitions = exporter.logs("job_transition")
    assert [(line["from_status"], line["to_status"], line["level"], line["event_time"]) for line in transitions] == [
        (None, "QUEUED", "info", iso(created)),
        ("QUEUED", "RUNNING", "info", iso(started)),
        ("RUNNING", "CANCELLING", "info", None),
        ("CANCELLING", "CANCELLED", "warning", iso(ended)),
    ]
    assert len({line["transition_id"] for line in transitions}) == 4
    last = transitions[-1]
    assert {key: last[key] for key in last if key not in ("timestamp", "observed_time", "lag_seconds")} == {
        "level": "warning",
        "event": "job_transition",
        "job_arn": job,
        "job_name": "vqe-h2",
        "aws_account_id": "123456789012",
        "aws_region": "us-west-2",
        "device": GARNET,
        "instance_type": "ml.m5.large",
        "from_status": "CANCELLING",
        "to_status": "CANCELLED",
        "event_time": iso(ended),
        "transition_id": last["transition_id"],
        "failure_reason": "Odd: stopped by the user",
        "billable_duration_seconds": 1.0,
        "queue_duration_seconds": 0.25,
        "run_duration_seconds": 0.5,
    }
    assert 0 <= last["lag_seconds"] < 30
    assert [(line["event_type"], line["level"], line["message"]) for line in exporter.logged("job_event")] == [
        ("QUEUED_FOR_EXECUTION", "info", "In the queue."),
        ("RUNNING", "info", ""),
        ("DEPRIORITIZED_DUE_TO_INACTIVITY", "warning", "Idle."),
        ("CANCELLED", "info", ""),
    ]
    assert len(exporter.logged("job_discovered", job_arn=job)) == 1


def _rounded(line: str) -> str:
    """Cut what binary fractions leave behind, such as 0.25 that became 0.2500002."""
    labels, _, value = line.rpartition(" ")
    return f"{labels} {round(float(value), 3)}"


def test_a_job_that_lived_and_failed_between_two_looks_is_news(fleet: Fleet) -> None:
    new, old, late = fleet.arns
    with exporting(fleet) as exporter:
        eventually(lambda: len({line["job_arn"] for line in exporter.logs("poll_failed")}) == 3)
        created = round(time.time(), 3)
        life = {
            "startedAt": iso(created + 1),
            "endedAt": iso(created + 3),
            "billableDuration": 2000,
            "instanceConfig": {"instanceType": "ml.p3.2xlarge", "instanceCount": 4, "volumeSizeInGb": 30},
            "failureReason": "CapacityError: none left",
            "events": [wire_event("FAILED", created + 3)],
        }
        fleet.put(new, "FAILED", **life, createdAt=iso(created))
        fleet.put(old, "FAILED", **life, createdAt=iso(LONG_AGO))
        fleet.put(late, "QUEUED", createdAt=iso(created))
        eventually(lambda: len(exporter.logs("job_discovered")) == 3)
        samples = exporter.samples
        assert exporter.stop() == 0
    group = f'aws_account_id="123456789012",aws_region="us-west-2",device="{SV1}"'
    for line in (
        f'braket_job_transitions_total{{{group},from_status="",to_status="FAILED"}} 1.0',
        f'braket_job_transitions_total{{{group},from_status="",to_status="QUEUED"}} 1.0',
        f'braket_job_outcomes_total{{{group},outcome="FAILED"}} 1.0',
        f'braket_billable_seconds_total{{{group},instance_type="ml.p3.2xlarge"}} 8.0',
        f'braket_job_run_duration_seconds_count{{{group},outcome="FAILED"}} 1.0',
    ):
        assert line in samples
    transitions = {
        (line["job_arn"], line["from_status"], line["to_status"]) for line in exporter.logs("job_transition")
    }
    assert transitions == {(new, None, "FAILED"), (late, None, "QUEUED")}
    assert {line["job_arn"] for line in exporter.logged("job_event")} == {new}


TROUBLE: list[tuple[Fault, str, list[str]]] = [
    (Fault(FaultKind.NOT_FOUND), "ResourceNotFoundException", ["1.0"]),
    (Fault(FaultKind.ACCESS_DENIED), "AccessDeniedException", ["1.0"]),
    (Fault(FaultKind.TRUNCATED_JSON), "malformed", []),
    (Fault(FaultKind.CUT_BODY), "malformed", []),
    (Fault(FaultKind.EMPTY_BODY), "malformed", []),
    (Fault(FaultKind.GATEWAY, status=200), "malformed", []),
    (Fault(FaultKind.GATEWAY, status=400), "other", []),
    (Fault(FaultKind.INTERNAL_ERROR), "InternalServiceException", []),
    (Fault(FaultKind.GATEWAY, status=502), "other", []),
    (Fault(FaultKind.RESET), "connection", []),
    (Fault(FaultKind.HANG), "timeout", []),
    (Fault(FaultKind.THROTTLE), "ThrottlingException", []),
]


@pytest.fixture(scope="module")
def troubled() -> Iterator[tuple[Fleet, Daemon]]:
    """One exporter for every kind of trouble in turn; its first job is the one that gets it."""
    with simulated(3) as fleet:
        for job in fleet.arns:
            fleet.put(job, "RUNNING")
        with exporting(fleet, prelude=PATIENT) as exporter:
            eventually(lambda: ready(exporter))
            yield fleet, exporter


@pytest.mark.parametrize(("fault", "code", "marks"), TROUBLE, ids=lambda value: getattr(value, "kind", ""))
def test_one_bad_job_never_touches_the_others(
    fault: Fault, code: str, marks: list[str], troubled: tuple[Fleet, Daemon]
) -> None:
    fleet, exporter = troubled
    bad, *others = fleet.arns
    seen = len(exporter.logs("poll_failed", job_arn=bad, code=code))
    fleet.server.faults.put(replace(fault, arn=bad))
    try:
        eventually(lambda: len(exporter.logs("poll_failed", job_arn=bad, code=code)) > seen)
        before = {job: fleet.requests(job) for job in others}
        eventually(lambda: all(fleet.requests(job) >= before[job] + 2 for job in others))
        samples = exporter.samples
    finally:
        fleet.server.faults.clear()
    target = 'aws_account_id="123456789012",aws_region="us-west-2"'
    assert f'braket_exporter_target_up{{{target},target=""}} 1.0' in samples
    failing = [line for line in samples if line.startswith("braket_job_poll_failing")]
    mark = f'braket_job_poll_failing{{code="{code}",job_arn="{bad}",job_name="vqe-h2"}}'
    assert failing == [f"{mark} {value}" for value in marks]
    for job in fleet.arns:
        assert f'braket_job_status{{job_arn="{job}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples
    requests = (line for line in samples if line.startswith("braket_exporter_api_requests_total"))
    assert any(f'code="{code}",operation="GetJob"' in line for line in requests)
    for line in exporter.logs("poll_failed", job_arn=bad, code=code):
        assert (line["operation"], line["level"]) == ("GetJob", "warning")
        assert line["retry_in_seconds"] >= 0
    assert not [line for line in exporter.logs("poll_failed") if line["job_arn"] != bad]
    last = exporter.value("braket_job_last_poll_timestamp_seconds", bad)
    assert last is not None
    eventually(lambda: (exporter.value("braket_job_last_poll_timestamp_seconds", bad) or 0) > last)
    assert exporter.value("braket_job_poll_failing", bad) is None


def test_a_throttling_storm_takes_the_target_down_until_it_is_over(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    with exporting(fleet) as exporter:
        eventually(lambda: exporter.get("/-/ready").status == 200)
        assert exporter.value("braket_exporter_target_up") == 1
        fleet.server.faults.put(Fault(FaultKind.THROTTLE))
        eventually(lambda: exporter.value("braket_exporter_target_up") == 0)
        assert len([line for line in exporter.samples if line.startswith("braket_job_status{")]) == 18
        assert not [line for line in exporter.samples if line.startswith("braket_job_poll_failing")]
        assert exporter.get("/-/healthy").status == 200
        before = exporter.value("braket_exporter_target_last_success_timestamp_seconds")
        assert before is not None
        fleet.server.faults.clear()
        eventually(lambda: exporter.value("braket_exporter_target_up") == 1)
        assert (exporter.value("braket_exporter_target_last_success_timestamp_seconds") or 0) > before
        assert exporter.value("braket_exporter_api_requests_total", 'code="ThrottlingException"')
        assert exporter.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_seconds_while_aws_hangs(number: signal.Signals, fleet: Fleet) -> None:
    fleet.server.faults.put(Fault(FaultKind.HANG))
    with exporting(fleet) as exporter:
        eventually(lambda: fleet.server.requests)
        assert exporter.get("/-/ready").status == 503
        assert exporter.get("/-/healthy").status == 200
        assert exporter.get("/metrics").status == 200
        assert "not polled yet" in exporter.get("/").text
        assert exporter.stop(number, within=10) == 0
    events = [line["event"] for line in map(json.loads, exporter.lines)]
    assert [event for event in events if event != "config_warning"] == ["started", "stopped"]


def test_it_is_ready_once_every_job_was_asked_for(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    fleet.server.faults.put(Fault(FaultKind.HANG, arn=fleet.arns[0]))
    with exporting(
        fleet, prelude="import exporter.aws.sdk_session; exporter.aws.sdk_session.READ_TIMEOUT = 0.6"
    ) as exporter:
        eventually(lambda: len(exporter.logs("job_discovered")) == 2)
        assert exporter.get("/-/ready").status == 503
        fleet.server.faults.clear()
        eventually(lambda: ready(exporter))
        assert len(exporter.logged("job_discovered", 3)) == 3
        page = exporter.get("/")
        assert exporter.stop() == 0
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for text in ("braket-exporter", ACCOUNT, REGION, "vqe-h2", "RUNNING", "3 active, 0 finished"):
        assert text in page.text


def test_values_that_nobody_knows_are_exported_and_logged_once(fleet: Fleet) -> None:
    job, witness, third = fleet.arns
    for one in (witness, third):
        fleet.put(one, "RUNNING")
    odd = {"events": [wire_event("TELEPORTED", LONG_AGO + 1)], "queueInfo": {"position": "soon", "queue": "X"}}
    fleet.put(job, "PAUSED", **odd)
    with exporting(fleet) as exporter:
        eventually(lambda: ready(exporter))
        before = fleet.requests(job)
        eventually(lambda: fleet.requests(job) >= before + 4)
        samples = exporter.samples
        fleet.put(job, "RUNNING")
        eventually(lambda: exporter.logs("job_transition"))
        eventually(lambda: exporter.value("braket_job_status", job, 'status="RUNNING"') == 1)
        after = exporter.samples
        assert exporter.stop() == 0
    for line in (*statuses(job, "PAUSED"), *counted(job, {"TELEPORTED": 1})):
        assert line in samples
    assert len([line for line in samples if line.startswith("braket_jobs{") and 'status="PAUSED"} 1.0' in line]) == 1
    assert 'braket_exporter_unknown_values_total{field="status"} 1.0' in samples
    assert 'braket_exporter_unknown_values_total{field="eventType"} 1.0' in samples
    unknown = [line for line in map(json.loads, exporter.lines) if "unknown" in line["event"]]
    assert sorted((line["field"], line["value"]) for line in unknown) == [
        ("eventType", "TELEPORTED"),
        ("queuePosition", "soon"),
        ("status", "PAUSED"),
    ]
    # An event that was seen stays counted, though Braket does not tell it any more.
    assert counted(job, {"TELEPORTED": 1})[-1] in after


HOSTILE = [
    'quote" backslash\\ newline\n end',
    "\\n \\\\ \\",
    "ψ 量子 \u2028 \x85 \x00 \r \t",
    "} 1.0\n# EOF\nbraket_job_status{",
    "<script>alert(1)</script>&amp;'",
    "",
    "x" * 256,
    "\ud800 lone",
]


def test_hostile_names_come_out_escaped() -> None:
    with simulated(len(HOSTILE)) as fleet:
        for job, name in zip(fleet.arns, HOSTILE, strict=True):
            evil = {"failureReason": f"{name}: {name}", "events": [wire_event(name or "E", LONG_AGO, name)]}
            device, instance = {"device": name}, {"instanceType": name, "instanceCount": 1, "volumeSizeInGb": 1}
            fleet.put(job, "RUNNING", jobName=name, deviceConfig=device, instanceConfig=instance, **evil)
        with exporting(fleet) as exporter:
            eventually(lambda: ready(exporter))
            text, openmetrics = exporter.get("/metrics").text, exporter.get("/metrics", OPENMETRICS).text
            page = exporter.get("/").text
            assert exporter.stop() == 0
    expected = {job: name.encode("utf-8", "replace").decode() for job, name in zip(fleet.arns, HOSTILE, strict=True)}
    for families in (parse_text(text), parse_openmetrics(openmetrics)):
        samples = [sample for family in families for sample in family.samples]
        running = [sample for sample in samples if sample.name == "braket_job_status" and sample.value == 1]
        assert {sample.labels["job_arn"]: sample.labels["job_name"] for sample in running} == expected
        info = [sample for sample in samples if sample.name == "braket_job_info"]
        assert {sample.labels["job_arn"]: sample.labels["device"] for sample in info} == expected
    assert "<script>" not in page
    names = {line["job_arn"]: line["job_name"] for line in exporter.logs("job_discovered")}
    assert names == expected
    assert all(json.loads(line)["event"] for line in exporter.lines)


@pytest.mark.parametrize(
    "members",
    [
        {"createdAt": 1e300},
        {"billableDuration": float("inf")},
        {"createdAt": "9999-12-31T23:59:59-23:59"},
        {"endedAt": "0001-01-01T00:00:00+23:59"},
        {"events": [{"eventType": "RUNNING", "timeOfEvent": "9999-12-31T23:59:59-23:59"}]},
    ],
    ids=str,
)
def test_an_absurd_answer_for_one_job_does_not_end_the_exporter(members: dict[str, Any], fleet: Fleet) -> None:
    bad, *others = fleet.arns
    for job in others:
        fleet.put(job, "RUNNING")
    with exporting(fleet) as exporter:
        eventually(lambda: len(exporter.logs("job_discovered")) == 2)
        before = fleet.requests(bad)
        fleet.put(bad, "COMPLETED", **{"createdAt": iso(time.time()), **members})
        eventually(lambda: fleet.requests(bad) > before)
        asked = fleet.requests(others[0])
        eventually(lambda: fleet.requests(others[0]) >= asked + 3 or exporter.process.poll() is not None)
        assert exporter.process.poll() is None, "\n".join(exporter.lines[-3:])
        assert exporter.get("/metrics").status == 200
        assert exporter.get("/").status == 200
        assert exporter.stop() == 0


def test_every_line_of_a_run_is_one_json_object(troubled: tuple[Fleet, Daemon]) -> None:
    _, exporter = troubled
    lines = [json.loads(line) for line in exporter.lines[:]]
    assert [line["event"] for line in lines].count("started") == 1
    for line in lines:
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
        assert line["level"] in ("info", "warning", "error")


def test_a_finished_job_that_told_everything_is_never_asked_again(fleet: Fleet) -> None:
    done, silent, witness = fleet.arns
    now = time.time()
    ended = {"startedAt": iso(now - 20), "endedAt": iso(now - 10)}
    fleet.put(done, "COMPLETED", **ended, billableDuration=10000, events=[wire_event("COMPLETED", now - 10)])
    fleet.put(silent, "COMPLETED", **ended)
    fleet.put(witness, "RUNNING")
    with exporting(fleet) as exporter:
        eventually(lambda: fleet.requests(silent) == 4)
        polled = exporter.value("braket_job_last_poll_timestamp_seconds", done)
        before = fleet.requests(witness)
        eventually(lambda: fleet.requests(witness) >= before + 5)
        assert (fleet.requests(done), fleet.requests(silent)) == (1, 4)
        assert exporter.value("braket_job_last_poll_timestamp_seconds", done) == polled
        assert exporter.value("braket_job_status", done, 'status="COMPLETED"') == 1
        assert exporter.stop() == 0


def test_late_billable_time_is_counted_once_when_it_comes(fleet: Fleet) -> None:
    job, *others = fleet.arns
    for one in (job, *others):
        fleet.put(one, "RUNNING", startedAt=iso(LONG_AGO))
    now = time.time()
    slowly = ("--poll-interval", "1s")  # the three calls after the end take seven seconds
    with exporting(fleet, *slowly) as exporter:
        eventually(lambda: ready(exporter))
        fleet.put(job, "COMPLETED", startedAt=iso(LONG_AGO), endedAt=iso(now), events=[wire_event("COMPLETED", now)])
        eventually(lambda: exporter.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 1)
        assert exporter.value("braket_job_billable_duration_seconds", job) is None
        fleet.answers[job]["billableDuration"] = 7000
        eventually(lambda: exporter.value("braket_billable_seconds_total") == 7)
        assert exporter.value("braket_job_billable_duration_seconds", job) == 7
        assert exporter.value("braket_job_outcomes_total", 'outcome="COMPLETED"') == 1
        assert exporter.stop() == 0
    assert len(exporter.logged("job_transition")) == 1


def once(fleet: Fleet, *arguments: str) -> list[str]:
    env = {"AWS_ENDPOINT_URL_BRAKET": fleet.server.url}
    ended = run("once", "--jobs", ",".join(fleet.arns), *FAST, *arguments, env=env)
    assert ended.returncode == 0, ended.stderr
    return samples_of(ended.stdout)


def test_metrics_can_be_left_out(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    left_out = "braket_job_status,braket_jobs,braket_exporter_target_up,braket_job_events_total"
    names = {re.split(r"[{ ]", line)[0] for line in once(fleet, "--disabled-metrics", left_out)}
    assert names.isdisjoint(left_out.split(","))
    assert {"braket_job_info", "braket_job_outcomes_total", "braket_exporter_build_info"} <= names


def test_without_metrics_of_jobs_those_of_the_fleet_stay(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    samples = once(fleet, "--per-job-metrics", "false")
    assert not [line for line in samples if "job_arn" in line]
    group = f'aws_account_id="123456789012",aws_region="us-west-2",device="{SV1}"'
    assert f'braket_jobs{{{group},status="RUNNING"}} 3.0' in samples


def test_tags_become_labels_only_where_asked_for(fleet: Fleet) -> None:
    for job, tags in zip(fleet.arns, ({"team": 'a"b'}, {"cost center": "7", "team": "x"}, {}), strict=True):
        fleet.put(job, "RUNNING", tags=tags)
    info = [line for line in once(fleet, "--tag-labels", "team,cost center") if line.startswith("braket_job_info{")]
    assert sorted(re.findall(r'tag_\w+="(?:[^"\\]|\\.)*"', line) for line in info) == [
        ['tag_cost_center=""', 'tag_team=""'],
        ['tag_cost_center=""', 'tag_team="a\\"b"'],
        ['tag_cost_center="7"', 'tag_team="x"'],
    ]


def test_a_bug_ends_the_process_with_a_traceback_and_status_1(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    broken = "import exporter.polling.sources.get_job as source\nsource.observe = None"
    with exporting(fleet, prelude=broken) as exporter:
        assert exporter.wait() == 1
    said = "\n".join(exporter.lines)
    assert "Traceback (most recent call last):" in said
    assert "TypeError: 'NoneType' object is not callable" in said
    assert exporter.logs("stopped") == []


def test_sigterm_ends_the_process_in_5_seconds_while_a_write_to_the_state_file_takes_longer(
    fleet: Fleet, tmp_path: Path
) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    writing, file = tmp_path / "writing", tmp_path / "state"
    slow = f"""
import pathlib, time
from exporter.storage.sqlite_file import State
write = State.write
def slow_write(*arguments, **members):
    pathlib.Path({str(writing)!r}).touch()
    time.sleep(30)
    return write(*arguments, **members)
def write_at_the_start(*arguments, **members):
    State.write = slow_write
    return write(*arguments, **members)
State.write = write_at_the_start
"""
    with exporting(fleet, "--state-file", str(file), prelude=slow) as exporter:
        eventually(writing.exists)
        began = time.monotonic()
        assert exporter.stop() == 0
        assert time.monotonic() - began < 5.0
    (line,) = exporter.logs("state_failing")
    assert (line["level"], line["file"], line["error"]) == ("error", str(file), "not closed within 2 seconds")
    assert len(exporter.logs("stopped")) == 1


def test_the_progress_of_a_long_first_poll_is_logged(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    often = "import exporter.app.daemon as daemon, exporter.app.first_poll_log as log\n"
    often += "daemon.MAINTENANCE_INTERVAL, log.LOG_INTERVAL = 0.02, 0.1"
    with exporting(fleet, "--api-requests-per-second", "2", prelude=often) as exporter:
        eventually(lambda: exporter.get("/-/ready").status == 200)
        told = exporter.logs("first_poll_progress")
        assert exporter.stop() == 0
    assert told
    assert all(line["jobs_polled"] < line["jobs_known"] for line in told)


def test_a_bug_in_the_retention_ends_it_too(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    broken = (
        "import exporter.app.daemon, exporter.polling.polled_target\nexporter.app.daemon.MAINTENANCE_INTERVAL = 0.1\n"
    )
    broken += "exporter.polling.polled_target.PolledTarget.drop_expired = None"
    with exporting(fleet, prelude=broken) as exporter:
        assert exporter.wait() == 1
    assert "TypeError" in "\n".join(exporter.lines)


def test_a_bug_in_one_answer_is_no_traceback_for_the_scraper(fleet: Fleet) -> None:
    for job in fleet.arns:
        fleet.put(job, "RUNNING")
    broken = "import exporter.web.status_page\nexporter.web.status_page.render_page = None"
    with exporting(fleet, prelude=broken) as exporter:
        answer = exporter.get("/")
        assert answer.status == 500
        assert b"Traceback" not in answer.body
        assert exporter.get("/metrics").status == 200
        assert exporter.stop() == 0


def test_a_log_that_has_nowhere_to_go_does_not_end_the_exporter() -> None:
    port = closed_port()
    arguments = ("--jobs", arn(1), *FAST, "--listen-address", f"127.0.0.1:{port}", "--log-format", "json")
    with (
        SimulatorServer(World(), clock=time.time) as server,
        Path("/dev/full").open("w", encoding="utf-8") as full,
        subprocess.Popen(
            command(*arguments), env=environment({"AWS_ENDPOINT_URL_BRAKET": server.url}), stderr=full
        ) as process,
    ):
        try:

            def asked() -> bool:
                return len(server.requests) > 1 and fetch(f"127.0.0.1:{port}", "/-/healthy").status == 200

            eventually(asked)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
