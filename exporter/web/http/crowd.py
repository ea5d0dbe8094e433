"""The open connections: how many there may be, and which one is closed for a new one."""

import resource
from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

MAX_CONNECTIONS: Final = 512

RESERVED_DESCRIPTORS: Final = 128
"""File descriptors that connections leave to the AWS SDK, the state file and the log."""

MAX_REPLACED: Final = 8
"""The most connections that new ones replace in one step of the event loop.

The next steps read the requests of the new ones, before even newer ones replace them.
"""

_MAX_RESPONDING: Final = 7 / 8
"""The share of connections that receive a response; the others remain for new connections, such as those of probes."""


def connection_limit(descriptors: int) -> int:
    """Return the largest number of connections for a limit of file descriptors."""
    if descriptors == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, max(descriptors - RESERVED_DESCRIPTORS, descriptors // 4, 1))


def current_connection_limit() -> int:
    """Return the largest number of connections of this process."""
    return connection_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


Key = TypeVar("Key")


class Member(Protocol):
    """A connection; ``Connection`` describes its attributes."""

    responding: bool
    changed_at: float
    evicted: bool


def longest_waiting(connections: Mapping[Key, Member], limit: int) -> Key | None:
    """Choose the connection to close: the oldest idle one, but the oldest that is responding if nearly all are.

    Args:
        connections: the connections.
        limit: the largest number of connections.
    """
    kept = {task: each for task, each in connections.items() if not each.evicted}
    responding = sum(each.responding for each in kept.values())
    prefer_responding = responding > _MAX_RESPONDING * limit
    return min(kept, key=lambda key: (kept[key].responding != prefer_responding, kept[key].changed_at), default=None)
