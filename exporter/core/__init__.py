"""What a job, a target, a device and an error are, and what a change of a job means. No I/O."""
