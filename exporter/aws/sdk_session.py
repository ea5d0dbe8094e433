"""The SDK's session with the exporter's limits: timeouts, no retries, no prompts, bounded responses and processes."""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any, Final, NoReturn

import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, create_credential_resolver
from botocore.loaders import Loader

from exporter import __version__
from exporter.aws.attempt import RefusedError
from exporter.aws.credential_failures import MFA_NEEDED
from exporter.aws.credential_process import CredentialProcess
from exporter.aws.data_files import DataLoader
from exporter.aws.endpoints import endpoint_problem, is_url
from exporter.aws.exchange import exchange, receiving, sending
from exporter.aws.transport import limit_responses

CONNECTIONS: Final = 32
"""Concurrent calls to all targets together."""

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0
READ_TIMEOUTS: Final[Mapping[str, float]] = {"sqs": 26.0}
"""The read timeouts of other services, seconds: ReceiveMessage waits for messages for 20 seconds."""


class SdkSession(botocore.session.Session):
    """A session with the exporter's limits for all clients, including those of credential providers."""

    def __init__(self, profile: str | None) -> None:
        super().__init__(profile=profile)
        self.set_default_client_config(client_config())
        if self.get_config_variable("data_path") is None:
            self.register_component("data_loader", _service_models())
        for event, follow in (("before-call", exchange), ("before-send", sending), ("before-parse", receiving)):
            self.register(event, follow)

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- botocore's signature
        """Make a client. Exceptions of the SDK propagate.

        Raises:
            RefusedError: the endpoint is not a URL.
        """
        if service_name in READ_TIMEOUTS:
            kwargs.setdefault("config", Config(read_timeout=READ_TIMEOUTS[service_name]))
        client = super().create_client(service_name, *args, **kwargs)
        if not is_url(client.meta.endpoint_url):
            problem = endpoint_problem(client.meta.service_model.service_name)
            raise RefusedError(problem or "the endpoint URL in the AWS configuration files is not valid")
        limit_responses(client)
        return client


@cache
def _service_models() -> Loader:
    """Read the SDK's data files once for all sessions: they take most of the time of making a client."""
    return DataLoader()


def client_config() -> Config:
    """Return the configuration of every client: short timeouts, no retries of the SDK, the exporter's user agent."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        # botocore builds its own for each call, in a ninth of the call's duration.
        user_agent=f"braket-exporter/{__version__} botocore/{botocore.__version__}",
        parameter_validation=False,
    )


def restricted_resolver(session: SdkSession, region: str) -> CredentialResolver:
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


def _restricted_providers(make: Any, **arguments: Any) -> list[Any]:  # noqa: ANN401 -- botocore's
    providers: list[Any] = make(**arguments)
    _restrict(providers)
    return providers


def _refuse_to_prompt(_: str) -> NoReturn:
    raise RefusedError(MFA_NEEDED)
