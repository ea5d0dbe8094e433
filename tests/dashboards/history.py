"""Two weeks of a large fleet and of a small healthy one, as a Prometheus that scraped them would have stored them.

Only what queries read is written. The large fleet is a twentieth of 10,000 jobs, 40 targets and 40 groups of account,
Region and device: what a query costs is proportional to them. Series of jobs have samples where subqueries evaluate,
that is on multiples of their steps, and series of exporters have one in 120 seconds instead of 15.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from processes import tool

SHARE: Final = 20
"""The large fleet is one of this many equal parts."""

SPACING: Final = 120
"""Seconds between the samples of an exporter."""

HOUR: Final = 3600
DAY: Final = 24 * HOUR
END: Final = 1_790_000_000 // (12 * HOUR) * 12 * HOUR
"""The time of the last scrape. Later nothing is scraped: to Grafana the exporter is gone."""

SMALL: Final = "111111111111"
LARGE: Final = "222222222222"
JOBS: Final = 10_000 // SHARE

Labels = Mapping[str, str]


def arn(account: str, number: int) -> str:
    return f"arn:aws:braket:us-east-1:{account}:job/{number:08d}-0000-4000-8000-{number:012d}"


RUNNING: Final = arn(SMALL, 1)
COMPLETED: Final = arn(SMALL, 2)
UNKNOWN: Final = arn(SMALL, 99)

_ENDS: Final = ("COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELLED")
_STATUSES: Final = ("QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED")
_QUEUE_BUCKETS: Final = (*tuple(str(60.0 * 2**power) for power in range(20)), "+Inf")
_RUN_BUCKETS: Final = (*_QUEUE_BUCKETS[:14], "+Inf")

_OFTEN: Final = range(END - 15 * DAY, END + 1, 4 * 60)
_LATELY: Final = range(END - HOUR, END + 1, 300)
_OF_JOBS: Final = sorted(
    {*range(END - 14 * DAY, END + 1, 3 * HOUR), *range(END - 2 * DAY, END + 1, HOUR // 2), *_LATELY}
)
_OF_HISTOGRAMS: Final = sorted({*range(END - 8 * DAY, END + 1, HOUR // 2), *range(END - DAY - 6 * HOUR, END + 1, 300)})
_OF_EXPORTERS: Final = range(END - 7 * DAY - HOUR, END + 1, SPACING)
_HOURLY: Final = sorted({*range(END - 7 * DAY, END + 1, HOUR), *_LATELY})


def build(folder: Path) -> None:
    """Write the blocks of a Prometheus into ``folder / "prometheus"``."""
    path = folder / "history.txt"
    with path.open("w", encoding="utf-8") as file:
        for lines in (*_small_fleet(), *_large_fleet()):
            file.write(lines)
        file.write("# EOF\n")
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=500h"]
    done = subprocess.run(
        [*command, str(path), str(folder / "prometheus")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    path.unlink()


def _series(name: str, labels: Labels, times: Sequence[int], values: float | Sequence[float] = 1.0) -> str:
    """Write one series, with a constant value or one value for each time."""
    written = ",".join(f'{label}="{value}"' for label, value in labels.items())
    head = f"{name}{{{written}}} "
    if isinstance(values, float | int):
        return "".join([f"{head}{values} {time}\n" for time in times])
    return "".join([f"{head}{value} {time}\n" for time, value in zip(times, values, strict=True)])


def _scraped(account: str) -> Labels:
    return {"job": "braket-exporter", "instance": f"exporter-{account[0]}:9834"}


def _small_fleet() -> Iterator[str]:
    """A running and a completed job, and nothing wrong. The job pages have samples like a real Prometheus."""
    yield from _exporter(SMALL, 1, ok=True)
    yield from _aggregates(SMALL, 1, ok=True)
    yield from _devices(SMALL, 3)
    life = range(END - 2 * DAY, END + 1, 240)
    started = END - 2 * DAY
    for job, status in ((RUNNING, "RUNNING"), (COMPLETED, "COMPLETED")):
        ended = started + 2 * HOUR if status == "COMPLETED" else None
        yield from _job(job, SMALL, status, created=started - HOUR, started=started, ended=ended, times=life)


def _large_fleet() -> Iterator[str]:
    yield from _exporter(LARGE, 40 // SHARE, ok=False)
    yield from _aggregates(LARGE, 40 // SHARE, ok=False)
    yield from _devices(LARGE, 40 // SHARE)
    for number in range(JOBS):
        ended = END - number * 7 * DAY // JOBS
        status = _ENDS[number % len(_ENDS)] if number % 7 else ("QUEUED", "RUNNING")[number % 2]
        over = ended if status in _ENDS else None
        yield from _job(arn(LARGE, number), LARGE, status, created=ended - 2 * DAY, started=ended - DAY, ended=over)


def _job(
    job: str,
    account: str,
    status: str,
    *,
    created: int,
    started: int,
    ended: int | None,
    times: Sequence[int] | None = None,
) -> Iterator[str]:
    """Write the series of a job: at all given times, or where the queries of all jobs read them."""
    scraped = {**_scraped(account), "job_arn": job, "job_name": f"vqe-{job[-4:]}"}
    info = {
        "aws_account_id": account,
        "aws_region": "us-east-1",
        "device": _device(int(job[-2:]) % 3),
        "device_name": "Garnet",
        "device_provider": "iqm",
        "device_type": "qpu",
        "instance_type": "ml.m5.large",
        "tag_team": ("chemistry", "optics")[int(job[-1]) % 2],
    }
    now = times or _LATELY
    often, hourly = (times, times) if times else (_OF_JOBS, _HOURLY)
    yield _series("braket_job_info", {**scraped, **info}, often)
    for each in _STATUSES:
        yield _series("braket_job_status", {**scraped, "status": each}, now, float(each == status))
    yield _series("braket_job_created_timestamp_seconds", scraped, hourly, float(created))
    yield _series("braket_job_max_runtime_seconds", scraped, now, 5.0 * DAY)
    yield _series("braket_job_last_poll_timestamp_seconds", scraped, now, float(ended or END))
    yield _series("braket_job_instances", scraped, often, 1.0)
    if status == "QUEUED":
        yield _series("braket_job_queue_position", scraped, now, 3.0)
        yield _series("braket_job_queue_position_is_floor", scraped, now, 0.0)
        return
    yield _series("braket_job_started_timestamp_seconds", scraped, now, float(started))
    events = {"RUNNING": started + 60} | ({status: ended} if ended else {})
    for event, time in events.items():
        event_labels = {**scraped, "event_type": event}
        yield _series("braket_job_events_total", event_labels, now)
        yield _series("braket_job_event_timestamp_seconds", event_labels, often, float(time))
    if ended:
        yield _series("braket_job_ended_timestamp_seconds", scraped, now, float(ended))
        yield _series("braket_job_billable_duration_seconds", scraped, often, float(ended - started))
    if status == "FAILED":
        yield _series("braket_job_failure", {**scraped, "category": "AlgorithmError"}, often)


def _device(number: int) -> str:
    return f"arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet-{number}"


def _aggregates(account: str, groups: int, *, ok: bool) -> Iterator[str]:
    for number in range(groups):
        group = {**_scraped(account), "aws_account_id": account, "aws_region": "us-east-1", "device": _device(number)}
        active = {"RUNNING": 1.0} if ok else {"QUEUED": 700.0, "RUNNING": 700.0}
        for status in _STATUSES:
            yield _series("braket_jobs", {**group, "status": status}, _OFTEN, active.get(status, 0.0))
        recorded = {name: value for name, value in group.items() if name in ("aws_account_id", "aws_region", "device")}
        yield _series("aws_account_id_aws_region_device_status:braket_jobs:max", recorded, _LATELY)
        for outcome in ("COMPLETED", "FAILED", "CANCELLED", "MAX_RUNTIME_EXCEEDED"):
            values = _growing(_OFTEN, 1.0 if outcome == "COMPLETED" or not ok else 0.0)
            yield _series("braket_job_outcomes_total", {**group, "outcome": outcome}, _OFTEN, values)
            for upper in _RUN_BUCKETS:
                labels = {**group, "outcome": outcome, "le": upper}
                grown = _growing(_OF_HISTOGRAMS, 1.0)
                yield _series("braket_job_run_duration_seconds_bucket", labels, _OF_HISTOGRAMS, grown)
        for kind in ("ml.m5.large", "ml.p3.2xlarge"):
            yield _series(
                "braket_billable_seconds_total", {**group, "instance_type": kind}, _OFTEN, _growing(_OFTEN, 600.0)
            )
        yield from _phases_and_limits(group)
        for upper in _QUEUE_BUCKETS:
            grown = _growing(_OF_HISTOGRAMS, 1.0)
            yield _series("braket_job_queue_duration_seconds_bucket", {**group, "le": upper}, _OF_HISTOGRAMS, grown)


_PHASES: Final = ("queued", "starting", "downloading", "running", "uploading", "deprioritized")
_LIMIT: Final = {
    "usd": 100.0,
    "spent_usd": 70.0,
    "queued_usd": 5.0,
    "start_timestamp_seconds": END - 20.0 * DAY,
    "end_timestamp_seconds": END + 20.0 * DAY,
}


def _phases_and_limits(group: Labels) -> Iterator[str]:
    for phase in _PHASES:
        labels = {**group, "phase": phase}
        yield _series("braket_job_phase_seconds_total", labels, _OFTEN, _growing(_OFTEN, 600.0))
        yield _series("braket_job_phases_total", labels, _OFTEN, _growing(_OFTEN, 1.0))
    for name, value in _LIMIT.items():
        yield _series(f"braket_spending_limit_{name}", {**group, "spending_limit": "gate"}, _OFTEN, value)


def _devices(account: str, count: int) -> Iterator[str]:
    for number in range(count):
        device = {**_scraped(account), "aws_region": "us-east-1", "device": _device(number)}
        yield _series("braket_device_info", {**device, "device_type": "qpu"}, _LATELY)
        yield _series("braket_device_last_poll_timestamp_seconds", device, _OFTEN, [*map(float, _OFTEN)])
        for status in ("ONLINE", "OFFLINE", "RETIRED", "PAUSED"):
            yield _series("braket_device_status", {**device, "status": status}, _OFTEN, float(status == "ONLINE"))
        for queue, priority in (("tasks", "normal"), ("tasks", "priority"), ("jobs", "")):
            labels = {**device, "queue": queue, "priority": priority}
            yield _series("braket_device_queue_size", labels, _LATELY, 12.0)
            yield _series("braket_device_queue_size_is_floor", labels, _LATELY, 0.0)


def _growing(times: Sequence[int], each_hour: float) -> list[float]:
    return [float(int((time - times[0]) * each_hour / HOUR)) for time in times]


def _exporter(account: str, targets: int, *, ok: bool) -> Iterator[str]:
    scraped, times = _scraped(account), _OF_EXPORTERS
    yield _series("up", scraped, times)
    version = {"version": "1.0.0", "python_version": "3.13.0", "boto3_version": "1.40.0"}
    yield _series("braket_exporter_build_info", {**scraped, **version}, times)
    for name, value in _PROCESS.items():
        yield _series(name, scraped, times, value)
    yield _series("process_cpu_seconds_total", scraped, times, _growing(times, 60.0))
    yield _series("braket_exporter_jobs_dropped_total", {**scraped, "reason": "retention"}, times, 5.0)
    yield _series("braket_exporter_unknown_values_total", {**scraped, "field": "status"}, times, 0.0)
    if not ok:
        yield _series("braket_exporter_state_up", scraped, times, 1.0)
        yield _series("braket_exporter_state_size_bytes", scraped, times, 1e6)
        yield _series("braket_exporter_state_last_write_timestamp_seconds", scraped, times, [*map(float, times)])
    for number in range(targets):
        yield from _target({**scraped, "aws_account_id": account, "aws_region": f"us-east-{number + 1}"}, ok=ok)


_PROCESS: Final = {
    "scrape_duration_seconds": 0.1,
    "scrape_samples_scraped": 3e5,
    "process_start_time_seconds": float(END - 8 * DAY),
    "process_resident_memory_bytes": 9e7,
    "braket_exporter_config_last_reload_successful": 1.0,
    "braket_exporter_config_last_reload_success_timestamp_seconds": float(END - 8 * DAY),
    "braket_exporter_parse_errors_total": 0.0,
    "braket_exporter_log_lines_dropped_total": 0.0,
}


def _target(place: Labels, *, ok: bool) -> Iterator[str]:
    target, times = {**place, "target": ""}, _OF_EXPORTERS
    yield _series("braket_exporter_target_up", target, times, float(ok))
    yield _series("braket_exporter_target_last_success_timestamp_seconds", target, times, [*map(float, times)])
    yield _series("braket_exporter_target_staleness_seconds", target, times, 20.0)
    yield _series("braket_exporter_target_poll_duration_seconds", target, times, 0.5)
    for state in ("active", "finished"):
        yield _series("braket_exporter_target_jobs", {**target, "state": state}, times, 100.0)
    for operation in ("GetJob", "SearchJobs"):
        called = {**place, "operation": operation}
        yield _series("braket_exporter_api_budget_requests_per_second", called, times, 2.5)
        for code in ("ok",) if ok else ("ok", "ThrottlingException"):
            calls = _growing(times, 3600.0)
            yield _series("braket_exporter_api_requests_total", {**called, "code": code}, times, calls)
        for upper in ("0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"):
            labels = {**called, "le": upper}
            calls = _growing(times, 3600.0)
            yield _series("braket_exporter_api_request_duration_seconds_bucket", labels, times, calls)
