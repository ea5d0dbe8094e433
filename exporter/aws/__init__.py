"""The only package that calls boto3: clients, credentials, parsers of responses, and the mapping of failed calls."""

from exporter.aws.client import PAGE_SIZE, BraketClient
from exporter.aws.credential_failures import configuration_problem
from exporter.aws.endpoints import host_of
from exporter.aws.event_queue import EventQueueClient
from exporter.aws.sdk import Sdk
from exporter.aws.sdk_session import CONNECTIONS
from exporter.aws.service_calls import RequestCounter
from exporter.aws.sessions import CredentialsSession

__all__ = [
    "CONNECTIONS",
    "PAGE_SIZE",
    "BraketClient",
    "CredentialsSession",
    "EventQueueClient",
    "RequestCounter",
    "Sdk",
    "configuration_problem",
    "host_of",
]
