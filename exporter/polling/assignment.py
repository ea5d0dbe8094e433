"""Moves jobs between targets after a reload, and resumes them after a restart."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from exporter.core import DESELECTED, JobRecord, TargetConfig
from exporter.polling.polled_target import PolledTarget
from exporter.polling.reassignment import OwnersAfterRestart, Place, configured_jobs, reassignment, released
from exporter.polling.records import configured_record, tombstone_of
from exporter.polling.schedule import JobSchedule, resumed
from exporter.polling.target_builder import Services
from exporter.polling.watched_jobs import JobTransfer
from exporter.storage import in_batches


def release_jobs(
    services: Services,
    targets: Iterable[PolledTarget],
    kept: dict[PolledTarget, TargetConfig],
    new: Iterable[TargetConfig],
    since: float,
) -> dict[str, JobSchedule | None]:
    """Return the jobs of the removed targets, and the jobs of the other targets that are configured elsewhere now.

    Args:
        services: the parts that all targets share.
        targets: the polled targets so far.
        kept: the targets that stay, each with its new configuration.
        new: the configurations of the new targets.
        since: a configured job that was created later is new, unix seconds.
    """
    configured = configured_jobs((*kept.values(), *new))
    _store_configured(services, configured, since)
    transfer: dict[str, JobSchedule | None] = {}
    for target, jobs in released(targets, kept, configured).items():
        transfer |= target.close() if jobs is None else target.release(jobs)
    return transfer


def claimed(config: TargetConfig, transfer: dict[str, JobSchedule | None]) -> JobTransfer:
    """Remove and return the jobs that a target configures."""
    return {arn: transfer.pop(arn) for arn in config.jobs if arn in transfer}


def resume_jobs(services: Services, targets: Sequence[PolledTarget], new_jobs: Collection[str]) -> JobTransfer:
    """Have each target continue with the jobs of the store, which are from before a restart.

    Args:
        services: the parts that all targets share.
        targets: the polled targets.
        new_jobs: the configured jobs that were not saved.

    Returns:
        The jobs without a target.
    """
    owners = OwnersAfterRestart(_places(targets))
    left: dict[str, JobSchedule | None] = {}
    for batch in in_batches(record for record in services.store.scan() if record.arn not in new_jobs):
        left |= _resume_batch(services, batch, owners)
    return left


def assign_jobs(
    services: Services, targets: Sequence[PolledTarget], left: JobTransfer, stopped: Callable[[], bool]
) -> None:
    """Move jobs that no target configures to targets that discover jobs in their Region; drop the others.

    Args:
        services: the parts that all targets share.
        targets: the polled targets.
        left: the jobs.
        stopped: whether the exporter ends. The next start drops the rest.
    """
    moves = reassignment(_places(targets), left)
    for target, jobs in moves.to.items():
        for batch in in_batches(jobs):
            target.take_over({arn: left[arn] for arn in batch})
    for batch in in_batches(services.store.by_block(moves.dropped)):
        if stopped():
            return
        _drop(services, batch)


def _store_configured(services: Services, jobs: Collection[str], since: float) -> None:
    """Store the configured jobs before targets change, so that no target discovers one meanwhile."""
    store, tombstones = services.store, services.tombstones
    for arn in jobs:
        if arn not in store:
            store.add(configured_record(arn, since, tombstones))
            mark = tombstones.remove(arn)
            store.drop_tombstones(() if mark is None else (mark,))


def _resume_batch(
    services: Services, batch: Sequence[JobRecord], owners: OwnersAfterRestart[PolledTarget]
) -> JobTransfer:
    now, wall = services.clock.monotonic(), services.clock.wall()
    left: dict[str, JobSchedule | None] = {}
    shares: defaultdict[PolledTarget, list[tuple[JobRecord, JobSchedule | None]]] = defaultdict(list)
    changed: list[JobRecord] = []
    for record in batch:
        schedule, target = resumed(record, now=now, wall=wall), owners.of(record)
        if target is None:
            left[record.arn] = schedule
            continue
        if owners.configures(record) and not record.configured:
            record = replace(record, configured=True, owner="")  # noqa: PLW2901 -- the new state of the job
            changed.append(record)
        shares[target].append((record, schedule))
    services.store.amend(*changed)
    for target, share in shares.items():
        target.resume(share)
    return left


def _places(targets: Iterable[PolledTarget]) -> list[Place[PolledTarget]]:
    return [Place(target, target.config, target.target, target.discovers) for target in targets]


def _drop(services: Services, jobs: Iterable[str]) -> None:
    records = [*map(services.store.record, jobs)]
    for record in records:
        if (tombstone := tombstone_of(record)) is not None:
            services.tombstones.add(record.arn, tombstone)
    services.store.forget({record.arn: services.tombstones.entry(record.arn) for record in records})
    services.store.flush()
    for record in records:
        services.telemetry.dropped(DESELECTED)
        services.event_log.forgotten(record.arn, record.snapshot, DESELECTED)
