"""Answers to `status` for tests of those who ask."""

from __future__ import annotations

from edgevpn.api import SiteStatus, Status

STARTED = 1_700_000_000.0

OFFICE: SiteStatus = {
    "name": "office",
    "state": "up",
    "remote": "office.example.org",
    "why": "",
    "ike": [
        {
            "spi_i": "1122334455667788",
            "spi_r": "99aabbccddeeff00",
            "local": "192.0.2.1:4500",
            "remote": "198.51.100.7:4500",
            "nat": "local",
            "established": STARTED + 60,
            "suite": "aes256gcm16-prfsha384-x25519",
            "ppk": "",
            "weak": [],
            "children": [
                {
                    "name": "lan",
                    "spi_in": "c0000001",
                    "spi_out": "c0000002",
                    "local_ts": ["10.1.0.0/24", "fd01::/64"],
                    "remote_ts": ["10.2.0.0/24", "fd02::/64"],
                    "bytes_in": 999,
                    "bytes_out": 12_345_678,
                    "undeciphered": 0,
                    "suite": "aes256gcm16",
                    "carrier_in": "cpu",
                    "carrier_out": "cpu",
                    "carrier_why": "wan has no esp-hw-offload",
                },
                {
                    "name": "voice",
                    "spi_in": "c0000003",
                    "spi_out": "c0000004",
                    "local_ts": ["10.1.9.0/24"],
                    "remote_ts": ["10.2.9.0/24"],
                    "bytes_in": 0,
                    "bytes_out": 0,
                    "undeciphered": 0,
                    "suite": "aes256gcm16",
                    "carrier_in": "cpu",
                    "carrier_out": "cpu",
                    "carrier_why": "wan has no esp-hw-offload",
                },
            ],
        }
    ],
}
BRANCH: SiteStatus = {"name": "branch", "state": "connecting", "remote": "branch.example.org", "why": "", "ike": []}
STATUS: Status = {"version": "0.1.0", "started": STARTED, "kernel": "netlink", "sites": [OFFICE, BRANCH], "devices": []}
