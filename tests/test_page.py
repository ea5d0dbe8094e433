"""The page for people: hostile text stays text, and every state of the world has a look."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from builders import ARN, CREATED, event, finished, record, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.health import Health, TargetStatus
from exporter.model import JobRecord, Target
from exporter.page import SECURITY_POLICY, render_page
from exporter.parse import ParseError, parse_job

NOW = CREATED + 1000.0
EVIL = "<script>alert('x')</script>\"&' onload=\"y"
EVIL_ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;&#x27; onload=&quot;y"


class Reader(HTMLParser):
    """Reads a page as a browser would: elements, attributes, the texts of the cells of the two tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.titles: list[str | None] = []
        self.style = ""
        self.tables: list[list[list[str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        assert {name for name, _ in attrs} <= {"class", "title", "lang", "charset", "name", "content", "href"}
        if tag == "tbody":
            self.tables.append([])
        if tag == "tr" and "tbody" in self.open:
            self.tables[-1].append([])
        if tag == "td":
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        if "td" in self.open:
            self.tables[-1][-1][-1] += data

    @property
    def targets(self) -> list[list[str]]:
        return self.tables[0]

    @property
    def jobs(self) -> list[list[str]]:
        return self.tables[1]


def status(health: Health | None = None, target: Target | None = None, waiting: int = 0) -> TargetStatus:
    return TargetStatus(
        target=target or Target("123456789012", "us-west-2"),
        health=health or Health(up=True, last_success=NOW - 5.0),
        active=3,
        finished=2,
        waiting=waiting,
        staleness=None,
        poll_duration=None,
        budget={},
    )


def read(*records: JobRecord, targets: tuple[TargetStatus, ...] = (), now: float = NOW) -> Reader:
    return Reader(render_page("1.2.3", 59.9, targets, records, now))


def row(of: JobRecord, now: float = NOW) -> list[str]:
    (cells,) = read(of, now=now).jobs
    return cells


def test_the_policy_allows_exactly_the_style_that_the_page_has_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(read().style.encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
    assert expected + "frame-ancestors 'none'" == SECURITY_POLICY


def test_a_page_without_targets_and_jobs_is_whole() -> None:
    page = read()
    assert page.open == []
    assert page.tables == [[], []]
    assert page.tags.count("style") == 1
    assert "script" not in page.tags


def test_the_page_tells_version_and_uptime() -> None:
    assert "Version 1.2.3, up for 59 s." in render_page("1.2.3", 59.9, [], [], NOW)
    assert "Version &lt;1&gt;, up for 0 s." in render_page("<1>", 0.0, [], [], NOW)


@pytest.mark.parametrize(
    ("health", "state"),
    [(Health(), "starting"), (Health(up=True), "up"), (Health(up=False), "failing")],
)
def test_a_target_has_a_state(health: Health, state: str) -> None:
    (cells,) = read(targets=(status(health),)).targets
    assert cells == ["123456789012", "us-west-2", state, "never", "3 active, 2 finished", ""]


def test_a_target_has_its_last_success_and_its_last_error() -> None:
    health = Health(up=False, last_success=NOW - 3700.0, last_error="Connect timeout")
    (cells,) = read(targets=(status(health, waiting=7),)).targets
    assert cells[3:] == ["1 h 1 min ago", "3 active, 2 finished, 7 not asked for yet", "Connect timeout"]


def test_a_long_error_is_cut_before_it_is_escaped_so_that_no_entity_is_cut() -> None:
    (cells,) = read(targets=(status(Health(last_error="<" * 1000)),)).targets
    assert cells[5] == "<" * 300


def test_times_have_their_exact_moment_as_a_title() -> None:
    assert "2023-11-14 22:13:20 UTC" in read(record(snapshot(created=CREATED))).titles


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLING", "CANCELLED", "BRAND_NEW"])
def test_every_status_has_a_badge_even_a_new_one(state: str) -> None:
    page = render_page("1", 1.0, [], [record(snapshot(status=state))], NOW)
    assert re.search(rf'<span class="status (good|bad|busy|wait|off)">{state}</span>', page)


def test_a_running_job_is_told_in_a_row() -> None:
    assert row(record(snapshot(queue_position=None))) == [
        "vqe-h2",
        "RUNNING",
        "quantum-simulator/amazon/sv1",
        "",
        "16 min 40 s ago",
        "16 min",
        "",
    ]


def test_a_finished_job_ran_from_its_start_to_its_end() -> None:
    assert row(record(finished(failure_reason="ClientError: x", events=(event("MAX_RUNTIME_EXCEEDED", 1.0),)))) == [
        "vqe-h2",
        "COMPLETED",
        "quantum-simulator/amazon/sv1",
        "",
        "16 min 40 s ago",
        "1 min 20 s",
        "out of time, ClientError",
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
    assert row(record(snapshot(**members)))[3] == position


def test_a_job_that_did_not_start_or_whose_end_is_unknown_has_no_run_time() -> None:
    assert row(record(snapshot(status="QUEUED", started=None)))[5] == ""
    assert row(record(finished(ended=None)))[5] == ""


def test_times_ahead_of_our_clock_are_no_negative_ages() -> None:
    cells = row(record(snapshot(created=NOW + 100.0, started=NOW + 200.0)))
    assert cells[4:6] == ["0 s ago", "0 s"]


def test_a_job_without_a_name_is_told_by_its_arn() -> None:
    assert row(record(snapshot(arn="arn:aws:x", name="")))[0] == "arn:aws:x"


def test_a_local_device_is_told_whole() -> None:
    assert row(record(snapshot(device="local:pennylane/lightning.qubit")))[2] == "local:pennylane/lightning.qubit"


@pytest.mark.parametrize(
    ("failing", "note"), [(None, "not asked for yet"), ("ResourceNotFoundException", "ResourceNotFoundException")]
)
def test_a_job_that_was_never_answered_says_why(failing: str | None, note: str) -> None:
    assert row(JobRecord(arn="arn:aws:x", failing=failing)) == ["arn:aws:x", "", "", "", "", "", note]


def test_a_failing_poll_is_noted_beside_the_last_good_data() -> None:
    cells = row(record(snapshot(), failing="AccessDeniedException"))
    assert (cells[1], cells[6]) == ("RUNNING", "AccessDeniedException")


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
    page = render_page(EVIL, 1.0, [status(health, Target(EVIL, EVIL))], hostile, NOW)
    assert "<script" not in page
    assert EVIL not in page
    assert page.count(EVIL_ESCAPED) >= 9
    seen = Reader(page)
    assert [seen.targets[0][index] for index in (0, 1, 5)] == [EVIL, EVIL, EVIL]
    assert [cells[0] for cells in seen.jobs] == [EVIL, EVIL, EVIL]
    assert "script" not in seen.tags


def test_a_hostile_device_cannot_hide_markup_behind_the_part_that_is_cut() -> None:
    assert row(record(snapshot(device="<b>device/<i>")))[2] == "<i>"


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00")), min_size=6, max_size=6))
def test_no_text_adds_an_element_to_the_page(texts: list[str]) -> None:
    name, state, device, reason, error, failing = texts
    of = record(snapshot(name=name, status=state, device=device, failure_reason=reason), failing=failing)
    target = (status(Health(last_error=error)),)
    assert read(of, targets=target).tags == read(record(snapshot()), targets=(status(Health()),)).tags


def test_jobs_that_ask_for_a_look_come_first_then_the_newest() -> None:
    order = ["COMPLETED", "CANCELLING", "QUEUED", "RUNNING", "FAILED"]
    records = [record(snapshot(arn=state, name=state, status=state)) for state in order]
    records += [
        record(snapshot(arn="old", name="old", status="FAILED", created=CREATED - 10)),
        record(snapshot(arn="undated", name="undated", status="FAILED", created=None)),
        JobRecord(arn="unknown"),
        JobRecord(arn="refused", failing="AccessDeniedException"),
    ]
    assert [cells[0] for cells in read(*records).jobs] == [
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


@pytest.mark.parametrize(("count", "rows", "note"), [(500, 500, None), (501, 500, 1), (1234, 500, 734)])
def test_at_most_five_hundred_jobs_are_listed_and_the_rest_is_counted(count: int, rows: int, note: int | None) -> None:
    records = [record(snapshot(arn=str(number), name=str(number))) for number in range(count)]
    page = render_page("1", 1.0, [], records, NOW)
    assert len(Reader(page).jobs) == rows
    assert ("more job" in page) is (note is not None)
    assert note is None or f"<p>{note} more job" in page


def test_failed_jobs_are_listed_even_when_there_are_too_many_others() -> None:
    records = [record(snapshot(arn=str(number), name=str(number))) for number in range(600)]
    records.append(record(snapshot(arn="f", name="the failed one", status="FAILED", created=0.0)))
    assert read(*records).jobs[0][0] == "the failed one"


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
def test_a_time_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert f"up for {text}." in render_page("1", seconds, [], [], NOW)


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", 253402300800, 1e18])
def test_no_time_that_an_answer_can_bring_takes_the_page_from_the_other_jobs(created: str | float) -> None:
    try:
        odd = parse_job(ARN, {"status": "RUNNING", "jobName": "odd", "createdAt": created, "startedAt": created})
    except ParseError:
        return
    assert {cells[0] for cells in read(record(odd), record(snapshot())).jobs} == {"odd", "vqe-h2"}
