"""Builds a polled target from its configuration."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from exporter.core import Clock, TargetConfig
from exporter.polling.circuit_breaker import CircuitBreaker
from exporter.polling.client import JobClient
from exporter.polling.policy import Policy
from exporter.polling.polled_target import PolledTarget
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.shared_polls import SharedPolls
from exporter.polling.sources import call_sources
from exporter.polling.target_state import Start, TargetState
from exporter.storage import Store, Tombstones
from exporter.telemetry import EventLog, SelfMetrics


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that all targets share.

    Attributes:
        store: the store of the job records.
        event_log: logs the changes.
        telemetry: the exporter's own metrics.
        rate_limiter: limits the rate of the calls.
        clock: the time.
        random: returns a random number in [0, 1).
        tombstones: the tombstones of all targets.
        shared_polls: the polls that targets share.
    """

    store: Store
    event_log: EventLog
    telemetry: SelfMetrics
    rate_limiter: RateLimiter
    clock: Clock
    random: Callable[[], float]
    tombstones: Tombstones
    shared_polls: SharedPolls = field(default_factory=SharedPolls)


def build_target(
    config: TargetConfig,
    client: JobClient,
    services: Services,
    policy: Policy,
    *,
    new_jobs: Iterable[str] | None = None,
    baseline_at: float | None = None,
) -> PolledTarget:
    """Build a polled target. No call is made yet.

    Args:
        config: the account, the Region, the configured jobs and the selector.
        client: makes the calls.
        services: the parts that all targets share.
        policy: the polling policy.
        new_jobs: the configured jobs without a record; ``None`` for all configured jobs.
        baseline_at: the baseline time from before a restart, unix seconds; ``None`` for now.
    """
    now, wall = services.clock.monotonic(), services.clock.wall()
    circuit_breaker = CircuitBreaker(
        (), rate_limiter=services.rate_limiter, target=lambda: client.target, random=services.random, now=now
    )
    state = TargetState(
        config=config,
        client=client,
        store=services.store,
        event_log=services.event_log,
        telemetry=services.telemetry,
        tombstones=services.tombstones,
        clock=services.clock,
        circuit_breaker=circuit_breaker,
        policy=policy,
        start=Start(wall, now, baseline_at),
    )
    return PolledTarget(
        state, call_sources(state, now, services.shared_polls), config.jobs if new_jobs is None else new_jobs
    )
