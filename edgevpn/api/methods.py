"""The methods of the control socket: what each takes, all by name, and what it answers.

After `subscribe` the daemon sends notifications whose method is "event" and whose parameters are an `Event`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from edgevpn.api.records import (
    Applied,
    Artifact,
    Attempt,
    CardField,
    CertificateStatus,
    DeviceDetail,
    DeviceMade,
    DeviceStatus,
    Health,
    LogLine,
    OffloadReport,
    Plan,
    PoolStatus,
    Reached,
    Redeemed,
    Reloaded,
    Repair,
    SavedVersion,
    Settings,
    SiteStatus,
    Status,
    Subscription,
    Ticket,
    Traffic,
    Version,
    WebSettings,
)
from edgevpn.frozen import dataclass


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """What a method takes and answers. `optional` parameters may be left out."""

    doc: str
    result: Any
    params: Mapping[str, Any] = field(default_factory=dict)
    optional: Mapping[str, Any] = field(default_factory=dict)


NAME = {"name": str}
CHANGES = {"settings": Settings}
CONFIRM = {"confirm": int}
"""Seconds within which `config.confirm` must come, or the change is undone; 0 or left out: it stands at once."""

LANGUAGE = {"language": Literal["en", "ja"]}

METHODS: Mapping[str, MethodSpec] = {
    # the whole
    "version": MethodSpec("Which edgevpn answers.", Version),
    "status": MethodSpec("Everything that is up, coming up or down.", Status),
    "health": MethodSpec("Look at everything that must be right, and say how it stands.", list[Health], {}, LANGUAGE),
    "firewall.show": MethodSpec('The nft table that we keep, as nft writes it; "" if there is none.', str),
    "repair": MethodSpec(
        "Put back what of ours is missing in the kernel and the firewall, take away what is too much; or only say it.",
        Repair,
        {},
        {"dry_run": bool},
    ),
    "offload": MethodSpec("Which ciphers the kernel has and how fast, and who works for each SA.", OffloadReport),
    "attempts": MethodSpec(
        "The last attempts to connect, the newest first.",
        list[Attempt],
        {},
        {"peer": str} | LANGUAGE,
    ),
    "log.recent": MethodSpec("The last lines of the log, the oldest first.", list[LogLine], {}, {"limit": int}),
    "metrics": MethodSpec("Counters as Prometheus reads them.", str),
    "subscribe": MethodSpec("Hear of these topics, and no longer of others.", Subscription, {"topics": list[str]}),
    # sites
    "site.up": MethodSpec("Bring a site up; answers once it is up, or fails with the reason.", SiteStatus, NAME),
    "site.down": MethodSpec("Close a site and leave it closed until `site.up` or a reload.", None, NAME),
    "site.rekey": MethodSpec(
        "Give a site new keys: of its IKE SA, or of all its children; answers once they are in use.",
        SiteStatus,
        NAME | {"what": Literal["ike", "child"]},
    ),
    "site.reach": MethodSpec(
        "Whether a host in a site's networks answers, through the tunnel, to ICMP or TCP.",
        Reached,
        NAME | {"address": str},
    ),
    "site.add": MethodSpec("Write a new site into the configuration.", Applied, NAME | CHANGES, CONFIRM),
    "site.set": MethodSpec("Change keys of a site.", Applied, NAME | CHANGES, CONFIRM),
    "site.remove": MethodSpec("Take a site out of the configuration.", Applied, NAME, CONFIRM),
    "site.snippet": MethodSpec(
        "What the other end must be told, in the words of its software.",
        Artifact,
        NAME | {"form": Literal["edgevpn", "strongswan", "routeros", "card"]},
    ),
    # devices
    "device.list": MethodSpec("All devices.", list[DeviceStatus]),
    "device.show": MethodSpec("One device with all that is known of it.", DeviceDetail, NAME),
    "device.add": MethodSpec(
        "Write a new device into the configuration, with a new secret.", DeviceMade, NAME | CHANGES
    ),
    "device.set": MethodSpec(
        "Change keys of a device; a session that does not fit any more ends.", DeviceStatus, NAME | CHANGES
    ),
    "device.remove": MethodSpec(
        "Take a device out of the configuration, revoke its certificates, end its sessions.", None, NAME
    ),
    "device.reset": MethodSpec("Give a device a new password or pre-shared key.", DeviceMade, NAME),
    "device.revoke": MethodSpec("Revoke all certificates of a device and end its sessions.", None, NAME),
    "device.export": MethodSpec(
        "Make the profile of a device. It gets a new certificate, or with `secret` the one that was just made.",
        Artifact,
        NAME | {"form": Literal["mobileconfig", "powershell", "sswan", "networkmanager", "swanctl", "p12", "card"]},
        {"secret": str, "on_demand": Literal["off", "always", "domains"], "networks": list[str], "domains": list[str]},
    ),
    "device.card": MethodSpec("The fields to type on a phone, in its order.", list[CardField], NAME, {"secret": str}),
    "pool.list": MethodSpec("All pools.", list[PoolStatus]),
    # configuration
    "reload": MethodSpec("Read the configuration file again and apply the difference.", Reloaded),
    "config.show": MethodSpec(
        "The configuration as it is read, secrets masked.", dict[str, Any], {}, {"defaults": bool}
    ),
    "config.schema": MethodSpec("The JSON Schema of the configuration file.", dict[str, Any]),
    "config.text": MethodSpec("The configuration file as it is written.", str),
    "config.plan": MethodSpec(
        "What another text of the file would change; what is wrong with it is told of a file of this name.",
        Plan,
        {"text": str},
        {"name": str},
    ),
    "config.apply": MethodSpec("Make this the text of the file.", Applied, {"text": str}, CONFIRM | {"name": str}),
    "config.set": MethodSpec(
        "Change keys by their dotted paths, None to take one out; comments and order stay.",
        Applied,
        {"values": Settings},
        CONFIRM,
    ),
    "config.confirm": MethodSpec("What was applied stands.", None),
    "config.rollback": MethodSpec("Go back to a version that was in force before.", Applied, {"number": int}),
    "config.versions": MethodSpec("The versions that can be gone back to.", list[SavedVersion]),
    # certificates
    "pki.show": MethodSpec("The CA and the gateway's own certificates.", list[CertificateStatus]),
    "pki.init": MethodSpec(
        "Make the CA, where there is none yet: the first public name makes it as well.",
        list[CertificateStatus],
        {},
        {"name": str},
    ),
    "pki.renew": MethodSpec("Issue the gateway's certificates anew.", list[CertificateStatus]),
    "pki.import": MethodSpec(
        "Take a CA that there is already, in the place of ours: PEM, or the Base64 of a file with key and certificate.",
        list[CertificateStatus],
        {"content": str},
        {"password": str},
    ),
    "pki.ca": MethodSpec(
        "The CA's certificate, for whoever has to trust it.", Artifact, {}, {"form": Literal["pem", "der"]}
    ),
    # backup
    "backup.create": MethodSpec("Everything in one encrypted file.", Artifact, {"password": str}),
    "backup.restore": MethodSpec(
        "Go back to what a backup holds.", Applied, {"content": str, "password": str}, CONFIRM
    ),
    # the panel
    "web.settings": MethodSpec("What the panel's process works by; only for it and for root.", WebSettings),
    "web.set_password": MethodSpec("Set the hash of the panel's password.", None, {"password_hash": str}),
    "web.listening": MethodSpec("The panel's process says at which port it listens.", None, {"port": int}),
    "web.ticket": MethodSpec("A ticket that lets its bearer into the panel once.", Ticket),
    "web.redeem": MethodSpec("Whether a ticket is good; it is used up by that.", Redeemed, {"ticket": str}),
}

TOPICS: Mapping[str, Any] = {
    "site": SiteStatus,
    "device": DeviceStatus,
    "traffic": Traffic,
    "attempt": Attempt,
    "log": LogLine,
    "config": Reloaded,
}
"""What can be subscribed to, and what each event of the kind carries."""
