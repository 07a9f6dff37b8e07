"""When an IKE SA that stands is to be looked at again: RFC 7296 §2.4, §2.8, RFC 3948 §4.

Times that both sides may have are moved forward by chance, so that they do not meet at every rekeying.
"""

from __future__ import annotations

from edgevpn.frozen import replace
from edgevpn.ike.contract import Env
from edgevpn.ike.peer import NEVER, Peer
from edgevpn.ike.session import Session
from edgevpn.ike.state import CreateChild, Established, Nat, Path, RekeyChild, RekeyIke, Secured, Task
from edgevpn.ike.wire.payloads import Identification


def established(
    secured: Secured,
    peer: Peer,
    remote_id: Identification,
    path: Path,
    nat: Nat,
    session: Session,
    env: Env,
    *,
    began: bool,
) -> Established:
    """An IKE SA whose peer has just shown who it is. `began`: we are the original initiator."""
    return Established(
        secured=secured.settled,
        peer=peer,
        remote_id=remote_id,
        path=path,
        nat=nat,
        since=env.now,
        heard=env.now,
        probe_at=env.now + peer.liveness,
        rekey_at=soon(peer.rekey_after, env),
        keepalive_at=env.now + env.settings.keepalive if nat.local else NEVER,
        began=began,
        expire_at=env.now + peer.life,
        session=session,
        idle_at=env.now + peer.idle,
    )


def renewed(old: Established, secured: Secured, env: Env) -> Established:
    """The IKE SA that follows `old` by rekeying: with its children, and with what still has to be done."""
    return replace(
        old,
        secured=secured.settled,
        since=env.now,
        heard=env.now,
        doing=None,
        promise=None,
        todo=tuple(_asked_anew(task) for task in old.todo if not isinstance(task, RekeyIke)),
        wake=NEVER,
        # one that is followed already ends when it would have
        rekey_at=NEVER if old.followed else soon(old.peer.rekey_after, env),
        expire_at=old.expire_at if old.followed else env.now + old.peer.life,
        # the hashes of new SPIs tell nothing of the old ones
        mobility=replace(old.mobility, seen_as=b"") if old.mobility else None,
    )


def _asked_anew(task: Task) -> Task:
    """What another IKE SA's peer has had no time for, it may have time for on this one."""
    return replace(task, refused_since=NEVER) if isinstance(task, CreateChild | RekeyChild) else task


def soon(after: float, env: Env) -> float:
    """The time `after` seconds from now or a little before, or `NEVER`."""
    return NEVER if after == NEVER else env.soon(after)
