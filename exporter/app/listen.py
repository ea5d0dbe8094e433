"""Opens the HTTP server of the daemon."""

import errno
from typing import Final

from exporter.app.active_settings import ActiveSettings
from exporter.app.build import Exporter
from exporter.app.command_errors import StartError
from exporter.app.reload import Reloader
from exporter.core import parse_listen
from exporter.web import PROBES, RELOAD, Web
from exporter.web.http import FileAccessPolicy, HttpServer

_OTHER_PORTS: Final = (9835, 9836)
"""The port of the example in the error, and the one instead of it when it is the port that failed."""


def listen(
    exporter: Exporter, active: ActiveSettings, reloader: Reloader, access_policy: FileAccessPolicy | None
) -> HttpServer:
    """Open the listen address without serving requests yet.

    Raises:
        StartError: the address cannot be opened.
    """
    web = Web(
        store=exporter.store,
        telemetry=exporter.telemetry,
        targets=exporter.manager.statuses,
        disabled=lambda: active.settings.disabled_metrics,
        healthy=lambda: exporter.manager.healthy,
        ready=lambda: exporter.manager.ready,
        reload=reloader.reload,
        clock=exporter.clock,
    )
    address = active.settings.listen_address
    try:
        return HttpServer(
            web,
            *parse_listen(address),
            access_policy=access_policy,
            urgent=PROBES,
            slow=[RELOAD],
            login_refused=exporter.telemetry.login_refused,
        )
    except OSError as error:
        reason = str(error.strerror).partition(" (while attempting")[0]  # Python repeats the address
        hint = f"set another address, such as --listen-address {_other_address(address, error.errno)}"
        raise StartError(f"cannot listen on {address}: {reason}; {hint}") from error


def _other_address(address: str, code: int | None) -> str:
    """Return an address that may be free: another port, or the loopback address where the host is the problem."""
    host, _, port = address.rpartition(":")
    if code not in (errno.EADDRINUSE, errno.EACCES):
        return f"127.0.0.1:{port}"
    return f"{host}:{_OTHER_PORTS[int(port) == _OTHER_PORTS[0]]}"


def format_address(address: tuple[str, int]) -> str:
    """Format an address and port as a value of ``listen_address``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
