"""HTTP for scrapers, probes and people."""

from exporter.web.routes import PROBES, RELOAD, Reloaded, Web, expose

__all__ = [
    "PROBES",
    "RELOAD",
    "Reloaded",
    "Web",
    "expose",
]
