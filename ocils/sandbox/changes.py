"""Edits → changed files. Pure.

Not covered: whether the new text can be parsed (``source/``).
"""

from __future__ import annotations

from ocils.domain.errors import StaleTarget
from ocils.domain.text import Document, Edit, Snapshot, apply_edits


def changed_files(snapshot: Snapshot, edits: tuple[Edit, ...]) -> dict[str, bytes]:
    """Return the files that ``edits`` change, by relative path, with their new bytes.

    A path that the snapshot lacks is a new file. Raises ``StaleTarget`` for a path outside the
    workspace and for spans outside the text, ``OverlappingEdits`` for overlapping ones.
    """
    files = {}
    for path in dict.fromkeys(each.path for each in edits):
        relative = snapshot.relative(path)
        if relative.startswith("/") or ".." in relative.split("/"):
            raise StaleTarget(f"{path} is not in the workspace")
        document = snapshot.document(path) or Document(f"{snapshot.root}/{relative}", b"")
        mine = tuple(
            Edit(document.path, each.span, each.text) for each in edits if each.path == path
        )
        after = apply_edits(document, mine)
        if after.data != document.data:
            files[relative] = after.data
    return files
