"""What all parts of the daemon stand on: its options, its log, its state on the disk."""
