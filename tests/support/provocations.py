"""For each cause of the catalogue a conversation that comes to it, over the wire of `pair`, as our witness sees it.

(attempt, *_) = PROVOCATIONS[Code.WRONG_KEY]()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from edgevpn.config.model import Config
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.attempts.witness import Witness
from edgevpn.daemon.base.options import Ports
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.devices import Devices
from edgevpn.daemon.login.keyring import Keyring
from edgevpn.daemon.sites.keeper import Keeper, NotCalled
from edgevpn.diagnosis.attempts import Attempt, Attempts
from edgevpn.diagnosis.codes import Code
from edgevpn.ike.contract import Datagram, Env, Input, InstallFailed, Level, Reconfigure, Settings, report
from edgevpn.ike.crypto.mschapv2 import nt_password_hash
from edgevpn.ike.crypto.signature import KeyKind
from edgevpn.ike.errors import InvalidKePayload
from edgevpn.ike.exchange import ike_sa_init
from edgevpn.ike.iana import EapCode, EapType, ExchangeType, Flag, IdType, Ke, NotifyType, Prf, ProtocolId
from edgevpn.ike.negotiate import proposals
from edgevpn.ike.peer import (
    Certified,
    Childless,
    IpAddress,
    KeyRing,
    Login,
    NetworkSettings,
    Offer,
    Password,
    Peer,
    Ppk,
    Psk,
    Signing,
    Unique,
    Wants,
)
from edgevpn.ike.proving import EapAsking
from edgevpn.ike.questions import (
    Answer,
    CertificatesRefused,
    CertificatesVerified,
    FindPassword,
    FindPsk,
    Lease,
    Question,
    VerifyCertificates,
)
from edgevpn.ike.state import Path, RekeyChild
from edgevpn.ike.table import WithPeer
from edgevpn.ike.window import Seal
from edgevpn.ike.wire.message import Header, Payload, decode_message, encode_message
from edgevpn.ike.wire.notify import Notify
from edgevpn.ike.wire.payloads import Delete, Eap, Identification, SecurityAssociation
from edgevpn.pki.errors import PkiError
from edgevpn.pki.revocation import Revocation, read_crl
from edgevpn.pki.rules import Purpose
from edgevpn.pki.validate import Judge, Trust
from tests.support.certificates import DAY, NOW, YEAR, Made, ca, certificate, crl, leaf, rsa_key, usage
from tests.support.configs import office
from tests.support.pair import RIGHT, Pair, Side
from tests.support.peers import (
    CBC,
    ECP256,
    GCM,
    LAN,
    NO_ESN,
    PRF_SHA256,
    SHA256,
    TO_LEFT,
    TO_RIGHT,
    X25519,
    selectors,
)
from tests.support.visitors import PASSWORD, gateway
from tests.support.world import World, credential, holding, trusting

IKE_NAT_PORT = 4500
ELSEWHERE = ip_address("203.0.113.5")
OFFICE = replace(TO_LEFT, name="office")
"""The peer that left is to right, which is our side as a rule."""


class Watched:
    """Two sides, each with a witness; ours is right, which is called."""

    def __init__(
        self,
        left: Peer = TO_RIGHT,
        right: Peer | tuple[Peer, ...] = OFFICE,
        worlds: tuple[World, World] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.pair = Pair((left,), right if isinstance(right, tuple) else (right,), settings)
        for side, world in zip(self.pair.sides, worlds or (World(), World()), strict=True):
            side.world = world
        self.left, self.right = (self._watch(side) for side in self.pair.sides)

    def _watch(self, side: Side) -> Attempts:
        attempts, world = Attempts(), side.world
        witness = Witness(attempts, IKE_NAT_PORT, lambda: self.pair.now, _device_of(world))
        side.saw, side.did = witness.saw, witness.did
        witness.saw(Reconfigure(side.peers))
        if isinstance(side.world, Household):
            side.world.answers.on_refused = witness.refused
        return attempts

    def call(self, seconds: float = 300, *children: str) -> Watched:
        """Left calls, and some time passes."""
        self.pair.left.initiate("right", *children)
        self.pair.run(seconds)
        return self


def _device_of(world: World) -> Callable[[tuple[str, ...], str], str]:
    return world.answers.devices.name_of if isinstance(world, Household) else lambda peers, identity: ""


Seen = list[Attempt]


def ours(watched: Watched) -> Seen:
    return list(watched.right)


def theirs(watched: Watched) -> Seen:
    """Of who has called: us, for once."""
    return list(watched.left)


def called_by(left: Peer, right: Peer | tuple[Peer, ...] = OFFICE, *worlds: World) -> Seen:
    """Left calls us."""
    return ours(Watched(left, right, (worlds[0], worlds[1]) if worlds else None).call())


def calling(left: Peer, right: Peer | tuple[Peer, ...] = OFFICE, *worlds: World) -> Seen:
    """We are left and call."""
    return theirs(Watched(left, right, (worlds[0], worlds[1]) if worlds else None).call())


# --- what both must agree on ---------------------------------------------------------------------------------------

MODP_1024 = replace(X25519, transform_id=Ke.MODP_1024)
PRF_SHA384 = replace(PRF_SHA256, transform_id=Prf.HMAC_SHA2_384)
WINDOWS = replace(TO_RIGHT, offers=(Offer((CBC, SHA256, PRF_SHA256, MODP_1024)),))
SERVES_WINDOWS = replace(OFFICE, offers=(Offer((CBC, SHA256, PRF_SHA256, X25519)),))
OTHER_CIPHER = replace(TO_RIGHT, offers=(Offer((CBC, SHA256, PRF_SHA384, X25519)),))
OTHER_ESP = replace(TO_RIGHT, children=(replace(LAN, offers=(Offer((CBC, SHA256, NO_ESN)),)),))
OTHER_NETWORK = replace(TO_RIGHT, children=(replace(LAN, ts_local=selectors("10.77.0.0/24")),))
POOL = replace(OFFICE, name="road/psk", remote_id=None, pool=NetworkSettings())
ASKING = replace(TO_RIGHT, wants=Wants(ipv4=True, ipv6=False))


def with_pfs(peer: Peer, method: Any) -> Peer:
    (child,) = peer.children
    return replace(peer, children=(replace(child, offers=(Offer((GCM, method, NO_ESN)),)),))


def pfs_differs() -> Seen:
    """In IKE_AUTH nobody notices: its child has no key exchange of its own."""
    watched = Watched(with_pfs(TO_RIGHT, ECP256), with_pfs(OFFICE, X25519)).call(5)
    watched.pair.left.ask(RekeyChild(watched.pair.left.child.spi_in))
    watched.pair.run(5)
    return ours(watched)


def peer_wants_other_method() -> Seen:
    watched = Watched()
    watched.pair.fate = lambda number, octets: ()
    watched.pair.left.initiate("right")
    header = Header.decode(watched.pair.sent[0])
    answer = ike_sa_init.refusal(header, InvalidKePayload(Ke.ECP_384))
    watched.pair.left.tell(Datagram(watched.pair.left.path(), answer))
    return theirs(watched)


def kernel_refuses() -> Seen:
    watched = Watched().call(5)
    watched.pair.right.tell(InstallFailed(watched.pair.right.child.spi_in, "add SA: no such algorithm"))
    return ours(watched)


def malformed() -> Seen:
    watched, payload = Watched(), SecurityAssociation(proposals(TO_RIGHT.offers, ProtocolId.IKE, b""))
    header = Header(b"a stranger"[:8], bytes(8), ExchangeType.IKE_SA_INIT, Flag.INITIATOR, 0)
    right = watched.pair.right
    right.tell(Datagram(right.path(), encode_message(header, (payload,))))
    return ours(watched)


def ikev1() -> Seen:
    """The header of a Main Mode message (RFC 2408 §3.1)."""
    watched = Watched()
    header = b"a stranger"[:8] + bytes(8) + bytes.fromhex("01 10 02 00 00000000 0000001c")
    watched.pair.right.tell(Datagram(watched.pair.right.path(), header))
    return ours(watched)


# --- who is it -----------------------------------------------------------------------------------------------------

AUTHORITY = b"A" * 20
GATEWAY, LAPTOP = credential("gateway", authority=AUTHORITY), credential("laptop")
ALICE = Password("alice", nt_password_hash(PASSWORD))
BY_PASSWORD = replace(TO_RIGHT, local_auth=ALICE, remote_auth=Certified((AUTHORITY,)))
STAFF = replace(OFFICE, name="road/password", remote_id=None, local_auth=Signing((GATEWAY,)), remote_auth=Login())
PHONE = World(trusted=trusting(GATEWAY))
KNOWING = World(keys=holding(GATEWAY), users={"alice": PASSWORD})
BY_CERTIFICATE = replace(TO_RIGHT, local_auth=Signing((LAPTOP,)), remote_auth=Certified())
OF_CERTIFICATE = replace(OFFICE, local_auth=Signing((GATEWAY,)), remote_auth=Certified())
HOLDING_LAPTOP = World(keys=holding(LAPTOP), trusted=trusting(GATEWAY))
HOLDING_GATEWAY = World(keys=holding(GATEWAY), trusted=trusting(LAPTOP))


class AnsweringToAll(Peer):
    """Software that lets itself be called by any name, and answers with its own."""

    __slots__ = ()

    def called(self, wanted: Identification | None, local: IpAddress) -> Identification | None:
        return self.identity_at(local)


def answering_to_all(peer: Peer) -> Peer:
    return AnsweringToAll(**{name: getattr(peer, name) for name in Peer.__dataclass_fields__})


class TwoNames(str):
    """A user that says one name and logs in with another."""

    __slots__ = ("said",)
    said: list[str]

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return (self.said.pop() if self.said else str(self)).encode(encoding, errors)


def with_two_names() -> Seen:
    user = TwoNames("alice")
    user.said = ["bob"]
    client = replace(BY_PASSWORD, local_auth=replace(ALICE, user=user))
    return called_by(client, STAFF, PHONE, replace(KNOWING, users={"alice": PASSWORD, "bob": PASSWORD}))


def in_the_middle(passing: int) -> Watched:
    """Somebody is logging in; after so many datagrams nothing passes any more."""
    watched = Watched(BY_PASSWORD, STAFF, (PHONE, KNOWING))
    watched.pair.fate = lambda number, octets: (0.01,) if number < passing else ()
    return watched.call(1)


def forged(pair: Pair, *, initiator: bool, exchange: ExchangeType, message_id: int, payload: Payload) -> Datagram:
    """What one side might have sent besides."""
    (secured,) = pair.secrets.values()
    seal, sender = Seal.of(replace(secured, initiator=initiator)), pair.left if initiator else pair.right
    flags, env = Flag(0) if initiator else Flag.RESPONSE, Env(pair.now, sender.chance)
    _, (octets,) = seal.close(exchange, message_id, flags, (payload,), sender.path(), env)
    return Datagram(Path(sender.path().remote, sender.path().local), octets)


def breaks_off() -> Seen:
    """The phone closes the connection when it should say its password."""
    watched = in_the_middle(6)
    bye, exchange = Delete(ProtocolId.IKE), ExchangeType.INFORMATIONAL
    watched.pair.right.tell(forged(watched.pair, initiator=True, exchange=exchange, message_id=3, payload=bye))
    return ours(watched)


def wants_tls() -> Seen:
    """The phone knows its password, but is set up to log in by a certificate inside EAP (RFC 3748 §5.3.1)."""
    watched = in_the_middle(6)
    (waiting,) = watched.pair.right.others
    assert isinstance(waiting, EapAsking)
    nak = Eap(EapCode.RESPONSE, waiting.eap.identifier, EapType.NAK, bytes([EapType.TLS]))
    exchange = ExchangeType.IKE_AUTH
    watched.pair.right.tell(forged(watched.pair, initiator=True, exchange=exchange, message_id=3, payload=nak))
    return ours(watched)


def is_let_in_at_once() -> Seen:
    """Whoever answers knows no password, and lets everybody in."""
    watched = in_the_middle(4)
    welcome, exchange = Eap(EapCode.SUCCESS, 0), ExchangeType.IKE_AUTH
    watched.pair.left.tell(forged(watched.pair, initiator=False, exchange=exchange, message_id=2, payload=welcome))
    return theirs(watched)


def second_time() -> Seen:
    watched = Watched(TO_RIGHT, replace(OFFICE, unique=Unique.REFUSE)).call(5)
    watched.pair.left.initiate("right")
    watched.pair.run(5)
    return ours(watched)


def time_and_again() -> Seen:
    watched = Watched(TO_RIGHT, replace(OFFICE, unique=Unique.KEEP), settings=Settings(sessions_of_one=1)).call(5)
    watched.pair.left.initiate("right")
    watched.pair.run(5)
    return ours(watched)


class Household(World):
    """Devices of a configuration, as the daemon answers for them."""

    def __init__(self, config: Config) -> None:
        super().__init__(keys=holding(GATEWAY))
        self.fed: list[Input] = []
        self.answers = Answers(self.fed.append, lambda work: None)
        self.answers.keyring = Keyring({}, {}, {})
        self.answers.use(config, Devices(config, lambda: NOW), Leases(config, {}, lambda: 0.0))

    def answer(self, question: Question) -> Answer:
        if not isinstance(question, FindPsk | FindPassword | Lease):
            return super().answer(question)
        self.answers.ask(question)
        answer = self.fed.pop()
        assert isinstance(answer, Answer)
        return answer


def of_household(**device: Any) -> Watched:
    """Alice's phone calls, and is this device."""
    config = gateway({"phone-of-alice": {"id": "alice", "password": PASSWORD} | device})
    return Watched(BY_PASSWORD, STAFF, (PHONE, Household(config)))


