"""Clients of other makes, played from tables of what they are known to send, to be tried before users do."""
