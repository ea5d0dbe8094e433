"""HTTP, TLS and authentication; this package knows nothing of jobs."""
