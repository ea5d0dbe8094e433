"""Prints each notification of Alertmanager as one JSON line."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(BaseHTTPRequestHandler):
    """One connection."""

    def do_POST(self) -> None:
        """Print a notification."""
        notification = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sys.stdout.write(f"{json.dumps(notification)}\n")
        sys.stdout.flush()
        self.send_response(200)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """Log nothing: the notifications are the log."""


ThreadingHTTPServer(("", int(sys.argv[1])), Receiver).serve_forever()
