"""What methods answer and events carry. Times are Unix times in seconds, sizes octets, SPIs hexadecimal.

Times are worked out when the answer is written, so that a clock that is set later falsifies nothing.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

# --- the whole -----------------------------------------------------------------------------------------------------


class Version(TypedDict):
    """Which edgevpn answers, and which version of this interface it speaks."""

    version: str
    api: int


class Health(TypedDict):
    """One thing that was looked at: how it stands, in a sentence, and what helps ("" if nothing is wrong)."""

    id: str
    level: Literal["good", "warning", "bad"]
    message: str
    cure: str


class RepairStep(TypedDict):
    """What was done, or is to be done, in the words of ip(8) or nft(8); `fault` says why it could not be, if so."""

    command: str
    fault: str


class Repair(TypedDict):
    """What was not as it should be. `renewed`: SAs that somebody has removed; their tunnels get new keys."""

    steps: list[RepairStep]
    renewed: list[str]


class CipherFound(TypedDict):
    """A cipher that was tried with real packets. `accelerator`: its driver has an engine beside the CPU.

    Speeds are 0 unless it works; `detail` says why it does not.
    """

    algorithm: str
    verdict: Literal["works", "missing", "drops", "corrupts"]
    detail: str
    driver: str
    accelerator: bool
    is_async: bool
    bits_per_second: int
    packets_per_second: int


class CardFound(TypedDict):
    """A network device: whether ESP offload and checksums inside ESP are on; `why` it could not be asked."""

    device: str
    feature: Literal["on", "off", "none"]
    checksum: bool
    why: str


class SaFound(TypedDict):
    """An SA that is in use. `algorithm` is the cipher of the trial that it goes by; for `carrier` see `ChildStatus`."""

    owner: str
    child: str
    direction: Literal["in", "out"]
    spi: str
    suite: str
    algorithm: str
    carrier: str
    why: str


class OffloadReport(TypedDict):
    """Who can cipher and who does. `untried` says why there was no trial of ciphers, "" if there was one."""

    untried: str
    ciphers: list[CipherFound]
    cards: list[CardFound]
    sas: list[SaFound]


class Subscription(TypedDict):
    """The topics that this connection now hears of."""

    topics: list[str]


# --- sites ---------------------------------------------------------------------------------------------------------


class ChildStatus(TypedDict):
    """One CHILD SA. `bytes_in`, `bytes_out` and `undeciphered` count from its last rekeying on.

    `undeciphered` are packets that came and could not be decrypted.

    `carrier_in` and `carrier_out` are who ciphers: "cpu", "driver NAME", "crypto(CARD)", "packet(CARD)"; `carrier_why`
    is what kept a network card from it, "" if nothing did.
    """

    name: str
    spi_in: str
    spi_out: str
    local_ts: list[str]
    remote_ts: list[str]
    bytes_in: int
    bytes_out: int
    undeciphered: int
    suite: str
    carrier_in: str
    carrier_out: str
    carrier_why: str


class IkeStatus(TypedDict):
    """One IKE SA. `nat` tells which ends have a NAT before them.

    `ppk` names the post-quantum pre-shared key in its keys, "" if there is none. `weak` says what is weak in its
    cryptography and that of its children, and why.
    """

    spi_i: str
    spi_r: str
    local: str
    remote: str
    nat: Literal["none", "local", "remote", "both"]
    established: float
    suite: str
    ppk: str
    weak: list[str]
    children: list[ChildStatus]


class SiteStatus(TypedDict):
    """One site, with all its IKE SAs; there is more than one while one replaces another.

    `why` is what kept it from coming up at the last try, "" if nothing did.
    """

    name: str
    state: Literal["up", "connecting", "down"]
    remote: str
    why: str
    ike: list[IkeStatus]


class Reached(TypedDict):
    """Whether a host in the network of a site answers us."""

    address: str
    answered: bool


# --- devices -------------------------------------------------------------------------------------------------------


class Amount(TypedDict):
    """Octets that a device has sent to us and got from us."""

    received: int
    sent: int


class PeriodUsage(TypedDict):
    """What a device has moved on a day ("2026-11-24") or in a month ("2026-11")."""

    period: str
    received: int
    sent: int


class SessionStatus(TypedDict):
    """A device that is in: from where, since when, as which client, by which proof, with which addresses.

    `own_proof` is how we proved ourselves to it; `ppk` as in `IkeStatus`. `weak` says what is weak in its cryptography,
    and why. `undeciphered` are packets that came and could not be decrypted.
    """

    spi: str
    remote: str
    since: float
    client: str
    proof: str
    addresses: list[str]
    nat: bool
    own_proof: str
    suite: str
    ppk: str
    weak: list[str]
    bytes_in: int
    bytes_out: int
    undeciphered: int


class DeviceStatus(TypedDict):
    """One device. `refused` says why it may not come in: "" if it may. `expires` is a Unix time, None for never."""

    name: str
    owner: str
    platform: Literal["windows", "macos", "ios", "android", "linux", "other"]
    login: Literal["password", "certificate", "psk", "eap-tls"]
    id: str
    pool: str
    enabled: bool
    refused: str
    expires: float | None
    v4: str
    v6: str
    mode: Literal["full", "split"]
    sessions: list[SessionStatus]
    today: Amount
    month: Amount
    seen: float | None
    place: str


class CertificateStatus(TypedDict):
    """A certificate: of what, whose, until when."""

    what: str
    subject: str
    fingerprint: str
    ends: float
    days_left: int


class DeviceDetail(TypedDict):
    """A device with all that is known of it; usage with the oldest first."""

    device: DeviceStatus
    networks: list[str]
    dns: list[str]
    unique: Literal["keep", "replace", "refuse"]
    days: list[PeriodUsage]
    months: list[PeriodUsage]
    certificates: list[CertificateStatus]


class DeviceMade(TypedDict):
    """A device and its new secret, told this once and never again; "" for a login that has none of that kind."""

    device: DeviceStatus
    password: str
    psk: str


class Artifact(TypedDict):
    """A file that was made for somebody. `content` is text, or Base64 of octets if `base64`."""

    name: str
    media_type: str
    base64: bool
    content: str


class CardField(TypedDict):
    """A field of a form on a phone, in the order in which it shows them."""

    label: str
    value: str


class PoolStatus(TypedDict):
    """One pool, how many addresses it has and how many of them are in use, by IP version."""

    name: str
    interface: str
    v4: list[str]
    v6: list[str]
    size_v4: int
    size_v6: int
    used_v4: int
    used_v6: int
    mode: Literal["full", "split"]
    networks: list[str]
    dns: list[str]
    logins: list[Literal["password", "certificate", "psk", "eap-tls"]]
    legacy: bool


class Status(TypedDict):
    """Everything at a glance."""

    version: str
    started: float
    kernel: Literal["netlink", "memory"]
    sites: list[SiteStatus]
    devices: list[DeviceStatus]


# --- configuration -------------------------------------------------------------------------------------------------


class Reloaded(TypedDict):
    """Names of sites by what happened to them, what happened to other tables, and warnings about the file."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    unchanged: list[str]
    others: list[str]
    warnings: list[str]


