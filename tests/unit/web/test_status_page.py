"""The status page: hostile text stays text, and every state of a target and of a job is shown."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from builders import ARN, CREATED, GARNET, event, finished, record, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from exporter.aws.get_job import parse_job
from exporter.aws.members import ParseError
from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, Health, JobRecord, Target, TargetStatus
from exporter.web.job_columns import COLUMNS
from exporter.web.job_table import ALL_JOBS, JobQuery
from exporter.web.status_page import SECURITY_POLICY, render_page

NOW = CREATED + 1000.0
EVIL = "<script>alert('x')</script>\"&' onload=\"y"
VOID = {"meta", "input"}
ATTRIBUTES = {
    *("class", "title", "lang", "charset", "name", "content", "href", "id", "role", "tabindex", "scope", "datetime"),
    *("type", "value", "max", "maxlength", "for", "target", "rel"),
    *("http-equiv", "data-label"),
    *("aria-label", "aria-labelledby", "aria-current", "aria-sort"),
}
EVIL_ESCAPED = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&amp;&#39; onload=&#34;y"


STATUS, JOB, DEVICE, QUEUE, RUN_TIME, BILLED, CREATION, DATA_AGE, REGION, LOGS = range(10)


class Reader(HTMLParser):
    """Reads a page as a browser would: elements, attributes, the texts of the cells of the two tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.titles: list[str | None] = []
        self.links: list[str | None] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.page, self.text = page, ""
        self.filters: list[str] = []
        self.current: list[str] = []
        self.style = ""
        self.tables: list[list[list[str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.elements.append((tag, dict(attrs)))
        self.titles += [value for name, value in attrs if name == "title"]
        self.links += [value for name, value in attrs if name == "href"]
        assert {name for name, _ in attrs} <= ATTRIBUTES
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag == "tbody":
            self.tables.append([])
        if tag == "tr" and "tbody" in self.open:
            self.tables[-1].append([])
        if tag == "td":
            self.tables[-1][-1].append("")

        if tag == "a" and "nav" in self.open:
            self.filters.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "a" and "nav" in self.open and "aria-current" in self.elements[-2][1]:
            self.current.append(self.filters[-1])

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        else:
            self.text += data
        if "nav" in self.open:
            self.filters[-1] += data
        if "td" in self.open:
            self.tables[-1][-1][-1] += data

    @property
    def targets(self) -> list[list[str]]:
        return self.tables[0]

    @property
    def jobs(self) -> list[list[str]]:
        return self.tables[1] if self.tables[1:] else []


def status(health: Health | None = None, target: Target | None = None, **members: Any) -> TargetStatus:
    usual: dict[str, Any] = {
        "active": 3,
        "finished": 2,
        "waiting": 0,
        "staleness": None,
        "poll_duration": None,
        "budget": {"GetJob": 2.5},
        "used": {"GetJob": 87},
    }
    return TargetStatus(
        target or Target("123456789012", "us-west-2"),
        health or Health(up=True, last_success=NOW - 5.0),
        **{**usual, **members},
    )


def read(
    *records: JobRecord, targets: tuple[TargetStatus, ...] = (), now: float = NOW, query: JobQuery = ALL_JOBS
) -> Reader:
    return Reader(render_page("1.2.3", 59.9, targets, records, now, query=query))


def row(of: JobRecord, now: float = NOW) -> list[str]:
    (cells,) = read(of, now=now).jobs
    return cells


def test_the_policy_allows_exactly_the_style_that_the_page_has_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(read().style.encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
    assert expected + "frame-ancestors 'none'" == SECURITY_POLICY


def test_every_column_has_a_header_and_a_cell_in_every_row() -> None:
    page = read(record(snapshot()), JobRecord(ARN))
    heads = re.findall(r"<th [^>]*>(?:<a [^>]*>)?([^<]*)", page.page)
    assert heads[-len(COLUMNS) :] == [column.title for column in COLUMNS]
    assert [len(cells) for cells in page.jobs] == [len(COLUMNS)] * 2


def test_a_page_without_targets_and_jobs_is_whole() -> None:
    page = read()
    assert page.open == []
    assert page.tables == [[]]
    assert page.tags.count("style") == 1
    assert "script" not in page.tags


def test_the_page_shows_version_and_uptime() -> None:
    assert "Version 1.2.3" in read().text
    assert "Up for 59 s. As of 2023-11-14 22:30:00 UTC." in " ".join(read().text.split())
    assert "<span>Version &lt;1&gt;</span>" in render_page("<1>", 0.0, [], [], NOW)
    assert "Up for 0 s." in render_page("<1>", 0.0, [], [], NOW)


def test_the_footer_links_to_the_documentation_and_to_the_paths_of_the_exporter() -> None:
    footer = render_page("1", 1.0, [], [], NOW).partition("<footer>")[2]
    assert re.findall('<a href="([^"]*)">([^<]*)</a>', footer) == [
        ("https://github.com/braket-exporter/braket-exporter/blob/main/docs/index.md", "Documentation"),
        ("metrics", "Metrics"),
        ("-/ready", "Readiness"),
        ("api/v1/jobs", "Jobs as JSON"),
    ]


@pytest.mark.parametrize(
    ("health", "state"),
    [(Health(), "starting"), (Health(up=True), "up"), (Health(up=False), "failing")],
)
def test_a_target_has_a_state(health: Health, state: str) -> None:
    (cells,) = read(targets=(status(health),)).targets
    assert cells == [state, "123456789012", "us-west-2", "3 active, 2 finished", "never", " GetJob 87 of 150", ""]


def test_targets_have_their_names_where_any_has_one() -> None:
    page = read(targets=(status(name="chemistry"), status(name=EVIL), status()))
    assert [cells[1:4] for cells in page.targets] == [
        ["chemistry", "123456789012", "us-west-2"],
        [EVIL, "123456789012", "us-west-2"],
        ["", "123456789012", "us-west-2"],
    ]
    assert '<th scope="col">Target</th>' in page.page
    assert '<th scope="col">Target</th>' not in read(targets=(status(),)).page


def test_a_target_has_its_last_success_and_its_last_error() -> None:
    health = Health(up=False, last_success=NOW - 3700.0, last_error="Connect timeout")
    (cells,) = read(targets=(status(health, waiting=7),)).targets
    assert cells[3:5] == ["3 active, 2 finished, 7 without data", "1 h 1 min ago"]
    assert cells[6] == "Connect timeout"


def test_a_target_shows_how_many_jobs_are_not_polled_yet() -> None:
    (cells,) = read(targets=(status(Health(up=True), waiting=7),)).targets
    assert cells[3] == "3 active, 2 finished, 7 not polled yet"


def test_a_long_error_is_cut_before_it_is_escaped_so_that_no_entity_is_cut() -> None:
    (cells,) = read(targets=(status(Health(last_error="<" * 1000)),)).targets
    assert cells[6] == "<" * 300


def test_times_have_their_exact_moment_as_a_title() -> None:
    assert "2023-11-14 22:13:20 UTC" in read(record(snapshot(created=CREATED))).titles


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED", "BRAND_NEW"])
def test_every_status_has_a_badge_even_a_new_one(state: str) -> None:
    page = render_page("1", 1.0, [], [record(snapshot(status=state))], NOW)
    assert re.search(rf'<span class="status (red|blue|yellow|orange|green|grey)">{state}</span>', page)


def test_a_running_job_has_a_row() -> None:
    assert row(record(snapshot(queue_position=None))) == [
        "RUNNING",
        "vqe-h2",
        "amazon/sv1",
        "",
        "16 min of 1 h",
        "",
        "16 min 40 s ago",
        "14 min 30 s",
        "us-west-2",
        "logs",
    ]


def test_a_finished_job_ran_from_its_start_to_its_end() -> None:
    assert row(record(finished(failure_reason="ClientError: x", events=(event("MAX_RUNTIME_EXCEEDED", 1.0),)))) == [
        "COMPLETEDmaximum run time exceeded, ClientError",
        "vqe-h2",
        "amazon/sv1",
        "",
        "1 min 20 s of 1 h",
        "1 min 20 s",
        "16 min 40 s ago",
        "14 min 30 s",
        "us-west-2",
        "logs",
    ]


@pytest.mark.parametrize(
    ("members", "position"),
    [
        ({}, ""),
        ({"queue_position": 2}, "2"),
        ({"queue_position": 15, "queue_position_is_floor": True}, ">15"),
        ({"queue_position": 0}, "0"),
    ],
)
def test_a_queue_position_is_told_as_braket_does(members: dict[str, object], position: str) -> None:
    assert row(record(snapshot(**members)))[QUEUE] == position


def test_a_job_that_did_not_start_or_whose_end_is_unknown_has_no_run_time() -> None:
    assert row(record(snapshot(status="QUEUED", started=None)))[RUN_TIME] == ""
    assert row(record(finished(ended=None)))[RUN_TIME] == ""


def test_times_ahead_of_our_clock_are_no_negative_ages() -> None:
    cells = row(record(snapshot(created=NOW + 100.0, started=NOW + 200.0)))
    assert (cells[CREATION], cells[RUN_TIME]) == ("0 s ago", "0 s of 1 h")


def test_a_job_without_a_name_is_told_by_its_arn() -> None:
    assert row(record(snapshot(arn="arn:aws:x", name="")))[JOB] == "arn:aws:x"


def test_a_local_device_is_told_whole() -> None:
    assert row(record(snapshot(device="local:pennylane/lightning.qubit")))[DEVICE] == "local:pennylane/lightning.qubit"


@pytest.mark.parametrize(
    ("failing", "reason"),
    [(None, "not polled yet"), ("ResourceNotFoundException", "ResourceNotFoundException")],
)
def test_a_job_without_data_has_a_reason(failing: str | None, reason: str) -> None:
    assert row(JobRecord(arn="arn:aws:x", failing=failing)) == [f"no data{reason}", "arn:aws:x", *[""] * 8]


def test_a_failing_poll_is_noted_beside_the_last_good_data() -> None:
    cells = row(record(snapshot(), failing="AccessDeniedException"))
    assert cells[STATUS] == "RUNNINGAccessDeniedException"


def test_every_text_that_came_over_the_network_is_escaped() -> None:
    hostile = [
        record(
            snapshot(
                arn=EVIL,
                name=EVIL,
                status=EVIL,
                device=EVIL,
                failure_reason=EVIL,
                instance_type=EVIL,
                account=EVIL,
                region=EVIL,
            ),
            failing=EVIL,
        ),
        JobRecord(arn=EVIL, failing=EVIL),
        record(snapshot(arn=EVIL, name="")),
    ]
    health = Health(up=False, last_error=EVIL)
    targets = [status(health, Target(EVIL, EVIL), budget={EVIL: 1.0}), status(target=Target("210987654321", "x"))]
    page = render_page(EVIL, 1.0, targets, hostile, NOW)
    assert "<script" not in page
    assert EVIL not in page
    assert page.count(EVIL_ESCAPED) >= 9
    seen = Reader(page)
    assert [seen.targets[0][index] for index in (1, 2, 6)] == [EVIL, EVIL, EVIL]
    assert [cells[JOB] for cells in seen.jobs] == [EVIL, EVIL, EVIL]
    assert (seen.jobs[2][DEVICE], seen.jobs[2][REGION]) == (EVIL, EVIL + EVIL)
    assert "script" not in seen.tags


def test_the_texts_of_a_device_are_escaped_and_isolated() -> None:
    key = DeviceKey("eu-north-1", GARNET)
    hostile = DeviceRecord(DeviceSnapshot(key, "<b>\u202e", reason="<i>&"), NOW)
    job = record(snapshot(status="QUEUED", device=GARNET, region="eu-north-1"))
    page = render_page("1", 1.0, [], [job], NOW, devices={key: hostile})
    assert '<bdi class="grey">&lt;b&gt;\u202e</bdi>, <bdi>&lt;i&gt;&amp;</bdi>' in page
    assert Reader(page).jobs[0][DEVICE] == "iqm/Garnet<b>\u202e, <i>&"


def test_a_hostile_device_cannot_hide_markup_behind_the_part_that_is_cut() -> None:
    assert row(record(snapshot(device="arn:aws:braket:::device/qpu/<b>/<i>")))[DEVICE] == "<b>/<i>"
    assert row(record(snapshot(device="<b>device/<i>")))[DEVICE] == "<b>device/<i>"


@settings(max_examples=examples(60))
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1), min_size=6, max_size=6
    )
)
def test_no_text_adds_an_element_to_the_page(texts: list[str]) -> None:
    name, state, device, reason, error, failing = texts
    of = record(snapshot(name=name, status=state, device=device, failure_reason=reason), failing=failing)
    plain = record(snapshot(failure_reason="x"), failing="x")
    tags = read(plain, targets=(status(Health(last_error="x")),)).tags
    assert read(of, targets=(status(Health(last_error=error)),)).tags == tags


@pytest.mark.parametrize(
    ("hidden", "note"),
    [
        (0, "1 job."),
        (1, "1 job. 1 job exceeds max_jobs and has no series."),
        (1234, "1 job. 1,234 jobs exceed max_jobs and have no series."),
    ],
)
def test_jobs_without_series_are_counted(hidden: int, note: str) -> None:
    page = Reader(render_page("1", 1.0, [], [record(snapshot())], NOW, hidden=hidden))
    assert f"\n{note}\n" in page.text


def test_failed_and_active_jobs_come_first_then_the_newest() -> None:
    order = ["COMPLETED", "CANCELLING", "QUEUED", "RUNNING", "FAILED"]
    records = [record(snapshot(arn=state, name=state, status=state)) for state in order]
    records += [
        record(snapshot(arn="old", name="old", status="FAILED", created=CREATED - 10)),
        record(snapshot(arn="undated", name="undated", status="FAILED", created=None)),
        JobRecord(arn="unknown"),
        JobRecord(arn="refused", failing="AccessDeniedException"),
    ]
    assert [cells[JOB] for cells in read(*records).jobs] == [
        "FAILED",
        "old",
        "undated",
        "refused",
        "RUNNING",
        "QUEUED",
        "CANCELLING",
        "COMPLETED",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("count", "rows", "note"),
    [
        (0, 0, "No jobs found. New jobs appear after the next discovery. Troubleshooting"),
        (1, 1, "1 job."),
        (500, 500, "500 jobs, failed and active jobs first."),
        (
            1234,
            500,
            (
                "1,234 jobs, failed and active jobs first. "
                "Only the first 500 are listed; search or select a status for others."
            ),
        ),
    ],
)
def test_at_most_five_hundred_jobs_are_listed_and_all_are_counted(count: int, rows: int, note: str) -> None:
    page = read(*(record(snapshot(arn=str(number), name=str(number))) for number in range(count)))
    assert len(page.jobs) == rows
    assert f"\n{note}\n" in page.text


def test_failed_jobs_are_listed_even_when_there_are_too_many_others() -> None:
    records = [record(snapshot(arn=str(number), name=str(number))) for number in range(600)]
    records.append(record(snapshot(arn="f", name="the failed one", status="FAILED", created=0.0)))
    assert read(*records).jobs[0][JOB] == "the failed one"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5.0, "0 s"),
        (0.0, "0 s"),
        (0.99, "0 s"),
        (61.0, "1 min 1 s"),
        (3600.0, "1 h"),
        (86399.0, "23 h 59 min"),
        (86400.0 * 10 + 3600 * 3 + 61, "10 d 3 h"),
        (86400.0 + 5, "1 d 5 s"),
    ],
)
def test_a_time_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert f"Up for {text}." in render_page("1", seconds, [], [], NOW)


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", 253402300800, 1e18])
def test_no_time_that_an_answer_can_bring_takes_the_page_from_the_other_jobs(created: str | float) -> None:
    try:
        odd = parse_job(ARN, {"status": "RUNNING", "jobName": "odd", "createdAt": created, "startedAt": created})
    except ParseError:
        return
    assert {cells[JOB] for cells in read(record(odd), record(snapshot())).jobs} == {"odd", "vqe-h2"}


