"""The discovered jobs of a target, and the expiry of their series."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest
from builders import ARN, CREATED, arn, event, finished, record, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from exporter.core import (
    DESELECTED,
    DROP_REASONS,
    MAX_RUNTIME_EXCEEDED,
    NOT_FOUND,
    QUEUE,
    RETENTION,
    JobRecord,
    JobSummary,
    Selector,
)
from exporter.core.selector import TagRule
from exporter.polling.decision import Decision, LetGo, Seen, TakeUp, decide
from exporter.polling.discovered_jobs import DiscoveredJobs
from exporter.polling.policy import Retention
from exporter.polling.schedule import Priority
from exporter.storage import Tombstone, Tombstones
from exporter.storage.persistence import mark_of

USUAL, FAILED = 1000.0, 5000.0
ENDED = CREATED + 120.0

BEFORE = CREATED - 1.0
"""A start before the job was created: the job is new."""

AFTER = CREATED + 1.0
"""A start after the job was created: the job is part of the baseline."""

MINE = {"team": "chemistry"}


def found_jobs(since: float = AFTER) -> DiscoveredJobs:
    selector = Selector((TagRule("team", frozenset({"chemistry"})),))
    return DiscoveredJobs(
        selector, since=since, retention=Retention(USUAL, FAILED), tombstones=Tombstones(), owner="mine"
    )


def listed(status: str = "RUNNING", **members: Any) -> JobSummary:
    """Return a selected job of ``CREATED``, as on a page."""
    ended = ENDED if status in ("COMPLETED", "FAILED", "CANCELLED") else None
    usual: dict[str, Any] = {"arn": ARN, "name": "vqe", "created": CREATED, "started": None, "ended": ended}
    return JobSummary(status=status, **{**usual, "tags": MINE, **members})


def discovered(job: JobRecord) -> JobRecord:
    return replace(job, configured=False)


RUNNING = discovered(record(snapshot()))
COMPLETED = discovered(record(finished()))
FAILED_JOB = discovered(record(finished("FAILED")))
OUT_OF_TIME = discovered(record(finished(events=(event(MAX_RUNTIME_EXCEEDED, ENDED), event("COMPLETED", ENDED)))))
UNKNOWN = JobRecord(ARN, configured=False)


def gone(known: DiscoveredJobs, *records: JobRecord, now: float) -> list[tuple[str, str]]:
    """Let the time pass; return the ARN of each job that is forgotten, with the reason."""
    table = {one.arn: one for one in records}
    return [(one.arn, reason) for one, reason in known.expired(table.get, now)]


def with_member(job: JobRecord, since: float = AFTER) -> DiscoveredJobs:
    known = found_jobs(since)
    known.add(ARN)
    known.update_expiry(job)
    return known


def decision(known: DiscoveredJobs, job: JobSummary, now: float, *, stored: bool = False) -> Decision:
    """Return the effect of a page on a job without a schedule."""
    return decide(job, known.known(job.arn, stored=stored), requested_at=0.0, now=0.0, wall=now)


def first_record(known: DiscoveredJobs, job: JobSummary, now: float = CREATED + 1e9) -> JobRecord | None:
    """Return the first record of a job that is taken up; ``None`` for a job that is ignored."""
    taken = decision(known, job, now)
    return taken.record if isinstance(taken, TakeUp) else None


def show(known: DiscoveredJobs, record: JobRecord, job: JobSummary, now: float) -> None:
    """Have a page show a stored job."""
    match decision(known, job, now, stored=True):
        case LetGo():
            known.let_go(record, DESELECTED, now)
        case Seen(reselected=True):
            known.reselect(job.arn)


def test_a_job_whose_time_has_come_is_dropped_once_although_it_was_announced_before() -> None:
    known = with_member(COMPLETED)
    assert (*known.due(ENDED),) == ()
    assert (*known.due(ENDED + 1e9),) == (*known.due(ENDED + 1e9),) == (ARN,)
    assert known.has_more(ENDED + 1e9)
    assert gone(known, COMPLETED, now=ENDED + 1e9) == [(ARN, RETENTION)]
    assert gone(known, COMPLETED, now=ENDED + 1e9) == []
    assert not known.has_more(ENDED + 1e9)


def test_a_job_that_another_target_watches_since_its_time_came_is_not_dropped() -> None:
    known = with_member(COMPLETED)
    known.due(ENDED + 1e9)
    known.release(ARN)
    assert gone(known, COMPLETED, now=ENDED + 1e9) == []


# Jobs that are discovered again.


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "RUNNING"])
@pytest.mark.parametrize("since", [BEFORE, AFTER])
def test_a_job_that_ended_and_was_forgotten_is_never_taken_up_again_even_if_a_page_lags(
    status: str, since: float
) -> None:
    known = with_member(COMPLETED, since)
    assert gone(known, COMPLETED, now=ENDED + USUAL) == [(ARN, RETENTION)]
    assert first_record(known, listed(status), now=ENDED + 1.0) is None


def test_a_job_that_ended_without_showing_when_is_not_taken_up_again_each_time_it_was_forgotten() -> None:
    job = discovered(record(finished(ended=None), polled_at=ENDED))
    known = with_member(job)
    assert gone(known, job, now=ENDED + USUAL) == [(ARN, RETENTION)]
    assert first_record(known, listed("COMPLETED", ended=None), now=ENDED + USUAL) is None


def test_what_was_forgotten_is_remembered_as_long_as_pages_may_show_it() -> None:
    known = with_member(COMPLETED, BEFORE)
    gone(known, COMPLETED, now=ENDED + USUAL)
    known.prune(CREATED)
    assert first_record(known, listed("COMPLETED"), now=ENDED) is None
    known.prune(CREATED + 0.001)
    assert first_record(known, listed("COMPLETED"), now=ENDED) is not None


def test_a_job_that_was_let_go_before_its_end_continues_where_it_was() -> None:
    known = with_member(RUNNING, BEFORE)
    known.let_go(RUNNING, DESELECTED, CREATED)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, DESELECTED)]
    assert first_record(known, listed(), now=CREATED + 1e9) is not None
    assert first_record(known, listed()) == replace(RUNNING, owner="mine")


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_the_end_of_a_job_that_was_let_go_before_is_not_lost(status: str) -> None:
    known = with_member(RUNNING, BEFORE)
    known.let_go(RUNNING, DESELECTED, CREATED)
    gone(known, RUNNING, now=CREATED + USUAL)
    assert first_record(known, listed(status), now=CREATED + 1e9) is not None
    assert first_record(known, listed(status)) == replace(RUNNING, owner="mine")


def test_a_job_that_was_taken_up_again_and_ended_is_not_taken_up_a_third_time() -> None:
    known = with_member(RUNNING, BEFORE)
    known.let_go(RUNNING, DESELECTED, CREATED)
    gone(known, RUNNING, now=CREATED + USUAL)
    known.add(ARN)
    assert first_record(known, listed("COMPLETED")) == JobRecord(
        ARN, configured=False, baseline_at=BEFORE, owner="mine"
    )
    known.update_expiry(COMPLETED)
    assert gone(known, COMPLETED, now=ENDED + USUAL) == [(ARN, RETENTION)]
    assert first_record(known, listed("COMPLETED"), now=ENDED) is None


def test_a_job_of_which_nothing_was_ever_known_is_found_afresh() -> None:
    known = with_member(UNKNOWN, BEFORE)
    known.let_go(UNKNOWN, NOT_FOUND, CREATED)
    assert gone(known, UNKNOWN, now=CREATED + USUAL) == [(ARN, NOT_FOUND)]
    assert first_record(known, listed("COMPLETED"), now=CREATED + USUAL) is not None
    assert first_record(known, listed("COMPLETED")) == JobRecord(
        ARN, configured=False, baseline_at=BEFORE, owner="mine"
    )
    known.prune(CREATED + 1e9)


# When series end.


@pytest.mark.parametrize(
    ("job", "kept"), [(COMPLETED, USUAL), (FAILED_JOB, FAILED), (OUT_OF_TIME, FAILED)], ids=["done", "failed", "late"]
)
def test_a_finished_job_is_forgotten_once_its_retention_is_over(job: JobRecord, kept: float) -> None:
    known = with_member(job)
    assert known.members == {ARN}
    assert gone(known, job, now=ENDED + kept - 0.1) == []
    assert gone(known, job, now=ENDED + kept) == [(ARN, RETENTION)]
    assert known.members == set()
    assert gone(known, job, now=ENDED + 1e9) == []


def test_an_active_job_is_kept_for_ever() -> None:
    assert gone(with_member(RUNNING), RUNNING, now=CREATED + 1e9) == []


def test_a_job_whose_expiry_is_updated_after_each_response_is_forgotten_once() -> None:
    known = with_member(COMPLETED)
    for _ in range(3):
        known.update_expiry(COMPLETED)
    assert gone(known, COMPLETED, now=ENDED + USUAL) == [(ARN, RETENTION)]


def test_a_job_that_shows_late_that_it_ran_out_of_time_is_kept_longer() -> None:
    known = with_member(COMPLETED)
    known.update_expiry(OUT_OF_TIME)
    assert gone(known, OUT_OF_TIME, now=ENDED + USUAL) == []
    assert gone(known, OUT_OF_TIME, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_record_that_changed_unnoted_is_looked_at_when_its_time_comes() -> None:
    known = with_member(COMPLETED)
    assert gone(known, FAILED_JOB, now=ENDED + USUAL) == []
    assert gone(known, FAILED_JOB, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_job_that_is_in_flight_is_forgotten_after_the_response() -> None:
    known = with_member(COMPLETED)
    assert gone(known, now=ENDED + USUAL) == []
    assert gone(known, COMPLETED, now=ENDED + USUAL + 1.0) == []
    known.update_expiry(COMPLETED)
    assert gone(known, COMPLETED, now=ENDED + USUAL + 2.0) == [(ARN, RETENTION)]


def test_jobs_are_forgotten_in_the_order_of_their_ends() -> None:
    known = found_jobs()
    records = [discovered(record(finished(arn=arn(number), ended=ENDED - number))) for number in (1, 3, 2)]
    for one in records:
        known.add(one.arn)
        known.update_expiry(one)
    assert [name for name, _ in gone(known, *records, now=ENDED + 1e9)] == [arn(3), arn(2), arn(1)]


def test_a_job_that_is_polled_every_few_seconds_is_queued_once() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, DESELECTED, CREATED)
    for _ in range(3000):
        known.update_expiry(RUNNING)
    assert len(known._heap) == 1


# Jobs that are let go.


@pytest.mark.parametrize("reason", [DESELECTED, NOT_FOUND])
@pytest.mark.parametrize("job", [RUNNING, UNKNOWN])
def test_a_job_that_was_let_go_is_forgotten_after_the_usual_retention(job: JobRecord, reason: str) -> None:
    known = with_member(job)
    known.let_go(job, reason, CREATED + 10.0)
    assert gone(known, job, now=CREATED + 10.0 + USUAL - 0.1) == []
    assert gone(known, job, now=CREATED + 10.0 + USUAL) == [(ARN, reason)]
    assert gone(known, job, now=CREATED + 1e9) == []


def test_a_failed_job_that_was_let_go_is_not_kept_longer_for_it() -> None:
    known = with_member(FAILED_JOB)
    known.let_go(FAILED_JOB, DESELECTED, ENDED + 10.0)
    assert gone(known, FAILED_JOB, now=ENDED + 10.0 + USUAL) == [(ARN, DESELECTED)]


def test_a_finished_job_that_is_let_go_late_keeps_its_end() -> None:
    known = with_member(FAILED_JOB)
    known.let_go(FAILED_JOB, DESELECTED, ENDED + FAILED - 1.0)
    assert gone(known, FAILED_JOB, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_job_is_let_go_once_and_the_first_reason_stands() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, NOT_FOUND, CREATED)
    known.let_go(RUNNING, DESELECTED, CREATED + 500.0)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, NOT_FOUND)]


def test_a_job_that_loses_its_tags_is_let_go_when_a_page_shows_so() -> None:
    known = with_member(RUNNING)
    show(known, RUNNING, listed(tags={}), CREATED)
    show(known, RUNNING, listed(tags={}), CREATED + 500.0)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, DESELECTED)]


def test_a_job_that_gets_its_selection_back_in_time_is_kept() -> None:
    known = with_member(RUNNING)
    show(known, RUNNING, listed(tags={}), CREATED)
    show(known, RUNNING, listed(), CREATED + USUAL - 1.0)
    assert gone(known, RUNNING, now=CREATED + 1e9) == []
    assert known.members == {ARN}
    show(known, RUNNING, listed(tags={}), CREATED + 2e9)
    assert gone(known, RUNNING, now=CREATED + 2e9 + USUAL) == [(ARN, DESELECTED)]


def test_a_finished_job_that_gets_its_selection_back_is_forgotten_when_it_would_have_been() -> None:
    known = with_member(FAILED_JOB)
    show(known, FAILED_JOB, listed(tags={}), ENDED)
    show(known, FAILED_JOB, listed(), ENDED + 10.0)
    assert gone(known, FAILED_JOB, now=ENDED + USUAL) == []
    assert gone(known, FAILED_JOB, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_job_that_a_page_still_shows_is_kept_though_getjob_did_not_know_it() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, NOT_FOUND, CREATED)
    show(known, RUNNING, listed(), CREATED + 10.0)
    assert gone(known, RUNNING, now=CREATED + 1e9) == []


# Jobs of other targets: configured, or discovered with other credentials.


@pytest.mark.parametrize("job", [COMPLETED, RUNNING, record(finished())])
def test_a_job_that_is_no_member_is_left_to_others(job: JobRecord) -> None:
    known = found_jobs()
    known.update_expiry(job)
    known.let_go(job, NOT_FOUND, CREATED)
    show(known, job, listed(tags={}), CREATED)
    assert gone(known, job, now=CREATED + 1e9) == []


def test_a_job_that_was_no_member_when_it_vanished_is_not_let_go_once_it_is_one() -> None:
    known = found_jobs()
    known.let_go(RUNNING, NOT_FOUND, CREATED)
    known.add(ARN)
    known.update_expiry(RUNNING)
    assert gone(known, RUNNING, now=CREATED + 1e9) == []


def test_a_job_that_was_forgotten_here_and_found_by_others_is_theirs() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, DESELECTED, CREATED)
    known.update_expiry(COMPLETED)
    assert gone(known, COMPLETED, now=CREATED + USUAL) == [(ARN, DESELECTED)]
    assert gone(known, COMPLETED, now=CREATED + 1e9) == []


# Whatever happens.

Act = Literal["end", "fail", "lose", "regain", "vanish", "note", "ask", "pass"]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["end", "fail", "lose", "regain", "vanish", "note", "ask", "pass", "pass"]), st.integers(0, 4)
    ),
    max_size=60,
)


@dataclass
class World:
    """A few jobs, and what a naive reader of the rules would say of them."""

    known: DiscoveredJobs
    now: float = CREATED
    store: dict[str, JobRecord] = field(default_factory=dict)
    let_go: dict[str, tuple[float, str]] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    forgotten: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)

    def act(self, act: str, number: int) -> None:
        name = arn(number)
        if act == "pass":
            self.now += 300.0 * number
            self.check()
        elif name in self.store:
            self._change(act, self.store[name])
        elif (first := first_record(self.known, self.page(name), self.now)) is not None:
            self.store[name] = first
            self.known.add(name)
            self.taken[name] += 1

    def page(self, name: str, tags: dict[str, str] | None = None) -> JobSummary:
        return listed(arn=name, tags=MINE if tags is None else tags)

    def _change(self, act: str, job: JobRecord) -> None:
        if act in ("end", "fail") and job.active:
            status = "COMPLETED" if act == "end" else "FAILED"
            job = discovered(record(finished(status, arn=job.arn, ended=self.now)))
            self.store[job.arn] = job
            self.known.update_expiry(job)
        elif act == "lose":
            show(self.known, job, self.page(job.arn, tags={}), self.now)
            self.let_go.setdefault(job.arn, (self.now, DESELECTED))
        elif act == "regain":
            show(self.known, job, self.page(job.arn), self.now)
            self.let_go.pop(job.arn, None)
        elif act == "vanish":
            self.known.let_go(job, NOT_FOUND, self.now)
            self.let_go.setdefault(job.arn, (self.now, NOT_FOUND))
        elif act == "ask":
            self.busy ^= {job.arn}
            if job.arn not in self.busy:
                self.known.update_expiry(job)
        else:
            self.known.update_expiry(job)

    def check(self) -> None:
        expected = {}
        for name, job in self.store.items():
            ends = sorted(self.ends(job))
            if name not in self.busy and ends and ends[0][0] <= self.now:
                expected[name] = ends[0][1]
        found = [*self.known.expired(lambda name: None if name in self.busy else self.store.get(name), self.now)]
        assert sorted((job.arn, reason) for job, reason in found) == sorted(expected.items())
        for name in expected:
            del self.store[name]
            self.let_go.pop(name, None)
            self.forgotten[name] += 1
        assert self.known.members == self.store.keys()

    def ends(self, job: JobRecord) -> Iterator[tuple[float, str]]:
        if job.snapshot is not None and job.snapshot.ended is not None:
            yield job.snapshot.ended + (FAILED if job.snapshot.status == "FAILED" else USUAL), RETENTION
        if job.arn in self.let_go:
            yield self.let_go[job.arn][0] + USUAL, self.let_go[job.arn][1]


@settings(max_examples=examples(400))
@given(acts=ACTS, since=st.sampled_from([BEFORE, AFTER]))
def test_whatever_happens_each_job_is_forgotten_once_at_its_time_and_for_its_reason(
    acts: Sequence[tuple[Act, int]], since: float
) -> None:
    world = World(found_jobs(since))
    for act, number in acts:
        world.act(act, number)
    for name in [*world.busy]:
        if name in world.store:
            world.act("ask", int(name[-1]))
    world.now += 1e6
    world.check()
    assert all(job.active and name not in world.let_go for name, job in world.store.items())
    assert world.taken == world.forgotten + Counter(world.store.keys())


def test_the_reasons_are_those_of_the_counter() -> None:
    assert DROP_REASONS == ("retention", "deselected", "not_found", "max_jobs")


# What a reload changes.


@pytest.mark.parametrize("job", [COMPLETED, FAILED_JOB, UNKNOWN])
@pytest.mark.parametrize("since", [BEFORE, AFTER])
@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED", "FAILED"])
def test_a_job_that_is_dropped_before_its_time_is_never_taken_up_again(
    job: JobRecord, since: float, status: str
) -> None:
    known = with_member(job, since)
    known.drop(ARN, CREATED)
    assert first_record(known, listed(status), now=ENDED) is None
    assert gone(known, job, now=CREATED + 1e9) == []
    assert known.members == set()
    known.prune(CREATED + 1.0)
    again = decision(known, listed("RUNNING"), ENDED)
    baseline = max(since, CREATED)
    expected = JobRecord(ARN, counted=(QUEUE,), configured=False, baseline_at=baseline, owner="mine")
    assert again == TakeUp(expected, Priority.NEW)


def test_a_job_that_is_left_to_somebody_else_is_not_forgotten_here() -> None:
    known = with_member(COMPLETED)
    known.update_expiry(COMPLETED)
    known.release(ARN)
    assert known.members == set()
    assert gone(known, COMPLETED, now=ENDED + FAILED) == []


def test_a_known_job_that_is_taken_over_is_let_go_unless_a_page_shows_it() -> None:
    known, seen = found_jobs(), found_jobs()
    for each in (known, seen):
        each.take_over(RUNNING, now=CREATED)
    show(seen, RUNNING, listed(), CREATED)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, DESELECTED)]
    assert gone(seen, RUNNING, now=CREATED + USUAL) == []


def test_a_job_that_another_target_forgot_is_not_taken_up_here() -> None:
    known = found_jobs(BEFORE)
    known._tombstones.add(ARN, Tombstone(CREATED, None, "another"))
    assert first_record(known, listed("FAILED"), now=ENDED) is None
    assert first_record(known, listed("FAILED", arn=arn(2)), now=ENDED) is not None


def test_jobs_are_watched_for_since_the_selectors_that_choose_them_without_a_break() -> None:
    known = DiscoveredJobs(
        Selector(all_jobs=True), since=10.0, retention=Retention(USUAL, FAILED), tombstones=Tombstones()
    )
    chemists, everybody = Selector((TagRule("team", frozenset({"chemistry"})),)), Selector(all_jobs=True)
    known.select(chemists, 20.0)
    known.select(everybody, 30.0)
    assert (known.selection.selected_since(listed()), known.selection.selected_since(listed(tags={}))) == (10.0, 30.0)
    known.prune(25.0)
    assert (known.selection.selected_since(listed()), known.selection.selected_since(listed(tags={}))) == (20.0, 30.0)


# What is remembered beyond a restart.

MARK = mark_of(ARN)


def resumed(tombstones: Mapping[int, Tombstone], since: float = BEFORE) -> DiscoveredJobs:
    selector = Selector((TagRule("team", frozenset({"chemistry"})),))
    retention = Retention(USUAL, FAILED)
    return DiscoveredJobs(selector, since=since, retention=retention, tombstones=Tombstones(tombstones), owner="mine")


def test_of_a_job_that_ended_and_was_forgotten_its_creation_and_target_are_remembered() -> None:
    known = with_member(COMPLETED)
    assert known._tombstones.all() == {}
    gone(known, COMPLETED, now=ENDED + USUAL)
    assert known._tombstones.all() == {MARK: Tombstone(CREATED, None, "mine")}


def test_of_a_job_that_was_let_go_before_its_end_all_is_remembered() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, DESELECTED, CREATED)
    gone(known, RUNNING, now=CREATED + USUAL)
    assert known._tombstones.all() == {MARK: Tombstone(CREATED, RUNNING, "mine")}


def test_of_a_job_of_which_nothing_was_ever_known_nothing_is_remembered() -> None:
    known = with_member(UNKNOWN)
    known.let_go(UNKNOWN, NOT_FOUND, CREATED)
    gone(known, UNKNOWN, now=CREATED + USUAL)
    assert known._tombstones.all() == {}


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED", "FAILED"])
def test_a_job_that_ended_and_was_forgotten_before_a_restart_is_not_taken_up_again(status: str) -> None:
    known = resumed({MARK: Tombstone(CREATED, None, "mine")})
    assert first_record(known, listed(status), now=ENDED + 1.0) is None
    assert (
        first_record(resumed({MARK + 1: Tombstone(CREATED, None, "mine")}), listed(status), now=ENDED + 1.0) is not None
    )


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED"])
def test_a_job_that_was_let_go_before_a_restart_continues_where_it_was(status: str) -> None:
    known = resumed({MARK: Tombstone(CREATED, RUNNING, "mine")})
    assert first_record(known, listed(status), now=CREATED + 1e9) is not None
    assert first_record(known, listed(status)) == replace(RUNNING, owner="mine")
    assert known.add(ARN) == MARK
    assert known.add(ARN) is None
    assert known._tombstones.all() == {}


def test_prune_returns_the_marks_of_the_tombstones() -> None:
    tombstones = {
        1: Tombstone(10.0, None, "mine"),
        2: Tombstone(20.0, None, "mine"),
        3: Tombstone(30.0, RUNNING, "mine"),
    }
    known = resumed(tombstones)
    assert known.prune(10.0) == []
    assert known.prune(20.5) == [1, 2]
    assert known.prune(20.5) == []
    assert known.prune(30.1) == [3]
    assert tombstones.keys() == {1, 2, 3}


def test_the_beginning_is_when_the_last_selector_came() -> None:
    known = found_jobs(BEFORE)
    assert known.selection.start == BEFORE
    known.select(Selector(all_jobs=True), AFTER, "other")
    assert known.selection.start == AFTER
    first = first_record(known, listed())
    assert first is not None
    assert first.owner == "other"
