"""No change of a job is logged or counted twice, for any pages, clocks, reloads and restarts.

The world has true time, which Braket's clock shows in its responses. The exporter's own wall clock is wrong by any
number of weeks and is stepped. Each job has a device of its own, so that every counter belongs to one job.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from builders import ACCOUNT, CREATED, REGION, NoCalls, arn, event, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Book
from profiles import examples, some
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import (
    Clock,
    CredentialsRef,
    JobSnapshot,
    JobSummary,
    NotFoundError,
    SearchPage,
    Selector,
    Span,
    Target,
    TargetConfig,
    UnavailableError,
)
from exporter.core.selector import TagRule
from exporter.polling import poller as poller_module
from exporter.polling import search_planner
from exporter.polling.manager import PollerManager
from exporter.polling.policy import Policy, Retention
from exporter.polling.rate_limiter import RateLimiter
from exporter.storage import Store
from exporter.telemetry import EventLog, SelfMetrics

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEEK = 7 * DAY
ALL = Selector(all_jobs=True)
CHEMISTS = Selector((TagRule("team", frozenset({"chemistry"})),))
OFTEN = 6 * HOUR
POLICY = Policy(OFTEN, OFTEN, 14 * DAY, Retention(DAY, 3 * DAY))
WEST = Target(ACCOUNT, REGION)


@dataclass(frozen=True)
class Life:
    """A job's life in true time: offsets in seconds from its creation."""

    number: int
    created: float
    started: float
    ended: float
    status: str

    def at(self, time: float) -> JobSnapshot | None:
        if time < self.created:
            return None
        started = self.created + self.started if time >= self.created + self.started else None
        over = time >= self.created + self.ended
        end = self.created + self.ended if over else None
        logged = [("QUEUED_FOR_EXECUTION", self.created), ("RUNNING", started), (self.status, end)]
        return snapshot(
            arn=arn(self.number),
            device=f"local:x/{self.number}",
            status=self.status if over else "QUEUED" if started is None else "RUNNING",
            created=self.created,
            started=started,
            ended=end,
            billable_seconds=60.0 if over else None,
            events=tuple(event(kind, when) for kind, when in logged if when is not None),
        )


@dataclass
class World:
    """True time, the jobs, and how far the exporter's wall clock is ahead."""

    now: float = CREATED
    ahead: float = 0.0
    lives: dict[str, Life] = field(default_factory=dict)
    team: str = "chemistry"
    lag: float = 0.0
    unseen: frozenset[str] = frozenset()
    failing: bool = False

    def clock(self) -> Clock:
        return Clock(lambda: self.now + self.ahead, lambda: self.now - CREATED + 5000.0)


@dataclass
class Source(NoCalls):
    """Braket in this world; pages lag behind GetJob and leave jobs out."""

    world: World
    target: Target = WEST

    @property
    def clock_offset(self) -> float:
        return 0.0 if abs(self.world.ahead) <= 5.0 else -self.world.ahead

    def get_job(self, job: str) -> JobSnapshot:
        self._fail_perhaps()
        life = self.world.lives.get(job)
        now = None if life is None else life.at(self.world.now)
        if now is None:
            raise NotFoundError("ResourceNotFoundException", "unknown job")
        return now

    def search_jobs(self, span: Span, token: str | None) -> SearchPage:
        self._fail_perhaps()
        assert token is None
        return SearchPage(tuple(self._summaries(span)), (), None)

    def _fail_perhaps(self) -> None:
        if self.world.failing:
            raise UnavailableError("timeout", "no response")

    def _summaries(self, span: Span) -> Iterator[JobSummary]:
        for job, life in self.world.lives.items():
            shown = (
                life.at(max(self.world.now - self.world.lag, life.created)) if job not in self.world.unseen else None
            )
            inside = span.start <= life.created and (span.end is None or life.created <= span.end)
            if shown is not None and inside and life.created <= self.world.now:
                tags = {"team": self.world.team}
                yield JobSummary(job, shown.name, shown.status, life.created, shown.started, shown.ended, tags=tags)


