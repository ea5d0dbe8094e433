"""The only package that calls boto3: clients, credentials, parsers of responses, and the mapping of failed calls."""

from exporter.aws.client import PAGE_SIZE, BraketClient
from exporter.aws.credential_failures import configuration_problem
from exporter.aws.endpoints import host_of
from exporter.aws.sessions import CONNECTIONS, CredentialsSession

__all__ = [
    "CONNECTIONS",
    "PAGE_SIZE",
    "BraketClient",
    "CredentialsSession",
    "configuration_problem",
    "host_of",
]
