"""What `offload` answers: the kernel's ciphers with their speed, the network cards, and who works for each live SA."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from edgevpn.api.records import CardFound, CipherFound, OffloadReport, SaFound
from edgevpn.daemon.ciphers.choice import Ciphers, tried_as
from edgevpn.daemon.dataplane.offload import Carrier
from edgevpn.daemon.dataplane.tunnels import Traffic
from edgevpn.frozen import dataclass
from edgevpn.ike.crypto.names import suite_name
from edgevpn.ike.state import ChildSa
from edgevpn.kernel.contract import Kernel
from edgevpn.kernel.crypto_api import is_accelerator
from edgevpn.kernel.errors import KernelError
from edgevpn.kernel.spec import DeviceFeatures
from edgevpn.kernel.trial_results import Result

Ask = Callable[[ChildSa], Traffic]
IN: Literal["in"] = "in"
OUT: Literal["out"] = "out"


@dataclass(frozen=True, slots=True)
class Owned:
    """A CHILD SA and whose it is: the name of a site or device."""

    owner: str
    child: ChildSa


def offload_report(
    kernel: Kernel, ciphers: Ciphers, untried: str, uplinks: Iterable[str], children: Iterable[Owned], ask: Ask
) -> OffloadReport:
    """All of it; a card that cannot be asked says why."""
    sas = [sa for each in children for sa in _sas(each, ask(each.child).carriers)]
    used = {sa["carrier"].partition("(")[2].rstrip(")") for sa in sas} - {""}
    return OffloadReport(
        untried=untried,
        ciphers=[_cipher(result) for result in ciphers.results.values()],
        cards=[_card(kernel, device) for device in sorted({*uplinks, *used})],
        sas=sas,
    )


def _cipher(result: Result) -> CipherFound:
    return CipherFound(
        algorithm=result.name,
        verdict=result.verdict.value,
        detail=result.detail,
        driver=result.driver,
        accelerator=is_accelerator(result.driver),
        is_async=result.is_async,
        bits_per_second=result.bits_per_second,
        packets_per_second=result.packets_per_second,
    )


def _card(kernel: Kernel, device: str) -> CardFound:
    try:
        features = kernel.device_features(device)
    except KernelError as error:
        return CardFound(device=device, feature="none", checksum=False, why=error.detail)
    return CardFound(device=device, feature=_feature(features), checksum=features.checksum, why="")


def _feature(features: DeviceFeatures) -> Literal["on", "off", "none"]:
    if features.esp:
        return "on"
    return "off" if features.able else "none"


def _sas(owned: Owned, carriers: tuple[Carrier, Carrier]) -> Iterator[SaFound]:
    child = owned.child
    suite = suite_name(child.suite)
    word = suite.partition("-")[0]
    inward, outward = carriers
    for direction, carrier, spi in ((IN, inward, child.spi_in), (OUT, outward, child.spi_out)):
        yield SaFound(
            owner=owned.owner,
            child=child.name,
            direction=direction,
            spi=spi.hex(),
            suite=suite,
            algorithm=tried_as(word) or word,
            carrier=str(carrier),
            why=carrier.why,
        )
