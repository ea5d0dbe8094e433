"""The web configuration file: TLS and basic authentication, in the format of Prometheus's exporter-toolkit. Pure.

A file that was written for another exporter works here, or is refused with what this one cannot do.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from posixpath import join
from types import MappingProxyType
from typing import Any, Final, Literal

from exporter.core.text import as_text, near, parse_mapping, shown, typed

ClientCertificate = Literal["none", "optional", "required"]
TlsVersion = Literal["TLS12", "TLS13"]

MAX_COST: Final = 15
"""The highest cost of a bcrypt hash: a check takes some 2 seconds, and twice that with each step more."""

_EXPECTED: Final = "expected tls_server_config, basic_auth_users or http_server_config"
_SECTIONS: Final = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
_TLS_KEYS: Final = (
    *("cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type"),
    *("client_allowed_sans", "min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites"),
    "curve_preferences",
)
_INLINE: Final = {"cert": "cert_file", "key": "key_file", "client_ca": "client_ca_file"}

_CLIENT_AUTH: Final[Mapping[str, ClientCertificate]] = MappingProxyType(
    {
        "": "none",
        "NoClientCert": "none",
        # It asks for a certificate, takes any and none: whoever may connect, may connect without being asked.
        "RequestClientCert": "none",
        "VerifyClientCertIfGiven": "optional",
        "RequireAndVerifyClientCert": "required",
    }
)
_UNVERIFIED: Final = ("RequireAnyClientCert", "RequireClientCert")
_TLS_VERSIONS: Final[tuple[TlsVersion, ...]] = ("TLS12", "TLS13")
_OLD_VERSIONS: Final = ("TLS10", "TLS11")

_SUITES: Final = MappingProxyType(
    {
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    }
)
"""OpenSSL's names of the suites that the toolkit takes for TLS 1.2."""

