"""The call sources. Each one decides when its kind of call is due, and handles the response or the error."""

from exporter.polling.shared_polls import SharedPolls
from exporter.polling.sources.call import Call
from exporter.polling.sources.get_device import GetDeviceSource, refresh_device
from exporter.polling.sources.get_job import GetJobSource
from exporter.polling.sources.round_robin import RoundRobin
from exporter.polling.sources.search_job import SearchJobSource
from exporter.polling.sources.search_jobs import SearchJobsSource
from exporter.polling.sources.search_spending_limits import SearchSpendingLimitsSource
from exporter.polling.target_state import TargetState

__all__ = ["Call", "RoundRobin", "call_sources", "refresh_device"]


def call_sources(state: TargetState, now: float, shared_polls: SharedPolls) -> RoundRobin:
    """Return one source for each kind of call.

    Args:
        state: the target.
        now: the time, monotonic seconds.
        shared_polls: the polls that all targets share.
    """
    return RoundRobin(
        (
            GetJobSource(state),
            SearchJobsSource(state, now),
            SearchJobSource(state),
            GetDeviceSource(state, shared_polls),
            SearchSpendingLimitsSource(state, shared_polls),
        )
    )