class Change(TypedDict):
    """One key: its dotted path, its values before and after as the file writes them (secrets masked), what it does.

    `effect`: at once, for the next tunnel, by making the tunnel anew, or when the daemon is started again.
    """

    path: str
    before: str
    after: str
    effect: Literal["live", "next", "reconnect", "restart"]


class Plan(TypedDict):
    """What a change of the configuration would do; `drops` names the sites and devices whose tunnels would go."""

    changes: list[Change]
    drops: list[str]
    warnings: list[str]


class Applied(TypedDict):
    """What was done. Unless `config.confirm` comes before `confirm_before`, it is undone; None if it stands."""

    plan: Plan
    confirm_before: float | None


class SavedVersion(TypedDict):
    """A configuration that was in force before; 1 is the last one."""

    number: int
    saved: float


# --- what happened -------------------------------------------------------------------------------------------------


class Asked(TypedDict):
    """What was asked in an attempt that failed, without keys and proofs: for `edgevpn replay`.

    `local` is our address, whoever began. Proposals are in the keywords of the configuration, or in numbers; an
    identity has its type before it, and octets that are no text as "#" and hexadecimal digits; a selector is
    "FIRST-LAST/PROTOCOL/PORTS". `ppk` is what the peer says by notifications of a post-quantum pre-shared key, with its
    name. `peer` is who was in already and asked for a child more. Where we began, `refused` is the peer's answer in
    this `exchange`, `wanted` the key exchange that it wants, or `idr` who it says to be. What was not said is empty.
    """

    began: Literal["peer", "us"]
    local: str
    remote: str
    peer: str
    ike: list[str]
    idi: str
    idr: str
    auth: str
    user: str
    ppk: list[str]
    wants: list[str]
    child: str
    esp: list[str]
    tsi: list[str]
    tsr: list[str]
    refused: str
    exchange: str
    wanted: str


class Attempt(TypedDict):
    """How somebody tried to connect, and how far it came; `cause` is for programs, sentence and cure are for people.

    `side` is where the cure is to be applied, `fact` what the sentence rests on; all of these are "" for a success.
    `tries` counts attempts that came to the same; `called`: it was we who called. `asked` is None where nothing was
    seen that could be judged again.
    """

    at: float
    peer: str
    remote: str
    identity: str
    client: str
    stage: str
    cause: str
    sentence: str
    cure: str
    side: Literal["ours", "theirs", "both", "path", ""]
    fact: str
    tries: int
    called: bool
    asked: Asked | None


class LogLine(TypedDict):
    """One line of the log."""

    at: float
    level: Literal["debug", "info", "warning", "error"]
    text: str


class Traffic(TypedDict):
    """Octets in and out since the last event of this kind, and after how many seconds, by name."""

    at: float
    seconds: float
    sites: dict[str, Amount]
    devices: dict[str, Amount]


# --- the panel -----------------------------------------------------------------------------------------------------


class WebSettings(TypedDict):
    """What the panel's process works by. The password's hash is "" before there is one; PEM texts, "" without HTTPS."""

    enabled: bool
    listen: list[str]
    public: bool
    port: int
    https: bool
    hosts: list[str]
    session_idle: int
    session_life: int
    title: str
    password_hash: str
    totp_secret: str
    certificate: str
    key: str


class Ticket(TypedDict):
    """Lets its bearer into the panel once, within ten minutes. `port` is where the panel listens."""

    ticket: str
    port: int


class Redeemed(TypedDict):
    """Whether a ticket was good."""

    good: bool


Settings = dict[str, Any]
"""Keys of a table of the configuration with their values as TOML has them; None takes a key out."""