class Exporter:
    """One process: what it polls, logs and counts."""

    policy: Policy
    configs: tuple[TargetConfig, ...]

    def __init__(self, world: World, book: Book, *, resumes: "Exporter | None") -> None:
        self.world, self.book, self.clock = world, book, world.clock()
        self.log = LogCapture()
        self.store = Store((), book)
        self.manager = PollerManager(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[self.log])),
            telemetry=SelfMetrics(),
            rate_limiter=RateLimiter(1e9),
            clock=self.clock,
            random=lambda: 0.0,
        )
        self.policy = POLICY if resumes is None else resumes.policy
        self.configs = (TargetConfig(CredentialsRef(), WEST, (), ALL),) if resumes is None else resumes.configs
        past = None if resumes is None else book.past(resumes.clock.wall(), resumes.manager.baselines)
        saved = None if past is None else past.give(self.store)
        self.manager.follow(self.manager.plan(self.configs, self.policy, 1e9, self._connect), saved)

    def reload(self, configs: Sequence[TargetConfig] | None = None, **policy: Any) -> None:
        self.configs = self.configs if configs is None else tuple(configs)
        self.policy = replace(self.policy, **policy)
        self.manager.follow(self.manager.plan(self.configs, self.policy, 1e9, self._connect))

    def run(self, seconds: float) -> None:
        end = self.world.now + seconds
        while True:
            waits = [target.poller.step() for target in self.manager.targets] or [seconds + 1.0]
            if all(waits):
                self.manager.drop_expired()
                if self.world.now >= end:
                    return
                self.world.now += max(0.001, min(*waits, OFTEN, end - self.world.now))

    def _connect(self, config: TargetConfig) -> Source:
        return Source(self.world, config.target)


class History:
    """A world with exporters that follow each other, and all that they logged and counted."""

    def __init__(self) -> None:
        self.world = World()
        self.exporter = Exporter(self.world, Book(), resumes=None)
        self.logged: Counter[tuple[str, str, str | None]] = Counter()
        self.discovered: Counter[str] = Counter()
        self.counted: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.base: dict[tuple[str, tuple[str, ...]], float] = {}

    def restart(self, *, with_state: bool) -> None:
        self.gather()
        before = self.exporter
        if with_state:
            before.store.flush()
            self.exporter = Exporter(self.world, before.book, resumes=before)
            self.base = self._totals()
        else:
            self.check_counts()
            self.exporter = Exporter(self.world, Book(), resumes=None)
            self.base, self.counted = {}, Counter()

    def gather(self) -> None:
        """Take in what the exporter that runs now has logged and counted."""
        for line in self.exporter.log.entries:
            if line["event"] == "job_transition":
                self.logged[line["job_arn"], line["to_status"], line["event_time"]] += 1
            if line["event"] == "job_discovered":
                self.discovered[line["job_arn"]] += 1
        for series, value in self._totals().items():
            self.counted[series] += int(value - self.base.get(series, 0.0))

    def _totals(self) -> dict[tuple[str, tuple[str, ...]], float]:
        totals = self.exporter.store.everything().totals
        of_seconds = {"braket_billable_seconds_total", "braket_job_phase_seconds_total"}
        counted = {series: value for series, value in totals.counters.items() if series[0] not in of_seconds}
        # Each job is billed for a minute. The seconds in a phase are added together with the number of its jobs.
        billed = {
            series: value / 60.0
            for series, value in totals.counters.items()
            if series[0] == "braket_billable_seconds_total"
        }
        observed = {series: float(sum(each.observations)) for series, each in totals.histograms.items()}
        return counted | billed | observed

    def check(self) -> None:
        self.gather()
        assert [line for line, times in self.logged.items() if times > 1] == []
        self.check_counts()

    def check_counts(self) -> None:
        """Check the counters, which started at 0: a process without a state file starts with new ones."""
        assert [series for series, times in self.counted.items() if times > 1] == []


@pytest.fixture(autouse=True)
def _no_idling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "IDLE", float("inf"))
    monkeypatch.setattr(search_planner, "FULL_SCAN_INTERVAL", OFTEN)


LIFE = st.tuples(
    st.sampled_from([0.0, -MINUTE, -DAY, -20 * DAY]),
    st.sampled_from([MINUTE, 2 * HOUR]),
    st.sampled_from([HOUR, DAY, WEEK]),
    st.sampled_from(["COMPLETED", "FAILED"]),
)
SPAN = st.sampled_from([1.0, MINUTE, HOUR, DAY, WEEK, 5 * WEEK])
STEP = st.one_of(
    st.tuples(st.just("create"), LIFE),
    st.tuples(st.just("run"), SPAN),
    st.tuples(st.just("clock"), st.sampled_from([0.0, 5 * WEEK, -5 * WEEK, HOUR, -HOUR])),
    st.tuples(st.just("restart"), st.booleans()),
    st.tuples(st.just("lists"), st.sampled_from([0.0, MINUTE, DAY])),
    st.tuples(st.just("hide"), st.booleans()),
    st.tuples(st.just("fail"), st.sampled_from([1.0, HOUR])),
    st.tuples(st.just("lookback"), st.sampled_from([MINUTE, 10 * MINUTE, DAY, 60 * DAY])),
    st.tuples(st.just("retention"), st.sampled_from([1.0, HOUR, 30 * DAY])),
    st.tuples(st.just("team"), st.sampled_from(["chemistry", "physics"])),
    st.tuples(st.just("watch"), st.sampled_from(["all", "chemists", "named", "both", "two", "none"])),
)


