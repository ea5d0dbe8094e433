"""The dashboard of one job: where it is in its life, what is left of its time, what it bills."""

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
_PLACE: Final = of_job("braket_job_queue_position")
_PLACE_IS_FLOOR: Final = f"({of_job('braket_job_queue_position_is_floor')} == 1)"
_BILLABLE: Final = of_job("braket_job_billable_duration_seconds")

_FACTS: Final = (
    *("job_arn", "job_name", "aws_account_id", "aws_region"),
    *("device_name", "device_provider", "device_type", "instance_type"),
)
_UNTIL_NOW: Final = f"({_ENDED} or vector(time()))"
_RUN_TIME: Final = f"{_UNTIL_NOW} - {_STARTED}"
_USED: Final = f"({_RUN_TIME}) / {_LIMIT}"


def make() -> Dashboard:
    """Put the dashboard together."""
    events = of_job("braket_job_event_timestamp_seconds", "event_type")
    return assemble(
        JOB,
        "Amazon Braket / Job",
        "One hybrid job.",
        [_now(), _life(), _phases(), _over_time(), _facts()],
        variables=variables.of_one_job(),
        annotations=[annotation("Events", f"1000 * {events}", "{{event_type}}", "by Braket's clock", "blue")],
        since="24h",
        links=[
            _link(
                "AWS console",
                "https://${job_region}.console.aws.amazon.com/braket/home?region=${job_region}#/jobs",
                "The jobs of its Region in the Amazon Braket console",
            ),
            _link(
                "Logs",
                "https://${job_region}.console.aws.amazon.com/cloudwatch/home?region=${job_region}"
                "#logsV2:log-groups/log-group/$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D${job_name}",
                "The log streams of the job in CloudWatch Logs",
            ),
        ],
    )


def _link(title: str, url: str, tooltip: str) -> DashboardLink:
    link = DashboardLink(title).type(DashboardLinkType.LINK).url(url).tooltip(tooltip).icon("external link")
    return link.target_blank(target_blank=True)


def _now() -> Row:
    status = number(
        "Status",
        "What Braket says of the job.",
        Query(f"max by (status) (braket_job_status{{{JOB_FILTER}}} == 1)", "{{status}}"),
        show="name",
        colours=STATUS_COLOURS,
        no_value="No such job",
    )
    place = number(
        "Place in the queue",
        "Of the device's queue of jobs. Braket tells places above 15 as more than 15, and none once the job runs.",
        Query(f"{_PLACE} unless on () {_PLACE_IS_FLOOR}", "place"),
        Query(f"{_PLACE} and on () {_PLACE_IS_FLOOR}", "more than"),
        show="value_and_name",
        no_value="Not queued",
    )
    left = number(
        "Time left",
        "Until Braket stops the job at its maximum run time.",
        Query(f"clamp_min({_STARTED} + {_LIMIT} - time(), 0) unless on () {_ENDED}"),
        unit="dtdurations",
        no_value="Not running",
    )
    used = number(
        "Used of its maximum",
        "Run time as a share of the maximum run time. An alert tells from 80 % on.",
        Query(_USED),
        unit="percentunit",
        steps=((None, GOOD), (NEAR_THE_LIMIT, WARNING), (0.95, BAD)),
        decimals=0,
        no_value="Not started",
    )
    billable = number(
        "Billable time",
        "Of each instance, and times the instances. Braket tells it once the job has ended.",
        Query(_BILLABLE, "each"),
        Query(f"{_BILLABLE} * {of_job('braket_job_instances')}", "together"),
        unit="s",
        show="value_and_name",
        no_value="Not told yet",
    )
    failure = number(
        "Failure",
        "The class of the failure reason; the reason itself is in the log of the exporter.",
        Query(of_job("braket_job_failure", "category"), "{{category}}"),
        show="name",
        steps=((None, BAD),),
        no_value="None",
    )
    return Row(4, [(4, status), (4, place), (4, left), (4, used), (4, billable), (4, failure)])


def _life() -> Row:
    codes = " or ".join(
        f'{number} * braket_job_status{{{JOB_FILTER},status="{status}"}}' for number, status in enumerate(_STATUSES, 1)
    )
    texts = {number: (status, STATUS_COLOURS[status]) for number, status in enumerate(_STATUSES, 1)}
    life = timeline(
        "Status over time",
        "What the exporter saw. Marks are Braket's events, at the times that Braket gives.",
        Query(f"max({codes})", "status"),
        texts={0: ("unknown to this dashboard", "text"), **texts},
    )
    return Row(5, [(24, life)])


def _phases() -> Row:
    running, uploading = (_event(kind) for kind in ("RUNNING", "UPLOADING_RESULTS"))
    phases = bars(
        "Phases",
        "How long each part of the job's life took, or takes. Its code runs between the events RUNNING and "
        "UPLOADING_RESULTS; before, its instance is prepared.",
        Query(f"({_STARTED} or {_UNTIL_NOW}) - {_CREATED}", "in the queue"),
        Query(f"({running} or {_UNTIL_NOW}) - {_STARTED}", "preparing"),
        Query(f"({uploading} or {_UNTIL_NOW}) - {running}", "running its code"),
        Query(f"{_UNTIL_NOW} - {uploading}", "uploading results"),
        unit="s",
    )
    events = rows(
        "Events",
        "The latest time of each type of event, and how many there were.",
        Query(f"sort(1000 * {of_job('braket_job_event_timestamp_seconds', 'event_type')})"),
        Query(f"{of_job('braket_job_events_total', 'event_type')} > 0"),
        columns=[
            Column("event_type", "Event", colours=STATUS_COLOURS),
            Column("Value #A", "Latest", unit="dateTimeAsIso", width=180),
            Column("Value #B", "Times", unit="short", width=70),
        ],
        no_value="Braket has told no event",
    )
    return Row(8, [(12, phases), (12, events)])


def _event(kind: str) -> str:
    return of_job("braket_job_event_timestamp_seconds", where=f'event_type="{kind}"')


def _over_time() -> Row:
    place = graph(
        "Place in the queue over time",
        "15 stands for more than 15, where the second line is.",
        Query(_PLACE, "place"),
        Query(f"{_PLACE} and on () {_PLACE_IS_FLOOR}", "or behind it"),
        dashed=["or behind it"],
        no_value="Not queued in this time",
    )
    used = graph(
        "Used of its maximum over time",
        "Run time as a share of the maximum run time.",
        Query(_USED, "used"),
        unit="percentunit",
        limit=((NEAR_THE_LIMIT, WARNING), (1, BAD)),
        no_value="Not started",
    )
    failing = number(
        "Polls of it fail with",
        "The code of Braket's error, while GetJob fails for this very job. What is shown is then old.",
        Query(of_job("braket_job_poll_failing", "code"), "{{code}}"),
        show="name",
        steps=((None, BAD),),
        no_value="Nothing",
    )
    return Row(7, [(10, place), (10, used), (4, failing)])


def _facts() -> Row:
    times = [f"braket_job_{name}_timestamp_seconds" for name in ("created", "started", "ended", "last_poll")]
    facts = rows(
        "Facts",
        "What does not change about the job, its times, and when Braket last answered for it.",
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
            Column("Value #C", "Maximum", unit="dtdurations", width=120),
            Column("Value #D", "Created", unit="dateTimeAsIso", width=170),
            Column("Value #E", "Started", unit="dateTimeAsIso", width=170),
            Column("Value #F", "Ended", unit="dateTimeAsIso", width=170),
            Column("Value #G", "Last answer", unit="dateTimeFromNow"),
        ],
        no_value="No such job",
    )
    return Row(4, [(24, facts)])
