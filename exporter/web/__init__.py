"""HTTP for scrapers, probes and people."""
