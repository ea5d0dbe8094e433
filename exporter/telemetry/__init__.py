"""What the exporter says about itself: log events and its own metrics."""
