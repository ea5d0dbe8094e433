"""The credentials of calls: one session for each reference to credentials, renewed on demand."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import botocore.session
from botocore.credentials import DeferredRefreshableCredentials

from exporter.aws.attempt import CURRENT, Phase
from exporter.aws.deadline import CallThreads
from exporter.aws.sdk import RENEWAL_INTERVAL, Sdk
from exporter.core import CredentialsRef

SESSION_NAME: Final = "braket-exporter"
"""The name of the exporter's sessions in CloudTrail."""

_LIBRARIES: Final = ("boto3", "botocore", "urllib3")
"""Libraries with log records that quote responses and headers. Their failures are exceptions as well."""


class Access(NamedTuple):
    """A client, and the credentials that sign its requests."""

    client: Any
    credentials: Any


class CredentialsSession:
    """The credentials of one reference, with the SDK's shared clients. Thread-safe.

    The constructor does no I/O.

    Args:
        ref: the credentials to use.
        region: the Region of the STS endpoint; by default, the Region of the first client.
        sdk: the parts that all sessions share; by default, the session has its own.

    Attributes:
        credentials: the credentials to use.
    """

    def __init__(self, ref: CredentialsRef, region: str | None = None, sdk: Sdk | None = None) -> None:
        for name in _LIBRARIES:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self.credentials, self._region = ref, region
        self._sdk = Sdk() if sdk is None else sdk
        self._role: DeferredRefreshableCredentials | None = None
        self._renewed = float("-inf")
        self._renewing = threading.Lock()

    @property
    def threads(self) -> CallThreads:
        """The threads of the calls."""
        return self._sdk.threads

    def access(self, service: str, region: str) -> Access:
        """Return the client of a service in a Region, and its credentials. Exceptions of the SDK propagate."""
        profile, sts_region = self.credentials.profile, self._region or region
        self._sdk.close_idle_connections()
        source = self._sdk.source(profile, sts_region)
        source.client_settings()  # fails for an unknown profile, before a role is assumed
        if self.credentials.role_arn is None:
            credentials = self._sdk.credentials(profile, sts_region)
        else:
            credentials = self._role_credentials(sts_region)
        if attempt := CURRENT.get():
            attempt.phase = Phase.CLIENT
        return Access(self._sdk.clients.get(source, service, region), credentials)

    def renew(self, *, forced: bool = False) -> None:
        """Drop the credentials, so that the next call reads files and variables again.

        Args:
            forced: whether to renew even if the last renewal was less than a minute ago.
        """
        with self._renewing:
            now = time.monotonic()
            if forced or now - self._renewed >= RENEWAL_INTERVAL:
                self._renewed, self._role = now, None
        self._sdk.renew(self.credentials.profile, forced=forced)

    def region_name(self) -> str | None:
        """Return the Region of the SDK's configuration. Exceptions of the SDK propagate."""
        region = botocore.session.Session(profile=self.credentials.profile).get_config_variable("region")
        return None if region is None else str(region)

    def _role_credentials(self, region: str) -> DeferredRefreshableCredentials:
        """Return the credentials of the role. It is assumed when a request is signed, and again before it expires."""
        with self._renewing:
            if self._role is None:
                self._role = DeferredRefreshableCredentials(_assume(self._sdk, self.credentials, region), "assume-role")
            return self._role


def _assume(sdk: Sdk, ref: CredentialsRef, region: str) -> Callable[[], dict[str, Any]]:
    external = {"ExternalId": ref.external_id} if ref.external_id else {}

    def assume() -> dict[str, Any]:
        # A failure here is not caused by the role.
        sdk.credentials(ref.profile, region).get_frozen_credentials()
        client = sdk.source(ref.profile, region).sts()
        if attempt := CURRENT.get():
            attempt.assuming = True
        response = client.assume_role(RoleArn=ref.role_arn, RoleSessionName=SESSION_NAME, **external)["Credentials"]
        return {
            "access_key": response["AccessKeyId"],
            "secret_key": response["SecretAccessKey"],
            "token": response["SessionToken"],
            "expiry_time": response["Expiration"].isoformat(),
        }

    return assume
