"""The active web configuration: TLS and authentication, reloaded when the file or a file that it names changes."""

import hashlib
import secrets
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.telemetry import EventLog
from exporter.web.http.basic_auth import Auth
from exporter.web.http.channel import Channel, PlainChannel
from exporter.web.http.messages import Request
from exporter.web.http.tls import TlsChannel, make_context
from exporter.web.http.web_config import WebConfig, WebConfigError, parse_web_config


@dataclass(frozen=True, slots=True)
class Rules:
    """A web configuration file and the files that it names, loaded.

    Attributes:
        config: the file's content.
        context: the certificates; ``None`` without TLS.
        auth: checks logins; ``None`` when every request is admitted.
        fingerprint: digests of the loaded files.
    """

    config: WebConfig
    context: ssl.SSLContext | None
    auth: Auth | None
    fingerprint: bytes


class FileAccessPolicy:
    """Applies TLS and authentication by a web configuration file.

    Args:
        file: the file's path.

    Raises:
        WebConfigError: the file is invalid; with every problem.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._secret = secrets.token_bytes(32)
        self._rules = self._read()
        self._seen = self._rules.fingerprint
        self._error: str | None = None
        self._turned_away = 0
        self._last_turned_away = ("", "")
        self._told_of = 0

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self._rules.context is not None

    @property
    def failing(self) -> bool:
        """Whether the files last read are invalid, so that the previous configuration stays active."""
        return self._error is not None

    def channel(self) -> Channel:
        """Make the channel of a new connection, with the newest certificate."""
        rules = self._rules
        if rules.context is None or rules.config.tls is None:
            return PlainChannel()
        return TlsChannel(rules.context, rules.config.tls.client_allowed_sans)

    def verdict(self, request: Request) -> bool | None:
        """Return whether the request is admitted; ``None`` when its password must be checked."""
        auth = self._rules.auth
        return True if auth is None else auth.verdict(request.headers.get("authorization", ""))

    def check(self, request: Request) -> bool:
        """Check the request's password."""
        auth = self._rules.auth
        return True if auth is None else auth.check(request.headers.get("authorization", ""))

    def headers(self) -> Mapping[str, str]:
        """Return the headers of every response."""
        return self._rules.config.headers

    def turned_away(self, peer: str, error: str) -> None:
        """Count a failed handshake, and keep the peer and the error of the last one."""
        self._last_turned_away = (peer, error)
        self._turned_away += 1

    def tell(self, event_log: EventLog) -> None:
        """Log the handshakes that failed since the last call, as one event with their number."""
        count = self._turned_away
        if count > self._told_of:
            peer, error = self._last_turned_away
            event_log.tls_handshake_failed(count=count - self._told_of, peer_address=peer, error=error)
            self._told_of = count

    def look(self, event_log: EventLog) -> None:
        """Reload the files if they have changed; log once that they are invalid, and keep the active configuration.

        A change is loaded when it is seen for the second time: the first time, the files may be half written.
        """
        fingerprint = self._fingerprint(self._bytes(), self._rules.config)
        settled, self._seen = fingerprint == self._seen, fingerprint
        if not settled or (self._error is None and fingerprint == self._rules.fingerprint):
            return
        try:
            self.adopt(self.read())
        except WebConfigError as error:
            if str(error) != self._error:
                event_log.config_reload_failed(file=self._file, error=str(error))
            self._error = str(error)
        else:
            event_log.config_reloaded(file=self._file)

    def read(self) -> Rules:
        """Read the files again, without activating them.

        Raises:
            WebConfigError: the files are invalid.
        """
        rules = self._read(self._rules)
        if (rules.context is None) != (self._rules.context is None):
            raise WebConfigError(["tls_server_config: cannot come or go while the exporter runs; restart it"])
        return rules

    def adopt(self, rules: Rules) -> None:
        """Activate other rules."""
        self._rules, self._seen, self._error = rules, rules.fingerprint, None

    def _read(self, before: Rules | None = None) -> Rules:
        content = self._bytes()
        if isinstance(content, OSError):
            raise WebConfigError([f"cannot be read: {content.strerror}"])
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise WebConfigError(["is no UTF-8 text"]) from error
        config = parse_web_config(text, str(Path(self._file).parent))
        # Taken first: what changes while the files are read is then seen as a change.
        fingerprint = self._fingerprint(content, config)
        context = None if config.tls is None else make_context(config.tls)
        return Rules(config, context, self._auth(config, before), fingerprint)

    def _auth(self, config: WebConfig, before: Rules | None) -> Auth | None:
        """Keep the verdicts while the users stay the same; a new certificate is no reason to ask bcrypt again."""
        if before is not None and before.config.users == config.users:
            return before.auth
        return Auth(config.users, self._secret) if config.users else None

    def _bytes(self) -> bytes | OSError:
        return _content(self._file)

    @staticmethod
    def _fingerprint(content: bytes | OSError, config: WebConfig) -> bytes:
        named: Iterable[str] = () if config.tls is None else config.tls.files
        contents = (content, *(_content(path) for path in named))
        digests = (b"" if isinstance(each, OSError) else hashlib.sha256(each).digest() for each in contents)
        return b"|".join(digests)


def _content(path: str) -> bytes | OSError:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        return error
