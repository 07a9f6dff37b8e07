"""Conversations in which, together, the core sends every message that it can send; for decoders that are not ours.

for conversation in conversations(SUITES["AES_GCM_16 256"]):
    for message in conversation.messages: ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import islice

from edgevpn.ike.contract import Datagram, Settings
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.iana import Encr, ExchangeType, Flag, Integ, NotifyType, PayloadType, Prf, TransformType
from edgevpn.ike.peer import (
    Certified,
    ChildPolicy,
    Credential,
    Login,
    Mode,
    NetworkSettings,
    Offer,
    Password,
    Peer,
    Psk,
    Signing,
    Wants,
)
from edgevpn.ike.state import DeleteChild, RekeyChild, RekeyIke, Secured
from edgevpn.ike.window import Seal
from edgevpn.ike.wire.message import Header, Payload, decode_message, decode_payloads
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Nonce, UnknownPayload
from edgevpn.ike.wire.proposal import Transform
from edgevpn.ike.wire.protected import open_fragment, open_message, seal_message
from tests.support.certificates import ca, certificate
from tests.support.handshake import LEFT, RIGHT
from tests.support.keys import private_key
from tests.support.pair import Pair
from tests.support.peers import ECP256, ESP_OFFER, GCM, LAN, NO_ESN, TO_RIGHT, X25519, mirrored, selectors
from tests.support.world import World, holding, trusting

LATE = 0.05  # seconds on the way, while others take ten milliseconds


@dataclass(frozen=True)
class Message:
    """The datagram of a message, or its datagrams if it was cut; and the keys of its IKE SA if it is sealed."""

    datagrams: tuple[bytes, ...]
    secured: Secured | None

    @property
    def header(self) -> Header:
        """That of the first datagram."""
        return Header.decode(self.datagrams[0])

    def payloads(self) -> tuple[Payload, ...]:
        """What we read in it ourselves."""
        header = self.header
        if self.secured is None:
            return decode_message(header, self.datagrams[0])
        seal = Seal.of(self.secured)
        cipher = seal.outgoing if header.from_initiator == self.secured.initiator else seal.incoming
        if header.next_payload == PayloadType.SK:
            return decode_payloads(*open_message(self.datagrams[0], header, cipher))
        pieces = [open_fragment(each, Header.decode(each), cipher) for each in self.datagrams]
        return decode_payloads(pieces[0].first_payload, b"".join(each.plaintext for each in pieces))


@dataclass(frozen=True)
class Conversation:
    """What two endpoints said, and the keys that they agreed on."""

    name: str
    messages: tuple[Message, ...]
    secrets: tuple[Secured, ...]


def offer(encr: Encr, bits: int, integ: Integ = Integ.NONE, prf: Prf = Prf.HMAC_SHA2_256) -> Offer:
    """A proposal for IKE with two key exchanges to choose from."""
    cipher = Transform(TransformType.ENCR, encr, bits or None)
    check = () if integ is Integ.NONE else (Transform(TransformType.INTEG, integ),)
    return Offer((cipher, *check, Transform(TransformType.PRF, prf), X25519, ECP256))


SUITES: dict[str, Offer] = {
    "AES-GCM-16": offer(Encr.AES_GCM_16, 256),
    "AES-GCM-12": offer(Encr.AES_GCM_12, 192),
    "AES-GCM-8": offer(Encr.AES_GCM_8, 128),
    "AES-CCM-16": offer(Encr.AES_CCM_16, 128),
    "AES-CCM-12": offer(Encr.AES_CCM_12, 192),
    "AES-CCM-8": offer(Encr.AES_CCM_8, 256),
    "ChaCha20-Poly1305": offer(Encr.CHACHA20_POLY1305, 0),
    "AES-CBC, SHA-1": offer(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96, Prf.HMAC_SHA1),
    "AES-CBC, SHA-256": offer(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128),
    "AES-CBC, SHA-384": offer(Encr.AES_CBC, 192, Integ.HMAC_SHA2_384_192, Prf.HMAC_SHA2_384),
    "AES-CBC, AES-XCBC": offer(Encr.AES_CBC, 128, Integ.AES_XCBC_96, Prf.AES128_XCBC),
    "AES-CTR, SHA-512": offer(Encr.AES_CTR, 256, Integ.HMAC_SHA2_512_256, Prf.HMAC_SHA2_512),
    "AES-CTR, AES-CMAC": offer(Encr.AES_CTR, 128, Integ.AES_CMAC_96, Prf.AES128_CMAC),
}

DMZ = ChildPolicy("dmz", selectors("10.1.1.0/24", "fd01::/64"), selectors("10.2.1.0/24", "fd02::/64"), (ESP_OFFER,))
LINK = ChildPolicy("link", selectors("192.0.2.1"), selectors("198.51.100.1"), (ESP_OFFER,), mode=Mode.TRANSPORT)
FAR = replace(LAN, ts_remote=selectors("10.9.0.0/24"))
ONLY_ECP_LAN = replace(LAN, offers=(Offer((GCM, ECP256, NO_ESN)),))
X25519_LAN = replace(LAN, offers=(Offer((GCM, X25519, ECP256, NO_ESN)),))
OTHER_KEY = Psk(b"a key that only one has")
AUTHORITY = b"A" * 20
CERTIFIED = Certified((AUTHORITY,))
ADDRESSES = ("10.3.0.1", "fd03::1")
PASSWORD = "correct horse"
ANYWHERE = selectors("0.0.0.0/0", "::/0")
ELSEWHERE, THIRD, SIXTH = map(ip_address, ("192.0.2.77", "203.0.113.5", "2001:db8:2::1"))


def conversations(suite: Offer, seed: int = 1) -> Iterator[Conversation]:
    """All of them with this proposal for IKE; another `seed` gives other SPIs."""
    return (conversation(name, suite, seed) for name in TALKS)


def conversation(name: str, suite: Offer, seed: int = 1) -> Conversation:
    """The one of that name."""
    peer = replace(TO_RIGHT, offers=(suite,), children=(LAN, DMZ, LINK), liveness=30.0)
    pair = TALKS[name](peer, 2 * (seed * len(TALKS) + list(TALKS).index(name)))
    return Conversation(name, tuple(_messages(pair)), tuple(pair.secrets.values()))


def _messages(pair: Pair) -> Iterator[Message]:
    said = iter(pair.sent)
    for octets in said:
        header = Header.decode(octets)
        if header.next_payload not in (PayloadType.SK, PayloadType.SKF):
            yield Message((octets,), None)
            continue
        more = _pieces(octets) - 1 if header.next_payload == PayloadType.SKF else 0
        yield Message((octets, *islice(said, more)), pair.secrets[header.spi_i, header.spi_r])


def _pieces(octets: bytes) -> int:
    """Total Fragments, RFC 7383 §2.5."""
    return int.from_bytes(octets[34:36], "big")


# --- what is talked about --------------------------------------------------------------------------------------------


def a_whole_life(peer: Peer, seed: int) -> Pair:
    """Cookie and another method, children of all kinds, every rekey from both sides, liveness, Delete of both kinds."""
    ecp_only = tuple(Offer(tuple(t for t in each.transforms if t != X25519)) for each in peer.offers)
    right = replace(mirrored(peer), offers=ecp_only)
    pair = Pair((peer,), (right,), Settings(cookie_threshold=0), seed)
    pair.left.initiate("right")
    pair.run(1)
    for side in pair.sides:
        lan = next(child for child in side.sa.children if child.name == "lan" and child.phase.name == "ACTIVE")
        side.ask(RekeyChild(lan.spi_in))
        pair.run(10)
        side.ask(RekeyIke())
        pair.run(10)
    pair.run(31)  # liveness
    pair.left.ask(DeleteChild(pair.left.sa.children[0].spi_in))
    pair.run(10)
    pair.right.terminate()
    pair.run(10)
    assert not pair.left.endpoint.sas
    assert not pair.right.endpoint.sas
    return pair


def no_common_proposal(peer: Peer, seed: int) -> Pair:
    other = offer(Encr.AES_CBC, 192, Integ.HMAC_SHA2_512_256)
    return _initiated(peer, replace(mirrored(peer), offers=(other,)), seed)


def another_key(peer: Peer, seed: int) -> Pair:
    return _initiated(peer, replace(mirrored(peer), local_auth=OTHER_KEY, remote_auth=OTHER_KEY), seed)


def no_common_packets(peer: Peer, seed: int) -> Pair:
    """The child is refused, and the IKE SA stands alone."""
    return _initiated(replace(peer, children=(FAR,)), mirrored(peer), seed)


def another_method_for_a_child(peer: Peer, seed: int) -> Pair:
    """CREATE_CHILD_SA guesses wrong, and is answered INVALID_KE_PAYLOAD."""
    left, right = replace(peer, children=(X25519_LAN,)), replace(mirrored(peer), children=mirrored_child(ONLY_ECP_LAN))
    pair = _initiated(left, right, seed)
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.run(10)
    return pair


def no_common_proposal_for_a_child(peer: Peer, seed: int) -> Pair:
    other = replace(DMZ, offers=(Offer((Transform(TransformType.ENCR, Encr.AES_GCM_8, 128), X25519, NO_ESN)),))
    left, right = replace(peer, children=(LAN, DMZ)), replace(peer, children=(LAN, other))
    return _initiated(left, mirrored(right), seed)


def rekeys_that_meet(peer: Peer, seed: int) -> Pair:
    """One side wants a child while the other rekeys the IKE SA: TEMPORARY_FAILURE."""
    pair = _initiated(replace(peer, children=(LAN,)), mirrored(peer), seed)
    pair.left.ask(RekeyIke())
    pair.right.ask(RekeyChild(pair.right.child.spi_in))
    pair.run(20)
    return pair


def a_child_that_has_gone(peer: Peer, seed: int) -> Pair:
    """A rekey arrives when its child has been deleted: CHILD_SA_NOT_FOUND."""
    pair = _initiated(replace(peer, children=(LAN,)), mirrored(peer), seed)
    first = len(pair.sent)
    pair.fate = lambda number, _: (LATE if number == first else 0.01,)
    pair.left.ask(RekeyChild(pair.left.child.spi_in))
    pair.right.ask(DeleteChild(pair.right.child.spi_in))
    pair.run(20)
    return pair


def a_message_that_makes_no_sense(peer: Peer, seed: int) -> Pair:
    """CREATE_CHILD_SA without SA: INVALID_SYNTAX."""
    pair = _initiated(replace(peer, children=(LAN,)), mirrored(peer), seed)
    _say(pair, ExchangeType.CREATE_CHILD_SA, Nonce(bytes(16)))
    return pair


def a_payload_that_must_be_understood(peer: Peer, seed: int) -> Pair:
    """UNSUPPORTED_CRITICAL_PAYLOAD."""
    pair = _initiated(replace(peer, children=(LAN,)), mirrored(peer), seed)
    _say(pair, ExchangeType.INFORMATIONAL, UnknownPayload(PayloadType(200), True, b"?"))
    return pair


def certificates(peer: Peer, seed: int, settings: Settings | None = None) -> Pair:
    """Both sides sign, and send a chain of certificates."""
    ours, theirs = _credential("left", KeyKind.P256), _credential("right", KeyKind.P384)
    left = replace(
        peer, children=(LAN,), local_auth=Signing((ours,)), remote_auth=CERTIFIED, fragmentation=settings is not None
    )
    right = replace(mirrored(left), local_auth=Signing((theirs,)), remote_auth=CERTIFIED)
    return _initiated(left, right, seed, World(holding(ours, theirs), trusting(ours, theirs)), settings)


def certificates_in_pieces(peer: Peer, seed: int) -> Pair:
    """The same where datagrams are small."""
    pair = certificates(peer, seed, Settings(fragment_size_v4=576))
    assert any(Header.decode(octets).next_payload == PayloadType.SKF for octets in pair.sent)
    return pair


def addresses_that_change(peer: Peer, seed: int) -> Pair:
    """MOBIKE in both roles, and what a gateway with several addresses tells of them."""
    roaming = replace(peer, children=(LAN,), mobike=True)
    pair = _initiated(roaming, mirrored(roaming), seed)
    pair.right.move_to(RIGHT, THIRD, SIXTH)
    pair.run(10)
    pair.left.move_to(ELSEWHERE)
    pair.run(10)
    pair.right.move_to(THIRD)
    pair.run(20)
    return pair


def an_address_that_may_not_be(peer: Peer, seed: int) -> Pair:
    """UNACCEPTABLE_ADDRESSES."""
    roaming = replace(peer, children=(LAN,), mobike=True)
    pair = _initiated(roaming, replace(mirrored(roaming), remote_networks=(ip_network(LEFT),)), seed)
    pair.left.move_to(ELSEWHERE)
    pair.run(10)
    return pair


def a_nat_that_may_not_be(peer: Peer, seed: int) -> Pair:
    """UNEXPECTED_NAT_DETECTED."""
    roaming = replace(peer, children=(LAN,), mobike=True)
    pair = _initiated(roaming, mirrored(roaming), seed)
    elsewhere = Notify(NotifyType.NO_NATS_ALLOWED, bytes(12))
    _say(pair, ExchangeType.INFORMATIONAL, Notify(NotifyType.UPDATE_SA_ADDRESSES), elsewhere)
    return pair


@cache
def _credential(name: str, kind: KeyKind) -> Credential:
    """A real certificate and what leads to its authority, for decoders that look into it; the same in a whole run."""
    between = ca("between", ca("authority"))
    own = certificate(name, between, key=private_key(kind))
    return Credential(name, kind, (own.der, between.der), AUTHORITY)


def client_and_gateway(
    peer: Peer, seed: int = 1, typed: str = PASSWORD, free: tuple[str, ...] = ADDRESSES, alone: bool = False
) -> Pair:
    """Who may log in, and where; nothing has been said yet."""
    gateway = _credential("right", KeyKind.ED25519)  # whose signatures are always the same
    left = replace(
        peer,
        children=(replace(LAN, ts_local=ANYWHERE),),
        local_auth=Password("alice", nt_password_hash(typed), alone),
        remote_auth=CERTIFIED,
        wants=Wants(ipv4=True, ipv6=True),
    )
    right = replace(
        mirrored(peer),
        children=mirrored_child(replace(LAN, ts_local=ANYWHERE)),
        local_auth=Signing((gateway,)),
        remote_auth=Login(alone=alone),
        pool=NetworkSettings(dns=(ip_address("10.2.0.1"), ip_address("fd02::1")), domains=("lan.example",)),
    )
    world = World(
        holding(gateway),
        trusting(gateway),
        users={"alice": PASSWORD},
        free=[ip_address(each) for each in free],
    )
    return _pair(left, right, seed, world)


def a_login(peer: Peer, seed: int) -> Pair:
    """A client logs in by EAP, and is given addresses and told of the network."""
    return _run(client_and_gateway(peer, seed))


def a_login_alone(peer: Peer, seed: int) -> Pair:
    """EAP shows who either side is, and nobody signs: EAP_ONLY_AUTHENTICATION."""
    return _run(client_and_gateway(peer, seed, alone=True))


def a_wrong_password(peer: Peer, seed: int) -> Pair:
    """EAP ends in failure."""
    return _run(client_and_gateway(peer, seed, typed="a guess"))


def no_address_left(peer: Peer, seed: int) -> Pair:
    """INTERNAL_ADDRESS_FAILURE."""
    return _run(client_and_gateway(peer, seed, free=()))


def no_address_asked_for(peer: Peer, seed: int) -> Pair:
    """FAILED_CP_REQUIRED."""
    left = replace(peer, children=(LAN,))
    return _initiated(left, replace(mirrored(left), pool=NetworkSettings()), seed)


def another_version(peer: Peer, seed: int) -> Pair:
    """IKE version 3: INVALID_MAJOR_VERSION."""
    pair = Pair((peer,), (mirrored(peer),), seed=seed)
    header = Header(b"initiatr", bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0, major=3)
    path = pair.right.path()
    pair.right.tell(Datagram(path, header.encode()))
    return pair


TALKS = {
    "a whole life": a_whole_life,
    "no common proposal": no_common_proposal,
    "another key": another_key,
    "no common packets": no_common_packets,
    "another method for a child": another_method_for_a_child,
    "no common proposal for a child": no_common_proposal_for_a_child,
    "rekeys that meet": rekeys_that_meet,
    "a child that has gone": a_child_that_has_gone,
    "a message that makes no sense": a_message_that_makes_no_sense,
    "a payload that must be understood": a_payload_that_must_be_understood,
    "certificates": certificates,
    "certificates in pieces": certificates_in_pieces,
    "addresses that change": addresses_that_change,
    "an address that may not be": an_address_that_may_not_be,
    "a NAT that may not be": a_nat_that_may_not_be,
    "a login": a_login,
    "a login alone": a_login_alone,
    "a wrong password": a_wrong_password,
    "no address left": no_address_left,
    "no address asked for": no_address_asked_for,
    "another version": another_version,
}

NOTIFIES = {
    NotifyType.NAT_DETECTION_SOURCE_IP,
    NotifyType.NAT_DETECTION_DESTINATION_IP,
    NotifyType.COOKIE,
    NotifyType.INVALID_KE_PAYLOAD,
    NotifyType.INVALID_MAJOR_VERSION,
    NotifyType.INITIAL_CONTACT,
    NotifyType.USE_TRANSPORT_MODE,
    NotifyType.REKEY_SA,
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.TS_UNACCEPTABLE,
    NotifyType.TEMPORARY_FAILURE,
    NotifyType.CHILD_SA_NOT_FOUND,
    NotifyType.INVALID_SYNTAX,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
    NotifyType.SIGNATURE_HASH_ALGORITHMS,
    NotifyType.INTERNAL_ADDRESS_FAILURE,
    NotifyType.FAILED_CP_REQUIRED,
    NotifyType.IKEV2_FRAGMENTATION_SUPPORTED,
    NotifyType.MOBIKE_SUPPORTED,
    NotifyType.ADDITIONAL_IP4_ADDRESS,
    NotifyType.ADDITIONAL_IP6_ADDRESS,
    NotifyType.NO_ADDITIONAL_ADDRESSES,
    NotifyType.UPDATE_SA_ADDRESSES,
    NotifyType.COOKIE2,
    NotifyType.UNACCEPTABLE_ADDRESSES,
    NotifyType.UNEXPECTED_NAT_DETECTED,
    NotifyType.EAP_ONLY_AUTHENTICATION,
}
"""What the conversations notify each other of."""


def mirrored_child(child: ChildPolicy) -> tuple[ChildPolicy, ...]:
    """The same child as the other side has it."""
    return (replace(child, ts_local=child.ts_remote, ts_remote=child.ts_local),)


def _initiated(
    left: Peer, right: Peer, seed: int, world: World | None = None, settings: Settings | None = None
) -> Pair:
    return _run(_pair(left, right, seed, world, settings))


def _run(pair: Pair) -> Pair:
    pair.left.initiate("right")
    pair.run(10)
    return pair


def _pair(left: Peer, right: Peer, seed: int, world: World | None = None, settings: Settings | None = None) -> Pair:
    pair = Pair((left,), (right,), settings, seed)
    for side in pair.sides:
        side.world = world or side.world
    return pair


def _say(pair: Pair, exchange: ExchangeType, *payloads: Payload) -> None:
    """A request that left would not make, sealed with its keys."""
    (secured,) = pair.secrets.values()
    header = Header(secured.spi_i, secured.spi_r, exchange, Flag.INITIATOR, 2)
    cipher = Seal.of(replace(secured, initiator=True)).outgoing
    octets = seal_message(header, payloads, cipher, b"\x80" * cipher.iv_length)
    pair.right.tell(Datagram(pair.right.path(), octets))
    pair.run(1)


def notifies(message: Message) -> set[NotifyType]:
    """The types of a message's notifications."""
    return {payload.notify_type for payload in message.payloads() if isinstance(payload, Notify)}
