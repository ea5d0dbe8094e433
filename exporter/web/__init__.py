"""HTTP for scrapers, probes and browsers."""

from exporter.web.jobs_api import job_document
from exporter.web.routes import PROBES, RELOAD, Reloaded, Web

__all__ = [
    "PROBES",
    "RELOAD",
    "Reloaded",
    "Web",
    "job_document",
]
