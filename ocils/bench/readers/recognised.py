"""What a path holds, told by what lies there.

Not covered: mutants, which any workspace has: they are asked for by name.
"""

from __future__ import annotations

from pathlib import Path

from ocils.bench.readers.folders import (
    exercises_of,
    looks_like_quixbugs,
    read_exercism,
    read_quixbugs,
)
from ocils.bench.readers.jsonl import read_jsonl
from ocils.bench.task import Source
from ocils.domain.errors import UsageError

FORMATS = ("humaneval", "humanevalfix", "mbpp", "quixbugs", "exercism")
_MEND = f"say which it is by --format: {', '.join(FORMATS)}"


def source_of(path: Path, root: str, wanted: str = "") -> Source:
    """Return the tasks at ``path``, whose workspaces are laid out at ``root``.

    Raises ``UsageError`` when there is nothing, or nothing that is recognised.
    """
    if wanted and wanted not in FORMATS:
        raise UsageError(f"there is no format {wanted}", mend=_MEND)
    if not path.exists():
        raise UsageError(f"there is no {path}")
    if path.is_file():
        if wanted in ("", "humaneval", "humanevalfix", "mbpp"):
            return read_jsonl(path, root, wanted)
        raise UsageError(f"{path} is a file, and {wanted} is read from a folder")
    if wanted == "quixbugs" or (not wanted and looks_like_quixbugs(path)):
        return read_quixbugs(path, root)
    if wanted == "exercism" or (not wanted and exercises_of(path)):
        return read_exercism(path, root)
    raise UsageError(f"{path} holds no tasks in a form that is recognised", mend=_MEND)
