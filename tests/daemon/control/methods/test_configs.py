from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgevpn.api import ErrorCode, RpcError
from edgevpn.config.errors import MASKED
from edgevpn.config.reader import load
from tests.support.services import HOME, PASSWORD, PSK, Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        yield made


async def test_shown_without_secrets(served: Served) -> None:
    written = await served.ask("config.show")
    assert written["device"]["phone"] == {"password": MASKED, "platform": "ios"}
    whole = await served.ask("config.show", defaults=True)
    assert whole["gateway"]["log_level"] == "info"
    assert whole["site"]["office"]["psk"] == MASKED
    for shown in (written, whole):
        text = json.dumps(shown)
        assert PASSWORD not in text
        assert PSK not in text


async def test_dates_are_text(served: Served) -> None:
    await served.ask("config.apply", text=HOME.replace('platform = "ios"', "expires = 2099-12-31"))
    assert (await served.ask("config.show"))["device"]["phone"]["expires"] == "2099-12-31"


async def test_schema_fits_the_file(served: Served) -> None:
    jsonschema.validate(tomli.loads(await served.ask("config.text")), await served.ask("config.schema"))


async def test_plan_and_apply(served: Served) -> None:
    text = HOME.replace('v4 = "10.9.0.0/24"', 'v4 = "10.8.0.0/24"')
    plan = await served.ask("config.plan", text=text)
    assert {change["path"] for change in plan["changes"]} == {"pool.road.v4", "pool.road.router", "pool.road.dns"} | {
        f"device.{name}.dns" for name in ("phone", "tablet", "laptop")
    }
    assert served.path.read_text() == HOME
    applied = await served.ask("config.apply", text=text)
    assert applied["plan"] == plan
    assert served.path.read_text() == text
    with pytest.raises(RpcError) as refusal:
        await served.ask("config.plan", text="[pond]\n")
    assert refusal.value.code == ErrorCode.CONFIG_INVALID
    assert refusal.value.data == [f"{served.path}:1: pond: is not a key here"]


async def test_faults_are_told_of_the_file_that_was_given(served: Served) -> None:
    for method in ("config.plan", "config.apply"):
        with pytest.raises(RpcError) as refusal:
            await served.ask(method, text="[pond]\n", name="new.toml")
        assert refusal.value.data == ["new.toml:1: pond: is not a key here"]


async def test_faults_of_an_edit_name_lines_that_there_are(served: Served) -> None:
    """Not those of the text that is not written."""
    with pytest.raises(RpcError) as refusal:
        await served.ask("config.set", values={"site.office.local": "192.0.2.1", "gateway.log_level": "debug"})
    head = HOME.split("\n").index("[site.office]   # the first") + 1
    assert refusal.value.data == [
        f"{served.path}:{head}: site.office.local: is not served; allowed: what gateway.listen has: 127.0.0.1"
    ]


async def test_set(served: Served) -> None:
    """Comments stay; None takes a key out; a secret goes where secrets are."""
    await served.ask("config.set", values={"gateway.log_level": "debug", "web.totp_secret": "A" * 32, "web.port": 8444})
    text = await served.ask("config.text")
    assert "# ours" in text
    assert "AAAA" not in text
    await served.ask("config.set", values={"gateway.log_level": None, "web.port": None})
    assert "log_level" not in served.path.read_text()
    refused: tuple[dict[str, object], ...] = (
        {"gateway.pond": 1},
        {"gateway": {}},
        {"": 1},
        {"a b": 1},
        {"gateway.log_level": []},
    )
    for values in refused:
        with pytest.raises(RpcError) as refusal:
            await served.ask("config.set", values=values)
        assert refusal.value.code == ErrorCode.CONFIG_INVALID


async def test_a_secret_comes_after_what_needs_it(served: Served) -> None:
    """Whatever the order in which both are named."""
    with pytest.raises(RpcError, match=r'device\.phone\.psk: is of no use with login = "password"'):
        await served.ask("config.set", values={"device.phone.psk": PSK})
    await served.ask(
        "config.set", values={"device.phone.password": None, "device.phone.psk": PSK, "device.phone.login": "psk"}
    )
    assert PSK in served.path.with_name("secrets.toml").read_text()


