"""Which discovered jobs are worth watching, which are let go, and when their series end."""

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
    RETENTION,
    JobRecord,
    JobSummary,
    Selector,
)
from exporter.core.selector import TagRule
from exporter.polling.discovered_jobs import DiscoveredJobs, Retention
from exporter.storage import Tombstone, Tombstones
from exporter.storage.persistence import mark_of

USUAL, FAILED = 1000.0, 5000.0
ENDED = CREATED + 120.0

BEFORE = CREATED - 1.0
"""The exporter began before the job was created: the job is news."""

AFTER = CREATED + 1.0
"""The exporter began after the job was created: the job is baseline."""

MINE = {"team": "chemistry"}


def found_jobs(since: float = AFTER) -> DiscoveredJobs:
    selector = Selector((TagRule("team", frozenset({"chemistry"})),))
    return DiscoveredJobs(
        selector, since=since, retention=Retention(USUAL, FAILED), tombstones=Tombstones(), lane="mine"
    )


def listed(status: str = "RUNNING", **members: Any) -> JobSummary:
    """Return a selected job of ``CREATED``, as a page tells it."""
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
    known.take_in(listed().arn)
    known.note(job)
    return known


# Which jobs are worth watching.


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
@pytest.mark.parametrize("since", [BEFORE, AFTER])
def test_an_active_job_that_is_selected_is_wanted_however_old_it_is(status: str, since: float) -> None:
    assert found_jobs(since).wanted(listed(status), now=CREATED + 1e9)
    assert found_jobs(since).wanted(listed(status, ended=ENDED), now=CREATED + 1e9)


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED", "FAILED"])
def test_a_job_that_is_not_selected_is_not_wanted(status: str) -> None:
    assert not found_jobs(BEFORE).wanted(listed(status, tags={"team": "physics"}), now=ENDED)


@pytest.mark.parametrize(("status", "kept"), [("COMPLETED", USUAL), ("CANCELLED", USUAL), ("FAILED", FAILED)])
def test_a_job_that_ended_before_the_exporter_began_is_wanted_while_its_series_would_be_kept(
    status: str, kept: float
) -> None:
    assert found_jobs().wanted(listed(status), now=ENDED + kept - 0.1)
    assert not found_jobs().wanted(listed(status), now=ENDED + kept)


def test_a_job_that_does_not_tell_when_it_ended_is_wanted() -> None:
    assert found_jobs().wanted(listed("COMPLETED", ended=None), now=CREATED + 1e9)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_was_created_later_is_news_however_late_it_is_found(status: str) -> None:
    assert found_jobs(BEFORE).wanted(listed(status), now=CREATED + 1e9)
    assert found_jobs(BEFORE).is_news(listed(status))


@pytest.mark.parametrize("since", [AFTER, CREATED])
def test_a_job_that_was_created_up_to_the_beginning_is_no_news(since: float) -> None:
    assert not found_jobs(since).is_news(listed())
    assert not found_jobs(since).wanted(listed("COMPLETED"), now=ENDED + USUAL)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "RUNNING"])
@pytest.mark.parametrize("since", [BEFORE, AFTER])
def test_a_job_that_ended_and_was_forgotten_is_never_taken_up_again_even_if_a_list_lags(
    status: str, since: float
) -> None:
    known = with_member(COMPLETED, since)
    assert gone(known, COMPLETED, now=ENDED + USUAL) == [(ARN, RETENTION)]
    assert not known.wanted(listed(status), now=ENDED + 1.0)


def test_a_job_that_ended_without_telling_when_is_not_taken_up_anew_each_time_it_was_forgotten() -> None:
    job = discovered(record(finished(ended=None), polled_at=ENDED))
    known = with_member(job)
    assert gone(known, job, now=ENDED + USUAL) == [(ARN, RETENTION)]
    assert not known.wanted(listed("COMPLETED", ended=None), now=ENDED + USUAL)


def test_what_was_forgotten_is_remembered_as_long_as_lists_may_tell_it() -> None:
    known = with_member(COMPLETED, BEFORE)
    gone(known, COMPLETED, now=ENDED + USUAL)
    known.prune(CREATED)
    assert not known.wanted(listed("COMPLETED"), now=ENDED)
    known.prune(CREATED + 0.001)
    assert known.wanted(listed("COMPLETED"), now=ENDED)


