"""Events: an event about a job causes a GetJob call at once. Only the GetJob response changes the job's state."""

from exporter.polling.events.event_queues import EventQueues

__all__ = ["EventQueues"]
