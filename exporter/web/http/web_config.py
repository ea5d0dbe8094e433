"""The web configuration file: TLS and basic authentication, in the format of Prometheus's exporter-toolkit. Pure.

A file written for another exporter works here, or is rejected with the keys that this exporter does not support.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from exporter.core import ProblemsError, describe_errors, hidden_value, key_text, parse_mapping
from exporter.web.http.config_section import Section, check_mapping, unset, unsupported
from exporter.web.http.tls_config import TlsConfig

MAX_COST: Final = 15
"""The highest cost of a bcrypt hash: a check takes about 2 seconds, and each step doubles that."""

_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
# The last character of a salt of 16 bytes encodes two bits only.
_HASH: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)


class WebConfigError(ProblemsError):
    """The web configuration is invalid."""


def _with_names(value: object) -> dict[str, tuple[object, object]]:
    """Add each user's name to the hash. A name that is not text replaces text that looks the same: it is an error."""
    users = sorted(check_mapping(value).items(), key=lambda user: not isinstance(user[0], str))
    return {key_text(name): (name, digest) for name, digest in users}


def _check_user(user: tuple[object, object]) -> str:
    """Check a user's name and hash. A wrong hash is not shown: it may be the password."""
    name, digest = user
    match = _HASH.fullmatch(digest) if isinstance(digest, str) else None
    if not isinstance(name, str) or not name or ":" in name:
        raise hidden_value("a user's name is text without a colon; put it in quotes")
    if match is None:
        raise hidden_value("expected a bcrypt hash, such as htpasswd -nB prints; it begins with $2y$10$")
    if not 4 <= int(match[1]) <= MAX_COST:
        raise hidden_value(f"the hash has cost {match[1]}; expected 4 to {MAX_COST}, a check takes too long else")
    return match[0]


def _check_header(value: str) -> str:
    if _HEADER_VALUE.fullmatch(value) is None:
        raise ValueError("expected one line of ASCII")
    return value


_PasswordHash = Annotated[str, BeforeValidator(_check_user)]
_HeaderValue = Annotated[Annotated[str, AfterValidator(_check_header)] | None, unset("")]


class _Headers(Section):
    content_security_policy: _HeaderValue = Field(None, alias="Content-Security-Policy")
    x_frame_options: Annotated[Literal["deny", "sameorigin"] | None, unset("")] = Field(None, alias="X-Frame-Options")
    x_content_type_options: Annotated[Literal["nosniff"] | None, unset("")] = Field(
        None, alias="X-Content-Type-Options"
    )
    x_xss_protection: _HeaderValue = Field(None, alias="X-XSS-Protection")
    strict_transport_security: _HeaderValue = Field(None, alias="Strict-Transport-Security")


class _HttpConfig(Section):
    http2: bool = False
    headers: _Headers = _Headers()


class WebConfig(Section):
    """The content of the file.

    Attributes:
        tls: the TLS settings; ``None`` without TLS.
        http: the headers of every response.
        users: the bcrypt hash of each user's password; every request is admitted when empty.
    """

    tls: Annotated[TlsConfig | None, unset({})] = Field(None, alias="tls_server_config")
    http: _HttpConfig = Field(_HttpConfig(), alias="http_server_config")
    users: Annotated[dict[str, _PasswordHash], BeforeValidator(_with_names)] = Field(
        {}, alias="basic_auth_users", repr=False
    )
    rate_limit: Annotated[None, unsupported("the exporter bounds its connections by itself")] = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every response."""
        return self.http.headers.model_dump(by_alias=True, exclude_none=True)


def parse_web_config(text: str, folder: str) -> WebConfig:
    """Parse the file's text.

    Args:
        text: the text.
        folder: the folder of the file, which relative paths in it start from.

    Raises:
        WebConfigError: with every problem at once.
    """
    try:
        values = parse_mapping(text, "basic_auth_users: {}")
        if values is None:
            raise ValueError("is empty: expected tls_server_config, basic_auth_users or http_server_config")  # noqa: TRY301 -- reported as the others are
        return WebConfig.model_validate(values, context=folder)
    except ValidationError as error:
        problems = [*describe_errors(error.errors(include_url=False), WebConfig, "key")]
    except ValueError as error:
        problems = [str(error)]
    raise WebConfigError(problems)
