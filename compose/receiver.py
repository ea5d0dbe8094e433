"""Where the alerts of the demonstration arrive: a webhook of Alertmanager, and a page that shows what came.

It stands for a pager or a chat, keeps the last alerts in memory and writes each to stdout as a line of JSON. It needs
nothing but Python and is not meant for anything else.
"""

import argparse
import json
import signal
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NoReturn

KEPT: Final = 200
"""This many alerts are on the page, the newest first."""

LONGEST_BODY: Final = 1 << 20
SLOWEST_REQUEST_SECONDS: Final = 10

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEAD: Final = """\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<title>Alerts that arrived</title>
<style>
  :root { color-scheme: light dark }
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem }
  table { border-collapse: collapse }
  th, td { text-align: left; vertical-align: top; padding: .4rem .8rem; border-bottom: 1px solid #8884 }
  time, small { white-space: nowrap; opacity: .7 }
</style>
<h1>Alerts that arrived</h1>
"""


class MalformedError(ValueError):
    """A body is not what Alertmanager sends."""


@dataclass(frozen=True)
class Alert:
    """One alert of one notification.

    Attributes:
        arrived: when, in ISO 8601.
        receiver: the path that it was sent to, which the route of the alert chose.
        status: firing or resolved.
        name: of the alert.
        severity: its label.
        job: the job's name, if it speaks of one.
        summary: its annotation.
        description: likewise.
        dashboard: likewise, a path in Grafana.
    """

    arrived: str
    receiver: str
    status: str
    name: str
    severity: str
    job: str
    summary: str
    description: str
    dashboard: str


def alerts_of(body: bytes, receiver: str, arrived: str) -> list[Alert]:
    """Read a notification.

    Raises:
        MalformedError: it is not one.
    """
    try:
        return [_alert(each, receiver, arrived) for each in json.loads(body)["alerts"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedError(f"not a notification of Alertmanager: {error}") from error


def _alert(sent: dict[str, Any], receiver: str, arrived: str) -> Alert:
    labels, annotations = sent["labels"], sent["annotations"]
    return Alert(
        arrived=arrived,
        receiver=receiver,
        status=str(sent["status"]),
        name=str(labels["alertname"]),
        severity=str(labels.get("severity", "")),
        job=str(labels.get("job_name", "")),
        summary=str(annotations.get("summary", "")),
        description=str(annotations.get("description", "")),
        dashboard=str(annotations.get("dashboard", "")),
    )


def page(alerts: Sequence[Alert], grafana: str) -> str:
    """Write the page: a table of the alerts, in which nothing that was sent is markup."""
    if not alerts:
        return f"{HEAD}<p>None yet. The first ones come within a minute of the start.</p>\n"
    rows = "".join(_row(alert, grafana) for alert in alerts)
    return f"{HEAD}<table>\n<tr><th>arrived<th>receiver<th>alert<th>what it says<th></tr>\n{rows}</table>\n"


def _row(alert: Alert, grafana: str) -> str:
    # Only a path: what is sent can lead nowhere but to Grafana.
    path = alert.dashboard if alert.dashboard.startswith("/") else ""
    link = f'<a href="{escape(grafana + path)}">dashboard</a>' if path else ""
    return (
        f"<tr><td><time>{escape(alert.arrived)}</time><td>{escape(alert.receiver)}"
        f"<td>{escape(alert.name)}<br><small>{escape(alert.status)}, {escape(alert.severity)}</small>"
        f"<td><strong>{escape(alert.summary)}</strong><br>{escape(alert.description)}<td>{link}</tr>\n"
    )


class Receiver(ThreadingHTTPServer):
    """The server, with the alerts that came.

    Args:
        address: where to listen.
        grafana: the URL under which the reader of the page finds Grafana.
    """

    def __init__(self, address: tuple[str, int], grafana: str) -> None:
        super().__init__(address, Handler)
        self.grafana = grafana
        self.alerts: deque[Alert] = deque(maxlen=KEPT)

    def take(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts, and write them to stdout."""
        for alert in alerts:
            self.alerts.appendleft(alert)
            # JSON, so that no alert can make a line of its own.
            sys.stdout.write(json.dumps(asdict(alert)) + "\n")
        sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Receiver
    timeout = SLOWEST_REQUEST_SECONDS

    def do_GET(self) -> None:
        """Show the alerts, or say that it runs."""
        if self.path == "/-/ready":
            self._answer(HTTPStatus.OK, "ready\n", "text/plain")
        elif self.path == "/":
            self._answer(HTTPStatus.OK, page([*self.server.alerts], self.server.grafana), "text/html")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "the page is /\n", "text/plain")

    def do_POST(self) -> None:
        """Take a notification, on any path."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._answer(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing\n", "text/plain")
        elif len(length) > len(str(LONGEST_BODY)) or int(length) > LONGEST_BODY:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LONGEST_BODY} bytes\n", "text/plain")
        else:
            self._take(self.rfile.read(int(length)))

    def _take(self, body: bytes) -> None:
        arrived = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self.server.take(alerts_of(body, self.path, arrived))
        except MalformedError as error:
            self._answer(HTTPStatus.BAD_REQUEST, f"{error}\n", "text/plain")
        else:
            self._answer(HTTPStatus.OK, "", "text/plain")

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no line for a request: the alerts are the log."""


def main() -> NoReturn:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Show the alerts that Alertmanager sends.")
    parser.add_argument("--listen", default="127.0.0.1:9095", metavar="HOST:PORT", help="where to listen (%(default)s)")
    parser.add_argument(
        "--grafana", default="http://localhost:3000", metavar="URL", help="where the page's links lead (%(default)s)"
    )
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    # Process 1 of a container would otherwise not notice.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Receiver((host, int(port)), options.grafana) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)
    sys.exit(0)


if __name__ == "__main__":
    main()
