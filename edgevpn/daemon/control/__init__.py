"""The control socket, its methods and its events."""
