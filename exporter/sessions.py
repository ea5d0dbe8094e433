"""Where credentials come from: boto3 sessions for profiles and roles, with a faster reader of timestamps."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import boto3
import botocore.session
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

from exporter.braket import client_config
from exporter.lanes import Login

SESSION_NAME: Final = "braket-exporter"
"""How the exporter shows in CloudTrail."""

_TELLING_TWICE: Final = ("botocore.credentials", "botocore.tokens")
"""Loggers that warn, with a traceback, of a failed refresh. When that matters it is raised, too, and told by us."""

_NO_ANSWER: Final = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    LookupError,
    TypeError,
    ValueError,
)
"""What an STS that is denied, away, misconfigured or a proxy's page brings in place of credentials."""


def make_session(login: Login, region: str | None = None) -> boto3.session.Session:
    """Make a session; a role is assumed when the first call needs it, and again before its credentials expire.

    Args:
        login: whose credentials to use.
        region: the Region whose STS is asked for the role.

    Raises:
        BotoCoreError: there is no such profile, or the SDK's configuration is unusable.
    """
    for name in _TELLING_TWICE:
        logging.getLogger(name).setLevel(logging.ERROR)
    source = _fast(botocore.session.Session(profile=login.profile))
    if login.role_arn is None:
        return boto3.session.Session(botocore_session=source)
    assumed = _fast(botocore.session.Session(profile=login.profile))
    provider = _RoleProvider(DeferredRefreshableCredentials(_assume(source, login, region), "sts-assume-role"))
    assumed.register_component("credential_provider", CredentialResolver([provider]))
    return boto3.session.Session(botocore_session=assumed)


class _RoleProvider(CredentialProvider):
    """Gives a session the credentials of a role, whatever else the SDK would have found."""

    METHOD = CANONICAL_NAME = "sts-assume-role"

    def __init__(self, credentials: DeferredRefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> DeferredRefreshableCredentials:
        return self._credentials


def _assume(source: botocore.session.Session, login: Login, region: str | None) -> Callable[[], dict[str, Any]]:
    external = {"ExternalId": login.external_id} if login.external_id else {}

    def assume() -> dict[str, Any]:
        try:
            client = source.create_client("sts", region_name=region, config=client_config())
            answer = client.assume_role(RoleArn=login.role_arn, RoleSessionName=SESSION_NAME, **external)["Credentials"]
            return {
                "access_key": answer["AccessKeyId"],
                "secret_key": answer["SecretAccessKey"],
                "token": answer["SessionToken"],
                "expiry_time": _told_time(answer["Expiration"]).isoformat(),
            }
        except _NO_ANSWER as error:
            # After the first line botocore quotes an answer that it could not read, and with it perhaps a secret key.
            reason = str(error).partition("\n")[0]
            message = f"cannot assume {login.role_arn}: {reason}"
            raise CredentialRetrievalError(provider=_RoleProvider.METHOD, error_msg=message) from error

    return assume


def _told_time(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"Expiration is no time: {value!r}")
    return value


def _fast(session: botocore.session.Session) -> botocore.session.Session:
    """Have timestamps read by the standard library where it can: botocore's reader takes 40 % of a call's time.

    The component is half internal to botocore, so a release without it leaves everything as it was.
    """
    with suppress(AttributeError, ValueError):
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
    return session


def parse_time(value: object) -> object:
    """Read a timestamp of an AWS answer; what is no ISO 8601 text with an offset is left to botocore.

    What botocore cannot read either stays as it is: whoever wants that time finds that it is none, and the rest of the
    answer, which may be about a hundred other jobs, is not lost with it.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if moment.tzinfo is not None:
                return moment
    try:
        parsed: datetime = parse_timestamp(value)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        return value
    return parsed