async def test_to_be_confirmed(served: Served) -> None:
    applied = await served.ask("config.set", values={"gateway.log_level": "debug"}, confirm=60)
    assert applied["confirm_before"] is not None
    with pytest.raises(RpcError, match="another change waits to be confirmed"):
        await served.ask("config.set", values={"gateway.log_level": "error"})
    await served.ask("config.rollback", number=1)
    assert served.path.read_text() == HOME
    with pytest.raises(RpcError, match="nothing waits to be confirmed"):
        await served.ask("config.confirm")
    with pytest.raises(RpcError, match="confirm: allowed: 0 to 3600 seconds") as refusal:
        await served.ask("config.set", values={}, confirm=4000)
    assert refusal.value.code == ErrorCode.INVALID_PARAMS


async def test_versions(served: Served) -> None:
    with pytest.raises(RpcError, match="there is no version 1; none is kept") as refusal:
        await served.ask("config.rollback", number=1)
    assert refusal.value.code == ErrorCode.NOT_FOUND
    for level in ("debug", "error"):
        await served.ask("config.set", values={"gateway.log_level": level})
    assert [version["number"] for version in await served.ask("config.versions")] == [1, 2]
    await served.ask("config.rollback", number=2)
    assert served.path.read_text() == HOME
    with pytest.raises(RpcError, match="there is no version 99; there are 1 to 3"):
        await served.ask("config.rollback", number=99)


async def test_reload(served: Served) -> None:
    served.path.write_text(HOME + HOME[HOME.index("[site") :].replace("office", "shop").replace("10.2.", "10.3."))
    assert (await served.ask("reload"))["added"] == ["shop"]
    served.path.write_text("[")
    with pytest.raises(RpcError) as refusal:
        await served.ask("reload")
    assert refusal.value.code == ErrorCode.CONFIG_INVALID
    assert served.gateway.census.site_names == ("office", "shop")


# --- whatever is asked for: done as a whole, or refused and nothing has changed

PATHS = st.sampled_from(
    [
        "gateway.log_level",
        "gateway.id",
        "pool.road.v4",
        "pool.road.mode",
        "device.phone.owner",
        "device.phone.v4",
        "device.tablet.psk",
        "site.office.mtu",
        "site.office.remote",
        "site.office.child.lan.start",
        "web.port",
        "pond.x",
        "",
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10_000),
    st.integers(2**60, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["debug", "10.8.0.0/24", "10.9.0.7", "split", "any", "a\nb", "\x00", "é" * 300]),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


GOOD: list[dict[str, object]] = [
    {"gateway.log_level": "debug"},
    {"device.phone.owner": "Anna", "site.office.mtu": 1400},
    {"device.phone.owner": None},
]


async def test_two_hundred_edits_leave_a_file_that_is_good(tmp_path: Path) -> None:
    """What is in force is what is in the file, after each of them, and remarks stay."""
    async with serving(tmp_path) as served:
        edits: list[dict[str, object]] = []

        @settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None, database=None)
        @given(st.dictionaries(PATHS, VALUES, min_size=1, max_size=3))
        def collect(values: dict[str, object]) -> None:
            edits.append(values)

        collect()
        done = 0
        for values in [*edits, *GOOD]:
            before = served.path.read_text()
            refused: RpcError | None = None
            try:
                await served.ask("config.set", values=values)
                done += 1
            except RpcError as refusal:
                refused = refusal
            assert refused is None or served.path.read_text() == before
            assert refused is None or refused.code in (ErrorCode.CONFIG_INVALID, ErrorCode.INVALID_PARAMS)
            assert "# ours" in served.path.read_text()
            assert load(served.path) == served.configuration.running
        assert len(GOOD) <= done < len(edits)
