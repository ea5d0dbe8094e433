"""The dashboard of one job: status, queue position, run time, billed time and events."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import Dashboard, DashboardLinkType

from grafana import variables
from grafana.dashboards import JOB, Row, annotation, assemble
from grafana.panels import BAD, GOOD, STATUS_COLOURS, WARNING, Column, Query, bars, graph, number, rows, timeline
from grafana.queries import JOB_FILTER, NEAR_THE_LIMIT, of_job

_STATUSES: Final = ("QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED")

_CREATED: Final = of_job("braket_job_created_timestamp_seconds")
_STARTED: Final = of_job("braket_job_started_timestamp_seconds")
_ENDED: Final = of_job("braket_job_ended_timestamp_seconds")
_LIMIT: Final = of_job("braket_job_max_runtime_seconds")
_POSITION: Final = of_job("braket_job_queue_position")
_POSITION_IS_FLOOR: Final = f"({of_job('braket_job_queue_position_is_floor')} == 1)"
_BILLABLE: Final = of_job("braket_job_billable_duration_seconds")

_FACTS: Final = (
    *("job_arn", "job_name", "aws_account_id", "aws_region"),
    *("device_name", "device_provider", "device_type", "instance_type"),
)
_UNTIL_NOW: Final = f"({_ENDED} or vector(time()))"
_RUN_TIME: Final = f"{_UNTIL_NOW} - {_STARTED}"
_USED: Final = f"({_RUN_TIME}) / {_LIMIT}"


def make() -> Dashboard:
    """Build the dashboard."""
    events = of_job("braket_job_event_timestamp_seconds", "event_type")
    return assemble(
        JOB,
        "Amazon Braket / Job",
        "Status, queue position, run time, billed time and events of one hybrid job.",
        [_now(), _status_history(), _phases(), _over_time(), _facts()],
        variables=variables.of_one_job(),
        annotations=[annotation("Events", f"1000 * {events}", "{{event_type}}", "Time of Braket", "blue")],
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
                "#logsV2:log-groups/log-group/$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D${job_name}",
                "Log streams of the job in CloudWatch Logs",
            ),
        ],
    )


def _link(title: str, url: str, tooltip: str) -> DashboardLink:
    link = DashboardLink(title).type(DashboardLinkType.LINK).url(url).tooltip(tooltip).icon("external link")
    return link.target_blank(target_blank=True)


def _now() -> Row:
    status = number(
        "Status",
        "Status that Braket reports for the job.",
        Query(f"max by (status) (braket_job_status{{{JOB_FILTER}}} == 1)", "{{status}}"),
        show="name",
        colours=STATUS_COLOURS,
        no_value="Unknown job",
    )
    position = number(
        "Queue position",
        "Position in the queue of the device. Braket reports positions above 15 as more than 15, and no position "
        "for a running job.",
        Query(f"{_POSITION} unless on () {_POSITION_IS_FLOOR}", "position"),
        Query(f"{_POSITION} and on () {_POSITION_IS_FLOOR}", "more than"),
        show="value_and_name",
        no_value="Not queued",
    )
    left = number(
        "Remaining run time",
        "Time until Braket stops the job at its maximum run time.",
        Query(f"clamp_min({_STARTED} + {_LIMIT} - time(), 0) unless on () {_ENDED}"),
        unit="dtdurations",
        no_value="Not running",
    )
    used = number(
        "Run time used",
        "Run time as a share of the maximum run time. An alert fires at 80 %.",
        Query(_USED),
        unit="percentunit",
        steps=((None, GOOD), (NEAR_THE_LIMIT, WARNING), (0.95, BAD)),
        decimals=0,
        no_value="Not started",
    )
    billable = number(
        "Billed time",
        "Billable time of one instance and of all instances. Braket reports it at the end of the job.",
        Query(_BILLABLE, "one instance"),
        Query(f"{_BILLABLE} * {of_job('braket_job_instances')}", "all instances"),
        unit="s",
        show="value_and_name",
        no_value="Not yet reported",
    )
    failure = number(
        "Failure category",
        "Category of the failure reason. The log of the exporter shows the failure reason.",
        Query(of_job("braket_job_failure", "category"), "{{category}}"),
        show="name",
        steps=((None, BAD),),
        no_value="None",
    )
    return Row(4, [(4, status), (4, position), (4, left), (4, used), (4, billable), (4, failure)])


def _status_history() -> Row:
    codes = " or ".join(
        f'{number} * braket_job_status{{{JOB_FILTER},status="{status}"}}' for number, status in enumerate(_STATUSES, 1)
    )
    texts = {number: (status, STATUS_COLOURS[status]) for number, status in enumerate(_STATUSES, 1)}
    history = timeline(
        "Status history",
        "Status of the job at each scrape. Annotations mark the events of the job, at the times that Braket reports.",
        Query(f"max({codes})", "status"),
        texts={0: ("unknown status", "text"), **texts},
    )
    return Row(5, [(24, history)])


def _phases() -> Row:
    running, uploading = (_event(kind) for kind in ("RUNNING", "UPLOADING_RESULTS"))
    phases = bars(
        "Phases",
        "Duration of each phase of the job. The code of the job runs between the events RUNNING and "
        "UPLOADING_RESULTS. Before that, Braket prepares the instance.",
        Query(f"({_STARTED} or {_UNTIL_NOW}) - {_CREATED}", "queued"),
        Query(f"({running} or {_UNTIL_NOW}) - {_STARTED}", "preparing"),
        Query(f"({uploading} or {_UNTIL_NOW}) - {running}", "running"),
        Query(f"{_UNTIL_NOW} - {uploading}", "uploading"),
        unit="s",
    )
    events = rows(
        "Events",
        "Time of the latest event of each type, and number of events.",
        Query(f"sort(1000 * {of_job('braket_job_event_timestamp_seconds', 'event_type')})"),
        Query(f"{of_job('braket_job_events_total', 'event_type')} > 0"),
        columns=[
            Column("event_type", "Event", colours=STATUS_COLOURS),
            Column("Value #A", "Latest", unit="dateTimeAsIso", width=180),
            Column("Value #B", "Count", unit="short", width=70),
        ],
        no_value="No events",
    )
    return Row(8, [(12, phases), (12, events)])


def _event(kind: str) -> str:
    return of_job("braket_job_event_timestamp_seconds", where=f'event_type="{kind}"')


def _over_time() -> Row:
    position = graph(
        "Queue position history",
        "Position in the queue of the device. The dashed line marks positions that Braket reports as more than 15.",
        Query(_POSITION, "position"),
        Query(f"{_POSITION} and on () {_POSITION_IS_FLOOR}", "more than"),
        dashed=["more than"],
        no_value="Not queued",
    )
    used = graph(
        "Run time history",
        "Run time as a share of the maximum run time.",
        Query(_USED, "used"),
        unit="percentunit",
        limit=((NEAR_THE_LIMIT, WARNING), (1, BAD)),
        no_value="Not started",
    )
    failing = number(
        "GetJob errors",
        "Error code while GetJob fails for this job. The data of the job is then stale.",
        Query(of_job("braket_job_poll_failing", "code"), "{{code}}"),
        show="name",
        steps=((None, BAD),),
        no_value="None",
    )
    return Row(7, [(10, position), (10, used), (4, failing)])


def _facts() -> Row:
    times = [f"braket_job_{name}_timestamp_seconds" for name in ("created", "started", "ended", "last_poll")]
    facts = rows(
        "Job details",
        "Properties and times of the job, and time of the last successful poll.",
        Query(of_job("braket_job_info", *_FACTS)),
        Query(of_job("braket_job_instances", "job_arn")),
        Query(of_job("braket_job_max_runtime_seconds", "job_arn")),
        *(Query(f"1000 * {of_job(time, 'job_arn')}") for time in times),
        columns=[
            Column("job_name", "Name"),
            Column("aws_account_id", "Account", width=120),
            Column("aws_region", "Region", width=100),
            Column("device_name", "Device", width=110),
            Column("device_provider", "Provider", width=90),
            Column("device_type", "Type", width=90),
            Column("instance_type", "Instance type", width=130),
            Column("Value #B", "Instances", unit="short", width=90),
            Column("Value #C", "Max run time", unit="dtdurations", width=120),
            Column("Value #D", "Created", unit="dateTimeAsIso", width=170),
            Column("Value #E", "Started", unit="dateTimeAsIso", width=170),
            Column("Value #F", "Ended", unit="dateTimeAsIso", width=170),
            Column("Value #G", "Last poll", unit="dateTimeFromNow"),
        ],
        no_value="Unknown job",
    )
    return Row(4, [(24, facts)])
