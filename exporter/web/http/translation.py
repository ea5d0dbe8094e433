"""Translation between h11's events and the requests and responses of this package. Pure."""

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import h11

from exporter.web.http.messages import Request, Response

MAX_HEADER_BYTES: Final = 16 * 1024

_ABSOLUTE: Final = re.compile(r"https?://[^/?]*(.*)", re.IGNORECASE)
"""A request target with scheme and host, as a client sends it to a proxy."""

_EVERY_RESPONSE: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def check_request(request: h11.Request) -> None:
    """Reject a request that h11 accepts.

    h11 applies its size limit to incomplete requests only. A request with two lengths of its body may be two requests
    for a proxy, so that the second one passes the proxy unseen.

    Raises:
        h11.RemoteProtocolError: the request is too large, or has both Content-Length and Transfer-Encoding.
    """
    if {name for name, _ in request.headers} >= {b"content-length", b"transfer-encoding"}:
        raise h11.RemoteProtocolError("two lengths")
    size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
    if size > MAX_HEADER_BYTES:
        raise h11.RemoteProtocolError("too large", error_status_hint=431)


def response_head(response: Response, size: int | None, *, close: bool) -> h11.Response:
    """Make the status line and the headers of a response.

    Args:
        response: the response.
        size: the bytes of its body; ``None`` if unknown.
        close: whether the connection is closed after the response.
    """
    headers = {
        "Content-Type": response.content_type,
        **({} if size is None else {"Content-Length": str(size)}),
        **_EVERY_RESPONSE,
        **response.headers,
        **({"Connection": "close"} if close else {}),
    }
    reason = HTTPStatus(response.status).phrase
    return h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason.encode())


def to_request(request: h11.Request) -> Request:
    """Read a request. Its path stays as it is: two spellings of a path are two paths.

    Raises:
        ValueError: the target is not ASCII text.
    """
    target = request.target.decode("ascii")
    absolute = _ABSOLUTE.fullmatch(target)
    path, _, query = (absolute[1] if absolute else target).partition("?")
    return Request(
        method=request.method.decode("ascii"),
        path=path or ("/" if absolute else ""),
        query=parse_qs(query),
        headers={name.decode("ascii").lower(): value.decode("latin-1") for name, value in request.headers},
    )
