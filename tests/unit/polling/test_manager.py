"""The polled targets while their plan changes: scripted responses, and a manual clock."""

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from builders import ACCOUNT, CREATED, REGION, FakeTime, NoCalls, arn, finished, kept, snapshot, text_of
from ledgers import Book, Past
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import (
    CredentialsRef,
    JobRecord,
    JobSnapshot,
    JobSummary,
    SearchPage,
    Selector,
    Span,
    Target,
    TargetConfig,
)
from exporter.core.selector import TagRule
from exporter.metrics import job_families
from exporter.polling.manager import PollerManager
from exporter.polling.policy import Policy, Retention
from exporter.polling.polled_target import PolledTarget
from exporter.polling.polling_plan import Changes
from exporter.polling.rate_limiter import RateLimiter
from exporter.storage import SavedState, Store, Tombstone
from exporter.storage.block import BLOCK_JOBS
from exporter.storage.persistence import mark_of
from exporter.telemetry import EventLog, SelfMetrics

A, B, C = arn(1), arn(2), arn(3)
WEST, NORTH = Target(ACCOUNT, REGION), Target(ACCOUNT, "eu-north-1")
UNKNOWN = Target("", REGION)
FAR = arn(9, "eu-north-1")
POLICY = Policy(30.0, 60.0, 86400.0, Retention(1000.0, 5000.0))
EXPIRY_INTERVAL = 5.0
"""Seconds between two searches for expired jobs, as in the exporter."""

ALL = Selector(all_jobs=True)
CHEMISTS = Selector((TagRule("team", frozenset({"chemistry"})),))
CHEMISTRY, PHYSICS = {"team": "chemistry"}, {"team": "physics"}


def config(
    *jobs: str, selector: Selector | None = None, target: Target = WEST, profile: str | None = None
) -> TargetConfig:
    return TargetConfig(CredentialsRef(profile), target, jobs, selector)


@dataclass
class Account:
    """The jobs of an account, as GetJob and SearchJobs return them."""

    jobs: dict[str, JobSnapshot] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    polled: list[str] = field(default_factory=list)
    meanwhile: Callable[[str], object] = lambda _: None

    def put(self, job: JobSnapshot, tags: dict[str, str] | None = None) -> None:
        self.jobs[job.arn] = job
        self.tags[job.arn] = tags or {}


@dataclass
class Source(NoCalls):
    account: Account
    target: Target
    clock_offset: float = 0.0

    def get_job(self, job: str) -> JobSnapshot:
        self.account.polled.append(job)
        answer = self.account.jobs[job]
        self.account.meanwhile(job)
        return answer

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        assert token is None
        answer = SearchPage(tuple(map(self._summary, self._found(span))), (), None)
        self.target = Target(ACCOUNT, self.target.region)
        self.account.meanwhile("page")
        return answer

    def _found(self, span: Span) -> list[JobSnapshot]:
        inside = (job for job in self.account.jobs.values() if job.created is not None and span.start <= job.created)
        return [job for job in inside if job.region == self.target.region and (span.end or 1e12) >= (job.created or 0)]

    def _summary(self, job: JobSnapshot) -> JobSummary:
        assert job.created is not None
        return JobSummary(
            job.arn, job.name, job.status, job.created, job.started, job.ended, tags=self.account.tags[job.arn]
        )


class Harness:
    """A manager with its services."""

    def __init__(self, *configs: TargetConfig, rate: float = 1e9, before: "Harness | None" = None) -> None:
        self.time: FakeTime = FakeTime() if before is None else before.time
        self.account: Account = Account() if before is None else before.account
        self.book: Book = Book() if before is None else before.book
        self._log = LogCapture()
        self.store = Store(job_families(), self.book)
        self.telemetry = SelfMetrics()
        self.rate_limiter = RateLimiter(rate)
        self.manager = PollerManager(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[self._log])),
            telemetry=self.telemetry,
            rate_limiter=self.rate_limiter,
            clock=self.time.clock,
            random=lambda: 0.0,
        )
        self.connected: list[TargetConfig] = []
        self.configs, self.rate = configs, rate

    def follow(
        self, *configs: TargetConfig, policy: Policy = POLICY, rate: float | None = None, past: SavedState | None = None
    ) -> Changes:
        def connect(new: TargetConfig) -> Source:
            self.connected.append(new)
            return Source(self.account, new.target)

        plan = self.manager.plan(configs, policy, self.rate if rate is None else rate, connect)
        return self.manager.follow(plan, past)

    def names(self) -> set[str]:
        """Return the jobs with series."""
        lines = (
            line
            for family, rows in self.store.view().families()
            if family.name == "braket_job_info"
            for line in text_of(rows).splitlines(keepends=True)
        )
        return set(re.findall(r'job_arn="([^"]*)"', b"".join(lines).decode()))

    def dropped(self) -> float:
        """Return the number of jobs that were dropped because of the series limit."""
        metrics = self.telemetry.render("text", lambda *_: True, ()).decode()
        (count,) = re.findall(r'jobs_dropped_total\{reason="max_jobs"\} (\S+)', metrics)
        return float(count)

    def run(self, seconds: float = 1.0) -> None:
        """Step as the threads do, until so many seconds have passed."""
        end = self.time.monotonic + seconds
        next_expiry = self.time.monotonic
        while True:
            waits = [target.poller.step() for target in self.manager.targets]
            if all(waits):
                if self.time.monotonic >= end:
                    break
                self.time.advance(max(0.001, min(*waits, end - self.time.monotonic)))
            if self.time.monotonic >= next_expiry:
                self.manager.drop_expired()
                next_expiry = self.time.monotonic + EXPIRY_INTERVAL
        self.manager.drop_expired()

    def logged(self, name: str) -> list[tuple[str | None, ...]]:
        """Return the job and the details of each log event."""
        keys = {"job_discovered": ("status",), "job_transition": ("from_status", "to_status")}.get(name, ("reason",))
        return [(e["job_arn"], *(e[key] for key in keys)) for e in self._log.entries if e["event"] == name]

    @property
    def arns(self) -> set[str]:
        return {record.arn for record in [*self.store.scan()]}

    def count(self, name: str) -> float:
        """Sum the samples of a family."""
        lines = (
            line
            for family, rows in self.store.view().families()
            if family.name == name
            for line in text_of(rows).splitlines(keepends=True)
        )
        samples = b"".join(lines).decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in samples)


