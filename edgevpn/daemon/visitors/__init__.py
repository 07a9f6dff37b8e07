"""Devices that are in: their sessions, and what they are told once their tunnel stands."""