# Targets.


def test_a_target_shows_what_it_used_of_each_operations_budget() -> None:
    page = read(targets=(status(budget={"GetJob": 2.5, "SearchJobs": 0.01}, used={"GetJob": 87}),))
    assert page.targets[0][5] == " GetJob 87 of 150 SearchJobs 0 of 0.6"
    assert [attributes for tag, attributes in page.elements if tag == "meter"] == [
        {"max": "150", "value": "87", "aria-label": "GetJob 87 of 150"},
        {"max": "0.6", "value": "0", "aria-label": "SearchJobs 0 of 0.6"},
    ]


@pytest.mark.parametrize(("rate", "raised"), [(20.0, True), (5.5, True), (5.0, False), (2.5, False)])
def test_the_page_says_that_a_rate_limit_is_above_the_quota(rate: float, raised: bool) -> None:  # noqa: FBT001
    page = read(targets=(status(budget={"GetJob": 2.5}), status(budget={"GetJob": rate})))
    text = f"The rate limit is raised to {rate:g} calls per second; the quota of AWS is 5."
    assert (text in page.text) == raised
    assert ("The rate limit is raised" in page.text) == raised


def test_an_error_does_not_show_whose_credentials_these_are() -> None:
    error = (
        "An error occurred (AccessDeniedException) when calling the GetJob operation: User: "
        "arn:aws:sts::123456789012:assumed-role/secret-role/session is not authorized to perform: braket:GetJob"
    )
    (cells,) = read(targets=(status(Health(last_error=error)),)).targets
    assert cells[6] == (
        "An error occurred (AccessDeniedException) when calling the GetJob operation: User: "
        "… is not authorized to perform: braket:GetJob"
    )
    (cells,) = read(targets=(status(Health(last_error="(arn:aws-us-gov:iam::1:role/secret)")),)).targets
    assert cells[6] == "(…"


