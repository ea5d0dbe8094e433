"""Settings, commands and the one place that wires."""