# Where a job begins.


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLING", "PAUSED"])
def test_a_job_that_is_found_active_begins_with_the_status_that_was_told_alone(status: str) -> None:
    expected = JobRecord(ARN, first_listed_status=status, configured=False, baseline_at=AFTER, owner="mine")
    assert found_jobs().beginning(listed(status)) == expected


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_a_job_that_is_found_after_its_end_begins_with_nothing_known(status: str) -> None:
    assert found_jobs().beginning(listed(status)) == JobRecord(ARN, configured=False, baseline_at=AFTER, owner="mine")


def test_a_job_that_was_let_go_before_its_end_goes_on_where_it_was() -> None:
    known = with_member(RUNNING, BEFORE)
    known.let_go(RUNNING, DESELECTED, CREATED)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, DESELECTED)]
    assert known.wanted(listed(), now=CREATED + 1e9)
    assert known.beginning(listed()) == replace(RUNNING, owner="mine")


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_the_end_of_a_job_that_was_let_go_before_is_not_lost(status: str) -> None:
    known = with_member(RUNNING, BEFORE)
    known.let_go(RUNNING, DESELECTED, CREATED)
    gone(known, RUNNING, now=CREATED + USUAL)
    assert known.wanted(listed(status), now=CREATED + 1e9)
    assert known.beginning(listed(status)) == replace(RUNNING, owner="mine")


def test_a_job_that_was_taken_up_again_and_ended_is_not_taken_up_a_third_time() -> None:
    known = with_member(RUNNING, BEFORE)
    known.let_go(RUNNING, DESELECTED, CREATED)
    gone(known, RUNNING, now=CREATED + USUAL)
    known.take_in(listed("COMPLETED").arn)
    assert known.beginning(listed("COMPLETED")) == JobRecord(ARN, configured=False, baseline_at=BEFORE, owner="mine")
    known.note(COMPLETED)
    assert gone(known, COMPLETED, now=ENDED + USUAL) == [(ARN, RETENTION)]
    assert not known.wanted(listed("COMPLETED"), now=ENDED)
    assert known.beginning(listed("COMPLETED")) == JobRecord(ARN, configured=False, baseline_at=BEFORE, owner="mine")


def test_a_job_of_which_nothing_was_ever_known_is_found_afresh() -> None:
    known = with_member(UNKNOWN, BEFORE)
    known.let_go(UNKNOWN, NOT_FOUND, CREATED)
    assert gone(known, UNKNOWN, now=CREATED + USUAL) == [(ARN, NOT_FOUND)]
    assert known.wanted(listed("COMPLETED"), now=CREATED + USUAL)
    assert known.beginning(listed("COMPLETED")) == JobRecord(ARN, configured=False, baseline_at=BEFORE, owner="mine")
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


def test_a_job_that_is_noted_after_each_answer_is_forgotten_once() -> None:
    known = with_member(COMPLETED)
    for _ in range(3):
        known.note(COMPLETED)
    assert gone(known, COMPLETED, now=ENDED + USUAL) == [(ARN, RETENTION)]


def test_a_job_that_tells_late_that_it_ran_out_of_time_is_kept_longer() -> None:
    known = with_member(COMPLETED)
    known.note(OUT_OF_TIME)
    assert gone(known, OUT_OF_TIME, now=ENDED + USUAL) == []
    assert gone(known, OUT_OF_TIME, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_record_that_changed_unnoted_is_looked_at_when_its_time_comes() -> None:
    known = with_member(COMPLETED)
    assert gone(known, FAILED_JOB, now=ENDED + USUAL) == []
    assert gone(known, FAILED_JOB, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_job_that_is_just_being_asked_for_is_forgotten_after_the_answer() -> None:
    known = with_member(COMPLETED)
    assert gone(known, now=ENDED + USUAL) == []
    assert gone(known, COMPLETED, now=ENDED + USUAL + 1.0) == []
    known.note(COMPLETED)
    assert gone(known, COMPLETED, now=ENDED + USUAL + 2.0) == [(ARN, RETENTION)]


def test_jobs_are_forgotten_in_the_order_of_their_ends() -> None:
    known = found_jobs()
    records = [discovered(record(finished(arn=arn(number), ended=ENDED - number))) for number in (1, 3, 2)]
    for one in records:
        known.take_in(listed(arn=one.arn).arn)
        known.note(one)
    assert [name for name, _ in gone(known, *records, now=ENDED + 1e9)] == [arn(3), arn(2), arn(1)]


def test_a_job_that_is_asked_for_every_few_seconds_is_noted_once() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, DESELECTED, CREATED)
    for _ in range(3000):
        known.note(RUNNING)
    assert len(known._ends) == 1


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


def test_a_job_that_loses_its_tags_is_let_go_when_a_page_tells_so() -> None:
    known = with_member(RUNNING)
    known.met(lambda _: RUNNING, listed(tags={}), CREATED)
    known.met(lambda _: RUNNING, listed(tags={}), CREATED + 500.0)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, DESELECTED)]


