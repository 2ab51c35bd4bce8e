"""What the user agreed to install for a workspace, and what they refused, in their state folder.

A yes holds for what was shown: the distribution, its version and its digests. When the workspace
comes to name something else for the same module, it is asked again.

Not covered: two ocils processes that ask about the same workspace at the same time; the last one wins.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from ocils.domain.base import Value
from ocils.domain.packages import Package


class Answers(Value, frozen=True):
    """One workspace's answers."""

    root: str
    agreed: tuple[Package, ...] = ()
    refused: tuple[Package, ...] = ()


class Consents:
    """The answers of all workspaces, one file each in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, root: str) -> Answers:
        """Return a workspace's answers; none where none can be read."""
        try:
            found = msgspec.json.decode(self._file(root).read_bytes(), type=Answers)
        except (OSError, msgspec.DecodeError):
            return Answers(root)
        return found if found.root == root else Answers(root)

    def agree(self, root: str, packages: tuple[Package, ...]) -> None:
        """Note a yes; an earlier answer about the same modules is replaced."""
        before = self.of(root)
        agreed = (*_others(before.agreed, packages), *packages)
        self._write(Answers(root, agreed, _others(before.refused, packages)))

    def refuse(self, root: str, packages: tuple[Package, ...]) -> None:
        """Note a no."""
        before = self.of(root)
        refused = (*_others(before.refused, packages), *packages)
        self._write(Answers(root, _others(before.agreed, packages), refused))

    def _file(self, root: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:24]}.json"

    def _write(self, answers: Answers) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        with os.fdopen(number, "wb") as file:
            file.write(msgspec.json.encode(answers))
        Path(name).replace(self._file(answers.root))


def same(one: Package, other: Package) -> bool:
    """Tell whether an answer about ``one`` is an answer about ``other``."""
    return (one.module, one.requirement, sorted(one.hashes)) == (
        other.module,
        other.requirement,
        sorted(other.hashes),
    )


def _others(known: tuple[Package, ...], packages: tuple[Package, ...]) -> tuple[Package, ...]:
    modules = {each.module for each in packages}
    return tuple(each for each in known if each.module not in modules)