_SUITES_OF_TLS13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""These cannot be chosen, there as here."""

_HEADERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Content-Security-Policy": (),
        "X-Frame-Options": ("deny", "sameorigin"),
        "X-Content-Type-Options": ("nosniff",),
        "X-XSS-Protection": (),
        "Strict-Transport-Security": (),
    }
)
"""The headers that may be set, and their values where only some have a meaning."""

_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
# The last character of a salt of 16 bytes has only two bits left to tell.
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
class TlsConfig:
    """How TLS is spoken.

    Attributes:
        cert_file: the certificate's path, its chain included.
        key_file: its key's path.
        client_ca_file: the path of the authorities that clients' certificates come from.
        client_certificate: whether clients must have one.
        client_allowed_sans: one of these names must be in it; any when empty.
        min_version: the lowest version.
        max_version: the highest version.
        ciphers: OpenSSL's names of the suites for TLS 1.2; the usual ones when empty.
    """

    cert_file: str
    key_file: str
    client_ca_file: str | None = None
    client_certificate: ClientCertificate = "none"
    client_allowed_sans: frozenset[str] = frozenset()
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"
    ciphers: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is read."""
        return (self.cert_file, self.key_file, *(() if self.client_ca_file is None else (self.client_ca_file,)))


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file says.

    Attributes:
        tls: how TLS is spoken, if it is.
        users: the bcrypt hash of each user's password; everyone is let in when empty.
        headers: headers of every answer.
    """

    tls: TlsConfig | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_web_config(text: str, folder: str) -> WebConfig:
    """Read the file's text.

    Args:
        text: the file.
        folder: where relative paths in it start.

    Raises:
        WebConfigError: with every problem at once.
    """
    problems: list[str] = []
    try:
        values = parse_mapping(text, "basic_auth_users: {}")
    except ValueError as error:
        raise WebConfigError([str(error)]) from error
    if values is None:
        raise WebConfigError([f"is empty: {_EXPECTED}"])
    top = _Section("", values, _SECTIONS, problems)
    if top.values.get("rate_limit") is not None:
        problems.append("rate_limit: is not supported; the exporter bounds its connections by itself")
    config = WebConfig(
        tls=_tls(top.section("tls_server_config", _TLS_KEYS), folder),
        users=_users(top.section("basic_auth_users", None)),
        headers=_headers(top.section("http_server_config", ("http2", "headers"))),
    )
    if problems:
        raise WebConfigError(problems)
    return config


class _Section:
    """A mapping of the file; what is wrong in it is noted, and read as if it were not there.

    Args:
        path: the keys that lead to it.
        values: what is in it.
        known: the keys that there are; any when ``None``.
        problems: where to note what is wrong.
    """

    def __init__(
        self, path: str, values: Mapping[Any, Any], known: Collection[str] | None, problems: list[str]
    ) -> None:
        self.path, self.values, self.problems = path, values, problems
        if known is not None:
            where = f"{path}: " if path else ""
            unknown = (as_text(key) for key in values if key not in known)
            self.problems += (f"{where}unknown key {typed(key)}{near(key, known)}" for key in unknown)

    def name(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def note(self, key: str, problem: str) -> None:
        self.problems.append(f"{self.name(key)}: {problem}")

    def wrong(self, key: str, value: object, expected: str) -> None:
        self.problems.append(f"{self.name(key)} = {shown(value)}: expected {expected}")

    def section(self, key: str, known: Collection[str] | None) -> "_Section":
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            # The value is not shown: it may be a password that slipped out of its place.
            self.note(key, "expected keys with values")
            value = None
        return _Section(self.name(key), value or {}, known, self.problems)

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            self.wrong(key, value, "text")
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> list[str]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, value, "a list of texts")
            return []
        return value

    def check_switch(self, key: str) -> None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, value, "true or false")


def _tls(section: _Section, folder: str) -> TlsConfig | None:
    if not section.values:
        return None
    paths = {key: section.text(key) for key in _INLINE.values()}
    for key, file in _INLINE.items():
        if section.values.get(key) is not None:
            section.note(key, f"is not supported; Python's TLS reads files: give it as {file}")
        elif not paths[file] and key != "client_ca":
            section.note(file, "is missing")
    if section.values.get("curve_preferences") is not None:
        section.note("curve_preferences", "is not supported; leave it out")
    section.check_switch("prefer_server_cipher_suites")
    lowest, highest = _version(section, "min_version", "TLS12"), _version(section, "max_version", "TLS13")
    if lowest > highest:
        section.note("max_version", f"{highest} is below min_version, which is {lowest}")
    certificate = _client_certificate(section, bool(paths["client_ca_file"]))
    sans = section.texts("client_allowed_sans")
    if sans and certificate != "required":
        section.note("client_allowed_sans", "goes with client_auth_type RequireAndVerifyClientCert only")
    full = {key: join(folder, path) for key, path in paths.items() if path}
    return TlsConfig(
        cert_file=full.get("cert_file", ""),
        key_file=full.get("key_file", ""),
        client_ca_file=full.get("client_ca_file"),
        client_certificate=certificate,
        client_allowed_sans=frozenset(map(canonical_san, sans)),
        min_version=lowest,
        max_version=highest,
        ciphers=_ciphers(section),
    )


def _version(section: _Section, key: str, default: TlsVersion) -> TlsVersion:
    value = section.text(key)
    if value in _OLD_VERSIONS:
        section.wrong(key, value, "TLS12 or TLS13; what came before is broken")
    elif value and value not in _TLS_VERSIONS:
        section.wrong(key, value, "TLS12 or TLS13")
    return next((version for version in _TLS_VERSIONS if version == value), default)


def _client_certificate(section: _Section, has_authorities: bool) -> ClientCertificate:  # noqa: FBT001 -- a fact of the file
    key, value = "client_auth_type", section.text("client_auth_type")
    if value in _UNVERIFIED:
        why = "Python's TLS takes no certificate that it cannot verify; use RequireAndVerifyClientCert"
        section.note(key, f"{value} is not supported: {why}")
    elif value not in _CLIENT_AUTH:
        section.wrong(key, value, f"one of {', '.join(name for name in _CLIENT_AUTH if name)}")
    found = _CLIENT_AUTH.get(value, "none")
    if found != "none" and not has_authorities:
        section.note("client_ca_file", f"is missing, which {value} needs")
    if value in {"", "NoClientCert"} and has_authorities:
        section.note("client_ca_file", "goes with a client_auth_type, such as RequireAndVerifyClientCert")
    return found


def _ciphers(section: _Section) -> tuple[str, ...]:
    names = section.texts("cipher_suites")
    for name in names:
        if name not in _SUITES and name not in _SUITES_OF_TLS13:
            section.note("cipher_suites", f"unknown cipher suite {typed(name)}{near(name, _SUITES)}")
    ciphers = tuple(_SUITES[name] for name in names if name in _SUITES)
    if names and not ciphers:
        section.note("cipher_suites", "names none for TLS 1.2; to allow TLS 1.3 only, set min_version: TLS13")
    return ciphers


def _users(section: _Section) -> dict[str, str]:
    users = {}
    for user, value in section.values.items():
        # No value is shown: it may be the password itself.
        match = _HASH.fullmatch(value) if isinstance(value, str) else None
        if not isinstance(user, str) or not user or ":" in user:
            section.note(typed(as_text(user)), "a user's name is text without a colon; put it in quotes")
        elif match is None:
            section.note(typed(user), "expected a bcrypt hash, such as htpasswd -nB prints; it begins with $2y$10$")
        elif not 4 <= int(match[1]) <= MAX_COST:
            section.note(
                typed(user), f"the hash has cost {match[1]}; expected 4 to {MAX_COST}, a check takes too long else"
            )
        else:
            users[user] = str(value)
    return users


def _headers(section: _Section) -> dict[str, str]:
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


def canonical_san(name: str) -> str:
    """Write a name of a certificate so that equal ones compare equal; only IP addresses have several forms."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name
