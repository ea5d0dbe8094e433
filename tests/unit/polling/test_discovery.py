"""Discovery: how it carries out what a page means for each job."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from builders import CREATED, arn, event, finished, record, snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import DESELECTED, RETENTION, JobRecord, JobSummary, SearchPage, Selector, Span
from exporter.core.selector import TagRule
from exporter.metrics import job_families
from exporter.polling.discovery import Discovery
from exporter.polling.job_queue import JobQueue
from exporter.polling.policy import Policy, Retention
from exporter.polling.poll_progress import PollProgress
from exporter.polling.schedule import JobSchedule, Priority, after_response
from exporter.polling.search import ScanKind, Search
from exporter.storage import Ranked, Standing, Store, Tombstones, rank_of_listed
from exporter.storage.persistence import mark_of
from exporter.storage.series_limit import rank_of

CHANGED, NEW, DUE, REFRESH, BACKFILL = Priority
NOW = 5000.0
WALL = CREATED + 1000.0
ENDED = CREATED + 120.0
USUAL, FAILED = 10_000.0, 50_000.0
INTERVAL = 30.0
MINE = {"team": "chemistry"}
LISTING = Search(ScanKind.NEW_JOBS, Span(CREATED, None))


def summary(number: int = 1, status: str = "RUNNING", **members: Any) -> JobSummary:
    ended = ENDED if status in ("COMPLETED", "FAILED", "CANCELLED") else None
    usual: dict[str, Any] = {"name": "vqe", "created": CREATED, "started": None, "ended": ended, "tags": MINE}
    return JobSummary(arn(number), status=status, **{**usual, **members})


def known(number: int = 1, *, configured: bool = False, **members: Any) -> JobRecord:
    return record(snapshot(arn=arn(number), **members), configured=configured)


class World:
    """A discovery with the state that it changes, and the poller's part of the work."""

    def __init__(self, since: float = WALL) -> None:
        self.job_queue, self.progress, self.store = JobQueue(), PollProgress(()), Store(job_families())
        self.tombstones = Tombstones()
        policy = Policy(INTERVAL, 60.0, 86400.0, Retention(USUAL, FAILED))
        selector = Selector((TagRule("team", frozenset({"chemistry"})),))
        self.discovery = Discovery(
            selector,
            policy,
            job_queue=self.job_queue,
            progress=self.progress,
            store=self.store,
            since=since,
            now=NOW,
            tombstones=self.tombstones,
        )

    def lists(self, *jobs: JobSummary, now: float = NOW, search: Search = LISTING) -> list[str]:
        page = SearchPage(jobs, (), None)
        return self.discovery.record_page(search, page, requested_at=now - 0.5, now=now, wall=WALL + now - NOW).jobs

    def answers(self, job: JobRecord, requested_at: float = NOW) -> None:
        """Have GetJob respond for a job in the queue."""
        schedule = self.job_queue.get(job.arn)
        assert schedule is not None
        self.job_queue.remove(job.arn)
        self.store.put(job)
        again = after_response(
            schedule, job, requested_at=requested_at, interval=INTERVAL, wall=WALL + requested_at - NOW
        )
        if again is not None:
            self.job_queue.put(again)
        self.progress.remove(job.arn)
        self.discovery.discovered_jobs.update_expiry(job)

    def schedule(self, number: int = 1) -> JobSchedule:
        schedule = self.job_queue.get(arn(number))
        assert schedule is not None
        return schedule

    def first_scan(self) -> None:
        """Complete the first scan with the jobs discovered so far."""
        while (search := self.discovery.planner.next(NOW, WALL)) is not None:
            self.discovery.planner.succeeded(search, SearchPage((), (), None), NOW)

    def scans(self, now: float, wall: float) -> None:
        """Start and plan a status scan."""
        self.discovery.start_status_scan(now, wall)
        while not self.discovery.planner.status_scan_planned:
            self.discovery.plan_status_scan()

    def forgotten(self, wall: float, in_flight: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        self.discovery.expiring(wall)
        gone = self.discovery.remove_expired(wall, in_flight).jobs
        for one, _ in gone:
            self.store.forget({one.arn: {}})
        return [(one.arn, reason) for one, reason in gone]


def watched(*jobs: JobRecord, since: float = WALL) -> World:
    """Return a world in which jobs were discovered and polled."""
    world = World(since)
    for job in jobs:
        assert job.snapshot is not None
        world.lists(summary(int(job.arn[-2:]), created=job.snapshot.created))
        world.answers(job)
    return world


# Jobs that a page shows for the first time.


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
@pytest.mark.parametrize(("since", "priority"), [(WALL, NEW), (CREATED - 1.0, CHANGED)])
def test_an_active_job_is_taken_up_and_polled_at_once_and_before_all_others_if_it_is_new(
    status: str, since: float, priority: Priority
) -> None:
    world = World(since)
    world.lists(summary(status=status))
    schedule = JobSchedule(
        arn(1),
        due=NOW,
        responded_at=NOW,
        priority=priority,
        order=(1, -CREATED),
        created=CREATED,
        listed_status=status,
    )
    assert [*world.job_queue] == [schedule]
    assert [*world.store.scan()] == [JobRecord(arn(1), first_listed_status=status, configured=False, baseline_at=since)]
    assert world.discovery.discovered_jobs.members == {arn(1)}
    assert (world.progress.pending_active, world.progress.pending_finished) == ({arn(1)}, set())


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_ended_before_the_exporter_began_waits_behind_all_others(status: str) -> None:
    world = World()
    world.lists(summary(status=status))
    assert (world.schedule().priority, world.schedule().due, world.schedule().ended) == (BACKFILL, NOW, True)
    assert (world.progress.pending_active, world.progress.pending_finished) == (set(), {arn(1)})


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_lived_and_ended_between_two_scans_is_polled_at_once(status: str) -> None:
    world = World(since=CREATED - 1.0)
    world.lists(summary(status=status))
    assert (world.schedule().priority, world.schedule().due, world.schedule().ended) == (CHANGED, NOW, True)
    assert (world.progress.pending_active, world.progress.pending_finished) == ({arn(1)}, set())


def test_of_the_jobs_that_had_ended_failed_ones_come_first_and_then_the_latest() -> None:
    world = World()
    world.lists(
        summary(1, "COMPLETED", ended=ENDED),
        summary(2, "CANCELLED", ended=None, created=ENDED + 5.0),
        summary(3, "FAILED", ended=ENDED),
        summary(4, "COMPLETED", ended=ENDED + 9.0),
        summary(5, "FAILED", ended=ENDED + 1.0),
    )
    polled = []
    while (schedule := world.job_queue.due(NOW)) is not None:
        world.job_queue.remove(schedule.arn)
        polled.append(schedule.arn)
    assert polled == [arn(number) for number in (5, 3, 4, 2, 1)]


def test_a_job_that_is_not_selected_is_ignored() -> None:
    world = World()
    assert world.lists(summary(tags={"team": "physics"})) == [arn(1)]
    assert ([*world.job_queue], [*world.store.scan()], world.discovery.discovered_jobs.members) == ([], [], set())
    assert world.progress.pending_active == set()


def test_a_job_whose_series_would_be_over_is_ignored() -> None:
    world = World()
    world.lists(summary(status="COMPLETED", ended=WALL - USUAL))
    assert [*world.store.scan()] == []


def test_the_jobs_of_a_page_are_handled_once_each_though_the_page_repeats_them() -> None:
    world = World()
    assert world.lists(summary(1), summary(2), summary(1)) == [arn(1), arn(2)]
    assert len(world.job_queue) == 2


def test_every_job_of_a_page_counts_for_what_fills_a_page_watched_or_not() -> None:
    world = World()
    world.lists(summary(1), summary(2, created=CREATED + 1.0, tags={}))
    assert world.discovery.planner.index.count(CREATED, CREATED + 1.0) == 2


def test_a_job_that_other_credentials_found_first_is_left_to_it() -> None:
    world = World()
    world.store.put(JobRecord(arn(1), configured=False))
    world.lists(summary(1))
    assert [*world.job_queue] == []
    assert world.discovery.discovered_jobs.members == set()
    assert world.progress.pending_active == set()


def test_a_job_that_other_credentials_find_at_the_same_moment_is_taken_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(world.store, "find", lambda _: None)
    world.store.put(JobRecord(arn(1), configured=False))
    world.lists(summary(1))
    assert [*world.job_queue] == []
    assert world.discovery.discovered_jobs.members == set()
    assert world.progress.pending_active == set()


# Jobs that a page shows again.


def test_a_page_confirms_the_status_of_a_job_and_changes_no_due_time() -> None:
    world = watched(known())
    world.lists(summary(), now=NOW + 10.0)
    schedule = world.schedule()
    assert (schedule.listed_at, schedule.listed_status, schedule.due, schedule.priority) == (
        NOW + 9.5,
        "RUNNING",
        NOW + 30.0,
        REFRESH,
    )
    assert schedule.confirmed_at == NOW + 9.5


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLING", "QUEUED", "PAUSED"])
def test_a_job_that_changed_is_polled_at_once(status: str) -> None:
    world = watched(known(), known(2))
    world.lists(summary(1, status), now=NOW + 10.0)
    assert (world.schedule().priority, world.schedule().due) == (CHANGED, NOW + 10.0)
    assert (world.schedule(2).priority, world.schedule(2).due) == (REFRESH, NOW + 30.0)
    assert world.job_queue.due(NOW + 10.0) == world.schedule()


def test_a_late_page_has_a_job_polled_once_and_not_again_and_again() -> None:
    world = watched(known(status="RUNNING"))
    world.lists(summary(status="QUEUED"), now=NOW + 1.0)
    assert world.schedule().priority is CHANGED
    world.answers(known(status="RUNNING"), requested_at=NOW + 2.0)
    world.lists(summary(status="QUEUED"), now=NOW + 3.0)
    assert (world.schedule().priority, world.schedule().due) == (REFRESH, NOW + 32.0)


def test_a_job_whose_end_a_page_shows_is_polled_again_soon_when_getjob_lags() -> None:
    world = watched(known())
    world.lists(summary(status="COMPLETED"), now=NOW + 1.0)
    world.answers(known(), requested_at=NOW + 1.0)
    assert (world.schedule().priority, world.schedule().due) == (DUE, NOW + 3.0)


def test_a_job_that_showed_all_details_of_its_end_is_not_polled_again() -> None:
    world = World()
    world.lists(summary(status="COMPLETED"))
    world.answers(record(finished(arn=arn(1)), configured=False))
    world.lists(summary(status="COMPLETED"), summary(status="RUNNING"), now=NOW + 60.0)
    assert [*world.job_queue] == []


def test_a_page_shows_the_status_of_a_configured_job_and_does_not_take_it_up() -> None:
    world = World()
    named = known(configured=True)
    world.store.put(named)
    world.job_queue.put(JobSchedule(arn(1), due=NOW + 20.0, responded_at=NOW))
    world.lists(summary(status="COMPLETED", tags={}))
    assert world.schedule().priority is CHANGED
    assert world.discovery.discovered_jobs.members == set()
    assert world.forgotten(WALL + 1e9) == []


def test_a_job_that_changes_before_it_was_polled_is_polled_first() -> None:
    world = World()
    world.lists(summary(1), summary(2))
    world.lists(summary(1), summary(2, "FAILED"), now=NOW + 10.0)
    assert (world.schedule(1).priority, world.schedule(2).priority) == (NEW, CHANGED)
    assert world.job_queue.due(NOW + 10.0) == world.schedule(2)


def test_a_configured_job_of_which_nothing_is_known_waits_for_its_turn() -> None:
    world = World()
    world.store.put(JobRecord(arn(1)))
    world.job_queue.put(JobSchedule(arn(1), due=NOW + 20.0, responded_at=NOW))
    world.lists(summary())
    assert world.schedule() == JobSchedule(
        arn(1), due=NOW + 20.0, responded_at=NOW, listed_at=NOW - 0.5, listed_status="RUNNING"
    )


def test_a_job_that_is_in_flight_is_not_queued_twice() -> None:
    world = watched(known())
    world.job_queue.remove(arn(1))
    world.lists(summary(status="COMPLETED"))
    assert [*world.job_queue] == []


# Status scans.


def crowd(world: World, *numbers: int, between: int = 0) -> None:
    """Have jobs discovered and polled, created a minute apart, with so many foreign jobs between them."""
    for place, number in enumerate(numbers):
        created = CREATED + 60.0 * place
        foreign = [summary(50, created=created + 0.1 + 0.001 * other, tags={}) for other in range(between)]
        world.lists(summary(number, created=created))
        world.answers(known(number, created=created))
        for one in foreign:
            world.lists(one)
    world.first_scan()


def test_jobs_that_share_a_page_are_left_to_the_status_scan() -> None:
    world = watched()
    crowd(world, 1, 2, 3)
    world.scans(NOW, WALL)
    search = world.discovery.planner.next(NOW, WALL)
    assert search == Search(ScanKind.STATUS, Span(CREATED, None), arns=(arn(1), arn(2), arn(3)))
    assert {schedule.priority for schedule in world.job_queue} == {REFRESH}


def test_jobs_that_stand_alone_are_left_to_getjob() -> None:
    world = watched()
    crowd(world, 1, 2, between=100)
    world.scans(NOW + 5.0, WALL)
    assert world.discovery.planner.next(NOW, WALL) is None
    assert [(schedule.priority, schedule.due) for schedule in world.job_queue] == [(DUE, NOW + 30.0)] * 2


def test_a_job_that_stands_alone_and_was_shown_by_a_page_is_polled_an_interval_later() -> None:
    world = watched()
    crowd(world, 1, 2, between=100)
    world.lists(summary(1, created=CREATED), now=NOW + 20.0)
    world.scans(NOW + 30.0, WALL)
    assert [(schedule.arn, schedule.due) for schedule in world.job_queue] == [
        (arn(1), NOW + 49.5),
        (arn(2), NOW + 30.0),
    ]


def test_ended_and_failing_jobs_take_no_part_in_a_status_scan() -> None:
    world = watched()
    crowd(world, 1, 2, 3, 4)
    world.job_queue.put(replace(world.schedule(3), ended=True))
    world.job_queue.put(replace(world.schedule(4), failures=1))
    before = [world.schedule(3), world.schedule(4)]
    world.scans(NOW, WALL)
    search = world.discovery.planner.next(NOW, WALL)
    assert search is not None
    assert search.arns == (arn(1), arn(2))
    assert [world.schedule(3), world.schedule(4)] == before


def test_a_job_that_left_the_queue_while_its_status_scan_was_planned_is_not_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = watched(known())
    before = [*world.job_queue]
    monkeypatch.setattr(world.discovery.planner, "plan_status_scan", lambda: [arn(9)])
    world.discovery.plan_status_scan()
    assert [*world.job_queue] == before


def test_a_job_that_a_page_should_have_shown_and_did_not_is_polled_at_once() -> None:
    world = watched(known(1), known(2))
    search = Search(ScanKind.STATUS, Span(CREATED, None), arns=(arn(1), arn(2)))
    world.lists(summary(2), now=NOW + 10.0, search=search)
    assert world.schedule(1).priority is DUE
    assert world.schedule(1).due <= NOW + 10.0
    assert (world.schedule(2).priority, world.schedule(2).listed_at) == (REFRESH, NOW + 9.5)
    assert world.job_queue.due(NOW + 10.0) == world.schedule(1)


def test_a_missing_job_that_ended_or_is_in_flight_or_was_dropped_is_ignored() -> None:
    world = watched(known(1), known(2))
    world.job_queue.put(replace(world.schedule(1), ended=True))
    world.job_queue.remove(arn(2))
    before = [*world.job_queue]
    search = Search(ScanKind.STATUS, Span(CREATED, None), arns=(arn(1), arn(2), arn(3)))
    world.lists(now=NOW + 10.0, search=search)
    assert [*world.job_queue] == before


def test_a_missing_job_whose_calls_fail_is_not_polled_sooner() -> None:
    world = watched(known(1))
    world.job_queue.put(replace(world.schedule(1), failures=2, due=NOW + 60.0))
    world.lists(now=NOW + 10.0, search=Search(ScanKind.STATUS, Span(CREATED, None), arns=(arn(1),)))
    assert world.schedule(1).due == NOW + 60.0


def test_pages_that_expect_no_job_miss_none() -> None:
    world = watched(known(1))
    world.lists(now=NOW + 10.0)
    assert world.schedule(1).priority is REFRESH


def test_jobs_that_stand_alone_have_their_turns_fairly_when_there_are_more_than_the_rate_limit_allows() -> None:
    world, polled = World(), Counter[str]()
    crowd(world, *range(1, 21), between=100)
    for round_number in range(40):
        now = NOW + INTERVAL * round_number
        world.scans(now, WALL)
        for turn in range(5):
            schedule = world.job_queue.due(now + 6.0 * turn)
            if schedule is not None:
                polled[schedule.arn] += 1
                created = schedule.created
                world.answers(known(int(schedule.arn[-2:]), created=created), requested_at=now + 6.0 * turn)
    assert sorted(polled) == [arn(number) for number in range(1, 21)]
    assert min(polled.values()) >= 9


def test_a_job_that_a_page_shows_too_early_as_ended_is_active_again_when_getjob_shows_so() -> None:
    world = World(since=CREATED - 1.0)
    world.lists(summary(status="COMPLETED"))
    assert world.schedule().ended
    world.answers(known(), requested_at=NOW + 1.0)
    assert not world.schedule().ended


# Jobs that expire.


def test_a_job_whose_retention_is_over_is_removed_from_the_queue_and_waited_for_no_longer() -> None:
    world = watched(known())
    incomplete = record(finished(arn=arn(1), billable_seconds=None), configured=False)
    world.answers(incomplete)
    world.progress.add(arn(1), ended=True)
    assert world.schedule().ended
    assert world.forgotten(ENDED + USUAL - 0.1) == []
    assert len(world.job_queue) == 1
    assert world.forgotten(ENDED + USUAL) == [(arn(1), RETENTION)]
    assert ([*world.job_queue], [*world.store.scan()], world.progress.pending_finished) == ([], [], set())


def test_a_job_that_was_polled_several_times_after_its_end_is_forgotten_once() -> None:
    world = watched(known())
    incomplete = record(finished(arn=arn(1), billable_seconds=None), configured=False)
    for polled in (NOW, NOW + 5.0, NOW + 10.0):
        world.answers(incomplete, polled)
    world.answers(record(finished(arn=arn(1)), configured=False), NOW + 15.0)
    assert world.forgotten(ENDED + USUAL) == [(arn(1), RETENTION)]
    assert world.forgotten(ENDED + 1e9) == []


def test_a_job_that_is_in_flight_is_forgotten_after_its_response() -> None:
    world = watched(known())
    world.answers(record(finished(arn=arn(1), billable_seconds=None), configured=False))
    assert world.forgotten(ENDED + USUAL, in_flight=(arn(1),)) == []
    assert world.store.find(arn(1)) is not None
    world.answers(record(finished(arn=arn(1)), configured=False))
    assert world.forgotten(ENDED + USUAL) == [(arn(1), RETENTION)]


def test_a_job_that_lost_its_tags_is_forgotten_and_starts_where_it_was_when_it_gets_them_back() -> None:
    world = watched(known(), since=CREATED - 1.0)
    world.lists(summary(tags={}))
    assert world.forgotten(WALL + USUAL) == [(arn(1), DESELECTED)]
    assert ([*world.job_queue], [*world.store.scan()]) == ([], [])
    world.lists(summary(), now=NOW + USUAL + 60.0)
    assert [*world.store.scan()] == [known()]
    assert world.schedule().priority is CHANGED
    assert world.discovery.discovered_jobs.members == {arn(1)}


def test_a_new_job_that_was_forgotten_is_not_taken_up_again() -> None:
    world = World(since=CREATED - 1.0)
    world.lists(summary(status="FAILED"))
    world.answers(record(finished("FAILED", arn=arn(1)), configured=False))
    assert world.forgotten(ENDED + FAILED) == [(arn(1), RETENTION)]
    world.lists(summary(status="FAILED"), summary(2), now=NOW + 60.0)
    assert [one.arn for one in [*world.store.scan()]] == [arn(2)]


def test_a_forgotten_job_is_remembered_while_scans_reach_back_to_it_and_a_day_longer() -> None:
    world = World(since=CREATED - 1.0)
    world.lists(summary(status="FAILED"))
    world.answers(record(finished("FAILED", arn=arn(1)), configured=False))
    world.forgotten(ENDED + FAILED)
    world.forgotten(CREATED + 1e9)
    assert world.tombstones.all().keys() == {mark_of(arn(1))}  # it is the newest job, where scans start
    world.discovery.planner.index.add(CREATED + 1e6)
    world.forgotten(CREATED + 2 * 86400.0)
    assert world.tombstones.all().keys() == {mark_of(arn(1))}
    world.forgotten(CREATED + 2 * 86400.0 + 1.0)
    assert (world.tombstones.all(), world.tombstones.floor) == ({}, CREATED)


def test_a_job_that_shows_late_that_it_ran_out_of_time_is_kept_as_a_failed_one() -> None:
    world = watched(known())
    late = finished(arn=arn(1), events=(event("MAX_RUNTIME_EXCEEDED", ENDED), event("COMPLETED", ENDED)))
    world.answers(record(late, configured=False))
    assert world.forgotten(ENDED + USUAL) == []
    assert world.forgotten(ENDED + FAILED) == [(arn(1), RETENTION)]


# Random pages.

STATUSES = st.sampled_from(["QUEUED", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"])
PAGES = st.lists(
    st.lists(st.builds(summary, st.integers(1, 6), STATUSES, tags=st.sampled_from([MINE, MINE, {}])), max_size=8),
    max_size=12,
)


@given(pages=PAGES, since=st.sampled_from([WALL, CREATED - 1.0]))
def test_after_any_pages_exactly_the_members_are_known_and_watched(pages: list[list[JobSummary]], since: float) -> None:
    world, now = World(since), NOW
    for jobs in pages:
        now += 2000.0
        world.lists(*jobs, now=now)
        members = world.discovery.discovered_jobs.members
        assert {one.arn for one in [*world.store.scan()]} == members
        assert {schedule.arn for schedule in world.job_queue} <= members
        assert world.progress.pending_active | world.progress.pending_finished <= members
        for schedule in [*world.job_queue][::2]:
            ended = finished(arn=schedule.arn, ended=WALL + now - NOW)
            world.answers(
                record(ended if schedule.ended else snapshot(arn=schedule.arn), configured=False), requested_at=now
            )
        world.forgotten(WALL + now - NOW)
        assert {schedule.arn for schedule in world.job_queue} <= {one.arn for one in [*world.store.scan()]}


# Jobs beyond the series limit.


def dropped(world: World, *jobs: JobRecord | JobSummary, in_flight: tuple[str, ...] = ()) -> list[str]:
    """Have jobs beyond the limit removed; return them."""
    ranks = [rank_of(job) if isinstance(job, JobRecord) else rank_of_listed(job, ended=job.finished) for job in jobs]
    ranked = [Ranked(rank, job.arn) for rank, job in zip(ranks, jobs, strict=True)]
    gone = world.discovery.remove_beyond_limit(ranked, WALL, in_flight)
    for one in gone:
        world.store.forget({one.arn: {}})
    return [one.arn for one in gone]


def ended(number: int = 1, status: str = "COMPLETED", **members: Any) -> JobRecord:
    return record(finished(status, arn=arn(number), **members), configured=False)


def test_a_finished_job_that_is_too_many_is_let_go_and_no_page_brings_it_back() -> None:
    world = watched(known(), known(2))
    job = ended(events=())
    world.lists(summary(status="COMPLETED"))
    world.answers(job)
    assert dropped(world, job, known(2)) == [arn(1)]
    assert world.discovery.discovered_jobs.members == {arn(2)}
    assert [schedule.arn for schedule in world.job_queue] == [arn(2)]
    world.lists(summary(status="COMPLETED"))
    world.lists(summary(status="RUNNING"))
    assert arn(1) not in world.store


@pytest.mark.parametrize("since", [WALL, CREATED + 0.5])
def test_a_job_that_was_never_polled_is_let_go_and_not_new_when_a_page_shows_it_again(since: float) -> None:
    world = World(since)
    world.lists(summary(status="COMPLETED"))
    assert dropped(world, summary(status="COMPLETED")) == [arn(1)]
    assert ([*world.job_queue], world.progress.pending_finished) == ([], set())
    world.lists(summary(status="COMPLETED"))
    assert [*world.store.scan()] == []
    world.discovery.remove_expired(CREATED + 86400.0, ())
    world.lists(summary(status="COMPLETED"))
    assert [*world.store.scan()] == []


def test_a_dropped_job_whose_creation_only_its_schedule_knows_is_forgotten_once_no_page_can_show_it() -> None:
    world = World()
    world.lists(summary(status="COMPLETED"))
    dropped(world, summary(status="COMPLETED"))
    world.discovery.planner.index.add(CREATED + 1e6)
    world.discovery.remove_expired(CREATED + 2 * 86400.0, ())
    world.lists(summary(status="COMPLETED"))
    assert arn(1) not in world.store
    world.discovery.remove_expired(CREATED + 2 * 86400.0 + 1.0, ())
    world.lists(summary(status="COMPLETED"))
    assert arn(1) in world.store


def test_a_new_job_that_ended_is_logged_before_the_job_is_too_many() -> None:
    world = World(CREATED - 1.0)
    world.store.set_limit(1)
    world.lists(summary(1), summary(2, "FAILED"))
    beyond, _ = world.store.enforce_limit()
    assert [job.rank.standing for job in beyond] == [Standing.ACTIVE]
    assert world.discovery.remove_beyond_limit(beyond, WALL, ()) == []


def test_active_configured_and_in_flight_jobs_and_those_of_others_are_not_let_go() -> None:
    world = watched(known(1), known(2))
    world.lists(summary(2, "COMPLETED"))
    world.answers(ended(2))
    named = record(finished(arn=arn(3)))
    world.store.add(named)
    assert dropped(world, known(1), ended(2), named, ended(4), in_flight=(arn(2),)) == []


def test_a_job_that_turned_out_to_be_active_is_not_let_go() -> None:
    world = World()
    world.lists(summary(status="COMPLETED"))
    world.answers(known())
    assert dropped(world, summary(status="COMPLETED")) == []
    assert world.schedule().arn == arn(1)
