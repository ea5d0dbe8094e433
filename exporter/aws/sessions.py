"""Sessions of the SDK: one for each reference to credentials, made at the first call and renewed on demand."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Final, NoReturn

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
    create_credential_resolver,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader

from exporter import __version__
from exporter.aws.attempt import CURRENT, Phase, RefusedError
from exporter.aws.credential_failures import MFA_NEEDED
from exporter.aws.credential_process import CredentialProcess
from exporter.aws.endpoints import endpoint_problem, is_url
from exporter.aws.exchange import exchange, receiving, sending
from exporter.aws.transport import limit_responses
from exporter.core import CredentialsRef

SESSION_NAME: Final = "braket-exporter"
"""The name of the exporter's sessions in CloudTrail."""

RENEWAL_INTERVAL: Final = 60.0
"""Minimum seconds between two renewals that are not forced."""

CONNECTIONS: Final = 4
"""Concurrent calls to one target: enough to hide latency at the service's quota of 5 requests per second."""

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0

_LIBRARIES: Final = ("boto3", "botocore", "urllib3")
"""Libraries with log records that quote responses and headers. Their failures are exceptions as well."""


class CredentialsSession:
    """The SDK's session for one reference to credentials, and its clients. Thread-safe.

    The constructor does no I/O.

    Args:
        ref: the credentials to use.
        region: the Region of the STS endpoint; by default, the Region of the first client.

    Attributes:
        credentials: the credentials to use.
    """

    def __init__(self, ref: CredentialsRef, region: str | None = None) -> None:
        for name in _LIBRARIES:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self.credentials, self._region = ref, region
        self._made = _Made(ref, region)
        self._renewed = float("-inf")
        self._renewing = threading.Lock()

    def client(self, service: str, region: str) -> Any:  # noqa: ANN401 -- botocore makes the class at run time
        """Return the client of a service in a Region. Exceptions of the SDK propagate.

        A session without credentials is dropped at once: the next call looks for credentials again.
        """
        made = self._made
        try:
            return made.client(service, region)
        except BaseException:
            if not made.has_credentials:
                self._replace(made)
            raise

    def renew(self, *, forced: bool = False) -> None:
        """Drop session and clients, so that the next call reads files and variables again.

        Args:
            forced: whether to renew even if the last renewal was less than a minute ago.
        """
        with self._renewing:
            now = time.monotonic()
            if forced or now - self._renewed >= RENEWAL_INTERVAL:
                self._renewed = now
                self._made = _Made(self.credentials, self._region)

    def region_name(self) -> str | None:
        """Return the Region of the SDK's configuration. Exceptions of the SDK propagate."""
        region = botocore.session.Session(profile=self.credentials.profile).get_config_variable("region")
        return None if region is None else str(region)

    def _replace(self, made: "_Made") -> None:
        with self._renewing:
            if self._made is made:
                self._made = _Made(self.credentials, self._region)


class _Made:
    """A session and its clients, each made at its first use.

    A hanging thread holds the lock of this object only. A renewal makes another object.
    """

    def __init__(self, ref: CredentialsRef, region: str | None) -> None:
        self._ref, self._region = ref, region
        self._making = threading.Lock()
        self._session: botocore.session.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def has_credentials(self) -> bool:
        """Whether credentials were found."""
        return self._session is not None

    def client(self, service: str, region: str) -> Any:  # noqa: ANN401 -- see CredentialsSession
        """Return a client."""
        client = self._clients.get((service, region))
        return self._new_client(service, region) if client is None else client

    def _new_client(self, service: str, region: str) -> Any:  # noqa: ANN401 -- see CredentialsSession
        with self._making:
            if self._session is None:
                self._session = _new_session(self._ref, self._region or region)
            if attempt := CURRENT.get():
                attempt.phase = Phase.CLIENT
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.create_client(service, region_name=region)
            return self._clients[service, region]


class _Session(botocore.session.Session):
    """A session with the exporter's limits for all clients, including those of credential providers."""

    def __init__(self, profile: str | None) -> None:
        super().__init__(profile=profile)
        self.set_default_client_config(client_config())
        if self.get_config_variable("data_path") is None:
            self.register_component("data_loader", _service_models())
        for event, follow in (("before-call", exchange), ("before-send", sending), ("before-parse", receiving)):
            self.register(event, follow)

    def create_client(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- botocore's signature
        client = super().create_client(*args, **kwargs)
        if not is_url(client.meta.endpoint_url):
            problem = endpoint_problem(client.meta.service_model.service_name)
            raise RefusedError(problem or "the endpoint URL in the AWS configuration files is not valid")
        limit_responses(client)
        return client


class _RoleProvider(CredentialProvider):
    """Provides the credentials of a role, in place of the SDK's default chain."""

    METHOD = CANONICAL_NAME = "sts-assume-role"

    def __init__(self, credentials: DeferredRefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> DeferredRefreshableCredentials:
        return self._credentials


@cache
def _service_models() -> Loader:
    """Read the SDK's data files once for all sessions: they take 9 MB, and most of the time of making a client."""
    return create_loader()


def client_config() -> Config:
    """Return the configuration of every client: short timeouts, no retries of the SDK, the exporter's user agent."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        # botocore builds its own for each call, in a ninth of the call's duration.
        user_agent=f"braket-exporter/{__version__} boto3/{boto3.__version__}",
        parameter_validation=False,
    )


def _new_session(ref: CredentialsRef, region: str) -> _Session:
    """Make a session with credentials. A role is assumed when a request is signed, and again before it expires."""
    session = _Session(ref.profile)
    session.get_scoped_config()  # reads the files: raises for an unknown profile and unreadable files
    if ref.role_arn is not None:
        assume = _assume(session, ref, region)
        session = _Session(ref.profile)
        provider = _RoleProvider(DeferredRefreshableCredentials(assume, _RoleProvider.METHOD))
        session.register_component("credential_provider", CredentialResolver([provider]))
    else:
        session.register_component("credential_provider", _resolver(session, region))
    if session.get_credentials() is None:
        raise NoCredentialsError
    return session


def _assume(source: _Session, ref: CredentialsRef, region: str) -> Callable[[], dict[str, Any]]:
    source.register_component("credential_provider", _resolver(source, region))
    external = {"ExternalId": ref.external_id} if ref.external_id else {}

    def assume() -> dict[str, Any]:
        credentials = source.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        credentials.get_frozen_credentials()  # a failure here is not caused by the role
        client = source.create_client("sts", region_name=region)
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


def _resolver(session: _Session, region: str) -> CredentialResolver:
    """Make the SDK's chain of credential providers, without prompts and unbounded processes."""
    resolver = create_credential_resolver(session, region_name=region)
    _restrict(resolver.providers)
    return resolver


def _restrict(providers: Iterable[Any]) -> None:
    """Replace the parts of credential providers that may prompt or hang.

    They are internals of botocore; a test verifies that they exist.
    """
    for provider in providers:
        if hasattr(provider, "_prompter"):
            provider._prompter = _refuse_to_prompt  # noqa: SLF001
        if hasattr(provider, "_popen"):
            provider._popen = CredentialProcess  # noqa: SLF001
        builder = getattr(provider, "_profile_provider_builder", None)
        if builder is not None:
            builder.providers = partial(_restricted_providers, builder.providers)


def _restricted_providers(make: Callable[..., list[Any]], **arguments: Any) -> list[Any]:  # noqa: ANN401 -- botocore's
    providers = make(**arguments)
    _restrict(providers)
    return providers


def _refuse_to_prompt(_: str) -> NoReturn:
    raise RefusedError(MFA_NEEDED)