def configs_of(watch: str, jobs: Sequence[str]) -> tuple[TargetConfig, ...]:
    some = tuple(jobs[:2])
    return {
        "all": (TargetConfig(CredentialsRef(), WEST, (), ALL),),
        "chemists": (TargetConfig(CredentialsRef(), WEST, (), CHEMISTS),),
        "named": (TargetConfig(CredentialsRef(), WEST, some, None),),
        "both": (TargetConfig(CredentialsRef(), WEST, some, ALL),),
        "two": (
            TargetConfig(CredentialsRef(), WEST, (), ALL),
            TargetConfig(CredentialsRef("other"), WEST, (), CHEMISTS),
        ),
        "none": (),
    }[watch]


def act(history: History, what: str, how: Any) -> None:
    world, exporter = history.world, history.exporter
    actions: dict[str, Callable[[], object]] = {
        "create": lambda: create(world, *how),
        "run": lambda: exporter.run(how),
        "clock": lambda: setattr(world, "ahead", how),
        "restart": lambda: history.restart(with_state=how),
        "lists": lambda: setattr(world, "lag", how),
        "hide": lambda: setattr(world, "unseen", frozenset([*world.lives][::2] if how else ())),
        "fail": lambda: fail(history, how),
        "lookback": lambda: exporter.reload(lookback=how),
        "retention": lambda: exporter.reload(retention=Retention(how, how)),
        "team": lambda: setattr(world, "team", how),
        "watch": lambda: exporter.reload(configs_of(how, [*world.lives])),
    }
    actions[what]()


def create(world: World, age: float, started: float, ran: float, status: str) -> None:
    number = len(world.lives) + 1
    world.lives[arn(number)] = Life(number, round(world.now + age, 3), started, started + ran, status)


def fail(history: History, seconds: float) -> None:
    history.world.failing = True
    history.exporter.run(seconds)
    history.world.failing = False


@settings(max_examples=examples(150))
@given(steps=st.lists(STEP, max_size=14))
def test_each_change_of_a_job_is_logged_and_counted_at_most_once(steps: Sequence[tuple[str, Any]]) -> None:
    history = History()
    for what, how in steps:
        act(history, what, how)
    history.exporter.run(2 * OFTEN)
    history.check()


@pytest.mark.parametrize(
    ("ahead", "lookback", "retention"),
    some([*itertools.product([0.0, 5 * WEEK, -5 * WEEK], [MINUTE, 10 * MINUTE, 14 * DAY], [5.0, DAY])]),
)
def test_a_job_that_is_the_last_of_its_account_is_logged_and_counted_exactly_once(
    ahead: float, lookback: float, retention: float
) -> None:
    history = History()
    history.world.ahead = ahead
    history.exporter.reload(lookback=lookback, retention=Retention(retention, retention))
    history.exporter.run(MINUTE)
    act(history, "create", (0.0, MINUTE, HOUR, "FAILED"))
    for seconds in (HOUR, DAY, 3 * WEEK, 10 * WEEK):
        history.exporter.run(seconds)
    history.gather()
    assert history.discovered == {arn(1): 1}
    assert [status for (_, status, _), times in history.logged.items() for _ in range(times)][-1:] == ["FAILED"]
    outcomes = {
        labels[3]: times for (name, labels), times in history.counted.items() if name == "braket_job_outcomes_total"
    }
    assert outcomes == {"COMPLETED": 0, "FAILED": 1, "CANCELLED": 0, "MAX_RUNTIME_EXCEEDED": 0}


@pytest.mark.parametrize("ahead", [5 * WEEK, -5 * WEEK])
def test_a_wrong_clock_does_not_change_what_is_new(ahead: float) -> None:
    history = History()
    act(history, "create", (-MINUTE, MINUTE, HOUR, "COMPLETED"))
    history.world.ahead = ahead
    history.restart(with_state=False)
    history.exporter.run(HOUR)
    act(history, "create", (0.0, MINUTE, 10 * MINUTE, "FAILED"))
    history.exporter.run(2 * OFTEN)
    lines = [line for line in history.exporter.log.entries if line["event"] == "job_transition"]
    changes = {(line["job_arn"], line["from_status"], line["to_status"]) for line in lines}
    assert changes == {(arn(1), "RUNNING", "COMPLETED"), (arn(2), None, "FAILED")}
