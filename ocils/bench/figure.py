"""What a figure is, and what every measure is given.

Not covered: the measures themselves (``figures_editor``, ``figures_loop``).
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from ocils.bench.mend import RECORD
from ocils.domain.base import Value
from ocils.domain.text import Snapshot
from ocils.ports import Ports, Workspace


class Figure(Value, frozen=True, omit_defaults=False):
    """One measured value; ``conditions`` say what it was measured on, in words and numbers."""

    name: str
    value: float
    unit: str
    better: Literal["lower", "higher"]
    conditions: dict[str, object]


class House(Protocol):
    """What the figures take from the house that ``wiring`` builds."""

    def workspace(self, path: str) -> Workspace:
        """Return the workspace at ``path``."""
        ...

    def ports(self, root: str) -> Ports:
        """Return the ports of a workspace."""
        ...

    def configure(self, table: object) -> None:
        """Lay settings over the user's own, instead of what was laid over them before."""
        ...


class Bench:
    """What every figure needs: the house, and a checkout whose test workspaces it may copy."""

    def __init__(self, house: House, checkout: Path, scratch: Path) -> None:
        self._house = house
        self._checkout = checkout
        self._scratch = scratch

    async def workspace(self, name: str) -> tuple[Workspace, Snapshot, Ports]:
        """Copy one of the test workspaces, so that nothing is left behind in the checkout."""
        folder = self._scratch / name
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        if not folder.exists():
            shutil.copytree(self._checkout / "tests" / "workspaces" / name, folder, ignore=ignored)
        workspace = self._house.workspace(str(folder))
        return workspace, await workspace.snapshot(), self._house.ports(workspace.root)

    async def like(
        self, name: str, copy: str, before: Mapping[str, str] | None = None
    ) -> tuple[Snapshot, Ports]:
        """Copy one of the test workspaces under another name, with text in front of some files."""
        folder = self._scratch / copy
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        if not folder.exists():
            shutil.copytree(self._checkout / "tests" / "workspaces" / name, folder, ignore=ignored)
            for path, text in (before or {}).items():
                (folder / path).write_text(text + (folder / path).read_text())
        workspace = self._house.workspace(str(folder))
        return await workspace.snapshot(), self._house.ports(workspace.root)

    @property
    def checkout(self) -> Path:
        """The checkout that is measured with."""
        return self._checkout

    def at(self, root: Path) -> tuple[Workspace, Ports]:
        """Return the workspace at ``root``, wherever that is, and its ports."""
        workspace = self._house.workspace(str(root))
        return workspace, self._house.ports(workspace.root)

    def choose(self, model: str) -> None:
        """Take another model from now on; empty: the user's own again."""
        self._house.configure({"model": {"name": model}} if model else {})

    @property
    def record(self) -> Path:
        """The recorded measurement of the demo's project."""
        return self._checkout / RECORD


def percentiles(name: str, seconds: Sequence[float], lines: int) -> Figure:
    """The 99th percentile of times on a file of so many lines."""
    parts = statistics.quantiles(seconds, n=100)
    conditions: dict[str, object] = {
        "lines": lines,
        "rounds": len(seconds),
        "median_ms": round(statistics.median(seconds) * 1000, 2),
        "worst_ms": round(max(seconds) * 1000, 2),
    }
    return Figure(name, round(parts[98] * 1000, 2), "ms", "lower", conditions)
