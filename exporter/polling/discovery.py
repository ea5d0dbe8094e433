"""Discovery: plans the SearchJobs calls of a target, and carries out the decision about each job on a page."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from exporter.core import DESELECTED, JobRecord, JobSummary, SearchPage, Selector
from exporter.polling.decision import Decision, Ignore, Known, LetGo, Seen, TakeUp, decide
from exporter.polling.discovered_jobs import DiscoveredJobs
from exporter.polling.job_queue import JobQueue
from exporter.polling.policy import TOMBSTONE_SLACK, Policy
from exporter.polling.poll_progress import PollProgress
from exporter.polling.schedule import JobSchedule, Priority, discovered_schedule, unless_listed
from exporter.polling.search import Search
from exporter.polling.search_planner import SearchPlanner
from exporter.storage import Ranked, Standing, Store, Tombstones, rank_of_listed


class PageResult(NamedTuple):
    """The result of one page.

    Attributes:
        jobs: the jobs on the page.
        abandoned: why the rest of the span is abandoned, if it is.
    """

    jobs: list[str]
    abandoned: str | None


class ExpiredJobs(NamedTuple):
    """A batch of expired jobs.

    Attributes:
        jobs: the jobs, with the reason.
        more: whether there may be more.
    """

    jobs: list[tuple[JobRecord, str]]
    more: bool


class Discovery:
    """Discovers the jobs of one account and Region. The caller ensures that one thread is inside.

    Attributes:
        discovered_jobs: the discovered jobs.
        planner: the planner of the SearchJobs calls.

    Args:
        selector: the jobs to watch.
        policy: the polling policy.
        job_queue: the queue of the jobs to poll.
        progress: the progress of the first poll.
        store: the store of the job records.
        since: when the exporter started to watch, unix seconds; a job created later is new.
        now: monotonic seconds.
        tombstones: the tombstones of all targets.
        owner: the key of the target.
    """

    def __init__(
        self,
        selector: Selector,
        policy: Policy,
        *,
        job_queue: JobQueue,
        progress: PollProgress,
        store: Store,
        since: float,
        now: float,
        tombstones: Tombstones,
        owner: str = "",
    ) -> None:
        self._policy, self._job_queue, self._progress, self._store = policy, job_queue, progress, store
        self._tombstones = tombstones
        self.discovered_jobs = DiscoveredJobs(
            selector, since=since, retention=policy.retention, tombstones=tombstones, owner=owner
        )
        self.planner = _planner(policy, now)

    def reconfigure(self, selector: Selector, policy: Policy, *, now: float, wall: float, owner: str = "") -> None:
        """Discover other jobs, or at other intervals. Another selector or lookback starts a new first scan.

        The caller moves the tombstones to another owner.

        Args:
            selector: the jobs to watch.
            policy: the polling policy.
            now: monotonic seconds.
            wall: unix seconds.
            owner: the key of the target.
        """
        selected, before, self._policy = self.discovered_jobs.selection.selector, self._policy, policy
        if selector != selected:
            self.discovered_jobs.select(selector, wall, owner)
        if policy.retention != before.retention:
            self.discovered_jobs.set_retention(policy.retention)
        if (selector, policy.lookback) != (selected, before.lookback):
            self.planner = _planner(policy, now)
        else:
            self.planner.set_intervals(
                now, discovery_interval=policy.discovery_interval, poll_interval=policy.poll_interval
            )

    def correct_start(self, corrected: Callable[[float], float], *, replan: bool, now: float) -> None:
        """Correct the baseline times, once the true time is known.

        Args:
            corrected: returns the true time for a time of the local clock, both unix seconds.
            replan: whether the local clock is so wrong that the planned calls are wrong, too.
            now: monotonic seconds.
        """
        self.discovered_jobs.correct_start(corrected)
        if replan:
            self.planner = self.planner.restarted(now)

    def resume(self, records: Iterable[JobRecord], now: float) -> None:
        """Continue with the jobs that were discovered before a restart."""
        for record in records:
            self.discovered_jobs.add(record.arn)
            self.discovered_jobs.update_expiry(record)
            if record.snapshot is not None and record.snapshot.created is not None:
                self.planner.resume(record.snapshot.created, now)

    def start_status_scan(self, now: float, wall: float) -> None:
        """Start a status scan of the active jobs."""
        active = [(one.created, one.arn) for one in self._job_queue.active if not (one.failures or one.relaxed)]
        self.planner.start_status_scan(active, now, wall)

    def plan_status_scan(self) -> None:
        """Plan a batch of the status scan. GetJob polls the jobs that share a window with no other job."""
        for arn in self.planner.plan_status_scan():
            schedule = self._job_queue.get(arn)
            if schedule is not None:
                self._job_queue.put(unless_listed(schedule, interval=self._policy.poll_interval))

    def record_page(
        self, search: Search, page: SearchPage, *, requested_at: float, now: float, wall: float
    ) -> PageResult:
        """Carry out the decision about each job on a page.

        Args:
            search: the call.
            page: the response.
            requested_at: when the page was requested, monotonic seconds.
            now: monotonic seconds.
            wall: unix seconds.
        """
        self.record_jobs(page, requested_at=requested_at, now=now, wall=wall)
        jobs = {job.arn: job for job in page.jobs}
        end = self.planner.succeeded(search, page, now)
        if not end.continues:
            for schedule in self._missing(search, {job.arn for job in jobs.values() if job.status is not None}):
                self._job_queue.put(unless_listed(schedule, interval=0.0))
        return PageResult([*jobs], end.abandoned)

    def record_jobs(self, page: SearchPage, *, requested_at: float, now: float, wall: float) -> None:
        """Carry out the decision about each job on a page, for a call that the planner did not plan.

        The arguments are those of ``record_page``.
        """
        for job in {job.arn: job for job in page.jobs}.values():
            decision = decide(job, self._known(job.arn), requested_at=requested_at, now=now, wall=wall)
            self._carry_out(decision, job, now, wall)

    def expiring(self, wall: float) -> Sequence[str]:
        """Return a batch of jobs that ``remove_expired`` may remove.

        Args:
            wall: unix seconds.
        """
        jobs = self.discovered_jobs
        return tuple(jobs.due(wall)) if jobs.update_outdated(self._store.find) else ()

    def remove_expired(self, wall: float, in_flight: Collection[str]) -> ExpiredJobs:
        """Remove the expired jobs of the batch that ``expiring`` returned, and a batch of old tombstones.

        Args:
            wall: unix seconds.
            in_flight: jobs with a GetJob call in flight. They expire after it.
        """
        jobs = self.discovered_jobs
        expired: list[tuple[JobRecord, str]] = []
        if not jobs.outdated:
            expired += jobs.expired(lambda arn: None if arn in in_flight else self._store.find(arn), wall)
        for record, _ in expired:
            self._remove(record.arn)
        pruned = jobs.prune(self.planner.horizon(wall) - TOMBSTONE_SLACK)
        self._store.drop_tombstones(pruned, self._tombstones.floor)
        return ExpiredJobs(expired, more=bool(pruned) or jobs.has_more(wall))

    def remove_beyond_limit(self, jobs: Iterable[Ranked], wall: float, in_flight: Collection[str]) -> list[JobRecord]:
        """Remove the finished jobs beyond the series limit that were discovered here; return them.

        Args:
            jobs: the jobs beyond the limit.
            wall: unix seconds.
            in_flight: jobs with a GetJob call in flight. They are removed after it.
        """
        finished = (arn for rank, arn in jobs if rank.standing is not Standing.ACTIVE)
        own = (arn for arn in finished if arn in self.discovered_jobs.members and arn not in in_flight)
        # A later response may have shown that a job is active after all.
        beyond = [
            record
            for record in map(self._store.find, own)
            if record is not None and (record.snapshot is None or not record.active)
        ]
        for record in beyond:
            created = self._created(record)
            self.discovered_jobs.drop(record.arn, wall if created is None else created)
            self._remove(record.arn)
        return beyond

    def _created(self, record: JobRecord) -> float | None:
        if record.snapshot is not None and record.snapshot.created is not None:
            return record.snapshot.created
        schedule = self._job_queue.get(record.arn)
        return None if schedule is None else schedule.created

    def _remove(self, arn: str) -> None:
        self._job_queue.remove(arn)
        self._progress.remove(arn)

    def _missing(self, search: Search, listed: Collection[str]) -> Iterator[JobSchedule]:
        """Yield the jobs that a page should show and does not: SearchJobs makes no promise."""
        schedules = (self._job_queue.get(arn) for arn in search.arns if arn not in listed)
        return (schedule for schedule in schedules if schedule is not None and not schedule.ended)

    def _known(self, arn: str) -> Known:
        if arn not in self._store:
            return self.discovered_jobs.known(arn)
        schedule = self._job_queue.get(arn)
        # The record of an unscheduled job is not needed.
        record = None if schedule is None else self._store.record(arn)
        return self.discovered_jobs.known(arn, stored=True, schedule=schedule, record=record)

    def _carry_out(self, decision: Decision, job: JobSummary, now: float, wall: float) -> None:
        match decision:
            case Ignore():
                pass
            case TakeUp():
                self._take_up(decision, job, now)
            case LetGo():
                self.discovered_jobs.let_go(self._store.record(job.arn), DESELECTED, wall)
                self._reschedule(decision.schedule)
            case Seen():
                if decision.reselected:
                    self.discovered_jobs.reselect(job.arn)
                self._reschedule(decision.schedule)

    def _reschedule(self, schedule: JobSchedule | None) -> None:
        if schedule is None:
            return
        if schedule.priority is Priority.REFRESH:  # the job's status is known, so the first poll does not wait for it
            self._progress.remove(schedule.arn)
        self._job_queue.put(schedule)

    def _take_up(self, decision: TakeUp, job: JobSummary, now: float) -> None:
        details_only = decision.priority is Priority.BACKFILL
        # Another target may discover the job at the same moment; the first one to store it watches it.
        if not self._store.add(decision.record, rank_of_listed(job, ended=details_only)):
            return
        mark = self.discovered_jobs.add(job.arn)
        if mark is not None:
            self._store.drop_tombstones([mark])
        self._progress.add(job.arn, ended=details_only)
        self._job_queue.put(discovered_schedule(job, decision.priority, now))


def _planner(policy: Policy, now: float) -> SearchPlanner:
    return SearchPlanner(
        now,
        lookback=policy.lookback,
        discovery_interval=policy.discovery_interval,
        poll_interval=policy.poll_interval,
    )
