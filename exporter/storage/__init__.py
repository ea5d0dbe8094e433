"""What is known of jobs, in memory and on disk."""
