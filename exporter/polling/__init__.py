"""Decides which AWS call is due, makes it, and acts on the response."""

from exporter.polling.manager import PollerManager
from exporter.polling.policy import Policy, Retention
from exporter.polling.polling_plan import Changes, Plan
from exporter.polling.rate_limiter import RateLimiter
from exporter.polling.schedule import GET_JOB_SHARE

__all__ = [
    "GET_JOB_SHARE",
    "Changes",
    "Plan",
    "Policy",
    "PollerManager",
    "RateLimiter",
    "Retention",
]
