"""The web configuration file: TLS and basic authentication, in the format of Prometheus's exporter-toolkit. Pure.

A file written for another exporter works here, or is rejected with the keys that this exporter does not support.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from exporter.core import format_name, key_text, parse_mapping
from exporter.web.http.config_section import Section
from exporter.web.http.tls_config import TLS_KEYS, TlsConfig, parse_tls_config

MAX_COST: Final = 15
"""The highest cost of a bcrypt hash: a check takes some 2 seconds, and twice that with each step more."""

_EXPECTED: Final = "expected tls_server_config, basic_auth_users or http_server_config"
_SECTIONS: Final = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")

_HEADERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Content-Security-Policy": (),
        "X-Frame-Options": ("deny", "sameorigin"),
        "X-Content-Type-Options": ("nosniff",),
        "X-XSS-Protection": (),
        "Strict-Transport-Security": (),
    }
)
"""The headers that can be set, and their valid values; any value when none is listed."""

_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
# The last character of a salt of 16 bytes encodes two bits only.
_HASH: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)


class WebConfigError(Exception):
    """The web configuration is invalid.

    Attributes:
        problems: one line for each: the key, the value and which values are valid.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The content of the file.

    Attributes:
        tls: the TLS settings; ``None`` without TLS.
        users: the bcrypt hash of each user's password; every request is admitted when empty.
        headers: headers of every response.
    """

    tls: TlsConfig | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_web_config(text: str, folder: str) -> WebConfig:
    """Parse the file's text.

    Args:
        text: the file.
        folder: the folder that relative paths in it start from.

    Raises:
        WebConfigError: with every problem at once.
    """
    problems: list[str] = []
    top = Section("", _parse_yaml(text), _SECTIONS, problems)
    if top.values.get("rate_limit") is not None:
        problems.append("rate_limit: is not supported; the exporter bounds its connections by itself")
    config = WebConfig(
        tls=parse_tls_config(top.section("tls_server_config", TLS_KEYS), folder),
        users=_users(top.section("basic_auth_users", None)),
        headers=_headers(top.section("http_server_config", ("http2", "headers"))),
    )
    if problems:
        raise WebConfigError(problems)
    return config


def _parse_yaml(text: str) -> Mapping[Any, Any]:
    try:
        values = parse_mapping(text, "basic_auth_users: {}")
    except ValueError as error:
        raise WebConfigError([str(error)]) from error
    if values is None:
        raise WebConfigError([f"is empty: {_EXPECTED}"])
    return values


def _users(section: Section) -> dict[str, str]:
    users = {}
    for user, value in section.values.items():
        # No value is shown: it may be the password itself.
        match = _HASH.fullmatch(value) if isinstance(value, str) else None
        if not isinstance(user, str) or not user or ":" in user:
            section.note(format_name(key_text(user)), "a user's name is text without a colon; put it in quotes")
        elif match is None:
            section.note(
                format_name(user), "expected a bcrypt hash, such as htpasswd -nB prints; it begins with $2y$10$"
            )
        elif not 4 <= int(match[1]) <= MAX_COST:
            section.note(
                format_name(user),
                f"the hash has cost {match[1]}; expected 4 to {MAX_COST}, a check takes too long else",
            )
        else:
            users[user] = str(value)
    return users


def _headers(section: Section) -> dict[str, str]:
    section.check_switch("http2")
    headers = section.section("headers", _HEADERS)
    found = {}
    for name, allowed in _HEADERS.items():
        value = headers.text(name)
        if value and allowed and value not in allowed:
            headers.wrong(name, value, " or ".join(allowed))
        elif value and not _HEADER_VALUE.fullmatch(value):
            headers.wrong(name, value, "one line of ASCII")
        elif value:
            found[name] = value
    return found