def harness(*configs: TargetConfig, jobs: Sequence[JobSnapshot] = (), rate: float = 1e9) -> Harness:
    """Return a manager that has polled once."""
    one = Harness(*configs, rate=rate)
    for job in jobs:
        one.account.put(job, CHEMISTRY)
    one.follow(*configs)
    one.run()
    return one


def running(job: str = A, **members: Any) -> JobSnapshot:
    region = job.split(":")[3]
    return snapshot(**{"arn": job, "region": region, **members})


def ended(job: str = A, status: str = "FAILED", **members: Any) -> JobSnapshot:
    return finished(status, **{"arn": job, "region": job.split(":")[3], **members})


# Targets that stay, are added or are removed.


def test_a_target_that_is_as_it_was_keeps_its_poller_and_is_not_polled_sooner() -> None:
    one = harness(config(A), config(FAR, target=NORTH), jobs=[running(A), running(FAR), running(B)])
    before, polled = one.manager.targets, len(one.account.polled)
    assert one.follow(config(A, B), config(FAR, target=NORTH)) == Changes(added=0, removed=0, changed=1)
    assert one.manager.targets == before
    one.run(20.0)
    assert one.account.polled[polled:] == [B]


def ups(one: Harness) -> set[str]:
    wanted = "braket_exporter_target_up"
    metrics = one.telemetry.render("text", lambda name, _: name == wanted, one.manager.statuses()).decode()
    return {line for line in metrics.splitlines() if not line.startswith("#")}


def test_scrapes_and_probes_wait_for_no_lock_of_the_poller() -> None:
    one = harness(config(A, selector=ALL), jobs=[running(A), running(B)])
    state = one.manager.targets[0]._state
    one.time.advance(7.0)

    def read() -> tuple[list[float | None], bool, bool, bool]:
        ages = [status.staleness for status in one.manager.statuses()]
        return ages, one.manager.ready, one.manager.complete, one.manager.healthy

    with ThreadPoolExecutor(1) as readers, state.outcome_lock, state.lock:
        seen = readers.submit(read).result(timeout=30.0)
    assert seen == ([8.0], True, True, True)


def test_a_target_that_is_renamed_keeps_its_poller_and_counts_as_changed() -> None:
    chemistry, physics = (replace(config(selector=ALL), name=name) for name in ("chemistry", "physics"))
    one = harness(chemistry, jobs=[running(A)])
    line = f'braket_exporter_target_up{{aws_account_id="{ACCOUNT}",aws_region="us-west-2",target="%s"}} 1.0'
    assert ups(one) == {line % "chemistry"}
    before, polled, key = one.manager.targets, len(one.account.polled), set(one.manager.baselines)
    assert one.follow(physics) == Changes(added=0, removed=0, changed=1)
    assert ups(one) == {line % "physics"}
    assert (one.manager.targets, one.account.polled[polled:], set(one.manager.baselines)) == (before, [], key)
    assert one.follow(config(selector=ALL)) == Changes(added=0, removed=0, changed=1)
    assert ups(one) == {line % ""}
    assert one.names() == {A}


def test_targets_of_one_account_and_region_are_targets_of_their_own_by_their_names() -> None:
    one = harness(
        replace(config(A), name="chemistry"),
        replace(config(B, profile="p"), name="physics"),
        jobs=[running(A), running(B)],
    )
    assert [(status.name, status.active) for status in one.manager.statuses()] == [("chemistry", 1), ("physics", 1)]


def test_a_new_target_that_takes_a_job_over_has_its_name() -> None:
    one = harness(config(A, B), jobs=[running(A), running(B)])
    one.follow(config(A), replace(config(B, profile="p"), name="physics"))
    assert [(status.name, status.active) for status in one.manager.statuses()] == [("", 1), ("physics", 1)]


def test_only_new_targets_are_connected() -> None:
    one = harness(config(A), jobs=[running(A), running(FAR)])
    one.follow(config(A), config(FAR, target=NORTH))
    assert one.connected == [config(A), config(FAR, target=NORTH)]


def test_a_plan_that_is_not_followed_changes_nothing() -> None:
    one = harness(config(A), jobs=[running(A)])
    before = one.manager.targets

    def refuse(_: TargetConfig) -> Source:
        raise ValueError("no such profile")

    with pytest.raises(ValueError, match="no such profile"):
        one.manager.plan([config(B), config(C, profile="nobody")], POLICY, 1.0, refuse)
    assert one.manager.targets == before
    assert one.arns == {A}