def too_many_tries() -> Seen:
    watched = of_household()
    for _ in range(11):
        watched.call(100)
    return ours(watched)


# --- certificates --------------------------------------------------------------------------------------------------

ROOT = ca("root")
DIGITAL = (usage(digital=True), True)
ID = x509.SubjectAlternativeName([x509.DNSName("left.example")])


class Verifying(World):
    """Certificates that are looked at for what they are, as the daemon does it."""

    def __init__(self, **trust: Any) -> None:
        super().__init__(keys=holding(GATEWAY))
        trusted = Trust((ROOT.certificate,), known_date=NOW - 10 * YEAR, **trust)
        self.keyring = Keyring({}, {}, {"office": Judge(trusted, Purpose.SITE)})

    def answer(self, question: Question) -> Answer:
        if not isinstance(question, VerifyCertificates):
            return super().answer(question)
        try:
            verdict = self.keyring.verify(question.peers, question.identity, question.certificates, NOW)
        except PkiError as reason:
            return CertificatesRefused(question.spi, reason)
        return CertificatesVerified(question.spi, verdict.peer, verdict.public_key)


def shows(*made: Made, chain: tuple[bytes, ...] | None = None, **trust: Any) -> Seen:
    """Left shows these certificates."""
    octets = chain if chain is not None else tuple(each.der for each in made)
    shown = replace(credential("laptop", KeyKind.P256), chain=octets)
    left = World(keys=holding(shown), trusted=trusting(GATEWAY))
    return called_by(replace(BY_CERTIFICATE, local_auth=Signing((shown,))), OF_CERTIFICATE, left, Verifying(**trust))


