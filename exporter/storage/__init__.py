"""Records of jobs and aggregates, in memory and in the state file."""

from exporter.storage.batches import BATCH_JOBS, in_batches
from exporter.storage.job_index import LEAST_URGENT, NO_ANSWER, BlockSummary, StatusSummary, statuses_of, urgency_of
from exporter.storage.persistence import Entry, SavedState, Tombstone
from exporter.storage.series_limit import Ranked, Standing, rank_of_listed
from exporter.storage.state_errors import StateInUseError
from exporter.storage.state_writer import StateWriter
from exporter.storage.store import Store
from exporter.storage.tombstones import Tombstones

__all__ = [
    "BATCH_JOBS",
    "LEAST_URGENT",
    "NO_ANSWER",
    "BlockSummary",
    "Entry",
    "Ranked",
    "SavedState",
    "Standing",
    "StateInUseError",
    "StateWriter",
    "StatusSummary",
    "Store",
    "Tombstone",
    "Tombstones",
    "in_batches",
    "rank_of_listed",
    "statuses_of",
    "urgency_of",
]
