"""Sees everything that the core is told and does, and keeps the book of attempts to connect.

An attempt is all that one peer tries on one IKE SA: IKE_SA_INIT with its cookies, IKE_AUTH with the rounds of EAP, the
first child. What strangers send is kept as values alone, and only as long as the core keeps their IKE SA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edgevpn.daemon.attempts.asked import Answer, Negotiation, called, kept
from edgevpn.daemon.attempts.findings import About, finding_of, hindered, identity_text, moved, name_of, unsent
from edgevpn.daemon.login.devices import Refusal as DeviceRefusal
from edgevpn.daemon.sites.keeper import Hindrance
from edgevpn.diagnosis.attempts import Attempt, Attempts, Stage
from edgevpn.diagnosis.entry import Finding
from edgevpn.frozen import dataclass, replace
from edgevpn.ike.contract import (
    ChildFailed,
    Datagram,
    Effect,
    IkeSaDown,
    IkeSaMoved,
    IkeSaUp,
    Initiate,
    Input,
    Reconfigure,
    Report,
)
from edgevpn.ike.errors import Cause
from edgevpn.ike.evidence import Offers, Selectors, Silence
from edgevpn.ike.iana import ExchangeType
from edgevpn.ike.peer import Peer
from edgevpn.ike.state import Path

K = TypeVar("K")
V = TypeVar("V")

MOST_OPEN = 1000
"""Our SPIs of IKE SAs that were seen on the port for NAT, refusals of devices, and addresses that nothing could be sent
to, that are remembered."""

GOING_ON = frozenset({Cause.OTHER_KE})
"""Refusals after which the peer asks again, in another way."""
NEVER_OF_USE = frozenset({Cause.LEFT_UNCONVINCED, Cause.ADDRESS_NOT_GIVEN})
"""Ends of IKE SAs that were up to one side only, or for nothing."""
OF_NO_INTEREST = frozenset({Cause.ASKED, Cause.REPLACED, Cause.REDIRECTED})


@dataclass(frozen=True, slots=True)
class Party:
    """Who is at the other end of an IKE SA that is up."""

    peer: str
    remote: str
    identity: str
    client: str
    device: str = ""


class Witness:
    """Writes down what it sees. `clock` gives the time in which attempts are kept, `device_of` the device of peers."""

    def __init__(
        self,
        attempts: Attempts,
        nat_port: int,
        clock: Callable[[], float],
        device_of: Callable[[tuple[str, ...], str], str] = lambda peers, identity: "",
    ) -> None:
        self._attempts = attempts
        self._nat_port = nat_port
        self._clock = clock
        self._device_of = device_of
        self._peers: dict[str, Peer] = {}
        self._called: dict[str, Path] = {}  # where each peer was called last
        self._up: dict[bytes, Party] = {}
        self._on_nat_port: dict[bytes, None] = {}
        self._refusals: dict[bytes, DeviceRefusal] = {}
        self._unsent: dict[str, str] = {}  # why what was sent to an address last did not leave

    def saw(self, event: Input) -> None:
        """The core is about to be told this."""
        match event:
            case Datagram(path, octets) if path.local.port == self._nat_port:
                _remember(self._on_nat_port, octets[8:16], None)
            case Initiate(peer=peer, path=path):
                self._called[peer] = path
                self._unsent.pop(str(path.remote.host), None)
            case Reconfigure(peers):
                self._peers = {peer.name: peer for peer in peers}

    def did(self, effect: Effect) -> None:
        """The core wants this done."""
        match effect:
            case Report(event="not_sent", fields=fields):
                told = dict(fields)
                _remember(self._unsent, _text(told["remote"]), _text(told["why"]))
            case Report(cause=Cause() as cause) if cause not in GOING_ON:
                self._on_report(effect, cause)
            case IkeSaUp():
                self._on_up(effect)
            case IkeSaDown(cause=Cause()):
                self._on_down(effect)
            case IkeSaMoved():
                self._on_moved(effect)
            case ChildFailed():
                self._on_child_failed(effect)

    def refused(self, spi: bytes, refusal: DeviceRefusal) -> None:
        """A device that is known may not come in on this IKE SA."""
        _remember(self._refusals, spi, refusal)

    def not_called(self, peer: str, hindrance: Hindrance, where: str, local: str = "") -> None:
        """A peer that we would have called, from this address of ours if one leads there, cannot be."""
        about = About((peer,), where, known=self._peers, called=True)
        self._note(hindered(hindrance, about, local), about, Stage.UNSENT, "")

    # --- below ---

    def _on_report(self, report: Report, cause: Cause) -> None:
        fields = dict(report.fields)
        spi = _octets(fields.get("spi"))
        party = self._up.get(spi)
        if party is not None and not isinstance(report.evidence, Offers | Selectors) and not _is_of_child(cause):
            return  # what becomes of an IKE SA that is up is told when it ends
        if party is None and report.event in ("request_refused", "answer_refused"):
            return  # the same comes again, with more, when the IKE SA ends
        about = self._about(fields, spi, party)
        stage = Stage.CHILD if party else Stage.IKE_AUTH if fields.get("identity") is not None else Stage.IKE_SA_INIT
        client = party.client if party else _text(fields.get("client"))
        call = self._call(about, "", report.evidence) if report.asked is None else Negotiation(report.asked)
        self._note(finding_of(cause, report.evidence, about), about, stage, client, call)
        self._refusals.pop(spi, None)

    def _about(self, fields: dict[str, object], spi: bytes, party: Party | None) -> About:
        peers = fields.get("peers") or ((fields["peer"],) if fields.get("peer") else ())
        named = tuple(each for each in peers if isinstance(each, str)) if isinstance(peers, tuple) else ()
        called = self._called_at(named[0]) if named else ""
        user, claimed = _text(fields.get("user")), fields.get("identity")
        return About(
            peers=named,
            remote=_text(fields.get("remote")) or (party.remote if party else called),
            identity=user or identity_text(claimed) or (party.identity if party else ""),
            why=_text(fields.get("why")),
            refusal=self._refusals.get(spi),
            seen_on_nat_port=spi in self._on_nat_port,
            known=self._peers,
            called=party is None and "peer" in fields,
            device=party.device if party else self._device_of(self._may_be(named), user or name_of(claimed)),
        )

    def _may_be(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """The peers that somebody may be who has not come far enough to tell."""
        return named or tuple(self._peers)

    def _on_up(self, up: IkeSaUp) -> None:
        session, before = up.session, self._up.pop(up.replaces, None) if up.replaces else None
        identity = session.user or str(up.remote_id)
        device = self._device_of((up.peer,), session.user or name_of(up.remote_id))
        party = Party(up.peer, str(up.path.remote.host), identity, session.client.name, device)
        self._up[up.spi] = party
        if before is None:
            seen = Attempt(self._clock(), party.remote, up.peer, identity, party.client, Stage.UP, device=device)
            self._attempts.note(seen)

    def _on_down(self, down: IkeSaDown) -> None:
        party = self._up.pop(down.spi, None)
        if down.cause is Cause.REPLACED and party is not None:
            self._on_replaced(party)
        if down.cause is None or down.cause in OF_NO_INTEREST:
            return
        if down.cause is Cause.REFUSED_BY_PEER and down.evidence is None:
            return  # told when it came
        remote = party.remote if party else self._called_at(down.peer)
        about = self._about_party(down.peer, remote, party, down.reason)
        if down.evidence == Silence(ExchangeType.IKE_SA_INIT) and (why := self._unsent.get(remote)):
            self._note(unsent(about, why), about, Stage.UNSENT, "")
            return
        stage = Stage.UP if party and down.cause not in NEVER_OF_USE else _reached(down)
        client, call = party.client if party else "", self._call(about, "", down.evidence)
        self._note(finding_of(down.cause, down.evidence, about), about, stage, client, call)

    def _on_replaced(self, party: Party) -> None:
        """Somebody is in anew; from elsewhere it may well be another, who has the same name."""
        same = (each for each in self._up.values() if (each.peer, each.identity) == (party.peer, party.identity))
        other = next((each for each in same if each.remote != party.remote), None)
        if other is not None:
            about = self._about_party(party.peer, other.remote, other, "")
            self._note(finding_of(Cause.REPLACED, None, about), about, Stage.UP, other.client)

    def _on_moved(self, news: IkeSaMoved) -> None:
        party = self._up.get(news.spi)
        if party is None or party.remote == str(news.path.remote.host):
            return
        party = self._up[news.spi] = replace(party, remote=str(news.path.remote.host))
        about = self._about_party(news.peer, party.remote, party, "")
        self._note(moved(about), about, Stage.UP, party.client)

    def _on_child_failed(self, failed: ChildFailed) -> None:
        party = self._up.get(failed.spi)
        remote = party.remote if party else self._called_at(failed.peer)
        about = self._about_party(failed.peer, remote, party, failed.reason)
        finding = finding_of(Cause.REFUSED_BY_PEER, failed.evidence, about)
        client, call = party.client if party else "", self._call(about, failed.child, failed.evidence)
        self._note(finding, about, Stage.CHILD, client, call)

    def _note(
        self, finding: Finding | None, about: About, stage: Stage, client: str, asked: Negotiation | None = None
    ) -> None:
        if finding is None:
            return
        peer = about.peers[0] if len(about.peers) == 1 else ""
        self._attempts.note(
            Attempt(
                self._clock(),
                about.remote,
                peer,
                about.identity,
                client,
                stage,
                finding,
                device=about.device,
                asked=kept(asked),
                called=about.called,
            )
        )

    def _called_at(self, peer: str) -> str:
        path = self._called.get(peer)
        return str(path.remote.host) if path else ""

    def _call(self, about: About, child: str, evidence: object) -> Negotiation | None:
        """What we have asked of a peer that has answered no."""
        (peer,) = about.peers if len(about.peers) == 1 else ("",)
        known, path = self._peers.get(peer), self._called.get(peer)
        if known is None or path is None or not isinstance(evidence, Answer):
            return None
        return called(known, path, child, evidence)

    def _about_party(self, peer: str, remote: str, party: Party | None, why: str) -> About:
        identity, device = (party.identity, party.device) if party else ("", "")
        return About((peer,), remote, identity, why, known=self._peers, device=device, called=party is None)


def _reached(down: IkeSaDown) -> Stage:
    """How far a call of ours has come that has failed."""
    first = down.cause is Cause.OTHER_KE or down.evidence == Silence(ExchangeType.IKE_SA_INIT)
    return Stage.IKE_SA_INIT if first else Stage.IKE_AUTH


def _is_of_child(cause: Cause) -> bool:
    return cause in (Cause.NO_ADDRESS, Cause.ADDRESS_NOT_ASKED, Cause.NOT_CHILDLESS, Cause.TOO_MANY_SAS)


def _remember(book: dict[K, V], key: K, value: V) -> None:
    """Put something into a book that must not grow for ever; the oldest goes."""
    book.pop(key, None)
    book[key] = value
    if len(book) > MOST_OPEN:
        del book[next(iter(book))]


def _octets(shown: object) -> bytes:
    """An SPI from its hexadecimal form in a report."""
    return bytes.fromhex(shown) if isinstance(shown, str) else b""


def _text(value: object) -> str:
    return "" if value is None else str(value)
