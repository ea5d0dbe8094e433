"""The call source of SearchSpendingLimits: all pages of an account and Region, once per interval over all targets."""

from functools import partial
from typing import Final

from exporter.core import SEARCH_SPENDING_LIMITS, SpendingLimit, SpendingLimitPage, Target
from exporter.polling.shared_polls import SharedPolls
from exporter.polling.sources.call import Call
from exporter.polling.sources.optional import OptionalCalls, Request
from exporter.polling.target_state import TargetState

MAX_PAGES: Final = 100
"""The maximum number of pages of one poll, so that a service that returns pages without end cannot keep it busy."""

UNKNOWN_ACCOUNT_WAIT: Final = 1.0
"""The time, seconds, until the account of a target is looked at again while no response has shown it."""


class SearchSpendingLimitsSource:
    """Reads the spending limits of one account and Region.

    Args:
        state: the target.
        polls: the polls of all targets.
    """

    operation: Final = SEARCH_SPENDING_LIMITS

    def __init__(self, state: TargetState, polls: SharedPolls) -> None:
        self._state = state
        self._calls = OptionalCalls(state, polls, SEARCH_SPENDING_LIMITS, lambda: state.policy.spending_limit_interval)
        self._token: str | None = None
        self._found: list[SpendingLimit] = []
        self._pages = 0
        self._polled = False

    @property
    def active(self) -> bool:
        """Whether the settings export spending limits."""
        return self._calls.active

    @property
    def polled_once(self) -> bool:
        """Whether the spending limits were polled, or polling them failed; true without a known account."""
        return not self.active or self._polled or not self._state.client.target.account

    def due(self, now: float) -> Call[SpendingLimitPage] | float:
        """Return the call for the next page, or the seconds until one may be due."""
        target = self._state.client.target
        if not target.account:
            return UNKNOWN_ACCOUNT_WAIT
        request = Request(
            target,
            make=partial(self._state.client.search_spending_limits, self._token),
            record=partial(self._record, target),
            failed=self._start_over,
            continues=self._token is not None,
        )
        return self._calls.due(request, now)

    def _record(self, target: Target, page: SpendingLimitPage) -> bool:
        for _ in range(page.problems):
            self._state.telemetry.parse_error()
        with self._state.lock:
            self._found += page.limits
            self._pages += 1
            if page.token is not None and page.token != self._token and self._pages < MAX_PAGES:
                self._token = page.token
                return False
            found = self._start_over()
        self._state.store.spending_limits.replace(target, found)
        return True

    def _start_over(self) -> list[SpendingLimit]:
        """Begin with the first page again; return the limits of the pages so far. The caller holds the lock."""
        found, self._found = self._found, []
        self._token, self._pages, self._polled = None, 0, True
        return found
