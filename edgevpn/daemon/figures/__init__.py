"""What is counted and told: status, usage, metrics."""