def test_a_removed_target_takes_its_jobs_with_it_at_once() -> None:
    one = harness(config(A), config(selector=ALL, target=NORTH), jobs=[running(A), running(FAR)])
    assert one.follow(config(A)) == Changes(added=0, removed=1, changed=0)
    assert one.arns == {A}
    assert one.logged("job_forgotten") == [(FAR, "deselected")]
    assert [status.target for status in one.manager.statuses()] == [WEST]


def test_the_poller_of_a_removed_target_makes_no_further_call() -> None:
    one = harness(config(A), config(FAR, selector=ALL, target=NORTH), jobs=[running(A), running(FAR)])
    _, gone = one.manager.targets
    one.follow(config(A))
    polled = len(one.account.polled)
    one.time.advance(1000.0)
    assert gone.poller.step() == 10.0
    assert len(one.account.polled) == polled


def test_a_target_that_learned_its_account_stays_the_same_target() -> None:
    one = harness(config(selector=ALL, target=UNKNOWN), jobs=[running(A)])
    before = one.manager.targets
    assert one.follow(config(selector=ALL, target=UNKNOWN)) == Changes(added=0, removed=0, changed=0)
    assert one.follow(config(A, selector=ALL)) == Changes(added=0, removed=0, changed=1)
    assert one.manager.targets == before
    assert one.logged("job_discovered") == [(A, "RUNNING")]


def test_other_credentials_are_another_target() -> None:
    one = harness(config(A), jobs=[running(A)])
    assert one.follow(config(A, profile="other")) == Changes(added=1, removed=1, changed=0)


# Jobs that stay, are added or are removed.


def test_a_known_job_continues_where_it_was_when_its_target_changes() -> None:
    one = harness(config(A), jobs=[running(A), running(B)])
    one.follow(config(A, B))
    one.account.put(ended(A), CHEMISTRY)
    one.run(40.0)
    assert one.logged("job_discovered") == [(A, "RUNNING"), (B, "RUNNING")]
    assert one.logged("job_transition") == [(A, "RUNNING", "FAILED")]
    assert one.count("braket_job_outcomes_total") == 1


def test_a_removed_job_is_forgotten_and_what_it_counted_stays() -> None:
    one = harness(config(A, B), jobs=[running(A), running(B)])
    one.account.put(ended(A), CHEMISTRY)
    one.run(40.0)
    one.follow(config(B))
    assert one.arns == {B}
    assert one.logged("job_forgotten") == [(A, "deselected")]
    assert one.count("braket_job_outcomes_total") == 1
    assert [status.active + status.finished for status in one.manager.statuses()] == [1]


def test_a_job_that_comes_back_continues_where_it_was() -> None:
    one = harness(config(A, B), jobs=[running(A), running(B)])
    one.follow(config(B))
    one.account.put(ended(A), CHEMISTRY)
    one.time.advance(100.0)
    one.follow(config(A, B))
    one.run(40.0)
    assert one.logged("job_discovered") == [(A, "RUNNING"), (B, "RUNNING")]
    assert one.logged("job_transition") == [(A, "RUNNING", "FAILED")]
    assert one.count("braket_job_outcomes_total") == 1


def test_a_job_that_moves_to_other_credentials_keeps_its_record() -> None:
    one = harness(config(A, B), jobs=[running(A), running(B)])
    one.follow(config(A), config(B, profile="other"))
    one.account.put(ended(B), CHEMISTRY)
    one.run(40.0)
    assert one.logged("job_discovered") == [(A, "RUNNING"), (B, "RUNNING")]
    assert one.logged("job_transition") == [(B, "RUNNING", "FAILED")]
    assert one.logged("job_forgotten") == []


def test_a_complete_job_that_moves_is_not_polled_again() -> None:
    one = harness(config(A, B), jobs=[running(A), ended(B)])
    one.follow(config(A), config(B, profile="other"))
    one.run(100.0)
    assert one.account.polled.count(B) == 1
    assert one.arns == {A, B}


def test_a_discovered_job_that_is_configured_now_keeps_its_series_for_good() -> None:
    one = harness(config(selector=ALL), jobs=[ended(A, ended=CREATED + 900.0)])
    one.follow(config(A, selector=ALL))
    one.run(3 * 5000.0)
    assert one.arns == {A}
    assert one.logged("job_discovered") == [(A, "FAILED")]


def test_a_job_that_other_credentials_discovered_moves_to_the_target_that_configures_it() -> None:
    one = harness(config(selector=ALL), jobs=[running(A)])
    one.follow(config(selector=ALL), config(A, profile="other"))
    discovery, other = one.manager.targets
    assert [*discovery.jobs, "then", *other.jobs] == ["then", A]
    one.run(100.0)
    assert [*discovery.jobs, "then", *other.jobs] == ["then", A]
    assert one.logged("job_discovered") == [(A, "RUNNING")]


@pytest.mark.parametrize(("selector", "left"), [(ALL, {A}), (CHEMISTS, {A}), (CHEMISTS._replace(name=None), {A})])
def test_a_job_that_is_not_configured_any_more_stays_where_it_is_discovered(selector: Selector, left: set[str]) -> None:
    one = harness(config(A), jobs=[running(A)])
    one.follow(config(selector=selector))
    one.run(5000.0)
    assert one.arns == left
    assert one.logged("job_discovered") == [(A, "RUNNING")]
    assert one.logged("job_forgotten") == []


