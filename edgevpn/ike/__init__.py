"""The IKEv2 protocol core (RFC 7296): inputs in, effects out; no clock, no sockets, no logging."""
