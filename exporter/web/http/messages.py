"""HTTP requests and responses, as a handler receives and returns them. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Body:
    """A body in parts, each made when it is sent, so that the whole body is never in memory.

    Attributes:
        size: bytes; ``None`` if it is unknown, and the response is sent in chunks.
        parts: the bytes.
    """

    size: int | None
    parts: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Response:
    """One response."""

    status: int
    body: bytes | Body
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]
"""Makes the response to a request."""
