"""Prometheus exporter for Amazon Braket hybrid jobs."""

__version__ = "0.1.0"