def test_a_job_that_gets_its_selection_back_in_time_is_kept() -> None:
    known = with_member(RUNNING)
    known.met(lambda _: RUNNING, listed(tags={}), CREATED)
    known.met(lambda _: RUNNING, listed(), CREATED + USUAL - 1.0)
    assert gone(known, RUNNING, now=CREATED + 1e9) == []
    assert known.members == {ARN}
    known.met(lambda _: RUNNING, listed(tags={}), CREATED + 2e9)
    assert gone(known, RUNNING, now=CREATED + 2e9 + USUAL) == [(ARN, DESELECTED)]


def test_a_finished_job_that_gets_its_selection_back_is_forgotten_when_it_would_have_been() -> None:
    known = with_member(FAILED_JOB)
    known.met(lambda _: FAILED_JOB, listed(tags={}), ENDED)
    known.met(lambda _: FAILED_JOB, listed(), ENDED + 10.0)
    assert gone(known, FAILED_JOB, now=ENDED + USUAL) == []
    assert gone(known, FAILED_JOB, now=ENDED + FAILED) == [(ARN, RETENTION)]


def test_a_job_that_a_page_still_tells_is_kept_though_getjob_did_not_know_it() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, NOT_FOUND, CREATED)
    known.met(lambda _: RUNNING, listed(), CREATED + 10.0)
    assert gone(known, RUNNING, now=CREATED + 1e9) == []


# Jobs of others: named in the settings, or found with another login.


@pytest.mark.parametrize("job", [COMPLETED, RUNNING, record(finished())])
def test_a_job_that_is_no_member_is_left_to_others(job: JobRecord) -> None:
    known = found_jobs()
    known.note(job)
    known.let_go(job, NOT_FOUND, CREATED)
    known.met(lambda _: job, listed(tags={}), CREATED)
    assert gone(known, job, now=CREATED + 1e9) == []


def test_a_job_that_was_no_member_when_it_vanished_is_not_let_go_once_it_is_one() -> None:
    known = found_jobs()
    known.let_go(RUNNING, NOT_FOUND, CREATED)
    known.take_in(listed().arn)
    known.note(RUNNING)
    assert gone(known, RUNNING, now=CREATED + 1e9) == []


def test_a_job_that_was_forgotten_here_and_found_by_others_is_theirs() -> None:
    known = with_member(RUNNING)
    known.let_go(RUNNING, DESELECTED, CREATED)
    known.note(COMPLETED)
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
        elif self.known.wanted(self.page(name), self.now):
            self.store[name] = self.known.beginning(self.page(name))
            self.known.take_in(name)
            self.taken[name] += 1

    def page(self, name: str, tags: dict[str, str] | None = None) -> JobSummary:
        return listed(arn=name, tags=MINE if tags is None else tags)

    def _change(self, act: str, job: JobRecord) -> None:
        if act in ("end", "fail") and job.active:
            status = "COMPLETED" if act == "end" else "FAILED"
            job = discovered(record(finished(status, arn=job.arn, ended=self.now)))
            self.store[job.arn] = job
            self.known.note(job)
        elif act == "lose":
            self.known.met(lambda _: job, self.page(job.arn, tags={}), self.now)
            self.let_go.setdefault(job.arn, (self.now, DESELECTED))
        elif act == "regain":
            self.known.met(lambda _: job, self.page(job.arn), self.now)
            self.let_go.pop(job.arn, None)
        elif act == "vanish":
            self.known.let_go(job, NOT_FOUND, self.now)
            self.let_go.setdefault(job.arn, (self.now, NOT_FOUND))
        elif act == "ask":
            self.busy ^= {job.arn}
            if job.arn not in self.busy:
                self.known.note(job)
        else:
            self.known.note(job)

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


