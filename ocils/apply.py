"""Writing a proposal to disk: the command line's last step, never the server's.

Not covered: editors, which apply edits themselves.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ocils.domain.errors import StaleTarget
from ocils.domain.session import Proposal
from ocils.domain.text import Snapshot, apply_edits, digest


def write_edits(snapshot: Snapshot, proposal: Proposal) -> tuple[str, ...]:
    """Apply a proposal to the files it edits and return their paths.

    Every file is checked against the bytes that were judged before any is written; each is
    replaced in one step, with its permissions. Raises ``StaleTarget`` and writes nothing when one
    changed.
    """
    known = dict(proposal.documents)
    new: dict[Path, bytes] = {}
    for path in sorted(known):
        real = Path(path).resolve()
        document = snapshot.document(path)
        if document is None or digest(real.read_bytes()) != known[path]:
            raise StaleTarget(
                f"{path} changed while it was being refined; nothing was written",
                mend="run the command again",
            )
        new[real] = apply_edits(document, proposal.edits).data
    for real, data in new.items():
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        shutil.copymode(real, name)
        Path(name).replace(real)
    return tuple(str(path) for path in new)
