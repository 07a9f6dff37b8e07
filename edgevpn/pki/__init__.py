"""Certificates and client profiles."""
