"""A router's Python: python3.py SITE_PACKAGES WITHOUT ARGUMENTS...: one folder, and a part of the standard library.

Started with -I -S, so that nothing of this machine's Python but the standard library is there. WITHOUT is a list with
commas. ARGUMENTS begin with the script to run.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class Split:
    """Modules that are in packages of the feed which are not installed."""

    def __init__(self, without: frozenset[str]) -> None:
        self._without = without

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse what is not installed; look for nothing else."""
        if name.partition(".")[0] in self._without:
            raise ModuleNotFoundError(
                f"No module named {name!r}, which is in a package that is not installed", name=name
            )
        return None


site_packages, without, *sys.argv = sys.argv[1:]
sys.meta_path.insert(0, Split(frozenset(without.split(","))))
sys.path.append(site_packages)
runpy.run_path(sys.argv[0], run_name="__main__")
