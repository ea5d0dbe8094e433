"""The planner of SearchJobs calls: which call is next, so that new jobs are found and active jobs stay fresh.

Three scans take turns: the scan for new jobs, the status scan of active jobs, and the full scan of the lookback.
Times are monotonic seconds unless stated otherwise.
"""

from collections.abc import Sequence
from typing import Final

from exporter.core import SearchPage
from exporter.polling.scans import FULL_SCAN_INTERVAL, FullScan, NewJobsScan, Scan, StatusScan
from exporter.polling.search import PageEnd, ScanKind, Search
from exporter.polling.time_windows import CreationIndex

FULL_SCAN_TURN: Final = 8
"""While other calls are pending, each eighth call may be the full scan's, but for the first status scan."""


class SearchPlanner:
    """Plans the SearchJobs calls of one account and Region.

    Attributes:
        index: the creation times of all known jobs.
        lookback_covered: whether all jobs of the lookback are known, in whichever order the service returned them.

    Args:
        now: the time.
        lookback: the age of the oldest jobs to find, seconds.
        discovery_interval: the interval of the scan for new jobs, seconds.
        poll_interval: the interval of the status scan, seconds.
        index: the creation times that are known already.
    """

    def __init__(
        self,
        now: float,
        *,
        lookback: float,
        discovery_interval: float,
        poll_interval: float,
        index: CreationIndex | None = None,
    ) -> None:
        self._lookback = lookback
        self.index = CreationIndex() if index is None else index
        self.lookback_covered = False
        self._new_jobs_scan = NewJobsScan(now, discovery_interval, lookback)
        self._status_scan = StatusScan(now, poll_interval)
        self._full_scan = FullScan()
        self._scans: dict[ScanKind, Scan] = {
            scan.kind: scan for scan in (self._new_jobs_scan, self._status_scan, self._full_scan)
        }
        self._turn = 0

    @property
    def first_scan_complete(self) -> bool:
        """Whether the first scan for new jobs is complete."""
        return self._new_jobs_scan.first_complete

    def resume(self, created: float, now: float) -> None:
        """Continue after a restart: scan for jobs newer than the newest known one, then scan the whole lookback.

        Args:
            created: the creation time of a known job, unix seconds.
            now: the time.
        """
        self.index.add(created)
        self._new_jobs_scan.first_complete, self._full_scan.due = True, now

    def restarted(self, now: float) -> "SearchPlanner":
        """Return a planner that starts now with the known jobs. It ignores the calls that are in flight."""
        planner = SearchPlanner(
            now,
            lookback=self._lookback,
            discovery_interval=self._new_jobs_scan.interval,
            poll_interval=self._status_scan.interval,
            index=self.index,
        )
        if self.first_scan_complete:
            planner._new_jobs_scan.first_complete, planner._full_scan.due = True, now
        return planner

    def set_intervals(self, now: float, *, discovery_interval: float, poll_interval: float) -> None:
        """Scan for new jobs, and for the status of active jobs, at other intervals."""
        self._new_jobs_scan.set_interval(discovery_interval, now)
        self._status_scan.set_interval(poll_interval, now)

    def next(self, now: float, wall: float) -> Search | None:
        """Remove and return the next call, if one is due. ``succeeded`` or ``failed`` records its outcome.

        Args:
            now: the time.
            wall: the time in unix seconds.
        """
        if self._new_jobs_scan.is_due(now):
            self._new_jobs_scan.start(now, wall, self.index)
        if self._full_scan.is_due(now):
            self._full_scan.start(wall - self._lookback, self.index)
        for scan in self._order():
            if scan.has_pending:
                self._turn += 1
                return scan.take()
        return None

    def next_due(self) -> float:
        """Return when a call can be made, or when a status scan can start."""
        if any(scan.has_pending for scan in self._scans.values()):
            return float("-inf")
        startable = (scan for scan in self._scans.values() if scan is not self._status_scan or self.first_scan_complete)
        return min((scan.due for scan in startable if scan.is_idle), default=float("inf"))

    def status_scan_due(self, now: float) -> bool:
        """Return whether a status scan starts now; never before the first scan for new jobs is complete."""
        return self.first_scan_complete and self._status_scan.is_due(now)

    def start_status_scan(self, active: Sequence[tuple[float | None, str]], now: float, wall: float) -> None:
        """Start a status scan; ``plan_status_scan`` plans its calls.

        Args:
            active: creation time in unix seconds, where it is known, and ARN of each active job.
            now: the time.
            wall: the time in unix seconds.
        """
        self._status_scan.start(active, now, wall - self._lookback, self.index)

    @property
    def status_scan_planned(self) -> bool:
        """Whether every job of the status scan is planned."""
        return self._status_scan.is_planned

    def plan_status_scan(self) -> list[str]:
        """Plan the calls for a batch of the status scan; return the jobs that share a window with no other job."""
        return self._status_scan.plan(self.index)

    def skip_status_scan(self, now: float) -> None:
        """Start no status scan for an interval."""
        self._status_scan.skip(now)

    def succeeded(self, search: Search, page: SearchPage, now: float) -> PageEnd:
        """Record the response to a call."""
        for job in page.jobs:
            if job.created is not None:
                self.index.add(job.created)
        end = self._scans[search.scan].succeeded(search, page, self.index)
        self._record_completion(search.scan, now)
        return end

    def failed(self, search: Search, now: float, *, refused: bool) -> None:
        """Record a failed call.

        Args:
            search: the call.
            now: the time.
            refused: whether the service refuses the call itself, or its response is malformed.
        """
        self._scans[search.scan].failed(search, self.index, refused=refused)
        self._record_completion(search.scan, now)

    def horizon(self, wall: float) -> float:
        """Return the earliest creation time, unix seconds, that any later scan reaches.

        Each span starts at the lookback, or at the overlap before the newest known job. That job may be older than the
        lookback: in an account without new jobs, each scan for new jobs starts there. Tombstones must last as long as
        this horizon, for any lookback and overlap.
        """
        return min(wall - self._lookback, self._new_jobs_scan.newest_start(wall, self.index))

    def _order(self) -> Sequence[Scan]:
        """Return the scans in the order in which they may make the next call.

        After a restart, the exporter is ready as soon as the first status scan is complete, so the full scan waits.
        """
        waits = self._status_scan.has_pending and not self._status_scan.first_complete
        if self._turn % FULL_SCAN_TURN == 0 and not waits:
            return (self._full_scan, self._new_jobs_scan, self._status_scan)
        if self._turn % 2:
            return (self._new_jobs_scan, self._status_scan, self._full_scan)
        return (self._status_scan, self._new_jobs_scan, self._full_scan)

    def _record_completion(self, kind: ScanKind, now: float) -> None:
        """Record that a scan is complete, if it is."""
        if not self._scans[kind].is_idle:
            return
        if kind is ScanKind.FULL:
            self.lookback_covered = True
            self._full_scan.due = now + FULL_SCAN_INTERVAL
        elif kind is ScanKind.NEW_JOBS:
            self._complete_new_jobs_scan(now)
        self._scans[kind].first_complete = True

    def _complete_new_jobs_scan(self, now: float) -> None:
        is_first, scan = not self.first_scan_complete, self._new_jobs_scan
        scan.complete()
        if is_first:
            self.lookback_covered = not scan.read_several_pages
            self._full_scan.due = now + (0.0 if scan.read_several_pages else FULL_SCAN_INTERVAL)
