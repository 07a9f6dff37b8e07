"""A tunnel to another gateway: added, explained to the other end, tested, and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

from tests.panel.looking import Person
from tests.panel.router import NAME, SET_UP, Router, router

STRANGER = """
[site.stranger]
remote = "127.0.0.2"
local_id = "home.example.org"
remote_id = "stranger.example.org"
psk = "not the key that the other end has"
local_networks = "10.1.7.0/24"
remote_networks = "10.2.7.0/24"
start = "wait"
"""
MIRRORED = """
[site.stranger]
remote = "127.0.0.1"
local_id = "stranger.example.org"
remote_id = "home.example.org"
psk = "this is the key which the other end has"
local_networks = "10.2.7.0/24"
remote_networks = "10.1.7.0/24"
start = "wait"
"""


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """The other end."""
    with router(tmp_path_factory.mktemp("sites") / "branch", SET_UP + MIRRORED, address="127.0.0.2") as made:
        yield made


@pytest.fixture(scope="module")
def home(branch: Router, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("sites") / "headquarters"
    with router(folder, SET_UP + STRANGER, ports=branch.ports) as made:
        yield made


def test_two_networks_are_joined(home: Router, branch: Router, who: Person) -> None:
    who.go("/add-site")
    who.page.get_by_label("Name", exact=True).fill("branch")
    who.page.get_by_label("Address or name of the other end").fill("127.0.0.2")
    who.page.get_by_label("Networks here").fill("10.1.0.0/24")
    who.page.get_by_label("Networks there").fill("10.2.0.0/24")
    who.press("Add it")
    who.see("branch: now the other end")
    snippet = who.page.locator("pre").inner_text()
    who.shot("site-snippet")
    assert who.barriers() == []
    key = snippet.partition('psk = "')[2].partition('"')[0]
    assert len(key) == 40
    assert key not in home.config, "it is kept apart from the file"

    file = branch.folder / "edgevpn.toml"
    file.write_text(file.read_text() + "\n" + snippet)
    branch.run("reload")
    who.press("Test the tunnel")
    who.see("The tunnel is up, to 10.2.0.0/24")
    who.shot("site-tested")
    assert who.barriers() == []
    assert "up" in branch.run("status")

    who.go("/")
    row = who.page.locator(".item", has_text="branch")
    expect(row).to_contain_text("Up")
    row.get_by_role("button").click()
    expect(row).to_contain_text("Down")
    row.get_by_role("button").click()
    expect(row).to_contain_text("Up")


def test_two_networks_are_joined_by_certificates(home: Router, branch: Router, who: Person) -> None:
    """What the other end gets is an archive, of which no octet is on the screen."""
    who.go("/add-site")
    who.page.get_by_label("Name", exact=True).fill("certified")
    who.page.get_by_label("Address or name of the other end").fill("127.0.0.2")
    who.page.get_by_label("Networks here").fill("10.1.5.0/24")
    who.page.get_by_label("Networks there").fill("10.2.5.0/24")
    who.page.get_by_text("More choices").click()
    who.page.get_by_label("How both ends prove who they are").select_option("certificate")
    expect(who.page.get_by_label("Pre-shared key", exact=True)).to_be_hidden()
    expect(who.page.get_by_label("Who we say we are")).to_have_value(NAME)
    who.page.get_by_label("Who the other end must prove to be").fill("branch.example.org")
    who.shot("site-certificates")
    assert who.barriers() == []
    who.press("Add it")
    who.see("holds the settings, a new certificate with its key")
    expect(who.page.locator("pre")).to_have_count(0)
    who.shot("site-archive")
    assert 'auth = "certificate"' in home.config
    with who.page.expect_download() as downloading:
        who.press("Download")
    with ZipFile(downloading.value.path()) as archive:
        archive.extractall(branch.folder)
        (settings,) = (branch.folder / name for name in archive.namelist() if name.endswith(".toml"))
        for name in archive.namelist():
            (branch.folder / name).chmod(0o600)

    file = branch.folder / "edgevpn.toml"
    here = settings.read_text().replace("/etc/edgevpn", str(branch.folder))
    file.write_text(file.read_text() + "\n" + here.replace("[site.headquarters", "[site.certified"))
    branch.run("reload")
    who.press("Test the tunnel")
    who.see("The tunnel is up, to 10.2.5.0/24")
    who.go("/site/certified")
    expect(who.page.get_by_label("Pre-shared key", exact=True)).to_have_count(0)


@pytest.mark.parametrize("kind", ["strongSwan", "RouterOS", "Something else"])
def test_words_for_every_other_end(who: Person, kind: str) -> None:
    who.go("/site/stranger")
    who.press(kind)
    expect(who.page.locator("pre")).to_contain_text("not the key that the other end has")


def test_a_test_that_fails_says_why(who: Person) -> None:
    who.go("/site/stranger")
    who.press("Test the tunnel")
    waiting = who.page.locator(".card", has_text="Try it")
    waiting.locator(".attempt").wait_for()
    expect(waiting.locator(".notice")).to_be_hidden()
    who.shot("site-test-failed")
    expect(waiting).to_contain_text("site.stranger.psk")


def test_its_settings(home: Router, who: Person) -> None:
    who.go("/site/stranger")
    who.page.get_by_label("Networks there").fill("10.2.7.0/24, 10.2.8.0/24")
    who.press("Save")
    who.press("Keep it")
    expect(who.page.get_by_role("alertdialog")).to_be_hidden()
    assert 'remote_networks = ["10.2.7.0/24", "10.2.8.0/24"]' in home.config
    who.page.get_by_label("Networks there").fill("10.2.7.0/33")
    who.press("Save")
    expect(who.page.locator("form .notice.bad")).to_contain_text("site.stranger.remote_networks")


def test_removed(home: Router, who: Person) -> None:
    who.go("/site/stranger")
    who.press("Remove")
    who.press("Yes")
    who.press("Keep it")
    expect(who.page.locator(".item", has_text="stranger")).to_have_count(0)
    assert "site.stranger" not in home.config