def test_an_unknown_account_is_shown_as_unknown() -> None:
    assert read(targets=(status(target=Target("", "us-west-2")),)).targets[0][1] == "unknown"


def test_accounts_stand_beside_the_jobs_only_where_there_are_several() -> None:
    other = status(target=Target("210987654321", "us-west-2"))
    assert read(record(snapshot()), targets=(status(),)).jobs[0][REGION] == "us-west-2"
    assert read(record(snapshot()), targets=(status(), other)).jobs[0][REGION] == "us-west-2123456789012"


# The first look at every job.


def fill_of(*targets: TargetStatus) -> tuple[dict[str, str | None], str]:
    page = read(targets=targets)
    (bar,) = [attributes for tag, attributes in page.elements if tag == "progress"]
    (text,) = re.findall(r'<p class="fill">(.*?)</p>', page.page, re.DOTALL)
    return bar, " ".join(Reader(text).text.split())


def test_the_progress_of_the_first_poll_has_jobs_and_the_least_time() -> None:
    bar, line = fill_of(
        status(active=1200, finished=300, waiting=1000),
        status(target=Target("1", "us-east-1"), active=10, waiting=10, budget={"GetJob": 0.1}),
    )
    assert (bar["max"], bar["value"]) == ("1512", "502")
    assert line == "First poll: 1,010 of 1,512 jobs not polled yet; this takes at least 6 min 40 s."


