"""edgevpn.daemon.dataplane.offload: who works for an SA: the card `uplink` of a kernel in memory can, or cannot."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from edgevpn.config.services import Offload as Wish
from edgevpn.daemon.dataplane.offload import UNASKED, By, Carrier, Offloader, algorithm_of, for_card, reason
from edgevpn.kernel.crypto_api import Driver
from edgevpn.kernel.errors import AlreadyExists, KernelError
from edgevpn.kernel.memory import MemoryKernel
from edgevpn.kernel.spec import (
    DeviceFeatures,
    Direction,
    Encryption,
    Integrity,
    IpAddress,
    Offload,
    SaKey,
    SaSpec,
    UdpEncap,
)
from tests.support.kernel import ELSEWHERE, HERE, OUT, POLICY, THERE

NAT = UdpEncap(4500, 61000)
INWARD = replace(OUT, source=THERE, destination=HERE)
CBC = replace(OUT, cipher=Encryption("cbc(aes)", bytes(32)), integrity=Integrity("hmac(sha256)", bytes(32), 128))


def kernel(*, card: bool) -> MemoryKernel:
    return MemoryKernel(offloading=frozenset({"uplink"} if card else ()))


def in_effect(of: MemoryKernel, spec: SaSpec) -> Offload | None:
    return of.get_sa(spec.key).spec.offload


CHOICES: dict[str, tuple[bool, Wish, SaSpec, str, str]] = {
    "the card can": (True, Wish.AUTO, OUT, "crypto(uplink)", ""),
    "as asked for": (True, Wish.CRYPTO, OUT, "crypto(uplink)", ""),
    "whole packets, of which it can cipher": (True, Wish.PACKET, OUT, "crypto(uplink)", ""),
    "not wanted": (True, Wish.OFF, OUT, "cpu", "offload is off"),
    "behind a NAT": (
        True,
        Wish.AUTO,
        replace(OUT, encapsulation=NAT),
        "cpu",
        "uplink cannot cipher ESP in UDP, as a NAT needs it",
    ),
    "the card cannot": (False, Wish.CRYPTO, OUT, "cpu", "uplink has no esp-hw-offload"),
}


@pytest.mark.parametrize(("card", "wish", "spec", "carrier", "why"), CHOICES.values(), ids=CHOICES)
def test_who_works(card: bool, wish: Wish, spec: SaSpec, carrier: str, why: str) -> None:
    at = kernel(card=card)
    found = Offloader(at).add(spec, Direction.OUT, wish)
    assert (str(found), found.why) == (carrier, why)
    assert (in_effect(at, spec) is not None) == (carrier != "cpu")


def test_what_comes_in_is_the_cards_too() -> None:
    at = kernel(card=True)
    assert str(Offloader(at).add(INWARD, Direction.IN, Wish.AUTO)) == "crypto(uplink)"
    assert in_effect(at, INWARD) == Offload("uplink", Direction.IN)


def test_a_refusal_leaves_it_to_the_cpu() -> None:
    at = kernel(card=True)
    at.fail_next("add_sa", KernelError("add", errno.EINVAL, "Device doesn't support offload with ESN"))
    found = Offloader(at).add(OUT, Direction.OUT, Wish.CRYPTO)
    assert found == Carrier(By.CPU, "", "Device doesn't support offload with ESN")
    assert at.get_sa(OUT.key)


def test_a_kernel_that_says_yes_and_does_nothing() -> None:
    at = kernel(card=False)
    at.device_features = lambda interface: kernel(card=True).device_features(interface)  # type: ignore[method-assign]
    found = Offloader(at).add(OUT, Direction.OUT, Wish.AUTO)
    assert found == Carrier(By.CPU, "", "the kernel took it and does not use uplink")


def test_nothing_leads_there() -> None:
    at = kernel(card=True)
    at.fail_next("path_to", KernelError("find", errno.ENETUNREACH, "nothing leads there"))
    assert Offloader(at).add(OUT, Direction.OUT, Wish.AUTO).why == "nothing leads there"


def test_an_sa_that_exists_is_no_matter_of_offload() -> None:
    at = kernel(card=True)
    at.add_sa(OUT)
    with pytest.raises(AlreadyExists):
        Offloader(at).add(OUT, Direction.OUT, Wish.AUTO)


def added(offloader: Offloader, spec: SaSpec) -> Carrier:
    """Who works for a new SA."""
    found = offloader.add(spec, Direction.OUT, Wish.AUTO)
    return offloader.asked(spec, Direction.OUT, Wish.AUTO) if found == UNASKED else found


def moved(offloader: Offloader, key: SaKey, to: IpAddress, encapsulation: UdpEncap | None) -> tuple[SaKey, Carrier]:
    """Its new key, and who works for it there."""
    key, found = offloader.move(key, HERE, to, encapsulation, Direction.OUT, Wish.AUTO)
    there = replace(OUT, spi=key.spi, destination=to, encapsulation=encapsulation)
    return key, offloader.asked(there, Direction.OUT, Wish.AUTO) if found == UNASKED else found


def test_where_there_is_no_card_the_sa_comes_before_the_question() -> None:
    """Added or moved; only the first one waits, as nothing is known yet."""
    at = kernel(card=False)
    offloader = Offloader(at)
    there = list[set[tuple[int, IpAddress]]]()

    def device_features(interface: str) -> DeviceFeatures:
        there.append({(state.spec.spi, state.spec.destination) for state in at.list_sas()})
        return DeviceFeatures()

    at.device_features = device_features  # type: ignore[method-assign]
    second = replace(OUT, spi=OUT.spi + 1)
    for spec in (OUT, second):
        assert added(offloader, spec).why == "uplink has no esp-hw-offload"
    assert moved(offloader, second.key, ELSEWHERE, None)[1].why == "uplink has no esp-hw-offload"
    assert there == [
        set(),
        {(OUT.spi, THERE), (second.spi, THERE)},
        {(OUT.spi, THERE), (second.spi, ELSEWHERE)},
    ]


def test_a_card_that_can_by_now() -> None:
    """Somebody has switched it on: the next SA is the card's."""
    at = kernel(card=False)
    offloader = Offloader(at)
    added(offloader, replace(OUT, spi=OUT.spi + 1))
    at.offloading = frozenset({"uplink"})
    assert str(added(offloader, OUT)) == "crypto(uplink)"
    assert in_effect(at, OUT) == Offload("uplink", Direction.OUT)