def made(issuer: Made = ROOT, *extensions: tuple[x509.ExtensionType, bool], **keys: Any) -> Made:
    return certificate("left", issuer, ((ID, False), DIGITAL, *extensions), **keys)


def revoked() -> Seen:
    bad = made()
    return shows(bad, crls=(read_crl(crl(ROOT, bad)),))


def without_hashes() -> Seen:
    """A peer that does not speak RFC 7427 signs with SHA-1."""
    strict = replace(OF_CERTIFICATE, remote_auth=Certified(sha1=False))
    watched = Watched(BY_CERTIFICATE, strict, (HOLDING_LAPTOP, HOLDING_GATEWAY))
    pair = watched.pair
    pair.fate = lambda number, octets: (0.01,) if number != 1 else ()
    pair.left.initiate("right")
    pair.run(1)
    header = Header.decode(pair.sent[1])
    payloads = tuple(
        each
        for each in decode_message(header, pair.sent[1])
        if not (isinstance(each, Notify) and each.notify_type is NotifyType.SIGNATURE_HASH_ALGORITHMS)
    )
    pair.left.tell(Datagram(pair.left.path(), encode_message(header, payloads)))
    pair.run(5)
    return ours(watched)


# --- does anybody hear us, and what ends it ------------------------------------------------------------------------

