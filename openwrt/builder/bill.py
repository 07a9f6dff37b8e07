"""What edgevpn is made of, as a CycloneDX document: for who has to know whether a fault of a library is theirs, too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from openwrt.builder.packages import (
    DAEMON_LIBRARIES,
    LICENSE,
    MAINTAINER,
    PYTHON,
    WEB_LIBRARIES,
    WEB_PYTHON,
    upstream_version,
)
from openwrt.builder.vendor import Library, libraries

PARTS = {"edgevpn": (DAEMON_LIBRARIES, PYTHON), "edgevpn-web": (WEB_LIBRARIES, WEB_PYTHON)}
"""Each package, with the libraries that it brings along and those that it takes from the system."""

_licence = LicenseFactory().make_from_string


def bill(epoch: int) -> str:
    """The document, JSON. `epoch`: the time that it bears; what else is in it depends on the checkout alone."""
    version = upstream_version()
    document = Bom(serial_number=uuid5(NAMESPACE_URL, f"edgevpn {version} {epoch}"))
    document.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    document.metadata.component = _ours("edgevpn", version, "source")
    of_system = {name: _of_system(name) for name in (*PYTHON, *WEB_PYTHON)}
    packages = []
    for name, (listing, needed) in PARTS.items():
        packages.append(package := _ours(name, version, name))
        _add(document, package, (*map(_packed, libraries(listing)), *(of_system[each] for each in needed)))
    _add(document, document.metadata.component, packages)
    return JsonV1Dot6(document).output_as_string(indent=2) + "\n"


def _add(document: Bom, whole: Component, parts: Iterable[Component]) -> None:
    parts = tuple(parts)
    document.components.update(parts)
    document.register_dependency(whole, parts)


def _ours(name: str, version: str, ref: str) -> Component:
    return Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=ref,
        publisher=MAINTAINER,
        licenses=[_licence(LICENSE)],
    )


def _packed(library: Library) -> Component:
    """A library that the package brings along."""
    return Component(
        name=library.name,
        version=library.version,
        bom_ref=library.name,
        purl=PackageURL("pypi", None, library.name, library.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=library.sha256)],
        licenses=[_licence(library.licence)],
    )


def _of_system(name: str) -> Component:
    """A package of the router's own feed, in whatever version that has."""
    return Component(name=name, bom_ref=name, description="from the system")
