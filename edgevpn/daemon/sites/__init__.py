"""Tunnels to sites are kept up, by whatever way leads to the peer."""