def test_the_progress_covers_responding_targets_only() -> None:
    bar, line = fill_of(status(Health(up=False), active=10, waiting=10), status(active=10, waiting=2))
    assert (bar["max"], bar["value"]) == ("12", "10")
    assert line == "First poll: 2 of 12 jobs not polled yet."


def test_there_is_no_progress_while_every_target_fails() -> None:
    page = read(targets=(status(Health(up=False), waiting=5), status(Health(up=False), listed=False)))
    assert "progress" not in page.tags
    assert "not polled yet" not in page.text


def test_the_progress_has_no_share_while_jobs_are_being_searched() -> None:
    bar, line = fill_of(status(active=0, finished=0, listed=False))
    assert bar.keys() == {"aria-label"}
    assert line == "Searching for jobs: 0 found so far."
    bar, line = fill_of(status(waiting=5, listed=False))
    assert bar.keys() == {"aria-label"}
    assert line == (
        "Searching for jobs: 5 found so far. First poll: 5 of 5 jobs not polled yet; this takes at least 2 s."
    )


def test_there_is_no_progress_after_the_first_poll() -> None:
    assert "progress" not in read(targets=(status(),)).tags


# Failing targets.


def alert_of(*targets: TargetStatus) -> str:
    (text,) = re.findall(r'<section class="alert" role="alert"(.*?)</section>', read(targets=targets).page, re.DOTALL)
    return " ".join(Reader(f"<section{text}</section>").text.split())


