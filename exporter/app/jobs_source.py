"""Reads ``GET /api/v1/jobs`` of a running exporter."""

import json
from ssl import SSLError
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, build_opener

from exporter.app.command_errors import SourceError

PATH: Final = "/api/v1/jobs"

_TIMEOUT: Final = 30.0
"""Seconds that the exporter may stay silent."""

_LONGEST_RESPONSE: Final = 1 << 30
"""Bytes; a list of 100,000 jobs has about 100 MB."""

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
"""OpenSSL's reasons for a response without TLS, in different releases."""


def check_url(url: str) -> str:
    """Return the base URL of an exporter.

    Raises:
        ValueError: it is not an http or https URL with a host.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("expected the URL of an exporter, such as http://localhost:9834")
    return url


def read_jobs(url: str) -> list[dict[str, Any]]:
    """Return the jobs of a running exporter. A user name and a password in the URL are sent as basic auth.

    Raises:
        SourceError: the exporter does not respond, or the response is not a list of jobs.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path.rstrip("/").removesuffix(PATH).removesuffix("/metrics")
    bare = urlunsplit((parts.scheme, host, path + PATH, "", ""))
    passwords = HTTPPasswordMgrWithDefaultRealm()
    if parts.username is not None:
        passwords.add_password(None, bare, unquote(parts.username), unquote(parts.password or ""))
    try:
        with build_opener(HTTPBasicAuthHandler(passwords)).open(bare, timeout=_TIMEOUT) as response:
            text = response.read(_LONGEST_RESPONSE)
    except HTTPError as error:
        raise SourceError(f"{bare}: HTTP status {error.code}{_hint(error.code)}") from None
    except URLError as error:
        raise SourceError(f"{bare}: {_reason(error.reason)}") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{bare}: {_reason(error)}") from None
    return _parse(text, bare)


def _parse(text: bytes, url: str) -> list[dict[str, Any]]:
    try:
        response = json.loads(text)
    except (ValueError, RecursionError):
        response = None
    jobs = response.get("jobs") if isinstance(response, dict) else None
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise SourceError(f"{url}: the response is not a list of jobs; is this a braket-exporter?")
    return jobs


def _hint(status: int) -> str:
    if status == 401:
        return "; put the user name and password into the URL: http://USER:PASSWORD@HOST:PORT"
    return "; is this a braket-exporter with the jobs API?" if status == 404 else ""


def _reason(reason: object) -> str:
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused; is the exporter running?"
    if isinstance(reason, SSLError) and reason.reason in _NOT_TLS:
        return "the exporter does not use TLS there; use http://"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return "timed out" if isinstance(reason, TimeoutError) else type(reason).__name__
