"""The import table of the project, and that every module has its test: read from the syntax trees, nothing imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each part at the top may import of ours. `edgevpn` itself holds only the version, and is open to all, as are
# frozen records.
PARTS: dict[str, set[str]] = {
    "frozen": set(),
    "dn": set(),
    "api": set(),
    "files": set(),
    "secrecy": set(),
    "client": {"api"},
    "config": {"dn", "files"},
    "diagnosis": set(),
    "ike": {"dn"},
    "kernel": set(),
    "pki": {"dn", "files"},
    "simulate": {"ike", "pki"},
    "daemon": {"dn", "ike", "kernel", "pki", "config", "diagnosis", "api", "files", "secrecy"},
    "web": {"client", "api", "secrecy"},
    "cli": {"daemon", "web", "client", "api", "config", "pki", "simulate", "files"},
}

# Part -> part that it may import inside a function alone, so that it is loaded only when it is needed.
LAZY = {("cli", "daemon"), ("cli", "web")}

# Inside a part: who stands higher may import who stands lower; who stands side by side may not.
ORDERS = {
    "ike": (
        {"endpoint"},
        {"carrier"},
        {"table"},
        {"machine"},
        {"aging"},
        {"exchange"},
        {"matching"},
        {"window", "negotiate", "lifetime"},
        {"fragmentation"},
        {"steps"},
        {"contract"},
        {"proving", "questions"},
        {"eap_state"},
        {"inbound"},
        {"state"},
        {"tasks"},
        {"sa"},
        {"session"},
        {"clients", "evidence"},
        {"cookies", "peer"},
        {"identity"},
        {"wire", "crypto"},
        {"errors"},
        {"iana"},
    ),
    "ike.exchange": (
        {"ike_sa_init"},
        {"ike_intermediate"},
        {"ike_auth", "ike_auth_initiator"},
        {"login"},
        {"admission"},
        {"extensions"},
        {"ppk"},
        {"eap", "proof", "refusal"},
        {"eap_tls"},
        {"eap_outcome"},
        {"asked"},
        {"configuration"},
        {"create_child_sa"},
        {"rekey_ike"},
        {"mobike", "redirect"},
        {"ike_followup_ke", "informational", "nat", "reauthentication"},
        {"child_sa"},
    ),
    "daemon": (
        {"service"},
        {"control"},
        {"gateway"},
        {"estate", "health"},
        {"census", "reception"},
        {"attempts", "visitors"},
        {"keeping", "kernel_events", "login"},
        {"addresses", "figures", "runner", "sites"},
        {"dataplane"},
        {"peers"},
        {"ciphers", "transport"},
        {"base", "crowd", "repeats", "supervisor", "valve"},
    ),
    "daemon.control": (
        {"methods"},
        {"panel_place", "parameters", "server", "telling", "tickets"},
    ),
    "daemon.addresses": (
        {"pool_status"},
        {"leases"},
        {"pool", "prefixes"},
    ),
    "daemon.attempts": (
        {"bundles"},
        {"book", "replay", "witness"},
        {"asked", "findings"},
    ),
    "daemon.base": (
        {"key_log", "logbook", "state_file"},
        {"guard", "limits", "logs", "news", "options", "recent", "sparing", "timers"},
    ),
    "daemon.ciphers": (
        {"bench"},
        {"speeds"},
        {"choice"},
    ),
    "daemon.dataplane": (
        {"upholding"},
        {"tunnels"},
        {"housing"},
        {"early", "homes", "wall"},
        {"caught", "detours", "esp", "mtu", "neighbours", "offload", "policies", "reverse_path", "routing"},
    ),
    "daemon.figures": (
        {"metrics"},
        {"meter"},
        {"offload_report", "status", "tally", "usage"},
    ),
    "daemon.health": (
        {"doctor"},
        {"checks", "patient"},
        {"fitness", "reachable"},
        {"facts"},
        {"hardware"},
    ),
    "daemon.keeping": (
        {"restoring"},
        {"backup", "configuration"},
        {"holdings", "plans"},
    ),
    "daemon.login": (
        {"withdrawing"},
        {"answers"},
        {"certificates", "tls", "vouched"},
        {"devices", "fetching", "keyring", "passwords", "tries"},
    ),
    "daemon.sites": (
        {"surroundings", "ways", "echoes"},
        {"keeper"},
    ),
    "daemon.visitors": (
        {"device_status", "informing", "visitors"},
        {"dhcp", "sessions"},
    ),
    "daemon.control.methods": (
        {"all"},
        {"overview", "sites", "devices", "configs", "backups", "panel", "repair"},
        {"snippets", "certificates"},
        {"exports"},
        {"table", "names", "artifacts"},
    ),
    "diagnosis": (
        {"attempts", "catalogue"},
        {"agreeing", "certificates", "proving", "reaching"},
        {"entry"},
        {"codes"},
    ),
    "simulate": (
        {"trial"},
        {"conversation"},
        {"judge", "story", "tunnel"},
        {"esp", "pinging", "user"},
        {"clients", "echo", "replay"},
        {"offers", "wire"},
    ),
    "config": (
        {"store"},
        {"reader", "changes", "diff"},
        {"records", "service_rules", "address_plan", "stored", "migrate", "show", "schema", "explain"},
        {"rules", "tables", "source"},
        {"nouns", "secret", "locate", "edit"},
        {"model", "statements"},
        {"site", "device"},
        {"pool"},
        {"tunnel"},
        {"services"},
        {"credential"},
        {"words"},
        {"setting"},
        {"values"},
        {"kinds", "identity", "proposals", "ranges"},
        {"keywords", "generate"},
        {"errors"},
    ),
}

# Packages whose modules may import one another as they need.
FREE_INSIDE = {"ike.wire", "ike.crypto"}

# What each part may import of others.
THIRD_PARTY: dict[str, set[str]] = {
    "api": set(),
    "client": set(),
    "config": {"tomli", "tomlkit"},
    "ike": {"cryptography"},
    "kernel": {"pyroute2"},
    "pki": {"cryptography", "segno"},
    "simulate": {"cryptography"},
    "daemon": {"sdnotify", "cryptography", "OpenSSL"},
    "diagnosis": set(),
    "dn": {"cryptography"},
    "web": {"aiohttp", "segno"},
    "cli": {"shtab", "tabulate"},
}

# The standard library for the pure core: values and arithmetic; nothing that waits, asks the machine, or logs.
VALUE_MODULES = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "ipaddress",
    "itertools",
    "math",
    "operator",
    "re",
    "struct",
    "types",
    "typing",
    "warnings",  # only to still one that importing cryptography gives
}

WITH_ASYNCIO = {"daemon", "kernel", "web", "client", "cli", "simulate"}

# Modules without a test of their own, and why.
WITHOUT_TWIN = {
    "edgevpn/api/methods.py": "declarations; tests/test_client.py and those of the control socket speak by them",
    "edgevpn/api/protocol.py": "declarations; the same",
    "edgevpn/api/records.py": "declarations; the same",
    "edgevpn/diagnosis/codes.py": "declarations; tests/diagnosis/test_catalogue.py goes through all of them",
    "edgevpn/diagnosis/agreeing.py": "texts; the same",
    "edgevpn/diagnosis/certificates.py": "texts; the same",
    "edgevpn/diagnosis/proving.py": "texts; the same",
    "edgevpn/diagnosis/reaching.py": "texts; the same",
    "edgevpn/daemon/health/facts.py": "declarations; test_fitness.py and test_reachable.py beside judge by them",
    "edgevpn/daemon/base/options.py": "declarations; tests/cli/test_daemon.py fills them in",
    "edgevpn/ike/tasks.py": "declarations; tests/ike/test_machine.py takes up each of them",
    "edgevpn/ike/steps.py": "declarations; the tests of every handler speak by them",
    "edgevpn/ike/errors.py": "declarations; raised in the tests of those who raise them",
    "edgevpn/kernel/events.py": "declarations; told in the tests of those who tell them",
    "edgevpn/ike/questions.py": "declarations; asked and answered in the tests of exchange",
}

# Parts that nothing uses yet and whose tests are still to come; they may not stay here once something does.
UNTESTED: set[str] = set()

# Tests without a module of their own, and why.
WITHOUT_MODULE = {
    "tests/web/test_openapi.py": "what is said of edgevpn/web/routes.py and all others that answer",
    "tests/test_layers.py": "holds for the whole tree",
    "tests/test_lock.py": "what is said of requirements.lock",
    "tests/ike/wire/test_against_scapy.py": "holds for all of edgevpn/ike/wire",
    "tests/ike/test_endpoint_against_scapy.py": "another decoder, for all that edgevpn/ike sends",
    "tests/ike/test_life_cycle.py": "two endpoints through anything, for all of edgevpn/ike",
    "tests/ike/test_life_times.py": "and through all that ends by itself, for the same",
    "tests/ike/test_soak.py": "two endpoints for a week, for the same",
    "tests/ike/test_letting_go.py": "what must not be in memory, for the same",
    "tests/ike/test_endpoint_hostile.py": "what must not happen, for all of edgevpn/ike",
    "tests/pki/test_against_cryptography.py": "another validator, for edgevpn/pki/validate.py and all below it",
    "tests/pki/test_against_pkits.py": "a published suite, for the same",
}

# Tests that are no module's: of the whole in a real kernel, one file a scenario; of what is packed for routers; of the
# panel in a browser.
OF_THE_WHOLE = ("tests/bench/", "tests/fuzz/", "tests/lab/", "tests/openwrt/", "tests/panel/")


@dataclass(frozen=True)
class Import:
    """One import: from which file and line, of which dotted name, and whether only inside a function or for types."""

    source: Path
    line: int
    name: str
    lazy: bool

    @property
    def part(self) -> str:
        """The part at the top that imports; empty for edgevpn/__init__.py."""
        return dotted(self.source).partition(".")[0]

    @property
    def package(self) -> str:
        """The first word of what is imported: "edgevpn", "asyncio", "cryptography"."""
        return self.name.partition(".")[0]

    @property
    def target(self) -> str:
        """What is imported of ours, by its name below `edgevpn`."""
        return self.name.removeprefix("edgevpn").removeprefix(".")

    @property
    def target_part(self) -> str:
        """The part at the top that is imported; empty for edgevpn/__init__.py."""
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.source.relative_to(ROOT)}:{self.line} imports {self.name}"


def dotted(source: Path) -> str:
    """A file's module name below `edgevpn`: ike.wire.buffer; a package's own name for its __init__."""
    parts = source.relative_to(ROOT / "edgevpn").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def modules() -> list[Path]:
    return sorted((ROOT / "edgevpn").rglob("*.py"))


def imports_of(source: Path) -> Iterator[Import]:
    """All imports of a module, those in functions and for type checking included."""
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(source.read_text()), False)]
    while waiting:
        node, lazy = waiting.pop()
        match node:
            case ast.Import(names=names):
                yield from (Import(source, node.lineno, alias.name, lazy) for alias in names)
            case ast.ImportFrom(level=0, module=str(module), names=names):
                yield from (Import(source, node.lineno, named(module, alias.name), lazy) for alias in names)
            case ast.ImportFrom():
                yield Import(source, node.lineno, "." * node.level, lazy)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(node)
        waiting.extend((child, lazy) for child in ast.iter_child_nodes(node))


def named(module: str, name: str) -> str:
    """What `from module import name` imports: a module of ours if there is one, else something of `module`."""
    below = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if below.is_dir() or below.with_suffix(".py").is_file() else module


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


IMPORTS = [each for source in modules() for each in imports_of(source)]
OURS = [each for each in IMPORTS if each.package == "edgevpn"]
FOREIGN = [each for each in IMPORTS if each.package != "edgevpn"]


def listed(faults: list[Import]) -> str:
    return "\n".join(map(str, faults))


def rank(order: tuple[set[str], ...], name: str) -> int:
    """How deep a module stands in its part. A module that the table does not know fails the test that asks."""
    level = next((depth for depth, names in enumerate(order) if name in names), None)
    assert level is not None, f"{name} has no place in ORDERS"
    return level


def test_imports_are_absolute() -> None:
    assert not (faults := [each for each in IMPORTS if each.name.startswith(".")]), listed(faults)


def test_every_part_is_in_the_table() -> None:
    assert {dotted(source).partition(".")[0] for source in modules()} - {""} <= PARTS.keys()


def test_parts() -> None:
    """cli -> daemon -> {ike, kernel, pki, config}, which never import each other; web knows the client alone."""
    faults = [each for each in OURS if each.target_part not in {"", "frozen", each.part, *PARTS.get(each.part, ())}]
    assert not faults, listed(faults)


def test_lazy_parts() -> None:
    faults = [each for each in OURS if (each.part, each.target_part) in LAZY and not each.lazy]
    assert not faults, listed(faults)


@pytest.mark.parametrize("part", ORDERS)
def test_order_inside(part: str) -> None:
    """Imports inside a part go downward."""
    faults = []
    for each in OURS:
        source, target = dotted(each.source), each.target
        if not (source.startswith(f"{part}.") and target.startswith(f"{part}.")):
            continue
        above, below = (name.removeprefix(f"{part}.").partition(".")[0] for name in (source, target))
        if above == below and (f"{part}.{above}" in FREE_INSIDE or f"{part}.{above}" in ORDERS):
            continue
        if rank(ORDERS[part], above) >= rank(ORDERS[part], below):
            faults.append(each)
    assert not faults, listed(faults)


@pytest.mark.parametrize("part", ORDERS)
def test_order_knows_every_module(part: str) -> None:
    """A module that imports nothing has its place too."""
    folder = ROOT.joinpath("edgevpn", *part.split("."))
    for source in folder.iterdir():
        if (source.suffix == ".py" and source.stem != "__init__") or (source / "__init__.py").is_file():
            rank(ORDERS[part], source.stem)


def test_third_party() -> None:
    faults = [
        each
        for each in FOREIGN
        if each.package not in sys.stdlib_module_names and each.package not in THIRD_PARTY.get(each.part, ())
    ]
    assert not faults, listed(faults)


def test_core_is_pure() -> None:
    """`edgevpn.ike` has no clock, no chance, no socket, no log; neither does importing it."""
    allowed = VALUE_MODULES | THIRD_PARTY["ike"]
    faults = [each for each in FOREIGN if each.part == "ike" and each.package not in allowed]
    assert not faults, listed(faults)


def test_asyncio_only_where_things_wait() -> None:
    faults = [each for each in FOREIGN if each.package == "asyncio" and each.part not in WITH_ASYNCIO]
    assert not faults, listed(faults)


def test_every_module_has_its_test() -> None:
    missing = [name for source in modules() if needs_twin(source) and not twin(name := relative(source)).is_file()]
    assert not missing, f"no test: {missing}"


def test_every_test_has_its_module() -> None:
    wanted = {twin(relative(source)) for source in modules()}
    orphans = [
        name
        for test in (ROOT / "tests").rglob("test_*.py")
        if test not in wanted and (name := relative(test)) not in WITHOUT_MODULE and not name.startswith(OF_THE_WHOLE)
    ]
    assert not orphans, f"no module: {orphans}"


def test_exceptions_are_needed() -> None:
    """An exception goes when its reason does."""
    for name in (*WITHOUT_TWIN, *WITHOUT_MODULE):
        assert (ROOT / name).is_file(), f"{name} is gone"
    for name in WITHOUT_TWIN:
        assert not twin(name).is_file(), f"{name} has a test"


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def twin(module: str) -> Path:
    """tests/ike/wire/test_buffer.py for edgevpn/ike/wire/buffer.py."""
    path = Path(module).relative_to("edgevpn")
    return ROOT / "tests" / path.with_name(f"test_{path.name}")


def needs_twin(source: Path) -> bool:
    if dotted(source).partition(".")[0] in UNTESTED:
        return False
    return source.name != "__init__.py" and relative(source) not in WITHOUT_TWIN