def test_there_is_no_alert_while_targets_respond() -> None:
    page = read(targets=(status(), status(Health())))
    assert "alert" not in [attributes.get("role") for _, attributes in page.elements]


def test_an_alert_names_the_failing_target_its_last_success_and_its_error() -> None:
    never, once = Health(up=False, last_error="Connect timeout"), Health(up=False, last_success=NOW - 3700.0)
    retry = "The exporter retries automatically. Until a call succeeds, the data of the jobs is not updated."
    assert alert_of(status(never)) == (
        "Target failing: no job can be polled 123456789012 us-west-2: no successful call since the start, 59 s ago. "
        f"Connect timeout {retry} Troubleshooting"
    )
    assert alert_of(status(), status(once, Target("", "us-east-1"), name="chemistry")) == (
        "1 of 2 targets failing chemistry: unknown account us-east-1: last successful call 1 h 1 min ago. "
        f"{retry} Troubleshooting"
    )


def test_an_alert_lists_at_most_five_targets() -> None:
    alert = alert_of(*[status(Health(up=False, last_error="x"), Target(str(number), "r")) for number in range(7)])
    assert alert.startswith("7 of 7 targets failing: no job can be polled 0 r: ")
    assert [number for number in range(7) if f"{number} r:" in alert] == [0, 1, 2, 3, 4]
    assert "2 more; see the table of targets." in alert