def test_a_job_that_is_not_configured_any_more_and_not_discovered_is_let_go_after_its_retention() -> None:
    one = harness(config(A), jobs=[running(A)])
    one.account.put(running(A), PHYSICS)
    one.follow(config(selector=CHEMISTS))
    one.run(900.0)
    assert one.arns == {A}
    one.run(200.0)
    assert one.arns == set()
    assert one.logged("job_forgotten") == [(A, "deselected")]


def test_a_job_of_removed_credentials_moves_to_a_target_that_discovers_it() -> None:
    one = harness(config(A, profile="other"), config(selector=ALL), jobs=[running(A)])
    one.follow(config(selector=ALL))
    one.account.put(ended(A), CHEMISTRY)
    one.run(100.0)
    assert one.logged("job_discovered") == [(A, "RUNNING")]
    assert one.logged("job_transition") == [(A, "RUNNING", "FAILED")]


def test_jobs_that_were_found_are_forgotten_when_nobody_looks_for_any() -> None:
    one = harness(config(A, selector=ALL), jobs=[running(A), running(B)])
    one.follow(config(A))
    assert one.arns == {A}
    assert one.logged("job_forgotten") == [(B, "deselected")]
    one.run(100.0)
    assert one.arns == {A}


# New jobs.


def test_a_wider_selector_announces_nothing_that_happened_before() -> None:
    one = harness(config(selector=CHEMISTS))
    since_then = one.time.wall + 10.0
    one.time.advance(500.0)
    one.account.put(ended(A, created=since_then, ended=since_then + 60.0), CHEMISTRY)
    one.account.put(ended(B, created=since_then, ended=since_then + 60.0), PHYSICS)
    one.follow(config(selector=ALL))
    one.run()
    # A fits the old selector, too, and was only not found yet.
    assert one.logged("job_transition") == [(A, None, "FAILED")]
    assert sorted(one.logged("job_discovered")) == [(A, "FAILED"), (B, "FAILED")]
    assert one.count("braket_job_outcomes_total") == 1


def test_a_narrower_selector_lets_the_others_go_and_one_that_widens_again_does_not_repeat_them() -> None:
    one = harness(config(selector=ALL))
    one.account.put(running(A, created=one.time.wall + 5.0), PHYSICS)
    one.run(100.0)
    assert one.logged("job_transition") == [(A, None, "RUNNING")]
    one.follow(config(selector=CHEMISTS))
    one.run(1200.0)
    assert one.logged("job_forgotten") == [(A, "deselected")]
    one.follow(config(selector=ALL))
    one.run(100.0)
    assert one.arns == {A}
    assert len(one.logged("job_discovered")) == len(one.logged("job_transition")) == 1


def test_a_job_that_is_created_after_the_reload_is_new() -> None:
    one = harness(config(A), jobs=[running(A)])
    one.follow(config(A, selector=ALL))
    one.run(10.0)
    one.account.put(running(B, created=one.time.wall + 1.0), CHEMISTRY)
    one.run(100.0)
    assert one.logged("job_transition") == [(B, None, "RUNNING")]


# Late responses.


@pytest.mark.parametrize("after", [(), (config(B),), (config(B, selector=None), config(FAR, target=NORTH))])
def test_a_response_for_a_job_that_left_meanwhile_changes_nothing(after: tuple[TargetConfig, ...]) -> None:
    one = harness(config(A), jobs=[running(A), running(B), running(FAR)])
    one.account.put(ended(A), CHEMISTRY)
    one.time.advance(40.0)

    def reload(job: str) -> None:
        if job == A:
            one.follow(*after)

    one.account.meanwhile = reload
    target = one.manager.targets[0]
    assert target.poller.step() == 0.0
    assert A not in one.arns
    assert one.logged("job_transition") == []
    assert one.logged("job_forgotten") == [(A, "deselected")]


@pytest.mark.parametrize("after", [config(B, selector=CHEMISTS), config(B)])
def test_a_page_that_was_requested_before_the_selector_changed_changes_nothing(after: TargetConfig) -> None:
    one = harness(config(selector=ALL))
    one.account.put(running(A, created=one.time.wall), PHYSICS)
    one.account.put(running(B), CHEMISTRY)
    one.time.advance(70.0)
    followed = threading.Event()

    def reload(polled: str) -> None:
        if polled == "page" and not followed.is_set():
            followed.set()
            one.follow(after)

    one.account.meanwhile = reload
    one.run(200.0)
    assert followed.is_set()
    assert one.arns == {B}
    # Nor does the plan of the pages wait for it.
    one.account.put(running(C, created=one.time.wall), CHEMISTRY)
    one.run(100.0)
    assert one.arns == ({B} if after.selector is None else {B, C})


# What holds for all.


def test_once_ready_it_stays_ready() -> None:
    one = Harness()
    for job in (A, B):
        one.account.put(running(job))
    one.follow(config(A))
    before = one.manager.ready
    one.run()
    one.follow(config(A, B), config(FAR, target=NORTH))
    assert [target.first_poll_done for target in one.manager.targets] == [False, False]
    assert (before, one.manager.ready, one.manager.healthy) == (False, True, True)


