"""All that is known of one site or one device, as rows for people."""

from __future__ import annotations

from edgevpn.api import IkeStatus, SiteStatus
from edgevpn.api.records import Amount, CertificateStatus, ChildStatus, DeviceDetail, SessionStatus
from edgevpn.cli.listing import cell
from edgevpn.cli.output import painted
from edgevpn.cli.status import age, carriers, moment, octets

Row = tuple[str, str]


def site_rows(site: SiteStatus, now: float) -> list[Row]:
    """How a site stands: why it is not up if it is not, its IKE SAs and their children. `now` is a Unix time."""
    rows = [("state", painted(site["state"])), ("why", cell(site["why"] or None))]
    for ike in site["ike"]:
        rows.append(("ike", f"{ike['local']} - {ike['remote']}, for {age(now - ike['established'])}, {_suite(ike)}"))
        rows += [
            (
                f"ike.{child['name']}",
                f"{_moved(child)}, {child['suite']}, by {carriers(child['carrier_in'], child['carrier_out'])}",
            )
            for child in ike["children"]
        ]
    return rows


def device_rows(detail: DeviceDetail, now: float) -> list[Row]:
    """Who a device is, what it gets, whether it is in, what it has used."""
    device = detail["device"]
    seen = moment(device["seen"]) if device["seen"] else "never"
    known: list[tuple[str, object]] = [
        ("name", device["name"]),
        ("owner", device["owner"]),
        ("platform", device["platform"]),
        ("login", device["login"]),
        ("id", device["id"]),
        ("pool", device["pool"]),
        ("let in", f"no: {device['refused']}" if device["refused"] else device["enabled"]),
        ("expires", moment(device["expires"]) if device["expires"] is not None else ""),
        ("v4", device["v4"]),
        ("v6", device["v6"]),
        ("mode", device["mode"]),
        ("networks", detail["networks"]),
        ("dns", detail["dns"]),
        ("second session", detail["unique"]),
        *(("in", _session(each, now)) for each in device["sessions"]),
        ("seen", f"{seen}, {device['place']}" if device["place"] else seen),
        ("used today", _amount(device["today"])),
        ("used this month", _amount(device["month"])),
        *(("certificate", _certificate(each)) for each in detail["certificates"]),
    ]
    return [(key, cell(None if value == "" else value)) for key, value in known]


def _session(session: SessionStatus, now: float) -> str:
    addresses = ", ".join(session["addresses"]) or "no address"
    since = age(now - session["since"])
    return f"from {session['remote']}, for {since}, as {addresses}, {_moved(session)}, {_suite(session)}"


def _moved(counted: ChildStatus | SessionStatus) -> str:
    moved = f"in {octets(counted['bytes_in'])}, out {octets(counted['bytes_out'])}"
    lost = counted["undeciphered"]
    return f"{moved}, {lost} packets that could not be decrypted" if lost else moved


def _suite(sa: IkeStatus | SessionStatus) -> str:
    return f"{sa['suite']} with the PPK {sa['ppk']}" if sa["ppk"] else sa["suite"]


def _amount(amount: Amount) -> str:
    return f"in {octets(amount['received'])}, out {octets(amount['sent'])}"


def _certificate(certificate: CertificateStatus) -> str:
    return f"{certificate['subject']}, until {moment(certificate['ends'])}, {certificate['fingerprint']}"
