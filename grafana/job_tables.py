"""The tables of one job: details, events and phases."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from grafana.colours import PLAIN_BAR, STATUS_COLOURS
from grafana.dashboards import Row
from grafana.panels import Query
from grafana.queries import DEVICE_NAME, labelled, of_job, renamed
from grafana.tables import DURATION, Column, rows

UNKNOWN: Final = "Unknown job"

KNOWN: Final = of_job("braket_job_status")
CREATED: Final = of_job("braket_job_created_timestamp_seconds")
STARTED: Final = of_job("braket_job_started_timestamp_seconds")
ENDED: Final = of_job("braket_job_ended_timestamp_seconds")
LIMIT: Final = of_job("braket_job_max_runtime_seconds")
LAST_POLL: Final = of_job("braket_job_last_poll_timestamp_seconds")
UNTIL_NOW: Final = f"({ENDED} or {LAST_POLL})"


def details() -> Row:
    """Build the row of details, events and phases."""
    return Row(12, [(8, _facts()), (10, _events()), (6, _phases())])


def _facts() -> Builder[Panel]:
    facts = {
        "Name": "job_name",
        "ID": "job_arn",
        "Account": "aws_account_id",
        "Region": "aws_region",
        "Device": "device",
        "Device type": "device_type",
        "Instance type": "instance_type",
        "Team": "$tag",
    }
    info = f"topk(1, {of_job('braket_job_info', *dict.fromkeys(facts.values()))})"
    values = {"job_arn": ".*/(.+)", "device": DEVICE_NAME}
    by_label = [
        renamed(labelled(info, "fact", fact), "value", label, values.get(label, "(.*)"))
        for fact, label in facts.items()
    ]
    instances = f'count_values("value", {of_job("braket_job_instances")})'
    limit = f'label_replace(count_values("value", round({LIMIT} / 60, 0.1)), "value", "$1 min", "value", "(.*)")'
    reserved = labelled(of_job("braket_job_reserved"), "value", "yes")
    listed = [
        *by_label,
        labelled(instances, "fact", "Instances"),
        labelled(limit, "fact", "Max run time"),
        labelled(reserved, "fact", "Reserved"),
    ]
    # A sample without labels has an empty value, so this drops facts without a value, such as the team without tags.
    names = " or ".join(f"max by (fact, value) ({fact}) unless on (value) vector(0)" for fact in listed)
    return rows(
        "Job details",
        "Properties of the job.",
        Query(or_unknown(names, "fact")),
        columns=[Column("fact", "Property", width=120), Column("value", "Value")],
    )


def or_unknown(series: str, label: str, empty: str | None = None) -> str:
    """Return a row for a known job with an empty table, and a row for an unknown job."""
    unknown = f"{labelled('vector(NaN)', label, UNKNOWN)} unless on () {KNOWN}"
    known = f"{labelled('vector(NaN)', label, empty or 'None')} and on () {KNOWN}"
    return f"({series}) or on () ({known}) or on () ({unknown})"


def _events() -> Builder[Panel]:
    times = of_job("braket_job_event_timestamp_seconds", "event_type")
    own = {"created": CREATED, "started": STARTED, "ended": ENDED, "last poll": LAST_POLL}
    marked = " or ".join(labelled(time, "event_type", name) for name, time in own.items())
    return rows(
        "Events",
        "Time of the latest event of each type, number of events, and times of the job.",
        Query(or_unknown(f"sort(1000 * ({marked} or {times}))", "event_type")),
        Query(f"{of_job('braket_job_events_total', 'event_type')} > 0"),
        columns=[
            Column("event_type", "Event", colours=STATUS_COLOURS),
            Column("Value #A", "Latest", unit="dateTimeAsIso", width=165),
            Column("Value #B", "Count", unit="none", width=65),
        ],
    )


def _phases() -> Builder[Panel]:
    running, uploading = (_event(kind) for kind in ("RUNNING", "UPLOADING_RESULTS"))
    phases = {
        "queued": f"({STARTED} or {UNTIL_NOW}) - {CREATED}",
        "preparing": f"({running} or {UNTIL_NOW}) - {STARTED}",
        "running": f"({uploading} or {UNTIL_NOW}) - {running}",
        "uploading": f"{UNTIL_NOW} - {uploading}",
    }
    return rows(
        "Phases",
        "Duration of each phase of the job. The code of the job runs between the events RUNNING and "
        "UPLOADING_RESULTS. Before that, Braket prepares the instance.",
        Query(or_unknown(" or ".join(labelled(phase, "phase", name) for name, phase in phases.items()), "phase")),
        columns=[
            Column("phase", "Phase", width=100),
            Column("Value", "Duration", unit=DURATION, decimals=1, bar=PLAIN_BAR),
        ],
    )


def _event(kind: str) -> str:
    return of_job("braket_job_event_timestamp_seconds", where=f'event_type="{kind}"')