def test_readiness_is_shown_while_a_new_plan_waits_for_a_slow_state_file() -> None:
    one = harness(config(A), jobs=[running(A), running(B)])
    logged: list[bool] = []
    with ThreadPoolExecutor(2) as threads:

        def write_slowly() -> None:
            one.book.meanwhile = lambda: None
            threads.submit(one.follow, config(A, B))
            while not one.manager._changing.locked():
                pass
            logged.append(threads.submit(lambda: one.manager.ready).result(10))

        one.book.meanwhile = write_slowly
        one.run(30.0)
    assert logged == [True]
    one.run(30.0)
    assert (one.arns, one.manager.ready) == ({A, B}, True)


def test_what_is_not_ready_waits_for_what_is_added() -> None:
    one = Harness()
    one.follow(config(A))
    one.follow(config(A, B))
    one.account.put(running(A))
    one.account.put(running(B))
    (target,) = one.manager.targets
    assert [(target.poller.step(), one.manager.ready) for _ in range(2)] == [(0.0, False), (0.0, True)]


def test_a_removed_job_is_waited_for_no_longer() -> None:
    one = Harness()
    one.follow(config(A, B))
    one.follow(config(A))
    one.account.put(running(A))
    (target,) = one.manager.targets
    assert (target.poller.step(), one.manager.ready) == (0.0, True)


def test_new_jobs_are_looked_for_at_a_shorter_interval_at_once() -> None:
    one = harness(config(selector=ALL))
    one.follow(config(selector=ALL), policy=replace(POLICY, discovery_interval=5.0))
    one.account.put(running(A, created=one.time.wall), CHEMISTRY)
    one.run(6.0)
    assert one.arns == {A}


def test_a_shorter_interval_holds_at_once() -> None:
    one = harness(config(A), jobs=[running(A)])
    one.follow(config(A), policy=replace(POLICY, poll_interval=5.0))
    one.run(21.0)
    assert one.account.polled.count(A) == 5


def test_another_retention_holds_for_jobs_that_are_known() -> None:
    one = harness(config(selector=ALL), jobs=[ended(A, "COMPLETED")])
    one.follow(config(selector=ALL), policy=replace(POLICY, retention=Retention(900.0, 5000.0)))
    one.run(50.0)
    assert one.arns == set()
    assert one.logged("job_forgotten") == [(A, "retention")]


def test_a_longer_lookback_finds_older_jobs_at_once() -> None:
    one = harness(config(selector=ALL), jobs=[running(A, created=CREATED - 2 * 86400.0)])
    assert one.arns == set()
    one.follow(config(selector=ALL), policy=replace(POLICY, lookback=3 * 86400.0))
    one.run()
    assert one.arns == {A}


def test_rate_limits_continue_unless_they_are_changed() -> None:
    one = harness(config(A), jobs=[running(A)], rate=4.0)
    one.rate_limiter.throttled(WEST, "GetJob", one.time.monotonic, one.time.monotonic, 0.0)
    one.follow(config(A, B))
    assert one.rate_limiter.rate(WEST, "GetJob", one.time.monotonic) == 2.0
    one.follow(config(A, B), rate=8.0)
    assert one.rate_limiter.rate(WEST, "GetJob", one.time.monotonic) == 4.0


def test_threads_come_and_go_with_their_targets() -> None:
    one = Harness()
    for job in (A, FAR):
        one.account.put(running(job))
    one.follow(config(A))
    stop = threading.Event()
    one.manager.start(2, stop)
    before = {thread for thread in threading.enumerate() if thread.name.startswith("poll-")}
    assert len(before) == 2
    for _ in range(20):
        one.follow(config(A), config(FAR, target=NORTH))
        one.follow(config(A))
    stop.set()
    one.manager.join()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("poll-")] == []


def test_targets_are_reconfigured_in_place() -> None:
    one = harness(config(A), jobs=[running(A)])
    (target,) = one.manager.targets
    assert isinstance(target, PolledTarget)
    one.follow(config(A, selector=ALL))
    one.follow(config(B))
    assert one.manager.targets == (target,)
    assert target.jobs == {B}


# Jobs that are too many.


def crowded(most: int, *jobs: JobSnapshot, configs: Sequence[TargetConfig] = (config(selector=ALL),)) -> Harness:
    """Return a manager with a series limit that has polled once."""
    one = Harness(*configs)
    one.manager.set_limit(most)
    for job in jobs:
        one.account.put(job, CHEMISTRY)
    one.follow(*configs)
    one.run()
    return one


def test_finished_jobs_that_are_too_many_are_neither_polled_nor_logged_and_counted() -> None:
    one = crowded(2, *(ended(arn(n), "COMPLETED", ended=CREATED + 500.0 + n) for n in range(5)), running(arn(9)))
    assert one.names() == one.arns == {arn(9), arn(4)}
    assert set(one.account.polled) == {arn(9), arn(4)}
    assert one.logged("job_forgotten") == []
    assert one.dropped() == 4
    polled = len(one.account.polled)
    one.run(7200.0)
    assert set(one.account.polled[polled:]) <= {arn(9)}
    assert one.dropped() == 4


