"""An HTTP server with TLS and authentication; independent of jobs and metrics."""

from exporter.web.http.access import FileAccessPolicy
from exporter.web.http.messages import Body, Request, Response
from exporter.web.http.server import HttpServer
from exporter.web.http.web_config import WebConfigError

__all__ = [
    "Body",
    "FileAccessPolicy",
    "HttpServer",
    "Request",
    "Response",
    "WebConfigError",
]