SETTINGS = Settings(fragment_size_v4=300)
LONG = replace(LAPTOP, chain=(*LAPTOP.chain, bytes(900)))


def cut_after(passing: int, left: Peer = TO_RIGHT) -> Watched:
    """No datagram passes but the first few."""
    watched = Watched(left)
    watched.pair.fate = lambda number, octets: (0.01,) if number < passing else ()
    return watched.call()


def shut_in() -> Watched:
    """A firewall of the caller's lets nothing out."""
    watched = Watched()

    def refused(number: int, octets: bytes) -> tuple[float, ...]:
        watched.pair.left.did(report(Level.INFO, "not_sent", remote=RIGHT, why="Operation not permitted"))
        return ()

    watched.pair.fate = refused
    return watched.call()


def a_fragment_is_lost() -> Seen:
    left = replace(BY_CERTIFICATE, local_auth=Signing((LONG,)), fragmentation=True)
    watched = Watched(left, replace(OF_CERTIFICATE, fragmentation=True), (HOLDING_LAPTOP, HOLDING_GATEWAY), SETTINGS)
    seen: set[int] = set()

    def lost(number: int, octets: bytes) -> tuple[float, ...]:
        """The first fragment of IKE_AUTH passes, no other does."""
        if octets[18] == ExchangeType.IKE_AUTH and octets[16] == 53:
            piece = int.from_bytes(octets[32:34], "big")
            seen.add(piece)
            return (0.01,) if piece == 1 else ()
        return (0.01,)

    watched.pair.fate = lost
    return ours(watched.call())


