"""The access policy: TLS and authentication of a web configuration file, reloaded when its files change."""

import hashlib
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.telemetry import EventLog
from exporter.web.http.basic_auth import BasicAuth
from exporter.web.http.channel import Channel
from exporter.web.http.messages import Request
from exporter.web.http.tls import TlsChannel, make_context
from exporter.web.http.web_config import WebConfig, WebConfigError, parse_web_config


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A web configuration, and the files that it names.

    Attributes:
        config: the content of the web configuration file.
        context: the certificates; ``None`` without TLS.
        auth: checks passwords; ``None`` when every request is admitted.
        fingerprint: digests of the loaded files.
    """

    config: WebConfig
    context: ssl.SSLContext | None = None
    auth: BasicAuth | None = None
    fingerprint: bytes = b""


class AccessPolicy:
    """Admits connections and requests.

    The event loop calls ``channel``, ``verdict``, ``headers`` and ``handshake_failed``, which must be quick.

    Args:
        loaded: the configuration; without one, every request is admitted, without TLS.
    """

    def __init__(self, loaded: LoadedConfig | None = None) -> None:
        self._loaded = loaded or LoadedConfig(WebConfig())
        self._failed_handshakes = self._logged_handshakes = 0
        self._last_failure = ("", "")

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self._loaded.context is not None

    def channel(self) -> Channel:
        """Make the channel of a new connection, with the newest certificate."""
        loaded = self._loaded
        if loaded.context is None or loaded.config.tls is None:
            return Channel()
        return TlsChannel(loaded.context, loaded.config.tls.client_allowed_sans)

    def verdict(self, request: Request) -> bool | None:
        """Return whether the request is admitted; ``None`` when that requires ``check``."""
        auth = self._loaded.auth
        return True if auth is None else auth.verdict(request.headers.get("authorization", ""))

    def check(self, request: Request) -> bool:
        """Return whether the request is admitted; slow, so it runs in a thread, one request at a time."""
        auth = self._loaded.auth
        return True if auth is None else auth.check(request.headers.get("authorization", ""))

    def headers(self) -> Mapping[str, str]:
        """Return the headers of every response; they override the response's own."""
        return self._loaded.config.headers

    def handshake_failed(self, peer: str, error: str) -> None:
        """Count a failed handshake; keep the peer and the error of the last one."""
        self._last_failure = (peer, error)
        self._failed_handshakes += 1

    def log_failed_handshakes(self, event_log: EventLog) -> None:
        """Log the handshakes that failed since the last call, as one event with their number."""
        count = self._failed_handshakes
        if count > self._logged_handshakes:
            peer, error = self._last_failure
            event_log.tls_handshake_failed(count=count - self._logged_handshakes, peer_address=peer, error=error)
            self._logged_handshakes = count


class FileAccessPolicy(AccessPolicy):
    """The access policy of a web configuration file.

    Args:
        file: the path of the file.

    Raises:
        WebConfigError: the file is invalid; with every problem.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._secret = secrets.token_bytes(32)
        super().__init__(self._load())
        self._last_fingerprint = self._loaded.fingerprint
        self._error: str | None = None

    @property
    def failing(self) -> bool:
        """Whether the files last read are invalid, so that the previous configuration stays active."""
        return self._error is not None

    def reload_changed_files(self, event_log: EventLog) -> None:
        """Reload the files if they have changed; log once that they are invalid, and keep the active configuration.

        A change is loaded when it is seen for the second time: the first time, the files may be half written.
        """
        fingerprint = _fingerprint(_content(self._file), self._loaded.config)
        settled, self._last_fingerprint = fingerprint == self._last_fingerprint, fingerprint
        if not settled or (self._error is None and fingerprint == self._loaded.fingerprint):
            return
        try:
            self.activate(self.read())
        except WebConfigError as error:
            if str(error) != self._error:
                event_log.config_reload_failed(file=self._file, error=str(error))
            self._error = str(error)
        else:
            event_log.config_reloaded(file=self._file)

    def read(self) -> LoadedConfig:
        """Read the files again, without activating them.

        Raises:
            WebConfigError: the files are invalid.
        """
        loaded = self._load(self._loaded)
        if (loaded.context is None) != (self._loaded.context is None):
            raise WebConfigError(["tls_server_config: cannot be added or removed by a reload; restart the exporter"])
        return loaded

    def activate(self, loaded: LoadedConfig) -> None:
        """Apply another configuration to new connections and requests."""
        self._loaded, self._last_fingerprint, self._error = loaded, loaded.fingerprint, None

    def _load(self, previous: LoadedConfig | None = None) -> LoadedConfig:
        content = _content(self._file)
        if isinstance(content, OSError):
            raise WebConfigError([f"cannot be read: {content.strerror}"])
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise WebConfigError(["is not valid UTF-8"]) from error
        config = parse_web_config(text, str(Path(self._file).parent))
        # Computed before the files are loaded: a later change of the files then has another fingerprint.
        fingerprint = _fingerprint(content, config)
        context = None if config.tls is None else make_context(config.tls)
        return LoadedConfig(config, context, self._auth(config, previous), fingerprint)

    def _auth(self, config: WebConfig, previous: LoadedConfig | None) -> BasicAuth | None:
        """Keep the cached verdicts while the users stay the same: a new certificate does not change them."""
        if previous is not None and previous.config.users == config.users:
            return previous.auth
        return BasicAuth(config.users, self._secret) if config.users else None


def _fingerprint(content: bytes | OSError, config: WebConfig) -> bytes:
    files = {} if config.tls is None else config.tls.files
    contents = (content, *map(_content, files.values()))
    return b"|".join(b"" if isinstance(each, OSError) else hashlib.sha256(each).digest() for each in contents)


def _content(path: str) -> bytes | OSError:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        return error
