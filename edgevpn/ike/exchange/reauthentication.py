"""Showing who we are again, RFC 7296 §2.8.3, RFC 4478.

    IKE_AUTH or INFORMATIONAL  <--  N(AUTH_LIFETIME, seconds)      of who did not begin the IKE SA

Only who began can do it in all cases (EAP): it makes another IKE SA in good time, and closes the old one when that
stands. The other closes what has not been authenticated anew.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import Env, Request, Response
from edgevpn.ike.iana import NotifyType
from edgevpn.ike.lifetime import soon
from edgevpn.ike.peer import NEVER
from edgevpn.ike.state import Established
from edgevpn.ike.wire.message import Payload
from edgevpn.ike.wire.notify import Notify

# Our own choices, in seconds.
SHORTEST = 60.0  # no peer has us authenticate more often
MARGIN, LONGEST_MARGIN = 0.1, 300.0  # so much of the lifetime is left for it


def announced(sa: Established) -> tuple[Payload, ...]:
    """What goes into the last answer of IKE_AUTH."""
    if sa.began or sa.peer.reauth_after == NEVER:
        return ()
    return (Notify(NotifyType.AUTH_LIFETIME, int(sa.peer.reauth_after).to_bytes(4, "big")),)


def timed(sa: Established, message: Request | Response, env: Env) -> Established:
    """With the time to do it again: ours, or what the peer says, whichever comes first."""
    if not sa.began and sa.peer.reauth_after == NEVER:
        return sa
    if not sa.began:
        return replace(sa, auth_until=env.now + sa.peer.reauth_after + env.settings.reauth_grace)
    told = message.notify(NotifyType.AUTH_LIFETIME)
    lifetime = float(int.from_bytes(told.data, "big")) if told else NEVER
    return _at(sa, min(lifetime, sa.peer.reauth_after), env)


def told_again(sa: Established, request: Request, env: Env) -> Established:
    """The peer has changed its mind (RFC 4478 §3)."""
    told = request.notify(NotifyType.AUTH_LIFETIME)
    if told is None or not sa.began:
        return sa
    return _at(sa, float(int.from_bytes(told.data, "big")), env)


def _at(sa: Established, lifetime: float, env: Env) -> Established:
    if lifetime == NEVER:
        return sa
    after = max(lifetime - min(lifetime * MARGIN, LONGEST_MARGIN), SHORTEST)
    return replace(sa, reauth_at=min(sa.reauth_at, soon(after, env)))
