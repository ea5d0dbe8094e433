"""The section ``tls_server_config`` of the web configuration file. Pure."""

import re
from ipaddress import ip_address
from posixpath import join
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from exporter.core import hidden_value, suggestion
from exporter.web.http.config_section import Section, unset, unsupported

ClientAuthType = Literal["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]

_NOT_IN_PATHS: Final = re.compile("[\x00-\x1f\ud800-\udfff]")
_VERIFYING: Final = ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
_UNVERIFIED: Final = ("RequireAnyClientCert", "RequireClientCert")

_SUITES: Final = MappingProxyType(
    {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    }
)
"""The AEAD cipher suites for TLS 1.2 that exporter-toolkit accepts, and their names in OpenSSL."""

_NOT_AEAD: Final = re.compile(r"TLS_\w+_CBC_SHA(256)?|TLS_\w+_RC4_\w+|TLS_RSA_\w+")
"""Other cipher suites that exporter-toolkit accepts, or has accepted."""

_TLS13_SUITES: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""The cipher suites of TLS 1.3: accepted without effect, as in exporter-toolkit."""


def canonical_san(name: str) -> str:
    """Return the canonical form of a certificate's name, for comparison; only IP addresses have several forms."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name


def _check_path(path: str, info: ValidationInfo) -> str:
    """Resolve a path. An invalid one is not shown: it may be the content of a private key."""
    if _NOT_IN_PATHS.search(path) is not None:
        raise hidden_value("expected the path of a file")
    return join(str(info.context), path) if path else path


def _check_verified(kind: object) -> object:
    if kind in _UNVERIFIED:
        raise ValueError(
            "not supported: Python's TLS cannot accept unverified client certificates; use RequireAndVerifyClientCert"
        )
    return kind


def _check_suite(name: str) -> str:
    if _NOT_AEAD.fullmatch(name):
        raise ValueError("not supported; use a suite with ECDHE and GCM or CHACHA20_POLY1305")
    if name not in _SUITES and name not in _TLS13_SUITES:
        raise ValueError(f"unknown cipher suite{suggestion(name, _SUITES)}")
    return name


def _check_suites(names: tuple[str, ...]) -> tuple[str, ...]:
    if names and not any(name in _SUITES for name in names):
        raise hidden_value("names none for TLS 1.2; to allow TLS 1.3 only, set min_version: TLS13")
    return names


_Path = Annotated[str, AfterValidator(_check_path)]
_Version = Annotated[Literal["TLS12", "TLS13"], unset("")]
_FromList = Field(strict=False)  # YAML has lists only


class TlsConfig(Section):
    """The TLS settings. A validator of one key sees the valid values of the keys above it."""

    cert: Annotated[None, unsupported("Python's TLS reads files: give it as cert_file")] = None
    key: Annotated[None, unsupported("Python's TLS reads files: give it as key_file")] = None
    client_ca: Annotated[None, unsupported("Python's TLS reads files: give it as client_ca_file")] = None
    cert_file: _Path = Field("", validate_default=True)
    key_file: _Path = Field("", validate_default=True)
    client_auth_type: Annotated[ClientAuthType, BeforeValidator(_check_verified), unset("")] = "NoClientCert"
    client_ca_file: _Path = Field("", validate_default=True)
    client_allowed_sans: Annotated[frozenset[Annotated[str, AfterValidator(canonical_san)]], _FromList] = frozenset()
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: Annotated[
        tuple[Annotated[str, AfterValidator(_check_suite)], ...], _FromList, AfterValidator(_check_suites)
    ] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: Annotated[None, unsupported("leave it out")] = None

    @property
    def files(self) -> dict[str, str]:
        """The paths of all files, by key."""
        return {key: path for key in ("cert_file", "key_file", "client_ca_file") if (path := getattr(self, key))}

    @property
    def ciphers(self) -> tuple[str, ...]:
        """OpenSSL's names of the cipher suites for TLS 1.2; all AEAD suites when empty."""
        return tuple(_SUITES[name] for name in self.cipher_suites if name in _SUITES)

    @field_validator("cert_file", "key_file")
    @classmethod
    def _check_present(cls, path: str, info: ValidationInfo) -> str:
        has_inline_value = str(info.field_name).removesuffix("_file") not in info.data
        if not path and not has_inline_value:
            raise hidden_value("is missing")
        return path

    @field_validator("client_ca_file")
    @classmethod
    def _check_authorities(cls, path: str, info: ValidationInfo) -> str:
        kind = info.data.get("client_auth_type")
        if kind in _VERIFYING and not path and "client_ca" in info.data:
            raise hidden_value(f"is missing, which {kind} needs")
        if kind == "NoClientCert" and path:
            raise hidden_value("goes with a client_auth_type, such as RequireAndVerifyClientCert")
        return path

    @field_validator("client_allowed_sans")
    @classmethod
    def _check_sans(cls, names: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        if names and info.data.get("client_auth_type", "RequireAndVerifyClientCert") != "RequireAndVerifyClientCert":
            raise hidden_value("goes with client_auth_type RequireAndVerifyClientCert only")
        return names

    @field_validator("max_version")
    @classmethod
    def _check_versions(cls, highest: str, info: ValidationInfo) -> str:
        lowest = info.data.get("min_version", highest)
        if highest < lowest:
            raise ValueError(f"below min_version, which is {lowest}")
        return highest