def test_a_card_that_can_by_now_takes_what_moves() -> None:
    at = kernel(card=False)
    offloader = Offloader(at)
    added(offloader, OUT)
    at.offloading = frozenset({"uplink"})
    key, found = moved(offloader, OUT.key, ELSEWHERE, None)
    assert str(found) == "crypto(uplink)"
    assert at.get_sa(key).spec.offload == Offload("uplink", Direction.OUT)


def test_after_a_move_it_is_found_out_anew() -> None:
    """Behind a NAT the CPU has to do it; from there on, the card may again."""
    at = kernel(card=True)
    offloader = Offloader(at)
    offloader.add(OUT, Direction.OUT, Wish.AUTO)

    key, found = moved(offloader, OUT.key, ELSEWHERE, NAT)
    assert (str(found), at.get_sa(key).spec.offload) == ("cpu", None)

    key, found = moved(offloader, key, THERE, None)
    assert (str(found), key) == ("crypto(uplink)", OUT.key)
    assert in_effect(at, OUT) == Offload("uplink", Direction.OUT)


def test_a_move_that_the_card_refuses() -> None:
    at = kernel(card=True)
    offloader = Offloader(at)
    offloader.add(OUT, Direction.OUT, Wish.AUTO)
    at.fail_next("move_sa", KernelError("move", errno.EINVAL, "the card is full"))
    key, found = moved(offloader, OUT.key, ELSEWHERE, None)
    assert (found, at.get_sa(key).spec.offload) == (Carrier(By.CPU, "", "the card is full"), None)


def test_an_engine_of_the_crypto_api_is_named() -> None:
    at = kernel(card=False)
    at.drivers = {
        OUT.cipher.name: Driver(OUT.cipher.name, "safexcel-gcm-aes", 300, is_async=True, tested=True),
        algorithm_of(CBC): Driver(algorithm_of(CBC), "authenc-aes-ni", 400, is_async=False, tested=True),
    }
    assert str(Offloader(at).add(OUT, Direction.OUT, Wish.AUTO)) == "driver safexcel-gcm-aes"
    assert str(Offloader(at).add(replace(CBC, spi=OUT.spi + 1), Direction.OUT, Wish.AUTO)) == "cpu"


def test_names_of_the_crypto_api() -> None:
    assert algorithm_of(CBC) == "authenc(hmac(sha256),cbc(aes))"
    assert algorithm_of(replace(CBC, esn=True)) == "authencesn(hmac(sha256),cbc(aes))"


def test_reasons_of_both_directions() -> None:
    card, cpu = Carrier(By.CRYPTO, "uplink"), Carrier(By.CPU, "", "the card is full")
    assert reason((card, card)) == ""
    assert reason((cpu, cpu)) == "the card is full"
    assert reason((cpu, card)) == "in: the card is full"


def test_policies_of_whole_packets_are_the_cards() -> None:
    assert for_card((POLICY,), Carrier(By.CRYPTO, "uplink")) == (POLICY,)
    assert for_card((POLICY,), Carrier(By.PACKET, "uplink")) == (replace(POLICY, offload="uplink"),)
