"""Which file and function the arguments name.

Not covered: what is done there (``cli.py``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ocils.domain.errors import TargetNotFound
from ocils.domain.target import EditTarget
from ocils.domain.text import Snapshot
from ocils.wiring import House


async def located(
    house: House, arguments: argparse.Namespace
) -> tuple[EditTarget | None, Snapshot]:
    """Return the target that the arguments name, if they name one, and the snapshot it is in."""
    from ocils.source.target import SourceTree, locate, locate_name

    path, name = split_target(arguments.target)
    snapshot = await house.workspace(str(path)).snapshot()
    if not name and not arguments.line:
        return None, snapshot
    document = snapshot.document(str(path))
    if document is None:
        raise TargetNotFound(f"{path} is not a file of the workspace {snapshot.root}")
    tree = SourceTree.of(document)
    if name:
        return locate_name(tree, name.replace("::", ".")), snapshot
    before = document.data.split(b"\n")[: arguments.line - 1]
    return locate(tree, sum(len(line) + 1 for line in before)), snapshot


def split_target(target: str) -> tuple[Path, str]:
    """Split PATH::NAME; the path must exist."""
    given, _, name = target.partition("::")
    path = Path(given).resolve()
    if not path.exists():
        raise TargetNotFound(f"there is no file {path}", mend="give a path as file.py::function")
    return path, name