def test_an_alert_does_not_show_credentials_and_escapes_the_error() -> None:
    error = f"User: arn:aws:sts::1:assumed-role/secret/session {EVIL}"
    page = read(targets=(status(Health(up=False, last_error=error)),)).page
    assert "secret" not in page
    assert page.count(f"User: … {EVIL_ESCAPED}") == 2


def test_jobs_of_a_failing_target_are_not_shown_as_waiting() -> None:
    failing = status(Health(up=False), waiting=1)
    assert read(JobRecord(ARN), targets=(failing,)).jobs[0][STATUS] == "no datatarget failing"
    other = status(Health(up=False), Target("123456789012", "us-east-1"))
    assert read(JobRecord(ARN), targets=(status(), other)).jobs[0][STATUS] == "no datanot polled yet"


@pytest.mark.parametrize("anchor", ["target-failing", "no-jobs-found"])
def test_links_to_the_documentation_have_a_target(anchor: str) -> None:
    page = read() if anchor == "no-jobs-found" else read(targets=(status(Health(up=False)),))
    url = f"https://github.com/braket-exporter/braket-exporter/blob/main/docs/operate/troubleshooting.md#{anchor}"
    assert url in page.links
    headings = (Path(__file__).parents[3] / "docs/operate/troubleshooting.md").read_text(encoding="utf-8")
    assert f"\n### {anchor.capitalize().replace('-', ' ')}\n" in headings