def test_the_reasons_are_those_that_a_counter_tells() -> None:
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
    assert not known.wanted(listed(status), now=ENDED)
    assert gone(known, job, now=CREATED + 1e9) == []
    assert known.members == set()
    known.prune(CREATED + 1.0)
    assert known.wanted(listed("RUNNING"), now=ENDED)
    assert known.beginning(listed("RUNNING")).baseline_at == max(since, CREATED)
    assert not known.is_news(listed("RUNNING"))


def test_a_job_that_is_left_to_somebody_else_is_not_forgotten_here() -> None:
    known = with_member(COMPLETED)
    known.note(COMPLETED)
    known.release(ARN)
    assert known.members == set()
    assert gone(known, COMPLETED, now=ENDED + FAILED) == []


def test_a_known_job_that_is_taken_over_is_let_go_unless_a_list_shows_it() -> None:
    known, seen = found_jobs(), found_jobs()
    for each in (known, seen):
        each.take_over(RUNNING, now=CREATED)
    seen.met(lambda _: RUNNING, listed(), CREATED)
    assert gone(known, RUNNING, now=CREATED + USUAL) == [(ARN, DESELECTED)]
    assert gone(seen, RUNNING, now=CREATED + USUAL) == []


def test_a_job_that_another_target_forgot_is_not_taken_up_here() -> None:
    known = found_jobs(BEFORE)
    known._tombstones.add(ARN, Tombstone(CREATED, None, "another"))
    assert not known.wanted(listed("FAILED"), now=ENDED)
    assert known.wanted(listed("FAILED", arn=arn(2)), now=ENDED)


def test_jobs_are_watched_for_since_the_selectors_that_choose_them_without_a_break() -> None:
    known = DiscoveredJobs(
        Selector(all_jobs=True), since=10.0, retention=Retention(USUAL, FAILED), tombstones=Tombstones()
    )
    chemists, everybody = Selector((TagRule("team", frozenset({"chemistry"})),)), Selector(all_jobs=True)
    known.select(chemists, 20.0)
    known.select(everybody, 30.0)
    assert (known.since(listed()), known.since(listed(tags={}))) == (10.0, 30.0)
    known.prune(25.0)
    assert (known.since(listed()), known.since(listed(tags={}))) == (20.0, 30.0)


# What is remembered beyond a restart.

MARK = mark_of(ARN)


def resumed(tombstones: Mapping[int, Tombstone], since: float = BEFORE) -> DiscoveredJobs:
    selector = Selector((TagRule("team", frozenset({"chemistry"})),))
    retention = Retention(USUAL, FAILED)
    return DiscoveredJobs(selector, since=since, retention=retention, tombstones=Tombstones(tombstones), lane="mine")


def test_of_a_job_that_ended_and_was_forgotten_its_creation_and_lane_are_remembered() -> None:
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
    assert not known.wanted(listed(status), now=ENDED + 1.0)
    assert resumed({MARK + 1: Tombstone(CREATED, None, "mine")}).wanted(listed(status), now=ENDED + 1.0)


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED"])
def test_a_job_that_was_let_go_before_a_restart_goes_on_where_it_was(status: str) -> None:
    known = resumed({MARK: Tombstone(CREATED, RUNNING, "mine")})
    assert known.wanted(listed(status), now=CREATED + 1e9)
    assert known.beginning(listed(status)) == replace(RUNNING, owner="mine")
    assert known.take_in(ARN) == MARK
    assert known.take_in(ARN) is None
    assert known._tombstones.all() == {}


def test_what_is_pruned_is_told_by_its_marks() -> None:
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
    assert known.watching_since == BEFORE
    known.select(Selector(all_jobs=True), AFTER, "other")
    assert known.watching_since == AFTER
    assert known.beginning(listed()).owner == "other"
