"""Settings, commands and the one place that wires."""

from exporter.app.cli import main

__all__ = [
    "main",
]