# Refresh.


def test_the_page_refreshes_only_if_its_address_asks_for_it() -> None:
    assert "http-equiv" not in read().page
    assert hrefs(read(query=JobQuery(q="x")), "Refresh every 30 s") == ["?q=x&amp;refresh=30"]
    page = read(record(snapshot()), query=JobQuery(q="vqe", sort="job", refresh=90))
    assert ("meta", {"http-equiv": "refresh", "content": "90"}) in page.elements
    assert "Refreshes every 1 min 30 s. Stop refreshing" in page.text.replace("\n", " ")
    assert hrefs(page, "Stop refreshing") == ["?q=vqe&amp;sort=job&amp;order=asc"]


def test_all_links_of_the_jobs_and_the_form_keep_the_refresh() -> None:
    page = read(record(snapshot()), query=JobQuery(q="vqe", sort="job", refresh=30))
    own = [link for link in page.links if link and link.startswith(("?", ".")) and link != "?q=vqe&sort=job&order=asc"]
    assert len(own) == 2 + 1 + len([column for column in COLUMNS if column.value])
    assert [link for link in own if "refresh=30" not in link] == []
    assert hrefs(page, "Reset") == ["?refresh=30"]
    fields = [attributes for tag, attributes in page.elements if tag == "input"]
    assert fields[-1] == {"type": "hidden", "name": "refresh", "value": "30"}


# Links.


def test_links_lead_to_the_exporter_itself_its_documentation_or_to_the_aws_console_without_a_referrer() -> None:
    page = read(record(snapshot()), targets=(status(),))
    links = [attributes for tag, attributes in page.elements if tag == "a"]
    away = [link for link in links if "target" in link]
    assert [link["href"] for link in away] == [
        "https://us-west-2.console.aws.amazon.com/braket/home?region=us-west-2#/jobs",
        "https://us-west-2.console.aws.amazon.com/braket/home?region=us-west-2#/jobs",
        (
            "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/"
            "$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D"
            "vqe-h2$252F5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01$252F"
        ),
    ]
    assert {(link["target"], link["rel"]) for link in away} == {("_blank", "noreferrer noopener")}
    inside = {str(link["href"])[0] for link in links if link not in away}
    assert inside == {"?", ".", "m", "-", "a", "h"}


@pytest.mark.parametrize(
    "members",
    [
        {"arn": "javascript:alert(1)", "region": "javascript:alert(1)//"},
        {"arn": ARN.replace("aws:braket", "aws-us-gov:braket").replace("us-west-2", "us-gov-west-1"), "region": "x"},
        {"arn": ARN.replace("us-west-2", "evil.example/"), "region": "evil.example/"},
    ],
)
def test_what_is_no_job_of_a_braket_region_has_no_link_out(members: dict[str, str]) -> None:
    page = read(record(snapshot(**members)), targets=(status(target=Target("1", members["region"])),))
    documentation = "https://github.com/braket-exporter/"
    assert [link for link in page.links if not link or (":" in link and not link.startswith(documentation))] == []


def test_a_hostile_name_stays_within_the_address_of_its_logs() -> None:
    page = read(record(snapshot(name='"><script>#?&=/ %\u202e')))
    assert page.links[-5] == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/"
        "$252Faws$252Fbraket$252Fjobs$3FlogStreamNameFilter$3D"
        "$2522$253E$253Cscript$253E$2523$253F$2526$253D$252F$2520$2525$25E2$2580$25AE"
        "$252F5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01$252F"
    )


