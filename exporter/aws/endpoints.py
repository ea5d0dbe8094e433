"""Endpoint URLs: validation, and their hosts for error messages."""

import os
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """Return the host and port of a URL, without its other parts, which may contain a password."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return "the endpoint"
    host = f"[{name}]" if ":" in name else name
    return (f"{host}:{port}" if port else host) or "the endpoint"


def is_url(value: str) -> bool:
    """Return whether a text is an HTTP URL with a host and, if it has one, a valid port."""
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def endpoint_problem(service: str) -> str:
    """Name the variable that holds an invalid endpoint URL for a service; empty if none does."""
    for name in (f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}", "AWS_ENDPOINT_URL"):
        if value := os.environ.get(name):
            return "" if is_url(value) else f"{name} is not a valid URL; expected http(s)://HOST[:PORT]"
    return ""