def nobody_answers_the_core() -> Seen:
    ring = replace(OFFICE, local_auth=KeyRing(), remote_auth=KeyRing())
    watched = Watched(replace(TO_RIGHT, local_auth=Psk(b"k")), ring)
    watched.pair.right.holds = True
    return ours(watched.call())


def after(act: Callable[[Pair], None], seconds: float = 300, **right: Any) -> Seen:
    """A connection is up, and then something happens."""
    watched = Watched(TO_RIGHT, replace(OFFICE, **right)).call(1)
    act(watched.pair)
    watched.pair.run(seconds)
    return ours(watched)


class CutOff:
    """The machine of a keeper to which no name means anything, and that has no way to anywhere.

    Or one from an address of its own, which it does not serve.
    """

    def __init__(self, witness: Witness, source: IpAddress | None) -> None:
        self._witness = witness
        self._source = source
        self.told = asyncio.Event()

    def knows(self, peer: str) -> bool:
        return True

    def sas_of(self, peer: str) -> tuple[WithPeer, ...]:
        return ()

    def feed(self, event: Input) -> None:
        raise AssertionError(event)

    def allow(self, peer: str, allowed: bool) -> None: ...

    async def resolve(self, name: str) -> tuple[IpAddress, ...]:
        raise OSError(2, "no such name")

    def source_for(self, remote: IpAddress) -> IpAddress | None:
        return self._source

    def serves(self, local: IpAddress) -> bool:
        return False

    def chance(self) -> float:
        return 0.0

    async def certificates_read(self) -> None: ...

    def met(self, site: str, addresses: tuple[IpAddress, ...]) -> None: ...

    def set_traps(self, site: str, local: IpAddress, remote: IpAddress) -> None: ...

    def changed(self, site: str) -> None: ...

    def not_called(self, site: str, why: NotCalled) -> None:
        self._witness.not_called(site, why.hindrance, why.where, why.local)
        self.told.set()


def cut_off_from(remote: str, source: IpAddress | None = None) -> Seen:
    """A site's keeper would call this name or address."""
    attempts = Attempts()

    async def keep() -> None:
        machine = CutOff(Witness(attempts, IKE_NAT_PORT, lambda: 0.0), source)
        keeper = Keeper(office(remote=remote), machine, machine, Ports())
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(keeper.run())
            keeper.start()
            await machine.told.wait()
            task.cancel()

    asyncio.run(keep())
    return list(attempts)


def second_device(host: IpAddress = ELSEWHERE) -> Seen:
    """Another one that has the same name, or the same one from elsewhere."""
    anything = (replace(LAN, ts_local=selectors("0.0.0.0/0"), ts_remote=selectors("0.0.0.0/0")),)
    once = replace(POOL, remote_auth=KeyRing(), local_auth=KeyRing(), unique=Unique.REPLACE, children=anything)
    world = World(psks={b"left.example": b"a key that both have"}, free=[ip_address(f"10.9.0.{n}") for n in (2, 3)])
    watched = Watched(replace(ASKING, children=anything), once, (World(), world)).call(1)
    left = watched.pair.left
    left.reboot()
    left.move_to(host)
    return ours(watched.call())


