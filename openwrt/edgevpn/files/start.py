"""Starts edgevpn from this directory, with the libraries that are packed beside it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent


def lacking() -> str:
    """What this router lacks, in one sentence with the cure; empty where nothing is lacking."""
    if sys.version_info < (3, 11):  # noqa: UP036 - any Python may be told to start us
        return f"edgevpn needs Python 3.11 or later; this is {sys.version.split()[0]}"
    if find_spec("cryptography") is None:
        return (
            "edgevpn needs python3-cryptography, which is not installed; install it with opkg or apk."
            " Where the feed has none for this CPU (see /etc/openwrt_release), edgevpn cannot run on this router"
        )
    return ""


def main() -> int:
    """Run the command line, or say why it cannot run."""
    if sentence := lacking():
        print(f"edgevpn: {sentence}", file=sys.stderr)
        return 1
    before = [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    place = sys.path.index(before[0]) if before else len(sys.path)
    sys.path[place:place] = [str(HERE), str(HERE / "vendor")]

    from edgevpn.cli import main as cli

    return cli()


if __name__ == "__main__":
    sys.exit(main())