def test_a_job_that_ends_while_there_are_too_many_is_logged_and_counted_and_forgotten() -> None:
    one = crowded(1, running(A), running(B, created=CREATED + 1.0))
    assert one.arns == {A, B}
    assert one.names() == {B}
    assert one.dropped() == 1
    one.account.put(ended(A), CHEMISTRY)
    one.run(40.0)
    assert one.logged("job_transition") == [(A, "RUNNING", "FAILED")]
    assert one.logged("job_forgotten") == [(A, "max_jobs")]
    assert one.count("braket_job_outcomes_total") == 1
    assert one.arns == {B}
    assert one.dropped() == 1
    one.run(4000.0)
    assert one.arns == {B}
    assert len(one.logged("job_discovered")) == 2


def test_a_new_job_takes_the_place_of_the_oldest_finished_one() -> None:
    one = crowded(2, ended(A, "COMPLETED", ended=CREATED + 900.0), ended(B, "COMPLETED", ended=CREATED + 800.0))
    one.account.put(running(C, created=one.time.wall), CHEMISTRY)
    one.run(100.0)
    assert one.names() == {A, C}
    assert one.logged("job_forgotten") == [(B, "max_jobs")]
    assert one.dropped() == 1


def test_a_configured_job_is_hidden_and_not_forgotten_and_comes_back_with_room() -> None:
    old, young = ended(A, ended=CREATED + 100.0), ended(B, ended=CREATED + 200.0)
    one = crowded(1, old, young, configs=[config(A, B)])
    assert (one.arns, one.names(), one.dropped()) == ({A, B}, {B}, 1)
    one.manager.set_limit(2)
    assert one.names() == {A, B}
    one.manager.set_limit(1)
    assert (one.names(), one.dropped()) == ({B}, 2)
    one.follow(config(A))
    one.run()
    assert one.names() == {A}
    assert one.logged("job_forgotten") == [(B, "deselected")]


def test_a_hidden_job_that_is_not_configured_any_more_is_forgotten_where_it_is_discovered() -> None:
    one = crowded(1, ended(A, ended=CREATED + 900.0), running(B), configs=[config(A, selector=ALL)])
    assert (one.arns, one.names()) == ({A, B}, {B})
    one.follow(config(selector=ALL))
    one.run(1.0)
    assert one.arns == {B}
    assert one.logged("job_forgotten") == [(A, "max_jobs")]
    assert one.dropped() == 1


def test_the_limit_is_one_for_all_targets() -> None:
    jobs = [ended(A, "COMPLETED", ended=CREATED + 900.0), ended(FAR, "COMPLETED", ended=CREATED + 800.0)]
    one = crowded(1, *jobs, configs=[config(selector=ALL), config(selector=ALL, target=NORTH)])
    assert one.arns == {A}


@pytest.mark.parametrize(("most", "reason"), [(1, "max_jobs"), (9, "retention")])
def test_a_job_that_one_target_dropped_is_not_new_to_another_one_that_discovers_it(most: int, reason: str) -> None:
    one = crowded(most, running(B), configs=[config(selector=CHEMISTS), config(selector=ALL, profile="other")])
    one.follow(config(selector=CHEMISTS), config(selector=ALL, profile="other"))
    new = running(A, created=one.time.wall)
    one.account.put(new, CHEMISTRY)
    one.run(100.0)
    one.account.put(replace(new, status="FAILED", ended=one.time.wall), CHEMISTRY)
    one.run(3 * 5000.0)
    assert one.logged("job_transition") == [(A, None, "RUNNING"), (A, "RUNNING", "FAILED")]
    assert one.count("braket_job_outcomes_total") == 1
    assert {logged for logged in one.logged("job_forgotten") if logged[0] == A} == {(A, reason)}
    assert one.arns == {B}


# After a restart.

A_DAY = 86400.0


def restarted(
    before: Harness, *configs: TargetConfig, down: float = 60.0, polled: float | None = None, lookback: float = A_DAY
) -> Harness:
    """Return a manager that continues, after so many seconds, from the state file of the one before."""
    before.store.flush()
    past = before.book.past(before.time.wall if polled is None else polled, before.manager.baselines)
    one = Harness(*configs, before=before)
    one.time.advance(down)
    one.follow(*configs, policy=replace(POLICY, lookback=lookback), past=past.give(one.store))
    return one


def silent(one: Harness) -> bool:
    return not any(one.logged(name) for name in ("job_discovered", "job_transition", "job_forgotten"))


def test_a_configured_job_continues_as_a_configured_one_and_what_happened_meanwhile_is_logged_once() -> None:
    one = harness(config(A, B), jobs=[running(A), running(B)])
    one.account.put(ended(A), CHEMISTRY)
    two = restarted(one, config(A, B))
    assert two.store.record(B) == one.store.record(B)
    two.run(40.0)
    assert two.logged("job_transition") == [(A, "RUNNING", "FAILED")]
    assert two.logged("job_discovered") == two.logged("job_forgotten") == []
    assert two.count("braket_job_outcomes_total") == 1
    three = restarted(two, config(A, B))
    three.run(40.0)
    assert silent(three)
    assert three.count("braket_job_outcomes_total") == 1
    assert [record.configured for record in [*three.store.scan()]] == [True, True]


def test_a_configured_job_that_showed_all_details_of_its_end_is_neither_polled_nor_waited_for() -> None:
    one = harness(config(A), jobs=[ended(A)])
    polled = len(one.account.polled)
    two = restarted(one, config(A))
    assert two.manager.ready
    assert two.manager.complete
    two.run(1000.0)
    assert len(two.account.polled) == polled
    assert two.arns == {A}


