"""One IKEv2 connection as a test declares it, before any daemon's own syntax."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

ANY_V4, ANY_V6 = "0.0.0.0", "::"  # noqa: S104 - requested, not bound


@dataclass(frozen=True, slots=True)
class Psk:
    """Both sides prove that they know a shared key."""

    secret: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A side proves itself with a private key; files in PEM, in `certificate` those of the CAs between follow its own.

    `authority` is that of the root, by which it judges the other side.
    """

    certificate: Path
    key: Path
    authority: Path
    scheme: str = ""
    """How it signs, as strongSwan says it: "rsa/pss-sha256"; "" for its own choice."""


@dataclass(frozen=True, slots=True)
class Eap:
    """The client proves itself by EAP, the gateway by a certificate that `authority` has signed."""

    user: str
    password: str
    authority: Path
    method: str = "mschapv2"
    alone: bool = False
    """The client wants the gateway, too, to prove itself by EAP (RFC 5998)."""


@dataclass(frozen=True, slots=True)
class EapTls:
    """The client shows this certificate within EAP, as `user` if that is not its subject; the gateway one of its own.

    `alone`: the gateway shows its certificate within EAP, too, and nowhere else (RFC 5998).
    """

    proof: Certificate
    user: str = ""
    alone: bool = False


Auth = Psk | Certificate | Eap | EapTls


@dataclass(frozen=True, slots=True)
class Ppk:
    """A post-quantum pre-shared key that both sides know by this name (RFC 8784); with `required` they insist on it."""

    name: str
    secret: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A peer's side of a connection with one CHILD SA; times in seconds, 0 for never.

    Proposals are spelled as strongSwan spells them, one transform after another; it takes several, with ", " between
    them. So are identities: an address, a domain name, an e-mail address, a Distinguished Name, or "keyid:TEXT"; an
    empty `local_id` is the subject of our certificate. An empty `remote` is any address, an empty `local` any of ours.
    """

    name: str = "site"
    local: str
    remote: str = ""
    local_id: str
    remote_id: str
    auth: Auth
    remote_auth: Auth | None = None
    """Where it differs in kind from ours."""
    ike: str = "aes128gcm16-prfsha256-x25519"
    esp: str = "aes128gcm16-x25519"
    local_ts: tuple[str, ...] = ()
    """Prefixes behind us; none: our own (or assigned) address."""
    remote_ts: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    """Prefixes to assign addresses from, as a gateway for road warriors."""
    request_addresses: tuple[str, ...] = ()
    """What a road warrior asks for: ANY_V4, ANY_V6, or one that it had before."""
    dpd_delay: int = 0
    rekey_ike: int = 0
    rekey_child: int = 0
    mobike: bool = True
    encap: bool = False
    """Use UDP encapsulation where no NAT asks for it."""
    ppk: Ppk | None = None
    if_id: int = 0

    def mirrored(self, **changes: object) -> Self:
        """The other side's view, with what is particular to it."""
        mirror = replace(
            self,
            local=self.remote,
            remote=self.local,
            local_id=self.remote_id,
            remote_id=self.local_id,
            local_ts=self.remote_ts,
            remote_ts=self.local_ts,
        )
        return replace(mirror, **changes)  # type: ignore[arg-type]
