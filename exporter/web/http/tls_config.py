"""The TLS settings of the web configuration file: the section ``tls_server_config``. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from posixpath import join
from types import MappingProxyType
from typing import Final, Literal

from exporter.core import format_name, suggestion
from exporter.web.http.config_section import Section

ClientCertificate = Literal["none", "optional", "required"]
TlsVersion = Literal["TLS12", "TLS13"]

TLS_KEYS: Final = (
    *("cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type"),
    *("client_allowed_sans", "min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites"),
    "curve_preferences",
)
"""The keys of ``tls_server_config``."""

_INLINE: Final = {"cert": "cert_file", "key": "key_file", "client_ca": "client_ca_file"}

_CLIENT_AUTH: Final[Mapping[str, ClientCertificate]] = MappingProxyType(
    {
        "": "none",
        "NoClientCert": "none",
        # It requests a certificate and accepts any or none, so a client connects as if none were requested.
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
"""The cipher suites that the toolkit accepts for TLS 1.2, and OpenSSL's names of them."""

_SUITES_OF_TLS13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""The cipher suites of TLS 1.3, which cannot be selected, neither in the toolkit nor here."""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """The TLS settings.

    Attributes:
        cert_file: path of the certificate and its chain.
        key_file: path of the certificate's key.
        client_ca_file: path of the certificate authorities that sign client certificates.
        client_certificate: whether a client certificate is required.
        client_allowed_sans: alternative names of which a client certificate must have one; any when empty.
        min_version: the lowest TLS version.
        max_version: the highest TLS version.
        ciphers: OpenSSL's names of the cipher suites for TLS 1.2; OpenSSL's default when empty.
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
        """The paths of all files named here."""
        return (self.cert_file, self.key_file, *(() if self.client_ca_file is None else (self.client_ca_file,)))


def parse_tls_config(section: Section, folder: str) -> TlsConfig | None:
    """Parse the section; ``None`` when it is missing or empty.

    Args:
        section: the section ``tls_server_config``.
        folder: the folder that relative paths start from.
    """
    if not section.values:
        return None
    paths = _paths(section)
    _check_unused_keys(section)
    lowest, highest = _versions(section)
    certificate = _client_certificate(section, has_authorities="client_ca_file" in paths)
    sans = _allowed_sans(section, certificate)
    full = {key: join(folder, path) for key, path in paths.items()}
    return TlsConfig(
        cert_file=full.get("cert_file", ""),
        key_file=full.get("key_file", ""),
        client_ca_file=full.get("client_ca_file"),
        client_certificate=certificate,
        client_allowed_sans=sans,
        min_version=lowest,
        max_version=highest,
        ciphers=_ciphers(section),
    )


def _paths(section: Section) -> dict[str, str]:
    """Return the paths that are set, by key."""
    paths = {key: section.text(key) for key in _INLINE.values()}
    for key, file in _INLINE.items():
        if section.values.get(key) is not None:
            section.note(key, f"is not supported; Python's TLS reads files: give it as {file}")
        elif not paths[file] and key != "client_ca":
            section.note(file, "is missing")
    return {key: path for key, path in paths.items() if path}


def _check_unused_keys(section: Section) -> None:
    """Check the keys whose values are not used."""
    if section.values.get("curve_preferences") is not None:
        section.note("curve_preferences", "is not supported; leave it out")
    section.check_switch("prefer_server_cipher_suites")


def _versions(section: Section) -> tuple[TlsVersion, TlsVersion]:
    lowest, highest = _version(section, "min_version", "TLS12"), _version(section, "max_version", "TLS13")
    if lowest > highest:
        section.note("max_version", f"{highest} is below min_version, which is {lowest}")
    return lowest, highest


def _allowed_sans(section: Section, certificate: ClientCertificate) -> frozenset[str]:
    sans = section.texts("client_allowed_sans")
    if sans and certificate != "required":
        section.note("client_allowed_sans", "goes with client_auth_type RequireAndVerifyClientCert only")
    return frozenset(map(canonical_san, sans))


def _version(section: Section, key: str, default: TlsVersion) -> TlsVersion:
    value = section.text(key)
    if value in _OLD_VERSIONS:
        section.wrong(key, value, "TLS12 or TLS13; what came before is broken")
    elif value and value not in _TLS_VERSIONS:
        section.wrong(key, value, "TLS12 or TLS13")
    return next((version for version in _TLS_VERSIONS if version == value), default)


def _client_certificate(section: Section, *, has_authorities: bool) -> ClientCertificate:
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


def _ciphers(section: Section) -> tuple[str, ...]:
    names = section.texts("cipher_suites")
    for name in names:
        if name not in _SUITES and name not in _SUITES_OF_TLS13:
            section.note("cipher_suites", f"unknown cipher suite {format_name(name)}{suggestion(name, _SUITES)}")
    ciphers = tuple(_SUITES[name] for name in names if name in _SUITES)
    if names and not ciphers:
        section.note("cipher_suites", "names none for TLS 1.2; to allow TLS 1.3 only, set min_version: TLS13")
    return ciphers


def canonical_san(name: str) -> str:
    """Return the canonical form of a certificate's name, for comparison; only IP addresses have several forms."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name