def silence(pair: Pair) -> None:
    pair.fate = lambda number, octets: ()


def restart(pair: Pair) -> None:
    pair.left.reboot()
    pair.left.initiate("right")


def nothing(pair: Pair) -> None:
    """Time passes."""


def moves() -> Seen:
    watched = Watched(replace(TO_RIGHT, mobike=True), replace(OFFICE, mobike=True)).call(1)
    watched.pair.left.move_to(ELSEWHERE)
    watched.pair.run(10)
    return ours(watched)


PROVOCATIONS: Mapping[Code, Callable[[], Seen]] = {
    Code.MODP_1024_ONLY: lambda: called_by(WINDOWS, SERVES_WINDOWS),
    Code.NO_COMMON_IKE_PROPOSAL: lambda: called_by(OTHER_CIPHER),
    Code.IKE_PROPOSAL_REFUSED: lambda: calling(OTHER_CIPHER),
    Code.OTHER_KE: peer_wants_other_method,
    Code.NO_COMMON_ESP_PROPOSAL: lambda: called_by(OTHER_ESP),
    Code.PFS_DIFFERS: pfs_differs,
    Code.ESP_PROPOSAL_REFUSED: lambda: calling(OTHER_ESP),
    Code.NO_COMMON_SELECTORS: lambda: called_by(OTHER_NETWORK),
    Code.SELECTORS_REFUSED: lambda: calling(OTHER_NETWORK),
    Code.CHILD_REFUSED: lambda: calling(TO_RIGHT, POOL),
    Code.NOT_CHILDLESS: lambda: calling(
        replace(TO_RIGHT, childless=Childless.FORCE), replace(OFFICE, childless=Childless.NEVER)
    ),
    Code.NO_ADDRESS_LEFT: lambda: called_by(ASKING, POOL),
    Code.ADDRESS_NOT_ASKED: lambda: called_by(TO_RIGHT, POOL),
    Code.ADDRESS_NOT_GIVEN: lambda: calling(ASKING, POOL),
    Code.KERNEL_REFUSED: kernel_refuses,
    Code.MALFORMED: malformed,
    Code.OLD_VERSION: ikev1,
    Code.ADDRESS_UNKNOWN: lambda: called_by(TO_RIGHT, replace(OFFICE, remote_networks=(ip_network("10.0.0.0/8"),))),
    Code.IDENTITY_UNKNOWN: lambda: called_by(replace(TO_RIGHT, local_id=Identification(IdType.FQDN, b"who.example"))),
    Code.OTHER_IDENTITY: lambda: calling(
        replace(TO_RIGHT, remote_id=Identification(IdType.FQDN, b"who.example")), answering_to_all(OFFICE)
    ),
    Code.NOT_OUR_NAME: lambda: called_by(replace(TO_RIGHT, remote_id=Identification(IdType.FQDN, b"who.example"))),
    Code.METHOD_NOT_ALLOWED: lambda: called_by(TO_RIGHT, OF_CERTIFICATE),
    Code.KEY_UNKNOWN: lambda: called_by(
        TO_RIGHT, replace(POOL, local_auth=KeyRing(), remote_auth=KeyRing()), World(), World()
    ),
    Code.WRONG_KEY: lambda: called_by(replace(TO_RIGHT, local_auth=Psk(b"another"))),
    Code.PPK_UNKNOWN: lambda: called_by(
        replace(TO_RIGHT, ppk=Ppk(b"summer", b"a key")), replace(OFFICE, ppk=Ppk(b"winter", b"a key"))
    ),
    Code.PPK_MISSING: lambda: called_by(TO_RIGHT, replace(OFFICE, ppk=Ppk(b"winter", b"a key"))),
    Code.WRONG_PPK: lambda: called_by(
        replace(TO_RIGHT, ppk=Ppk(b"winter", b"another")), replace(OFFICE, ppk=Ppk(b"winter", b"a key"))
    ),
    Code.USER_UNKNOWN: lambda: called_by(BY_PASSWORD, STAFF, PHONE, replace(KNOWING, users={})),
    Code.WRONG_PASSWORD: lambda: called_by(BY_PASSWORD, STAFF, PHONE, replace(KNOWING, users={"alice": "another"})),
    Code.OTHER_USER: with_two_names,
    Code.NO_COMMON_EAP: wants_tls,
    Code.EAP_ABANDONED: breaks_off,
    Code.SERVER_NOT_PROVEN: is_let_in_at_once,
    Code.SECOND_REFUSED: second_time,
    Code.TOO_MANY_SAS: time_and_again,
    Code.DEVICE_DISABLED: lambda: ours(of_household(enabled=False).call()),
    Code.DEVICE_EXPIRED: lambda: ours(of_household(expires=(NOW - DAY).date()).call()),
    Code.TOO_MANY_TRIES: too_many_tries,
    Code.LEFT_UNCONVINCED: lambda: called_by(
        BY_CERTIFICATE, OF_CERTIFICATE, World(keys=holding(LAPTOP)), HOLDING_GATEWAY
    ),
    Code.REFUSED_BY_PEER: lambda: calling(replace(TO_RIGHT, local_auth=Psk(b"another"))),
    Code.CANNOT_SIGN: lambda: called_by(
        BY_CERTIFICATE, OF_CERTIFICATE, HOLDING_LAPTOP, replace(HOLDING_GATEWAY, keys={})
    ),
    Code.CERT_MISSING: lambda: shows(chain=()),
    Code.CERT_TOO_MANY: lambda: shows(*[made()] * 20),
    Code.CERT_EXPIRED: lambda: shows(made(ends=NOW - DAY)),
    Code.CERT_NOT_YET_VALID: lambda: shows(made(begins=NOW + 30 * DAY)),
    Code.CERT_UNKNOWN_ISSUER: lambda: shows(made(ca("another root"))),
    Code.CERT_REVOKED: revoked,
    Code.CERT_REVOCATION_UNKNOWN: lambda: shows(made(), revocation=Revocation.STRICT),
    Code.CERT_WRONG_NAME: lambda: shows(leaf("left", ROOT, x509.DNSName("another.example"))),
    Code.CERT_WRONG_PURPOSE: lambda: shows(
        made(ROOT, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False))
    ),
    Code.CERT_WEAK: lambda: shows(made(key=rsa_key(1024))),
    Code.CERT_NOT_UNDERSTOOD: lambda: shows(
        made(ROOT, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"), True))
    ),
    Code.CERT_BAD_PATH: lambda: shows(made(between := certificate("no CA", ROOT, (DIGITAL,))), between),
    Code.CERT_REFUSED: lambda: shows(chain=(b"this is no certificate",)),
    Code.SIGNATURE_UNKNOWN: without_hashes,
    Code.SIGNATURE_WRONG: lambda: called_by(
        BY_CERTIFICATE,
        OF_CERTIFICATE,
        HOLDING_LAPTOP,
        replace(HOLDING_GATEWAY, trusted=trusting(replace(credential("laptop"), kind=KeyKind.P256))),
    ),
    Code.NAME_NOT_FOUND: lambda: cut_off_from("office.example.org"),
    Code.NO_WAY: lambda: cut_off_from("198.51.100.1"),
    Code.NOT_SERVED: lambda: cut_off_from("198.51.100.1", ip_address("192.0.2.2")),
    Code.NOT_SENT: lambda: theirs(shut_in()),
    Code.NO_ANSWER: lambda: theirs(cut_after(0)),
    Code.NO_ANSWER_TO_AUTH: lambda: theirs(cut_after(2)),
    Code.NOTHING_ON_4500: lambda: ours(cut_after(2, replace(TO_RIGHT, force_encapsulation=True))),
    Code.NOTHING_FOLLOWED: lambda: ours(cut_after(2)),
    Code.FRAGMENTS_MISSING: a_fragment_is_lost,
    Code.TOO_LATE: nobody_answers_the_core,
    Code.PEER_DEAD: lambda: after(silence, liveness=30.0),
    Code.DELETED_BY_PEER: lambda: after(lambda pair: pair.left.terminate()),
    Code.BEGUN_ANEW: lambda: after(restart),
    Code.REPLACED: second_device,
    Code.EXPIRED: lambda: after(nothing, life=60.0),
    Code.IDLE: lambda: after(nothing, idle=30.0),
    Code.NOT_AUTHENTICATED_ANEW: lambda: after(silence, reauth_after=30.0),
    Code.ADDRESS_CHANGED: moves,
}
