"""Addresses for clients: pools, leases, prefixes that the provider gives."""
