"""The first record of a watched job, and the tombstone of a dropped job. Pure."""

from dataclasses import replace

from exporter.core import QUEUE, JobRecord, JobSummary
from exporter.storage import Tombstone, Tombstones


def configured_record(arn: str, since: float, tombstones: Tombstones) -> JobRecord:
    """Return the first record of a configured job. A job that was dropped before its end continues from its tombstone.

    Args:
        arn: the job.
        since: a job created later is new, unix seconds.
        tombstones: the tombstones of all targets.
    """
    tombstone = tombstones.get(arn)
    if tombstone is not None and tombstone.record is not None:
        return replace(tombstone.record, configured=True, owner="")
    return JobRecord(arn, baseline_at=max(since, tombstones.floor, 0.0 if tombstone is None else tombstone.created))


def discovered_record(
    job: JobSummary, *, baseline_at: float, floor: float, tombstone: Tombstone | None, owner: str
) -> JobRecord:
    """Return the first record of a discovered job. A job that was dropped before its end continues from its tombstone.

    A job from before the floor may have been dropped without a tombstone. So its listed status is no evidence of a
    change, and its queue time may be counted already.

    Args:
        job: the job.
        baseline_at: the baseline time, unix seconds.
        floor: the creation time, unix seconds, up to which a job may have been dropped without a tombstone.
        tombstone: the job's tombstone, if there is one.
        owner: the key of the target that discovered the job.
    """
    if tombstone is not None and tombstone.record is not None:
        return replace(tombstone.record, owner=owner)
    first = JobRecord(job.arn, configured=False, baseline_at=baseline_at, owner=owner)
    if job.created is not None and job.created <= floor:
        return replace(first, counted=(QUEUE,))
    return first if job.finished else replace(first, first_listed_status=job.status)


def tombstone_of(record: JobRecord, owner: str = "") -> Tombstone | None:
    """Return the tombstone of a dropped job; ``None`` for a job without a response, since nothing of it is counted.

    A job without a creation time is treated as if it was created when it was last polled.
    """
    job = record.snapshot
    if job is None:
        return None
    created = next((time for time in (job.created, record.polled_at) if time is not None), 0.0)
    return Tombstone(created, None if job.finished else record, owner)
