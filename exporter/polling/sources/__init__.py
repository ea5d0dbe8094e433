"""The call sources. Each one decides when its kind of call is due, and handles the response or the error."""

from exporter.polling.sources.call import Call
from exporter.polling.sources.get_job import GetJobSource
from exporter.polling.sources.round_robin import RoundRobin
from exporter.polling.sources.search_jobs import SearchJobsSource
from exporter.polling.target_state import TargetState

__all__ = ["Call", "RoundRobin", "call_sources"]


def call_sources(state: TargetState, now: float) -> RoundRobin:
    """Return one source for each kind of call.

    Args:
        state: the target.
        now: the time, monotonic seconds.
    """
    return RoundRobin((GetJobSource(state), SearchJobsSource(state, now)))
