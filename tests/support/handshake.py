"""The exchanges of a new IKE SA without endpoint and window: what one handler sends, the other is given.

opened = open_sa(TO_RIGHT, (TO_LEFT,))              # IKE_SA_INIT has been answered
step = ike_auth.on_request(opened.half_open, opened.request(), opened.right)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, TypeVar

from edgevpn.ike.contract import (
    Effect,
    Env,
    Initiate,
    Request,
    Response,
    Send,
)
from edgevpn.ike.exchange import ike_auth, ike_auth_initiator, ike_sa_init
from edgevpn.ike.iana import ExchangeType
from edgevpn.ike.peer import Peer
from edgevpn.ike.questions import Answer, Question
from edgevpn.ike.state import Address, Authenticating, HalfOpen, Initiating, Path
from edgevpn.ike.steps import (
    Call,
    CallOpen,
    Directive,
    Respond,
    Step,
)
from edgevpn.ike.wire.message import Header, Payload, decode_message
from edgevpn.ike.wire.notify import Notify
from tests.support.world import World

E = TypeVar("E")

LEFT, RIGHT = ip_address("192.0.2.1"), ip_address("198.51.100.1")
LEFT_PATH = Path(Address(LEFT, 500), Address(RIGHT, 500))
RIGHT_PATH = Path(Address(RIGHT, 500), Address(LEFT, 500))


def an_env(*peers: Peer, now: float = 0.0, seed: int = 1) -> Env:
    """What a handler may know, with a chance that repeats itself."""
    return Env(now, random.Random(seed).randbytes, peers)


def the(kind: type[E], step: Step) -> E:
    """The one effect of that kind."""
    (found,) = all_of(kind, step)
    return found


def all_of(kind: type[E], step: Step) -> list[E]:
    """The effects of that kind, in their order."""
    return [effect for effect in step.effects if isinstance(effect, kind)]


def kinds(step: Step) -> list[type[Effect | Directive]]:
    """What a step asks for, in its order."""
    return [type(effect) for effect in step.effects]


def contents(payloads: Iterable[Payload]) -> list[type[Payload]]:
    """The kinds of payloads, in their order; without Notifies, whose order is nobody's business."""
    return [type(payload) for payload in payloads if not isinstance(payload, Notify)]


def errors_of(step: Step) -> list[Notify]:
    """The errors that a step tells the peer."""
    return [p for p in the(Respond, step).payloads if isinstance(p, Notify) and p.notify_type.is_error]


def initiated(peer: Peer, *children: str, initial_contact: bool = True, env: Env | None = None) -> Initiating:
    """An initiator whose IKE_SA_INIT request is on its way."""
    sa = ike_sa_init.initiate(peer, Initiate(peer.name, LEFT_PATH, children), initial_contact, env or an_env()).sa
    assert isinstance(sa, Initiating)
    return sa


def init_request(octets: bytes, path: Path = RIGHT_PATH) -> Request:
    """An IKE_SA_INIT request as the responder gets it."""
    header = Header.decode(octets)
    return Request(header.exchange, 0, decode_message(header, octets), path)


def init_response(octets: bytes, path: Path = LEFT_PATH) -> Response:
    """An IKE_SA_INIT answer as the initiator gets it."""
    header = Header.decode(octets)
    return Response(header.exchange, decode_message(header, octets), path, octets)


def answer_init(octets: bytes, env: Env, path: Path = RIGHT_PATH) -> Step:
    """What a responder makes of an IKE_SA_INIT request."""
    return ike_sa_init.on_request(init_request(octets, path), Header.decode(octets), octets, env)


@dataclass(frozen=True)
class Opened:
    """Both sides after IKE_SA_INIT: the initiator has asked IKE_AUTH, the responder has not seen it."""

    authenticating: Authenticating
    half_open: HalfOpen
    call: Call
    left: Env
    right: Env

    def request(self, *more: Payload, without: tuple[type[Payload], ...] = ()) -> Request:
        """The IKE_AUTH request as the responder gets it, or that with some payloads more or less."""
        return auth_request((*(p for p in self.call.payloads if not isinstance(p, without)), *more))

    def answered(self, world: World | None = None) -> Step:
        """What the responder makes of the request, once the world has answered all that it asks."""
        return asking(ike_auth.on_request(self.half_open, self.request(), self.right), self.right, world)

    def done(self, answered: Step, world: World | None = None) -> Step:
        """What the initiator makes of that, once the world has answered all that it asks."""
        step = ike_auth_initiator.on_response(self.authenticating, auth_response(answered), self.left)
        return calling(step, self.left, world)


def asking(step: Step, env: Env, world: World | None = None) -> Step:
    """A step of the responder, gone on with until the world is asked nothing more; with the effects of the last."""
    return _resolved(step, ike_auth.on_answer, env, world)


def calling(step: Step, env: Env, world: World | None = None) -> Step:
    """The same for a step of the initiator."""
    return _resolved(step, ike_auth_initiator.on_answer, env, world)


def _resolved(step: Step, on_answer: Callable[[Any, Answer, Env], Step], env: Env, world: World | None) -> Step:
    world = world or World()
    while questions := [effect for effect in step.effects if isinstance(effect, Question)]:
        step = on_answer(step.sa, world.answer(questions[0]), env)
    return step


def auth_request(payloads: tuple[Payload, ...], message_id: int = 1) -> Request:
    return Request(ExchangeType.IKE_AUTH, message_id, payloads, RIGHT_PATH)


def auth_response(step: Step, *more: Payload, without: tuple[type[Payload], ...] = ()) -> Response:
    """What a responder's step answers, as the initiator gets it, or that with some payloads more or less."""
    payloads = (*(p for p in the(Respond, step).payloads if not isinstance(p, without)), *more)
    return Response(ExchangeType.IKE_AUTH, payloads, LEFT_PATH)


def open_sa(
    peer: Peer, others: tuple[Peer, ...], *children: str, initial_contact: bool = True, world: World | None = None
) -> Opened:
    """IKE_SA_INIT between an initiator that knows `peer` and a responder that knows `others`."""
    left, right = an_env(peer), an_env(*others, seed=2)
    asked = ike_sa_init.initiate(peer, Initiate(peer.name, LEFT_PATH, children), initial_contact, left)
    answered = answer_init(the(CallOpen, asked).octets, right)
    assert isinstance(asked.sa, Initiating)
    agreed = calling(ike_sa_init.on_response(asked.sa, init_response(the(Send, answered).octets), left), left, world)
    assert isinstance(agreed.sa, Authenticating)
    assert isinstance(answered.sa, HalfOpen)
    return Opened(agreed.sa, answered.sa, the(Call, agreed), left, right)


def from_port(path: Path, port: int) -> Path:
    """The same path from another port of the peer, as behind a NAT."""
    return replace(path, remote=replace(path.remote, port=port))
