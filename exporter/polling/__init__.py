"""Which call is due, making it, and acting on the response."""

from exporter.polling.discovered_jobs import Retention
from exporter.polling.discovery import Policy
from exporter.polling.manager import PollerManager
from exporter.polling.polling_plan import Changes
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.schedule import ROOM

__all__ = [
    "ROOM",
    "Changes",
    "Policy",
    "PollerManager",
    "RateLimiter",
    "Retention",
]
