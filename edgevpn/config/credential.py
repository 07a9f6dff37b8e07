"""What proves who somebody is: keys and passwords, where they are written, and where they were found."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from edgevpn.config.kinds import Kind, text
from edgevpn.config.setting import Effect, optional
from edgevpn.config.values import FILE
from edgevpn.frozen import dataclass

_VARIABLE = text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]*")
_LINE: Kind[str] = text("text on one line", r"[^\0-\x1f\x7f]+")
PASSWORD_HASH_SHAPE = text(
    "a scrypt hash: $scrypt$ln=LOG2N,r=R,p=P$SALT$HASH",
    r"\$scrypt\$ln=\d{1,2},r=\d{1,2},p=\d{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,172}",
)


@dataclass(frozen=True, slots=True)
class Psk:
    """A pre-shared key, and where it was written."""

    source: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ppk:
    """A post-quantum pre-shared key (RFC 8784), and where it was written."""

    source: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NtHash:
    """The MD4 hash of a password in UTF-16 (RFC 2759 §8.3), as good as the password itself."""

    source: str
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, the hash of one, or another text that is nobody's business, and where it was written."""

    source: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PskKeys:
    """The three ways to write a pre-shared key; one of them is needed."""

    psk: str | None = optional(
        text("text, or octets as 0xHEX or 0sBASE64", r"[^\0]+"),
        "The pre-shared key itself. Both ends have the same; make it long and random.",
        "psk_file or psk_env is set",
        secret=True,
    )
    psk_file: Path | None = optional(
        FILE, "A file that holds the pre-shared key and that only root can read.", "psk or psk_env is set"
    )
    psk_env: str | None = optional(
        _VARIABLE, "An environment variable that holds the pre-shared key.", "psk or psk_file is set"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PpkKeys:
    """The three ways to write a post-quantum pre-shared key."""

    ppk: str | None = optional(
        text("text, or octets as 0xHEX or 0sBASE64", r"[^\0]+"),
        "A post-quantum pre-shared key (RFC 8784) beside the proof of who is there. Both ends have the same. Whoever"
        " records the tunnel and breaks its key exchange later cannot read it without this key.",
        "ppk_file or ppk_env is set, or there is none",
        secret=True,
    )
    ppk_file: Path | None = optional(
        FILE,
        "A file that holds the post-quantum pre-shared key and that only root can read.",
        "ppk or ppk_env is set, or there is none",
    )
    ppk_env: str | None = optional(
        _VARIABLE,
        "An environment variable that holds the post-quantum pre-shared key.",
        "ppk or ppk_file is set, or there is none",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordKeys:
    """The three ways to write a password."""

    password: str | None = optional(
        _LINE,
        "The password itself.",
        "password_file, password_env or, of a device, nt_hash is set, or no password is needed",
        secret=True,
    )
    password_file: Path | None = optional(
        FILE,
        "A file that holds the password and that only root can read.",
        "password, password_env or, of a device, nt_hash is set, or no password is needed",
    )
    password_env: str | None = optional(
        _VARIABLE,
        "An environment variable that holds the password.",
        "password, password_file or, of a device, nt_hash is set, or no password is needed",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NtHashKeys:
    """The way to write a password of which only the hash is known."""

    nt_hash: str | None = optional(
        text("32 hexadecimal digits", r"[0-9A-Fa-f]{32}"),
        "The NT hash of the password. Who has it can log in with it: guard it like the password.",
        "password, password_file or password_env is set, or no password is needed",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebKeys:
    """The secrets of the panel."""

    password_hash: str | None = optional(
        PASSWORD_HASH_SHAPE,
        "The scrypt hash of the panel's password.",
        "the panel asks for a new password at its first start",
        secret=True,
        effect=Effect.LIVE,
    )
    password_hash_file: Path | None = optional(
        FILE,
        "A file that holds this hash and that only root can read.",
        "password_hash is set, or neither",
        effect=Effect.LIVE,
    )
    password_hash_env: str | None = optional(
        _VARIABLE,
        "An environment variable that holds this hash.",
        "password_hash is set, or neither",
        effect=Effect.LIVE,
    )
    totp_secret: str | None = optional(
        text("Base32 without padding", r"[A-Z2-7]{16,128}"),
        "The key of the one-time passwords (RFC 6238) that the panel asks for beside the password.",
        "no one-time passwords are asked for",
        secret=True,
        effect=Effect.LIVE,
    )
