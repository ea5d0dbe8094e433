"""Discovery: what a SearchJobs page means for the jobs that are watched, and for those that should be."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from exporter.core import JobRecord, JobSummary, SearchPage, Selector
from exporter.polling.discovered_jobs import DiscoveredJobs, Retention
from exporter.polling.job_queue import JobQueue
from exporter.polling.progress import Progress
from exporter.polling.schedule import JobSchedule, Priority, after_list, unless_told
from exporter.polling.search import Search
from exporter.polling.search_planner import SearchPlanner
from exporter.storage import Ranked, Standing, Store, Tombstones, rank_of_listed

TOMBSTONE_SLACK: Final = 86400.0
"""So much longer than any list reaches back is a tombstone kept, seconds: a call under way was planned a while ago."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What people can set about polling; all in seconds.

    Attributes:
        poll_interval: how stale an active job may become.
        discovery_interval: how often new jobs are looked for.
        lookback: how far back jobs are looked for.
        retention: how long series are kept.
    """

    poll_interval: float
    discovery_interval: float
    lookback: float
    retention: Retention


class Listed(NamedTuple):
    """What one page brought: the jobs on it, and why the rest of its span is abandoned, if it is."""

    jobs: list[str]
    abandoned: str | None


class Discovery:
    """Finds the jobs of one account and Region, and lets them go. Its caller sees to it that one thread is inside.

    Attributes:
        roster: what is remembered of the jobs that were found.
        survey: the plan of the SearchJobs calls.

    Args:
        selector: which jobs to watch.
        policy: intervals.
        agenda: takes the jobs to ask for.
        progress: is told what to wait for.
        store: takes what is known.
        since: when the exporter began to watch for such jobs, unix seconds.
        now: monotonic seconds.
        tombstones: what is remembered of forgotten jobs, by whichever target.
        lane: the key of the lane that this is for.
    """

    def __init__(
        self,
        selector: Selector,
        policy: Policy,
        *,
        job_queue: JobQueue,
        progress: Progress,
        store: Store,
        since: float,
        now: float,
        tombstones: Tombstones,
        lane: str = "",
    ) -> None:
        self._policy, self._job_queue, self._progress, self._store = policy, job_queue, progress, store
        self._tombstones = tombstones
        self.found_jobs = DiscoveredJobs(
            selector, since=since, retention=policy.retention, tombstones=tombstones, lane=lane
        )
        self.planner = _plan(policy, now)

    def change(self, selector: Selector, policy: Policy, *, now: float, wall: float, lane: str = "") -> None:
        """Look for other jobs, or at other intervals; all of the lookback is looked through anew where that matters.

        Args:
            selector: which jobs to watch.
            policy: intervals.
            now: monotonic seconds.
            wall: unix seconds.
            lane: the key of the lane that this is for.
        """
        selected, before, self._policy = self.found_jobs.selector, self._policy, policy
        if selector != selected:
            self._store.remember(self.found_jobs.select(selector, wall, lane))
        if policy.retention != before.retention:
            self.found_jobs.keep(policy.retention, self._store.find)
        if (selector, policy.lookback) != (selected, before.lookback):
            self.planner = _plan(policy, now)
        else:
            self.planner.set_intervals(
                now, discovery_interval=policy.discovery_interval, poll_interval=policy.poll_interval
            )

    def begin(self, corrected: Callable[[float], float], *, replan: bool, now: float) -> None:
        """Correct the baseline times once the true time is known.

        Args:
            corrected: returns the true time for one that was noted by the local clock, both unix seconds.
            replan: the local clock is so wrong that what was planned by it is planned again.
            now: monotonic seconds.
        """
        self.found_jobs.begin(corrected)
        if replan:
            self.planner = self.planner.restarted(now)

    def resume(self, records: Iterable[JobRecord], now: float) -> None:
        """Go on, after a restart, with jobs that were found here before it."""
        for record in records:
            self.found_jobs.take_in(record.arn)
            self.found_jobs.note(record)
            if record.snapshot is not None and record.snapshot.created is not None:
                self.planner.resume(record.snapshot.created, now)

    def start_status_scan(self, now: float, wall: float) -> None:
        """Have SearchJobs tell the status of the active jobs, and GetJob that of those which stand alone."""
        active = [(watch.created, watch.arn) for watch in self._job_queue if not watch.ended and not watch.failures]
        for arn in self.planner.start_status_scan(active, now, wall):
            watch = self._job_queue.get(arn)
            if watch is not None:
                self._job_queue.put(unless_told(watch, interval=self._policy.poll_interval))

    def listed(self, search: Search, page: SearchPage, *, asked: float, now: float, wall: float) -> Listed:
        """Take in a page.

        Args:
            search: what was asked.
            page: the answer.
            asked: when it was asked, monotonic seconds.
            now: monotonic seconds.
            wall: unix seconds.
        """
        jobs = {job.arn: job for job in page.jobs}
        for job in jobs.values():
            self._meet(job, asked, now, wall)
        end = self.planner.succeeded(search, page, now)
        if not end.continues:
            for watch in self._missing(search, {job.arn for job in jobs.values() if job.status is not None}):
                self._job_queue.put(unless_told(watch, interval=0.0))
        return Listed([*jobs], end.abandoned)

    def expired(self, wall: float, busy: Iterable[str]) -> list[tuple[JobRecord, str]]:
        """Take the jobs off the agenda whose retention is over; return them with the reason.

        Args:
            wall: unix seconds.
            busy: jobs that are being asked for, whose time comes later.
        """
        asked = frozenset(busy)
        gone = [*self.found_jobs.expired(lambda arn: None if arn in asked else self._store.find(arn), wall)]
        for record, _ in gone:
            self._job_queue.remove(record.arn)
            self._progress.tried(record.arn)
        pruned = self.found_jobs.prune(self.planner.horizon(wall) - TOMBSTONE_SLACK)
        self._store.unremember(pruned, self._tombstones.floor)
        return gone

    def beyond_limit(self, jobs: Iterable[Ranked], wall: float, busy: Collection[str]) -> list[JobRecord]:
        """Take those of the jobs off the agenda that were found here and have ended; return them.

        Args:
            jobs: those beyond the limit.
            wall: unix seconds.
            busy: jobs that are being asked for, whose time comes later.
        """
        ended = (arn for rank, arn in jobs if rank.standing is not Standing.ACTIVE)
        found = map(self._store.find, (arn for arn in ended if arn in self.found_jobs.members and arn not in busy))
        # An answer may have come since, and have shown that a job is active after all.
        gone = [record for record in found if record is not None and (record.snapshot is None or not record.active)]
        for record in gone:
            watch = self._job_queue.get(record.arn)
            told = None if record.snapshot is None else record.snapshot.created
            created = watch.created if told is None and watch is not None else told
            self.found_jobs.drop(record.arn, wall if created is None else created)
            self._job_queue.remove(record.arn)
            self._progress.tried(record.arn)
        return gone

    def _missing(self, search: Search, told: Collection[str]) -> Iterator[JobSchedule]:
        """Yield the jobs that a page should have told and did not: SearchJobs promises nothing."""
        watches = (self._job_queue.get(arn) for arn in search.arns if arn not in told)
        return (watch for watch in watches if watch is not None and not watch.ended)

    def _meet(self, job: JobSummary, asked: float, now: float, wall: float) -> None:
        if job.arn not in self._store:
            if self.found_jobs.wanted(job, wall):
                self._take_up(job, now)
            return
        self.found_jobs.met(self._store.record, job, wall)
        watch = self._job_queue.get(job.arn)
        if watch is not None and job.status is not None:
            record = self._store.record(job.arn)
            known = record.first_listed_status if record.snapshot is None else record.snapshot.status
            told = after_list(watch, known, job.status, asked=asked, now=now)
            if record.snapshot is not None and told.urgency is Priority.NEW:
                # It is as it was before a restart, so there is no hurry to ask for it.
                told = replace(told, urgency=Priority.REFRESH)
                self._progress.tried(job.arn)
            self._job_queue.put(told)

    def _take_up(self, job: JobSummary, now: float) -> None:
        # Another login may have found the job as well; the first to store it has it.
        news = self.found_jobs.is_news(job)
        only_details = job.finished and not news
        if not self._store.add(self.found_jobs.beginning(job), rank_of_listed(job, over=only_details)):
            return
        mark = self.found_jobs.take_in(job.arn)
        if mark is not None:
            self._store.unremember([mark])
        self._progress.expect(job.arn, ended=only_details)
        self._job_queue.put(
            JobSchedule(
                job.arn,
                due=now,
                answered=now,
                ended=job.finished,
                urgency=Priority.CHANGED if news else Priority.FILL if only_details else Priority.NEW,
                order=(0 if job.status == "FAILED" else 1, -(job.ended or job.created or 0.0)),
                created=job.created,
                listed=job.status,
            )
        )


def _plan(policy: Policy, now: float) -> SearchPlanner:
    return SearchPlanner(
        now,
        lookback=policy.lookback,
        discovery_interval=policy.discovery_interval,
        poll_interval=policy.poll_interval,
    )
