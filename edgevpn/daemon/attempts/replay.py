"""Judges again, by another configuration, what was asked in an attempt that failed: `edgevpn replay`.

It goes the core's way by the core's own functions, and ends at the first thing that does not fit. What no bundle holds
is taken to be right and is named: keys, passwords, certificates, free addresses, and what the other side decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Literal

from edgevpn.config.model import Config
from edgevpn.daemon.addresses.leases import Leases
from edgevpn.daemon.attempts.asked import Negotiation, called
from edgevpn.daemon.attempts.findings import About, finding_of, identity_text, name_of
from edgevpn.daemon.login.answers import Answers
from edgevpn.daemon.login.devices import Devices, Found
from edgevpn.daemon.login.devices import Refusal as DeviceRefusal
from edgevpn.daemon.peers import Proof, ike_ppk, peers
from edgevpn.diagnosis.codes import Code
from edgevpn.diagnosis.entry import Finding
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import Input
from edgevpn.ike.errors import AuthenticationFailed, Cause, FailedCpRequired, IkeError, InternalAddressFailure
from edgevpn.ike.evidence import Asked, Names, OtherMethod, Refusal
from edgevpn.ike.exchange.configuration import lending
from edgevpn.ike.exchange.ppk import agreed as agreed_ppk
from edgevpn.ike.iana import AuthMethod, EapType, ExchangeType, NotifyType, ProtocolId
from edgevpn.ike.matching import agreed, asking_for_us, known_as, near, proving_by
from edgevpn.ike.negotiate import choose, methods, narrow_policy, without_ke
from edgevpn.ike.peer import Certified, KeyRing, Login, Peer, Ppk, PpkRing, Psk, Signing
from edgevpn.ike.questions import FindPassword, FindPsk, Lease, Leased, PasswordFound, PskFound, Question
from edgevpn.ike.session import Given
from edgevpn.ike.state import Address, Path

ASSUMED = Proof(Signing(()), Certified())
"""Certificates are taken to be there."""
SPI = b"replayed"

OF_CERTIFICATES = frozenset(code for code in Code if code.name.startswith(("CERT_", "SIGNATURE_")))
OF_PPKS = frozenset({Code.PPK_MISSING, Code.PPK_UNKNOWN})
OF_DEVICES = frozenset({Code.USER_UNKNOWN, Code.DEVICE_DISABLED, Code.DEVICE_EXPIRED})


class Need(Enum):
    """What an attempt needs besides, which cannot be judged here; in words for people."""

    REST = "what comes after IKE_SA_INIT: identities, authentication, networks, ESP proposals; none of it was seen"
    KEY = "the same pre-shared key on both sides"
    PASSWORD = "the right password"  # noqa: S105 - words
    USER = "a user name that is known, and its password"
    CERTIFICATE = "a certificate that we accept, and a signature by its key"
    HOLDER = "a certificate that was given to one of the devices"
    TRUST = "that the peer accepts how we prove ourselves: it trusts our CA and finds our name"
    SAME_PPK = "the same post-quantum pre-shared key (PPK) on both sides"
    PPK = "the same post-quantum pre-shared key (PPK) on both sides, under the same name, or leave to do without"
    ADDRESS = "a free address in the pool"
    SITE = "a site or pool of that name in this file"
    ANSWER = "the peer's consent: this file asks it otherwise than before, and only the peer can say whether that fits"
    SAME_KEYS = "names and keys that the peer accepts, which only the peer can say"
    WORLD = "a kernel and a path that carry what is agreed"


COVERS: dict[Need, frozenset[Code]] = {
    Need.KEY: frozenset({Code.WRONG_KEY}),
    Need.PASSWORD: frozenset({Code.WRONG_PASSWORD}),
    Need.USER: frozenset({Code.USER_UNKNOWN, Code.WRONG_PASSWORD}),
    Need.CERTIFICATE: OF_CERTIFICATES,
    Need.HOLDER: OF_DEVICES,
    Need.TRUST: frozenset({Code.LEFT_UNCONVINCED, Code.CANNOT_SIGN}),
    Need.SAME_PPK: frozenset({Code.WRONG_PPK}),
    Need.PPK: OF_PPKS | {Code.WRONG_PPK},
    Need.ADDRESS: frozenset({Code.NO_ADDRESS_LEFT}),
}
"""Causes about which nothing is known while a need is open."""

JUDGED = frozenset(
    {
        Code.ADDRESS_UNKNOWN,
        Code.MODP_1024_ONLY,
        Code.NO_COMMON_IKE_PROPOSAL,
        Code.OTHER_KE,
        Code.IDENTITY_UNKNOWN,
        Code.OTHER_IDENTITY,
        Code.NOT_OUR_NAME,
        Code.METHOD_NOT_ALLOWED,
        Code.KEY_UNKNOWN,
        *OF_DEVICES,
        *OF_PPKS,
        Code.ADDRESS_NOT_ASKED,
        Code.NO_COMMON_SELECTORS,
        Code.NO_COMMON_ESP_PROPOSAL,
        Code.PFS_DIFFERS,
    }
)
"""Causes that would be found again if they were still there."""


class Outcome(Enum):
    """Whether an attempt would come further now."""

    PASSES = "passes"
    FAILS = "fails"
    UNKNOWN = "unknown"

    @property
    def value(self) -> Literal["passes", "fails", "unknown"]:
        """As programs know it."""
        known: Literal["passes", "fails", "unknown"] = self._value_
        return known


@dataclass(frozen=True, slots=True)
class Judgement:
    """What would become of an attempt: why it fails, or what it needs besides."""

    outcome: Outcome
    finding: Finding | None = None
    needs: tuple[Need, ...] = ()


class Judge:
    """Judges by one configuration. `clock` gives the time, with its zone: devices expire."""

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        proofs = dict.fromkeys(("", *(site.name for site in config.sites)), ASSUMED)
        self.peers = peers(config, proofs)
        self.devices = Devices(config, clock)
        self._fed: list[Input] = []
        self._answers = Answers(self._fed.append, lambda work: None)
        self._answers.use(config, self.devices, Leases(config, {}, lambda: 0.0))
        self._answers.on_refused = lambda spi, why: self._refusals.append(why)
        self._refusals: list[DeviceRefusal] = []

    def judge(self, negotiation: Negotiation, failed_by: Code) -> Judgement:
        """What would become of it that has `failed_by` this before."""
        hearing = Hearing(self, negotiation.asked)
        finding = hearing.of_call(negotiation) if negotiation.answer else hearing.of_request()
        if finding is not None:
            return Judgement(Outcome.FAILS, finding)
        needs = tuple(hearing.needs)
        open_ = any(failed_by in COVERS.get(need, ()) for need in needs) or failed_by not in JUDGED
        unknown = open_ or not {Need.SITE, Need.ANSWER, Need.SAME_KEYS}.isdisjoint(needs)
        return Judgement(Outcome.UNKNOWN if unknown else Outcome.PASSES, None, needs)

    def ask(self, question: Question) -> tuple[Input, DeviceRefusal | None]:
        """What the daemon would answer the core, and why it lets in no device if it does not."""
        self._refusals.clear()
        self._answers.tries.forget()  # nobody tries anything
        self._answers.ask(question)
        return self._fed.pop(), next(iter(self._refusals), None)


class Hearing:
    """One judging: whom it is about, as far as that has come out, and what was taken to be right on the way."""

    def __init__(self, judge: Judge, asked: Asked) -> None:
        self._judge = judge
        self._asked = asked
        self._place = Address(asked.remote, 0)
        self.needs: list[Need] = []
        known = {peer.name: peer for peer in judge.peers}
        who = asked.user or identity_text(asked.idi)
        self._about = About(remote=str(asked.remote), identity=who, known=known)

    def of_request(self) -> Finding | None:
        """Why what a peer asks of us fails; None if nothing is known against it."""
        try:
            self._hear()
        except IkeError as error:
            about = self._about
            named = about.peers or tuple(peer.name for peer in self._judge.peers)
            device = self._judge.devices.name_of(named, self._asked.user or name_of(self._asked.idi))
            return finding_of(error.cause, error.evidence, replace(about, device=device))
        return None

    def of_call(self, negotiation: Negotiation) -> Finding | None:
        """Why what we would ask of a peer fails as before; None if nothing is known of that."""
        asked, answer = self._asked, negotiation.answer
        peer = next((peer for peer in self._judge.peers if peer.name == asked.peer), None)
        if peer is None:
            self.needs.append(Need.SITE)
            return None
        about = replace(self._about, peers=(peer.name,))
        match answer:
            case OtherMethod(wanted) if wanted not in (ours := methods(peer.offers)):
                return finding_of(Cause.OTHER_KE, OtherMethod(wanted, ours), about)
            case Names(shown) if not peer.may_be(shown):
                return finding_of(Cause.OTHER_IDENTITY, Names(shown, ((peer.name, peer.remote_id),)), about)
            case Refusal(NotifyType.AUTHENTICATION_FAILED):
                self.needs.append(Need.SAME_KEYS)
            case Refusal() as refusal:
                path = Path(Address(asked.local, 0), Address(asked.remote, 0))
                if _is_the_same(asked, called(peer, path, asked.child, refusal).asked, refusal.exchange):
                    return finding_of(Cause.REFUSED_BY_PEER, refusal, about)
                self.needs.append(Need.ANSWER)
        return None

    # --- the way of a request ---

    def _hear(self) -> None:
        asked = self._asked
        if asked.peer:
            self._another_child()
            return
        close = near(self._judge.peers, asked.local, asked.remote)
        self._about = replace(self._about, peers=tuple(peer.name for peer in close))
        chosen = agreed(close, asked.remote, asked.ike)
        if asked.idi is None:
            self.needs.append(Need.REST)
            return
        self._about = replace(self._about, peers=())
        known = asking_for_us(known_as(close, asked.idi, chosen.ike_suite()), asked.idr, asked.local)
        claim = proving_by(known, asked.method)
        self._about = replace(self._about, peers=tuple(peer.name for peer in claim))
        peer = self._proven(claim)
        self._about = replace(self._about, peers=(peer.name,))
        self._with_ppk(peer.ppk, any(each.ppk is not None for each in close))
        if asked.esp:
            self._first_child(peer)

    def _proven(self, claim: tuple[Peer, ...]) -> Peer:
        """The peer that it is, if its key, password or certificate is right."""
        if self._asked.method == AuthMethod.SHARED_KEY:
            return self._by_key(claim)
        self.needs.append(Need.TRUST)
        if self._asked.method is None:
            return self._by_password(claim)
        return self._by_certificate(claim)

    def _by_key(self, claim: tuple[Peer, ...]) -> Peer:
        assert self._asked.idi is not None
        self.needs.append(Need.KEY)
        site = next((peer for peer in claim if isinstance(peer.remote_auth, Psk)), None)
        ring = tuple(peer.name for peer in claim if isinstance(peer.remote_auth, KeyRing))
        if not ring:
            assert site is not None
            return site
        found, refusal = self._judge.ask(FindPsk(SPI, ring, self._asked.idi, self._place))
        assert isinstance(found, PskFound)
        if found.key is not None or site is None:
            self._need_device(found.key, refusal, Cause.KEY_UNKNOWN)
            return _called(claim, found.peer, found.ppk)
        return site

    def _by_password(self, claim: tuple[Peer, ...]) -> Peer:
        by_tls, by_password = (_logging_in_by(method, claim) for method in (EapType.TLS, EapType.MSCHAPV2))
        known = self._judge.devices.find((peer.name for peer in by_tls), self._asked.user.encode())
        if by_tls and (not by_password or isinstance(known, Found)):
            self.needs += (Need.CERTIFICATE, Need.HOLDER)
            return by_tls[0]
        if not self._asked.user:
            self.needs.append(Need.USER)
            return claim[0]
        self.needs.append(Need.PASSWORD)
        names = tuple(peer.name for peer in by_password)
        found, refusal = self._judge.ask(FindPassword(SPI, names, self._asked.user, self._place))
        assert isinstance(found, PasswordFound)
        self._need_device(found.nt_hash, refusal, Cause.USER_UNKNOWN)
        return _called(claim, found.peer, found.ppk)

    def _need_device(self, secret: bytes | None, refusal: DeviceRefusal | None, unknown: Cause) -> None:
        """Raises AuthenticationFailed if no device has that name and a secret, or it may not come in."""
        if secret is None:
            names = None
            if unknown is Cause.KEY_UNKNOWN and self._asked.idi is not None:
                names = Names(self._asked.idi, tuple((peer, None) for peer in self._about.peers))
            self._about = replace(self._about, refusal=refusal)
            raise AuthenticationFailed("no device comes in so", unknown, names)

    def _by_certificate(self, claim: tuple[Peer, ...]) -> Peer:
        """A device is known by a name in its certificate as well, which nobody has kept."""
        self.needs.append(Need.CERTIFICATE)
        assert self._asked.idi is not None
        if claim[0].pool is None:
            return claim[0]
        names = tuple(peer.name for peer in claim)
        match self._judge.devices.find(names, self._asked.idi.data):
            case Found(device, name):
                return _called(claim, name, ike_ppk(device))
            case DeviceRefusal.UNKNOWN:
                self.needs.append(Need.HOLDER)
                return claim[0]
            case refusal:
                self._about = replace(self._about, refusal=refusal)
                raise AuthenticationFailed("the device may not come in", Cause.USER_UNKNOWN)

    def _with_ppk(self, ours: Ppk | PpkRing | None, used_here: bool) -> None:
        """Raises AuthenticationFailed if there cannot be one in the keys as both sides want it, or none.

        `used_here`: we would say that we use such keys. Of a `PpkRing` it has not come out which.
        """
        named = self._asked.ppk if used_here else None
        if isinstance(ours, PpkRing) or (named is not None and named.identity is None):
            self.needs.append(Need.PPK)
        elif agreed_ppk(ours, named) is not None:
            self.needs.append(Need.SAME_PPK)

    # --- children ---

    def _first_child(self, peer: Peer) -> None:
        asked = self._asked
        if peer.pool is not None:
            peer = self._lent(peer)
        policy = narrow_policy(peer.children, asked.tsi, asked.tsr)
        choose(without_ke(policy.offers), asked.esp, ProtocolId.ESP)
        self.needs.append(Need.WORLD)

    def _lent(self, peer: Peer) -> Peer:
        """With children for an address of the pool, as if the pool were empty."""
        asked = self._asked
        assert asked.idi is not None
        assert peer.pool is not None
        if asked.wants is None:
            raise FailedCpRequired("the peer asks for no address")
        leased, _ = self._judge.ask(Lease(SPI, peer.name, asked.idi, asked.user, asked.wants, self._place))
        assert isinstance(leased, Leased)
        if not leased.addresses:
            raise InternalAddressFailure("there is no address for the peer")
        self.needs.append(Need.ADDRESS)
        return lending(peer, Given(leased.addresses, leased.settings or peer.pool))

    def _another_child(self) -> None:
        """Of a peer that is in."""
        asked = self._asked
        peer = next((peer for peer in self._judge.peers if peer.name == asked.peer), None)
        if peer is None:
            self.needs.append(Need.SITE)
            return
        self._about = replace(self._about, peers=(peer.name,))
        policies = tuple(each for each in peer.children if asked.child in ("", each.name))
        policy = narrow_policy(policies, asked.tsi, asked.tsr)
        choose(policy.offers, asked.esp, ProtocolId.ESP)
        self.needs.append(Need.WORLD)


def _called(claim: tuple[Peer, ...], name: str, ppk: Ppk | None) -> Peer:
    """The peer that it is, with the post-quantum pre-shared key of its device, if it is one's."""
    peer = next(peer for peer in claim if peer.name == name)
    return replace(peer, ppk=ppk) if isinstance(peer.ppk, PpkRing) else peer


def _logging_in_by(method: EapType, claim: tuple[Peer, ...]) -> tuple[Peer, ...]:
    return tuple(each for each in claim if isinstance(each.remote_auth, Login) and method in each.remote_auth.methods)


def _is_the_same(before: Asked, now: Asked, exchange: ExchangeType) -> bool:
    """Whether the peer would be asked the same again, in what it has refused in this exchange."""
    if exchange is ExchangeType.IKE_SA_INIT:
        return before.ike == now.ike
    return (before.esp, before.tsi, before.tsr, before.wants) == (now.esp, now.tsi, now.tsr, now.wants)
