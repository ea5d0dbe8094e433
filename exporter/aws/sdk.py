"""The parts of the SDK that all credentials share, so that they do not grow with the number of accounts."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import NoCredentialsError

from exporter.aws.deadline import CallThreads
from exporter.aws.sdk_session import SdkSession, restricted_resolver
from exporter.aws.transport import IDLE_AFTER, close_idle_connections

RENEWAL_INTERVAL: Final = 60.0
"""Minimum seconds between two renewals that are not forced."""

_CREDENTIAL_SETTINGS: Final = frozenset(
    {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_account_id", "credential_process"}
    | {"role_arn", "source_profile", "credential_source", "external_id", "role_session_name", "duration_seconds"}
    | {"mfa_serial", "web_identity_token_file", "region"}
)
"""The settings of a profile that do not matter for a client. Its Region is an argument."""


class Source:
    """The SDK's own credentials of a profile, and the STS client that assumes roles with them; made at the first use.

    A thread that hangs while it looks for credentials holds up those that need them, and no other thread.
    A renewal makes another object.
    """

    def __init__(self, profile: str | None, region: str) -> None:
        self._profile, self._region = profile, region
        self._making, self._loading = threading.Lock(), threading.Lock()
        self._session: SdkSession | None = None
        self._settings = ""
        self._sts: Any = None

    def client_settings(self) -> str:
        """Return the settings for clients. Exceptions of the SDK propagate, such as those for unreadable files."""
        self._made()
        return self._settings

    def credentials(self) -> Any:  # noqa: ANN401 -- one of botocore's classes
        """Return the credentials.

        Raises:
            NoCredentialsError: there are none.
        """
        session = self._made()
        with self._loading:
            credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return credentials

    def new_client(self, service: str, region: str) -> Any:  # noqa: ANN401 -- botocore makes the class at run time
        """Make a client without valid credentials: each request is signed with those of its call."""
        keys = {"aws_access_key_id": "unused", "aws_secret_access_key": "unused"}
        session = self._made()
        with self._making:
            return session.create_client(service, region_name=region, **keys)

    def sts(self) -> Any:  # noqa: ANN401 -- botocore makes the class at run time
        """Return the client of STS that signs with these credentials, which were loaded before."""
        session = self._made()
        with self._making:
            if self._sts is None:
                self._sts = session.create_client("sts", region_name=self._region)
            return self._sts

    def close_idle_connections(self) -> None:
        """Close the connections of STS that were not used for a while."""
        if self._sts is not None:
            close_idle_connections(self._sts)

    def _made(self) -> SdkSession:
        if self._session is not None:
            return self._session
        with self._making:
            if self._session is None:
                session = SdkSession(self._profile)
                self._settings = _client_settings(session)  # raises for an unknown profile and unreadable files
                session.register_component("credential_provider", restricted_resolver(session, self._region))
                self._session = session
            return self._session


class Clients:
    """One client for each service, Region and client settings of a profile. Thread-safe."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, str], Any] = {}

    def get(self, source: Source, service: str, region: str) -> Any:  # noqa: ANN401 -- see Source
        """Return a client with the settings of a profile. Exceptions of the SDK propagate."""
        key = (source.client_settings(), service, region)
        client = self._clients.get(key)
        # Another thread may make one as well. No lock is held here, since files of a profile may hang.
        return self._clients.setdefault(key, source.new_client(service, region)) if client is None else client

    def all(self) -> list[Any]:
        """Return all clients."""
        return [*self._clients.values()]


class Sdk:
    """The sessions, the clients and the threads that all credentials share. Thread-safe.

    Attributes:
        threads: the threads of the calls.
    """

    def __init__(self) -> None:
        self.threads = CallThreads()
        self._lock = threading.Lock()
        self._sources: dict[tuple[str | None, str], Source] = {}
        self._renewed: dict[str | None, float] = {}
        self._clients = Clients()
        self._swept = float("-inf")

    def source(self, profile: str | None, region: str) -> Source:
        """Return the SDK's own credentials of a profile.

        Args:
            profile: the profile; ``None`` for the SDK's default chain.
            region: the Region of the STS endpoint.
        """
        with self._lock:
            return self._sources.setdefault((profile, region), Source(profile, region))

    @property
    def clients(self) -> Clients:
        """The clients."""
        return self._clients

    def credentials(self, profile: str | None, region: str) -> Any:  # noqa: ANN401 -- see Source
        """Return the SDK's own credentials. Without some, the next call looks for them again.

        Raises:
            NoCredentialsError: there are none.
        """
        source = self.source(profile, region)
        try:
            return source.credentials()
        except BaseException:
            self._drop(lambda other: other is source)
            raise

    def renew(self, profile: str | None, *, forced: bool = False) -> None:
        """Drop the credentials of a profile, so that the next call reads files and variables again.

        Args:
            profile: the profile.
            forced: whether to renew even if the last renewal was less than a minute ago; drops the clients, too.
        """
        now = time.monotonic()
        with self._lock:
            if not forced and now - self._renewed.get(profile, float("-inf")) < RENEWAL_INTERVAL:
                return
            self._renewed[profile] = now
            self._sources = {key: source for key, source in self._sources.items() if key[0] != profile}
            if forced:
                self._clients = Clients()

    def close_idle_connections(self) -> None:
        """Close the connections that were not used for a while, at intervals."""
        now = time.monotonic()
        with self._lock:
            if now < self._swept + IDLE_AFTER:
                return
            self._swept, sources = now, [*self._sources.values()]
        for source in sources:
            source.close_idle_connections()
        for client in self._clients.all():
            close_idle_connections(client)

    def _drop(self, unwanted: Callable[[Source], bool]) -> None:
        with self._lock:
            self._sources = {key: source for key, source in self._sources.items() if not unwanted(source)}


def _client_settings(session: SdkSession) -> str:
    """Return the settings of a session's profile that matter for its clients."""
    profile = session.get_scoped_config()
    settings = {key: value for key, value in profile.items() if key not in _CREDENTIAL_SETTINGS}
    return json.dumps([settings, session.full_config.get("services")], sort_keys=True, default=str)
