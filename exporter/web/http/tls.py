"""A TLS channel, over OpenSSL's memory buffers, and its certificates.

The TLS of asyncio cannot replace the certificates of a listening socket, and drops the response to a peer that has
closed its sending side.
"""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from exporter.web.http.channel import Channel, ChannelError, PlainPeerError
from exporter.web.http.tls_config import TlsConfig, canonical_san
from exporter.web.http.web_config import WebConfigError

_PART_SIZE: Final = 128 * 1024
"""The bytes that are encrypted at once; other connections are served between two parts."""

_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERIFY_MODES: Final = {
    "NoClientCert": ssl.CERT_NONE,
    # This type accepts any certificate or none, which is the same as no request.
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_AEAD: Final = ("ECDHE+AESGCM", "ECDHE+CHACHA20")
"""The default cipher suites for TLS 1.2, in OpenSSL's notation: OpenSSL's own default includes CBC."""

_INVALID_RECORD: Final = b"\x15\x03\x03\x00\x02\x02\x2a" + bytes(2**14 + 2048)
"""An unencrypted record, which is invalid after the handshake; the zeros complete a record of the peer before it."""

_HANDSHAKE_RECORD: Final = 0x16
"""The first byte that a TLS client sends."""


def make_context(config: TlsConfig) -> ssl.SSLContext:
    """Load the certificates.

    Raises:
        WebConfigError: with every problem at once.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[config.min_version], _VERSIONS[config.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(":".join(config.ciphers or _AEAD))
    problems = [*_unreadable_files(config)] or [*_load_pair(context, config), *_load_authorities(context, config)]
    if problems:
        raise WebConfigError([f"tls_server_config.{problem}" for problem in problems])
    context.verify_mode = _VERIFY_MODES[config.client_auth_type]
    return context


def _unreadable_files(config: TlsConfig) -> Iterator[str]:
    for key, path in config.files.items():
        try:
            Path(path).read_bytes()
        except OSError as error:
            yield f"{key}: {path} cannot be read: {error.strerror}"


def _load_pair(context: ssl.SSLContext, config: TlsConfig) -> Iterator[str]:
    def no_passphrase() -> str:
        # Without a passphrase function, OpenSSL reads the passphrase from the terminal.
        raise ValueError

    try:
        context.load_cert_chain(config.cert_file, config.key_file, no_passphrase)
    except ValueError:
        yield f"key_file: {config.key_file} is encrypted; the exporter needs it without a passphrase"
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield f"key_file: {config.key_file} is not the key of {config.cert_file}"
        else:
            reason = f" ({error.reason})" if error.reason else ""
            yield f"cert_file, key_file: {config.cert_file} and {config.key_file} are no certificate and key{reason}"
    except OSError as error:
        yield f"cert_file, key_file: cannot be read: {error.strerror}"


def _load_authorities(context: ssl.SSLContext, config: TlsConfig) -> Iterator[str]:
    try:
        if config.client_ca_file:
            context.load_verify_locations(config.client_ca_file)
    except OSError:  # SSLError is a subclass
        yield f"client_ca_file: {config.client_ca_file} holds no certificate"


class TlsChannel(Channel):
    """The server's side of TLS on one connection.

    Args:
        context: certificates and versions.
        allowed_sans: the client's certificate must have one of these alternative names; any name when empty.
    """

    def __init__(self, context: ssl.SSLContext, allowed_sans: frozenset[str]) -> None:
        self._allowed_sans = allowed_sans
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._received_any = False
        self.established = False
        self.ended = False

    def receive(self, data: bytes) -> bytes:
        """Decrypt bytes from the socket, and return the complete records; no bytes mean the end of the socket.

        Raises:
            PlainPeerError: the first byte is not that of TLS.
            ChannelError: the bytes are not valid TLS, or the peer's certificate is not accepted.
        """
        if not self._received_any and not data:
            self.ended = True  # a TCP probe, not a failed handshake
            return b""
        if not self._received_any and data[0] != _HANDSHAKE_RECORD:
            raise PlainPeerError("it does not speak TLS")
        self._received_any = True
        self._feed(data)
        try:
            if not self.established:
                self._shake_hands()
            return b"".join(self._decrypted())
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise ChannelError(error.reason or str(error)) from error

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _shake_hands(self) -> None:
        self._tls.do_handshake()
        self._check_sans()
        self.established = True

    def _decrypted(self) -> Iterator[bytes]:
        """Yield the decrypted bytes, up to the last complete record."""
        while True:
            try:
                part = self._tls.read(_PART_SIZE)
            except ssl.SSLWantReadError:
                return
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                part = b""
            if not part:
                self.ended = True
                return
            yield part

    def _check_sans(self) -> None:
        if self._allowed_sans and self._allowed_sans.isdisjoint(_sans(self._tls.getpeercert())):
            self._make_fatal_alert()
            raise ChannelError("its certificate has none of the allowed names")

    def _make_fatal_alert(self) -> None:
        """Make OpenSSL send an alert, for which Python has no function: OpenSSL sends one after invalid bytes."""
        self._incoming.write(_INVALID_RECORD)
        with suppress(ssl.SSLError):
            while self._tls.read(_PART_SIZE):
                pass

    def pending(self) -> bytes:
        """Return the bytes that TLS itself sends: handshake messages and alerts."""
        return self._outgoing.read()

    def send(self, data: bytes) -> Iterator[bytes]:
        """Yield the encrypted bytes, in parts.

        Raises:
            ChannelError: the channel is broken.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._tls.write(rest[:_PART_SIZE]) :]
            except ssl.SSLError as error:
                raise ChannelError from error
            yield self._outgoing.read()

    def close(self) -> bytes:
        """Return the alert that ends the channel; it proves to the peer that the response is complete."""
        if self.established:
            # This raises an error unless the peer has sent its own alert.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
        return self._outgoing.read()


def _sans(certificate: Any) -> Iterator[str]:  # noqa: ANN401 -- the standard library's nested tuples
    """Yield the alternative names of a certificate."""
    yield from (canonical_san(value) for _, value in (certificate or {}).get("subjectAltName", ()))