def test_an_active_job_is_waited_for_until_it_responds_again() -> None:
    one = harness(config(A), jobs=[running(A)])
    two = restarted(one, config(A))
    before = two.manager.ready
    assert [status.staleness for status in two.manager.statuses()] == [61.0]
    two.run()
    assert (before, two.manager.ready) == (False, True)
    assert silent(two)


def test_a_discovered_job_goes_back_to_its_target_and_is_forgotten_when_its_time_is_over() -> None:
    configs = (config(selector=CHEMISTS, profile="other"), config(selector=ALL))
    one = harness(*configs, jobs=[running(A), ended(B, "COMPLETED", ended=CREATED + 900.0)])
    one.account.put(running(C), PHYSICS)
    one.run(100.0)
    assert [sorted(target.jobs) for target in one.manager.targets] == [[A, B], [C]]
    before = {record.arn: record.owner for record in [*one.store.scan()]}
    assert before == {A: configs[0].key, B: configs[0].key, C: configs[1].key}
    two = restarted(one, *configs[::-1])
    assert [sorted(target.jobs) for target in two.manager.targets] == [[C], [A, B]]
    two.run(50.0)
    assert silent(two)
    two.run(1000.0)
    assert two.logged("job_forgotten") == [(B, "retention")]
    assert {record.arn: record.owner for record in [*two.store.scan()]} == {A: before[A], C: before[C]}


def test_a_discovered_job_that_is_configured_now_is_configured_from_then_on() -> None:
    one = harness(config(selector=ALL), jobs=[running(A)])
    two = restarted(one, config(A, selector=ALL))
    two.run(40.0)
    assert silent(two)
    assert [(record.configured, record.owner) for record in [*two.store.scan()]] == [(True, "")]


def test_a_configured_job_that_is_not_configured_any_more_is_left_to_the_target_that_discovers_it() -> None:
    one = harness(config(A), jobs=[running(A)])
    two = restarted(one, config(selector=ALL))
    two.run(2000.0)
    assert silent(two)
    assert [(record.configured, record.owner) for record in [*two.store.scan()]] == [(False, config(selector=ALL).key)]


def test_finished_jobs_of_another_selector_stay_sealed_when_they_change_hands() -> None:
    one = Harness()
    jobs = [finished(arn=arn(number), region="us-west-2") for number in range(2 * BLOCK_JOBS)]
    known = [JobRecord(job.arn, kept(job), polled_at=one.time.wall, configured=False, owner="other") for job in jobs]
    past = Past(one.time.wall, known).give(one.store)
    sealed = one.store.view().sealed
    one.follow(config(selector=ALL), past=past)
    assert len(sealed[0].segments) == 2
    assert one.store.view().sealed == sealed
    assert one.arns == {job.arn for job in jobs}


def test_jobs_of_another_selector_are_let_go_unless_a_page_shows_them_to_be_selected() -> None:
    one = harness(config(selector=ALL), jobs=[running(A)])
    one.account.put(running(B), PHYSICS)
    one.run(100.0)
    two = restarted(one, config(selector=CHEMISTS))
    two.run(900.0)
    assert two.arns == {A, B}
    two.run(200.0)
    assert two.arns == {A}
    assert two.logged("job_forgotten") == [(B, "deselected")]
    assert two.logged("job_discovered") == two.logged("job_transition") == []


@pytest.mark.parametrize("after", [(), (config(selector=ALL, target=NORTH),)])
def test_jobs_without_a_target_in_their_region_are_dropped_at_once(after: tuple[TargetConfig, ...]) -> None:
    one = harness(config(A, selector=ALL), jobs=[running(A), running(B)])
    two = restarted(one, *after)
    assert two.arns == set()
    assert sorted(two.logged("job_forgotten")) == [(A, "deselected"), (B, "deselected")]
    two.store.flush()
    assert two.book.jobs == {}


def test_a_job_that_ended_and_was_forgotten_is_not_new_and_not_taken_up_again() -> None:
    one = harness(config(selector=ALL))
    one.account.put(ended(A, created=one.time.wall + 5.0, ended=one.time.wall + 60.0), CHEMISTRY)
    one.run(100.0)
    assert one.logged("job_transition") == [(A, None, "FAILED")]
    one.run(5100.0)
    assert one.logged("job_forgotten") == [(A, "retention")]
    two = restarted(one, config(selector=ALL))
    two.run(1000.0)
    assert silent(two)
    assert two.arns == set()
    assert two.count("braket_job_outcomes_total") == 1


def test_a_job_that_was_let_go_before_its_end_continues_where_it_was() -> None:
    one = harness(config(selector=CHEMISTS), jobs=[running(A)])
    one.account.put(running(A), PHYSICS)
    one.run(1200.0)
    assert one.logged("job_forgotten") == [(A, "deselected")]
    two = restarted(one, config(selector=CHEMISTS))
    two.account.put(ended(A), CHEMISTRY)
    two.run(100.0)
    assert two.logged("job_discovered") == []
    assert two.logged("job_transition") == [(A, "RUNNING", "FAILED")]
    two.store.flush()
    assert two.book.tombstones == {}


