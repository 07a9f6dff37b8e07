"""Who a peer may be, by where it is and what it claims: the look-up in the PAD, RFC 4301 §4.4.3, RFC 7296 §2.15."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from types import UnionType

from edgevpn.ike.crypto.signature import SIGNATURE_METHODS
from edgevpn.ike.crypto.suite import IkeSuite
from edgevpn.ike.errors import AuthenticationFailed, Cause, NoProposalChosen
from edgevpn.ike.evidence import Names, Ways
from edgevpn.ike.iana import AuthMethod, ProtocolId
from edgevpn.ike.identity import closeness
from edgevpn.ike.negotiate import Chosen, acceptable, choose, without_additional
from edgevpn.ike.peer import Certified, IpAddress, KeyRing, Login, Offer, Peer, Psk, RemoteAuth
from edgevpn.ike.wire.payloads import Identification
from edgevpn.ike.wire.proposal import Proposal


def near(peers: Iterable[Peer], local: IpAddress, remote: IpAddress) -> tuple[Peer, ...]:
    """The peers that may be found at these two addresses."""
    return tuple(peer for peer in peers if peer.accepts(local, remote))


def agreed(
    peers: tuple[Peer, ...], remote: IpAddress, asked: tuple[Proposal, ...], *, intermediate: bool = True
) -> Chosen:
    """What any of the peers that may be there takes of these proposals; NoProposalChosen if none does, or none may.

    `intermediate`: who asks knows of IKE_INTERMEDIATE, without which there is one key exchange (RFC 9370 §2.2.1).
    """
    if not peers:
        raise NoProposalChosen(f"no peer may come from {remote}", Cause.ADDRESS_UNKNOWN)
    first, *others = _kinds(peers)
    offers = tuple(dict.fromkeys((*first, *chain(*others)))) if others else first
    return choose(offers if intermediate else without_additional(offers), asked, ProtocolId.IKE)


def _kinds(peers: tuple[Peer, ...]) -> Iterable[tuple[Offer, ...]]:
    """What these peers take, each once: equal ones are mostly the same."""
    return {id(peer.offers): peer.offers for peer in peers}.values()


def wraps(peers: tuple[Peer, ...]) -> bool:
    """Whether ESP goes in UDP without a NAT, for whoever of these it is: one of those bound to its address, if any."""
    bound = tuple(peer for peer in peers if peer.remote_networks)
    return any(peer.force_encapsulation for peer in bound or peers)


def ways_of(method: AuthMethod | None) -> type[RemoteAuth] | UnionType:
    """How a peer proves itself whose AUTH is of this method; None: there is none, so it wants to log in by EAP.

    AuthenticationFailed for a method that nobody may use.
    """
    if method is None:
        return Login
    if method == AuthMethod.SHARED_KEY:
        return Psk | KeyRing
    if method in SIGNATURE_METHODS:
        return Certified
    raise AuthenticationFailed(f"{method.name} is not allowed", Cause.METHOD_NOT_ALLOWED, Ways(method, ()))


def known_as(peers: tuple[Peer, ...], claimed: Identification, suite: IkeSuite) -> tuple[Peer, ...]:
    """Those that have this identity or may have it, and would have agreed to the suite; else AuthenticationFailed."""
    known = tuple(peer for peer in peers if peer.may_be(claimed))
    fits = {id(offers): acceptable(offers, suite) for offers in _kinds(known)}
    known = tuple(peer for peer in known if fits[id(peer.offers)])
    if not known:
        expected = Names(claimed, tuple((peer.name, peer.remote_id) for peer in peers))
        raise AuthenticationFailed(f"no peer is known as {claimed}", Cause.IDENTITY_UNKNOWN, expected)
    return known


def asking_for_us(peers: tuple[Peer, ...], wanted: Identification | None, local: IpAddress) -> tuple[Peer, ...]:
    """Those to which we are called what the peer calls us, if it does; AuthenticationFailed if none."""
    called = tuple(peer for peer in peers if peer.called(wanted, local) is not None)
    if not called:
        assert wanted is not None
        ours = Names(wanted, tuple((peer.name, peer.identity_at(local)) for peer in peers))
        raise AuthenticationFailed("no peer is known that asks for this name of ours", Cause.NOT_OUR_NAME, ours)
    return called


def proving_by(peers: tuple[Peer, ...], method: AuthMethod | None) -> tuple[Peer, ...]:
    """Those that prove themselves in this way; AuthenticationFailed if none.

    Who is known by name comes before who may be one of many, and leaves nothing to it.
    """
    ways = ways_of(method)
    able = tuple(peer for peer in peers if isinstance(peer.remote_auth, ways))
    if not able:
        used = Ways(method, tuple(peer.name for peer in peers))
        text = "the peer proves itself in another way than it should"
        raise AuthenticationFailed(text, Cause.METHOD_NOT_ALLOWED, used)
    nearest = max(closeness(peer.remote_id) for peer in able)
    return tuple(peer for peer in able if closeness(peer.remote_id) == nearest)
