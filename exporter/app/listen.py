"""Opens the HTTP server of the daemon."""

from exporter.app.active_settings import ActiveSettings
from exporter.app.build import Exporter, StartError
from exporter.app.reload import Reloader
from exporter.core import parse_listen
from exporter.web import PROBES, RELOAD, Web
from exporter.web.http import FileAccessPolicy, HttpServer


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
        return HttpServer(web, *parse_listen(address), access_policy=access_policy, urgent=PROBES, slow=[RELOAD])
    except OSError as error:
        reason = str(error.strerror).partition(" (while attempting")[0]  # Python repeats the address
        raise StartError(f"cannot listen on {address}: {reason}; set another listen_address") from error


def format_address(address: tuple[str, int]) -> str:
    """Format an address and port as a value of ``listen_address``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
