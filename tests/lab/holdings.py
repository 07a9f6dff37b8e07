"""All that an IKE daemon can leave in a kernel, to compare what was there before with what is there now."""

from tests.lab import xfrm
from tests.lab.namespace import Namespace
from tests.lab.peers.peer import eventually


def holdings(node: Namespace) -> frozenset[str]:
    """SAs (SPIs that are only reserved too), policies, links, addresses, routes, rules, nftables: a line for each.

    Link-local addresses are left out: the kernel makes them some time after a link has come up.
    """
    lines = [f"SA {spi}" for spi in xfrm.spis(node)]
    lines += [
        f"policy {each.direction} {each.source} {each.destination} if_id {each.if_id}" for each in xfrm.policies(node)
    ]
    lines += [f"link {name}" for name in node.interfaces()]
    lines += node.ip("route show table all", "rule show").splitlines()
    lines += [f"IPv6 {line}" for line in node.run("ip", "-6", "rule", "show").splitlines()]
    lines += [f"address {line}" for line in _addresses(node)]
    lines += [f"nftables {line}" for line in node.run("nft", "list", "tables").splitlines()]
    return frozenset(line.strip() for line in lines if "fe80:" not in line)


def assert_holds(node: Namespace, expected: frozenset[str], *, within: float = 5.0) -> None:
    """Wait until a kernel holds this and nothing else; the difference is in the AssertionError."""
    try:
        eventually(lambda: holdings(node) == expected, within=within, what="all as it was")
    except AssertionError as late:
        found = holdings(node)
        raise AssertionError(
            f"{node.name}: too much {sorted(found - expected)}, missing {sorted(expected - found)}"
        ) from late


def _addresses(node: Namespace) -> list[str]:
    """`eth0 inet 192.0.2.1/24` and so on."""
    return [" ".join(line.split()[1:4]) for line in node.run("ip", "-o", "address", "show").splitlines()]
