"""What to hand over for which platform: `edgevpn device export NAME --for PLATFORM`, and the same for sites."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from edgevpn.pki.profiles import android, apple, by_hand, linux, site, sswan, windows
from edgevpn.pki.profiles.apple import NO_DEMAND, OnDemand
from edgevpn.pki.profiles.card import Card, files
from edgevpn.pki.profiles.profile import Artifact, CertificateLogin, Profile, unsupported
from edgevpn.pki.profiles.site import SitePeer


class Target(Enum):
    """What a profile is made for."""

    APPLE = "apple"
    WINDOWS = "windows"
    STRONGSWAN_APP = "strongswan-app"
    NETWORK_MANAGER = "networkmanager"
    SWANCTL = "swanctl"
    ANDROID_CARD = "android"
    IPHONE_CARD = "iphone"
    MAC_CARD = "mac"
    WINDOWS_CARD = "windows card"
    OTHER_CARD = "other"


class PeerTarget(Enum):
    """What a site's peer is."""

    EDGEVPN = "edgevpn"
    STRONGSWAN = "strongswan"
    ROUTEROS = "routeros"
    OTHER = "other"


CARDS: dict[Target, Callable[[Profile], Card]] = {
    Target.ANDROID_CARD: android.card,
    Target.IPHONE_CARD: by_hand.iphone,
    Target.MAC_CARD: by_hand.mac,
    Target.WINDOWS_CARD: by_hand.windows,
    Target.OTHER_CARD: by_hand.other,
}
"""What is typed, by what it is typed into."""

WITH_PPK = (Target.APPLE, Target.SWANCTL)
"""What can be given a post-quantum pre-shared key (RFC 8784)."""

WITHOUT_EAP_TLS = (Target.ANDROID_CARD, Target.IPHONE_CARD, Target.MAC_CARD)
"""Whose forms are not known to have it."""

PEERS: dict[PeerTarget, Callable[[SitePeer], tuple[Artifact, ...]]] = {
    PeerTarget.EDGEVPN: site.edgevpn_toml,
    PeerTarget.STRONGSWAN: site.strongswan,
    PeerTarget.ROUTEROS: site.routeros,
    PeerTarget.OTHER: site.card,
}


def export(profile: Profile, target: Target, demand: OnDemand = NO_DEMAND) -> tuple[Artifact, ...]:
    """The files for a device, the main one first. Raises WishRefused where the platform has no such login."""
    _suits(profile, target)
    match target:
        case Target.APPLE:
            return (apple.mobileconfig(profile, demand),)
        case Target.WINDOWS:
            return (windows.script(profile),)
        case Target.STRONGSWAN_APP:
            return (sswan.profile_file(profile),)
        case Target.NETWORK_MANAGER:
            return linux.network_manager(profile)
        case Target.SWANCTL:
            return linux.swanctl(profile)
        case _:
            return files(profile, CARDS[target](profile))


def card(profile: Profile, target: Target) -> Card:
    """What is typed. Raises WishRefused where that platform's form has no such login."""
    _suits(profile, target)
    return CARDS[target](profile)


def _suits(profile: Profile, target: Target) -> None:
    if profile.ppk is not None and profile.ppk.required and target not in WITH_PPK:
        raise unsupported(
            "a post-quantum pre-shared key on this platform", "set ppk_required = false for it, or take out its ppk"
        )
    if isinstance(profile.login, CertificateLogin) and profile.login.within_eap and target in WITHOUT_EAP_TLS:
        raise unsupported("EAP-TLS in what is typed into this platform", "give it its profile, or login = certificate")


def export_site(peer: SitePeer, target: PeerTarget) -> tuple[Artifact, ...]:
    """The files for the administrator of a site, the main one first."""
    return PEERS[target](peer)