# Search, filter and order.


def hrefs(page: Reader, text: str) -> list[str]:
    """Find the addresses of the links whose text begins so."""
    return re.findall(rf'<a href="([^"]*)"[^>]*>(?:<bdi>)?{text}', page.page)


def test_each_column_can_be_sorted_by_and_then_the_other_way_round() -> None:
    assert hrefs(read(record(snapshot())), "Created") == ["?sort=created&amp;order=desc"]
    newest = read(record(snapshot()), query=JobQuery(sort="created", order="desc"))
    assert hrefs(newest, "Created") == ["?sort=created&amp;order=asc"]
    found = read(record(snapshot(name="a&b", status="FAILED")), query=JobQuery(q="a&b", status="FAILED", sort="job"))
    assert hrefs(found, "Device") == ["?q=a%26b&amp;status=FAILED&amp;sort=device&amp;order=asc"]


def test_a_screen_reader_gets_the_order() -> None:
    page = read(record(snapshot()), query=JobQuery(sort="used", order="desc"))
    heads = [attributes for tag, attributes in page.elements if tag == "th"]
    assert {head["scope"] for head in heads} == {"col"}
    assert [head.get("aria-sort") for head in heads if "aria-sort" in head] == ["descending"]
    assert [tag for tag, attributes in read(record(snapshot())).elements if "aria-sort" in attributes] == []


def test_each_status_that_jobs_have_is_a_link_with_their_number() -> None:
    jobs = [
        record(snapshot(arn="1", status="FAILED", name="vqe")),
        record(snapshot(arn="2", status="FAILED", name="other")),
        record(finished(arn="3", name="vqe", events=(event("MAX_RUNTIME_EXCEEDED", 1.0),))),
        record(snapshot(arn="4", status="<NEW>", name="vqe")),
        JobRecord(arn="vqe"),
    ]
    page = read(*jobs, query=JobQuery(q="vqe", status="FAILED", sort="job"))
    names = ["all 4", "FAILED 1", "MAX_RUNTIME_EXCEEDED 1", "COMPLETED 1", "<NEW> 1", "no data 1"]
    assert page.filters == names
    assert page.current == ["FAILED 1"]
    assert hrefs(page, "COMPLETED") == ["?q=vqe&amp;status=COMPLETED&amp;sort=job&amp;order=asc"]
    assert hrefs(page, "&lt;NEW") == ["?q=vqe&amp;status=%3CNEW%3E&amp;sort=job&amp;order=asc"]
    assert hrefs(page, "all") == ["?q=vqe&amp;sort=job&amp;order=asc"]
    assert [cells[JOB] for cells in page.jobs] == ["vqe"]
    assert "\n1 of 5 jobs.\n" in page.text


def test_a_status_that_no_job_has_is_shown_as_what_it_is() -> None:
    page = read(record(snapshot()), query=JobQuery(status=EVIL))
    assert page.filters == ["all 1", "RUNNING 1", f"{EVIL[:40]} 0"]
    assert page.jobs == []
    assert "\nNo jobs match. 1 job in total.\n" in page.text


def test_the_search_form_keeps_what_else_is_asked_for() -> None:
    page = read(query=JobQuery(q=EVIL, status="FAILED", sort="queue"))
    fields = [attributes for tag, attributes in page.elements if tag == "input"]
    assert [(field["type"], field["name"], field["value"]) for field in fields] == [
        ("search", "q", EVIL),
        ("hidden", "status", "FAILED"),
        ("hidden", "sort", "queue"),
        ("hidden", "order", "asc"),
    ]
    assert [attributes["for"] for tag, attributes in page.elements if tag == "label"] == [fields[0]["id"]]


def test_all_can_be_taken_back_at_once_where_there_is_something_to_take_back() -> None:
    assert hrefs(read(), "Reset") == []
    assert hrefs(read(query=JobQuery(q="x")), "Reset") == ["."]
