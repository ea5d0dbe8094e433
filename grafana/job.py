"""The dashboard of one job: status, queue position, run time, billed time and events."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, DashboardLinkType, Panel

from grafana import devices, job_tables, variables
from grafana.colours import BAD, GOOD, NEUTRAL, NO_STATUS, STATUS_COLOURS, WARNING
from grafana.dashboards import JOB, Mark, Row, assemble
from grafana.job_tables import KNOWN, LAST_POLL, LIMIT, STARTED, UNKNOWN, UNTIL_NOW
from grafana.panels import Query, Texts, graph, number, text, timeline
from grafana.problems import NEAR_THE_LIMIT
from grafana.queries import JOB_FILTER, labelled, of_job, of_job_now, otherwise
from grafana.tables import DURATION

_STATUSES: Final = ("QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED")
_STALE_SECONDS: Final = 600

_STATUS: Final = of_job("braket_job_status", "status")


def _has(status: str) -> str:
    """Select a sample if the last status of the job is one of the given ones."""
    matcher = f'status=~"{status}"'
    return f"({of_job('braket_job_status', where=matcher)} == 1)"


_IS_FINISHED: Final = _has("COMPLETED|FAILED|CANCELLED")
_USED: Final = f"({UNTIL_NOW} - {STARTED}) / {LIMIT}"


def make() -> Dashboard:
    """Build the dashboard."""
    events = of_job_now("braket_job_event_timestamp_seconds", "event_type")
    return assemble(
        JOB,
        "Amazon Braket / Job",
        "Status, queue position, run time, billed time and events of one hybrid job. The last state in the time range "
        "remains after the job's series end.",
        [_now(), _status_history(), devices.of_one_job(), job_tables.details(), _over_time()],
        variables=variables.of_one_job(),
        marks=[
            Mark(
                "Events",
                f"1000 * {events}",
                "{{event_type}}",
                "Time of Braket",
                "blue",
                ["Status history", "Run time history"],
            )
        ],
        since="24h",
        links=[
            _link(
                "AWS console",
                "https://${job_region}.console.aws.amazon.com/braket/home?region=${job_region}#/jobs",
                "Jobs of the Region in the Amazon Braket console",
            ),
            _link(
                "Logs",
                "https://${job_region}.console.aws.amazon.com/cloudwatch/home?region=${job_region}"
                "#logsV2:log-groups/log-group/$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D${job_name}$252F",
                "Log streams of the job in CloudWatch Logs",
            ),
        ],
    )


def _link(title: str, url: str, tooltip: str) -> DashboardLink:
    link = DashboardLink(title).type(DashboardLinkType.LINK).url(url).tooltip(tooltip).icon("external link")
    return link.target_blank(target_blank=True)


def _now() -> Row:
    return Row(4, [(3, panel) for panel in (*_state(), *_time(), *_trouble())])


def _state() -> list[Builder[Panel]]:
    status = text(
        "Status",
        "Last status in the time range that Braket reports for the job.",
        Query(f"topk(1, {_STATUS} == 1)"),
        "status",
        texts={status: (status, colour) for status, colour in STATUS_COLOURS.items()},
        missing=UNKNOWN,
    )
    position = f"{of_job_now('braket_job_queue_position')} and on () {_has('QUEUED')}"
    queue = number(
        "Queue position",
        "Position in the queue of the device. 15 also stands for positions that Braket reports as >15. A job that is "
        "not queued does not have a position.",
        Query(otherwise(position, KNOWN)),
        texts={-1: ("Not queued", NEUTRAL)},
        missing=UNKNOWN,
    )
    return [status, queue]


def _time() -> list[Builder[Panel]]:
    left = f"clamp_min({STARTED} + {LIMIT} - time(), 0) and on () {_has('RUNNING|CANCELLING')}"
    remaining = number(
        "Time left",
        "Time until Braket stops the job at its maximum run time.",
        Query(otherwise(left, KNOWN)),
        unit="dtdurations",
        decimals=1,
        texts={-1: ("Not running", NEUTRAL)},
        missing=UNKNOWN,
    )
    used = number(
        "Run time used",
        "Run time as a share of the maximum run time. An alert fires at 80 %.",
        Query(otherwise(_USED, KNOWN)),
        unit="percentunit",
        steps=((None, GOOD), (NEAR_THE_LIMIT, WARNING), (0.95, BAD)),
        decimals=0,
        texts={-1: ("Not started", NEUTRAL)},
        missing=UNKNOWN,
    )
    billable = f"{of_job('braket_job_billable_duration_seconds')} * {of_job('braket_job_instances')}"
    billed = number(
        "Billed time",
        "Billable time multiplied by the number of instances. Braket reports the time at the end of the job.",
        Query(otherwise(billable, KNOWN)),
        unit=DURATION,
        decimals=1,
        texts={-1: ("Not reported", NEUTRAL)},
        missing=UNKNOWN,
    )
    return [remaining, used, billed]


def _trouble() -> list[Builder[Panel]]:
    failure = text(
        "Failure",
        "Category of the failure reason. The log of the exporter shows the failure reason.",
        Query(_or_none(of_job("braket_job_failure", "category"), "category")),
        "category",
        texts={"None": ("None", NEUTRAL)},
        steps=((None, BAD),),
        missing=UNKNOWN,
    )
    errors = text(
        "GetJob errors",
        "Error code while GetJob fails for this job. The data of the job is then stale.",
        Query(_or_none(of_job_now("braket_job_poll_failing", "code"), "code")),
        "code",
        texts={"None": ("None", NEUTRAL)},
        steps=((None, BAD),),
        missing=UNKNOWN,
    )
    age = number(
        "Data age",
        "Time since the last successful poll of the job. The data of a finished job no longer changes.",
        Query(otherwise(f"time() - {LAST_POLL} unless on () {_IS_FINISHED}", KNOWN)),
        unit=DURATION,
        decimals=0,
        steps=((None, GOOD), (300, WARNING), (_STALE_SECONDS, BAD)),
        texts={-1: ("Final", NEUTRAL)},
        missing=UNKNOWN,
    )
    return [failure, errors, age]


def _or_none(series: str, label: str) -> str:
    """Return a row None for a known job without a series."""
    return f"{series} or on () {labelled(f'0 * {KNOWN}', label, 'None')}"


def _status_history() -> Row:
    codes = " or ".join(
        f'{code} * braket_job_status{{{JOB_FILTER},status="{status}"}}' for code, status in enumerate(_STATUSES, 1)
    )
    texts: Texts = {
        -1: ("No data", NO_STATUS),
        0: ("Unknown status", NEUTRAL),
        **{code: (status, STATUS_COLOURS[status]) for code, status in enumerate(_STATUSES, 1)},
    }
    history = timeline(
        "Status history",
        "Status of the job at each scrape. Annotations mark the events of the job, at the times that Braket reports.",
        Query(f"max({codes}) or on () vector(-1)", "status"),
        texts=texts,
        missing="No data",
    )
    return Row(4, [(24, history)])


def _over_time() -> Row:
    position = of_job_now("braket_job_queue_position")
    queue = graph(
        "Queue position history",
        "Position in the queue of the device. The dashed line marks positions that Braket reports as more than 15.",
        Query(position, "position"),
        Query(f"{position} and on () {of_job_now('braket_job_queue_position_is_floor')} == 1", "more than"),
        dashed=["more than"],
        missing="Not queued, or unknown job",
    )
    share = (
        f"(({of_job_now('braket_job_ended_timestamp_seconds')} or vector(time())) "
        f"- {of_job_now('braket_job_started_timestamp_seconds')}) / {of_job_now('braket_job_max_runtime_seconds')}"
    )
    used = graph(
        "Run time history",
        "Run time as a share of the maximum run time.",
        Query(share, "used"),
        unit="percentunit",
        limit=((NEAR_THE_LIMIT, WARNING), (1, BAD)),
        missing="Not started, or unknown job",
    )
    return Row(7, [(12, queue), (12, used)])