def test_each_tombstone_is_dropped_once_no_scan_reaches_its_job() -> None:
    one = harness(config(selector=ALL), jobs=[ended(A, "COMPLETED")])
    one.run(1200.0)
    assert one.logged("job_forgotten") == [(A, "retention")]
    one.store.flush()
    assert one.book.tombstones == {mark_of(A): Tombstone(CREATED, None, config(selector=ALL).key)}
    two = restarted(one, config(selector=CHEMISTS))
    two.store.flush()
    assert two.book.tombstones.keys() == {mark_of(A)}
    three = restarted(two, config(selector=CHEMISTS), lookback=1000.0)
    three.time.advance(A_DAY)
    three.manager.drop_expired()
    three.store.flush()
    assert (three.book.tombstones, three.book.floor) == ({}, CREATED)


@pytest.mark.parametrize(
    "after", [config(A, B, C), config(A, selector=ALL), config(A, selector=CHEMISTS, profile=None)]
)
def test_jobs_that_were_created_since_the_last_poll_are_new_and_those_before_are_not(after: TargetConfig) -> None:
    one = harness(config(A), jobs=[running(A)])
    one.run(100.0)
    polled = one.time.wall
    one.account.put(running(B, created=polled - 50.0), CHEMISTRY)
    one.account.put(running(C, created=polled + 5.0), CHEMISTRY)
    two = restarted(one, after)
    two.run()
    assert sorted(two.logged("job_discovered")) == [(B, "RUNNING"), (C, "RUNNING")]
    assert two.logged("job_transition") == [(C, None, "RUNNING")]


def test_a_job_that_a_target_had_not_discovered_yet_when_it_ended_is_new_after_the_restart() -> None:
    one = harness(config(selector=ALL))
    began = one.time.wall
    one.account.put(ended(A, created=began + 10.0, ended=began + 20.0), CHEMISTRY)
    two = restarted(one, config(selector=ALL), polled=began + 30.0)
    two.run()
    assert two.logged("job_transition") == [(A, None, "FAILED")]
    assert two.count("braket_job_outcomes_total") == 1


def test_a_restart_does_not_change_the_baseline_times_of_targets_that_discover_jobs() -> None:
    configs = (config(A), config(selector=ALL, target=NORTH), config(selector=CHEMISTS, profile="other"))
    one = harness(*configs, jobs=[running(A)])
    began = one.time.wall - 1.0
    assert one.manager.baselines == {configs[1].key: began, configs[2].key: began}
    one.run(100.0)
    two = restarted(one, *configs, config(selector=ALL, profile="third"))
    new = {config(selector=ALL, profile="third").key: began + 101.0}
    assert two.manager.baselines == one.manager.baselines | new


@pytest.mark.parametrize("named", [True, False])
def test_a_clock_that_was_set_back_counts_no_old_job_as_new_and_loses_no_later_job(named: bool) -> None:  # noqa: FBT001
    watched = config(A, B, C) if named else config(selector=ALL)
    one = harness(config(A) if named else watched, jobs=[running(A)])
    one.run(100.0)
    two = restarted(one, watched, polled=one.time.wall + 3600.0, down=-1800.0)
    two.account.put(running(B, created=two.time.wall - 300.0), CHEMISTRY)
    two.account.put(running(C, created=two.time.wall + 0.5), CHEMISTRY)
    back = two.time.wall
    two.run(100.0)
    assert all(since <= back for since in two.manager.baselines.values())
    assert two.logged("job_transition") == [(C, None, "RUNNING")]
    assert sorted(two.logged("job_discovered")) == [(B, "RUNNING"), (C, "RUNNING")]


def test_a_reload_that_changes_the_selector_brings_no_forgotten_job_back_after_a_restart() -> None:
    one = harness(config(selector=ALL), jobs=[running(A), running(B)])
    one.account.put(ended(A), CHEMISTRY)
    one.run(100.0)
    one.manager.set_limit(1)
    one.run(100.0)
    one.follow(config(selector=CHEMISTS))
    one.manager.set_limit(9)
    one.run(100.0)
    assert (one.arns, one.logged("job_forgotten")) == ({B}, [(A, "max_jobs")])
    two = restarted(one, config(selector=CHEMISTS))
    two.run(1000.0)
    assert silent(two)
    assert two.arns == {B}
    assert two.book.tombstones == {mark_of(A): Tombstone(CREATED, None, config(selector=CHEMISTS).key)}


def test_a_reload_that_sets_the_account_counts_no_dropped_job_as_new_after_a_restart() -> None:
    one = harness(config(selector=ALL, target=UNKNOWN), jobs=[running(B)])
    one.account.put(ended(A, "COMPLETED", created=one.time.wall + 5.0, ended=one.time.wall + 60.0), CHEMISTRY)
    one.run(1200.0)
    assert one.logged("job_forgotten") == [(A, "retention")]
    one.follow(config(B, selector=ALL))
    two = restarted(one, config(B, selector=ALL))
    two.run(100.0)
    assert silent(two)
    assert two.count("braket_job_outcomes_total") == 1


def test_a_reload_that_sets_the_account_keeps_discovered_jobs_with_their_target_after_a_restart() -> None:
    one = harness(config(selector=ALL, target=UNKNOWN), jobs=[running(B), ended(C)])
    one.run(100.0)
    one.follow(config(B, selector=ALL))
    one.run(100.0)
    two = restarted(one, config(B, selector=ALL), lookback=60.0)
    two.run(2000.0)
    assert silent(two)
    assert two.arns == {B, C}
