"""What was measured already, on disk: an interrupted measurement goes on where it was.

A folder of JSON lines. Proofs are kept by the workspaces' bytes, and serve every model; outcomes by
everything that they depend on. A line that was cut short when the power went is measured again.

Not covered: two runs that write the same measurement at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from ocils.bench.proof import Proof
from ocils.bench.solve import Solved
from ocils.bench.task import Unusable
from ocils.domain.base import Value
from ocils.domain.text import digest

Result: TypeAlias = Solved | Unusable

_V = TypeVar("_V", bound=Value)


class Proven(Value, frozen=True):
    """What came of a proof, and the workspaces that it was made on."""

    workspace: str
    answer: Proof | Unusable


class Journal:
    """The journal of one measurement in a folder; keeps nothing when there is no folder."""

    def __init__(self, folder: Path | None, name: str, key: Mapping[str, object]) -> None:
        self._proofs: dict[str, Proof | Unusable] = {}
        self._results: dict[str, Result] = {}
        self._folder = folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        hashed = digest(msgspec.json.encode(dict(key), order="sorted"))[:12]
        self._proof_file = folder / "proofs.jsonl"
        self._result_file = folder / f"{name}-{hashed}.jsonl"
        for proven in _lines(self._proof_file, Proven):
            self._proofs[proven.workspace] = proven.answer
        for result in _lines(self._result_file, _Kept):
            self._results[result.result.task] = result.result

    def proof(self, workspace: str) -> Proof | Unusable | None:
        """Return what a proof of these workspaces gave."""
        return self._proofs.get(workspace)

    def result(self, task: str) -> Result | None:
        """Return what came of a task."""
        return self._results.get(task)

    def prove(self, workspace: str, answer: Proof | Unusable) -> None:
        """Keep a proof."""
        self._proofs[workspace] = answer
        if self._folder is not None:
            _append(self._proof_file, Proven(workspace, answer))

    def add(self, result: Result) -> None:
        """Keep an outcome."""
        self._results[result.task] = result
        if self._folder is not None:
            _append(self._result_file, _Kept(result))


class _Kept(Value, frozen=True):
    result: Solved | Unusable


def _append(path: Path, value: Value) -> None:
    with path.open("ab") as file:
        file.write(msgspec.json.encode(value) + b"\n")


def _lines(path: Path, kind: type[_V]) -> list[_V]:
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except msgspec.MsgspecError:
            continue
    return found
