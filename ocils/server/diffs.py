"""Edits as a unified diff: what a person reads of an attempt.

Pure. Only the lines around the edits are compared, so that an attempt in a long file costs no more
than one in a short file.

Not covered: edits of files whose text is not at hand; what they write is shown, and nothing else.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Mapping

from ocils.domain.errors import OcilsError
from ocils.domain.text import Document, Edit, apply_edits
from ocils.server.convert import Lines

_CONTEXT = 3


def diff_of(edits: tuple[Edit, ...], documents: Mapping[str, Document], root: str) -> str:
    """Return the edits as one diff, the files named relative to ``root``; "" when there are none."""
    parts: list[str] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        mine = tuple(edit for edit in edits if edit.path == path)
        name = path.removeprefix(root.rstrip("/") + "/")
        document = documents.get(path)
        if document is None:
            written = "\n".join("+" + line for edit in mine for line in edit.text.splitlines())
            parts.append(f"--- a/{name}\n+++ b/{name}\n{written}\n")
            continue
        try:
            parts.append(_of_file(mine, document, name))
        except OcilsError:
            # The text is not the one that was judged any more.
            parts.append("")
    return "".join(parts)


def _of_file(edits: tuple[Edit, ...], document: Document, name: str) -> str:
    starts = Lines(document, "utf-8").starts
    low = min(edit.span.start for edit in edits)
    high = max(edit.span.end for edit in edits)
    first = max(0, bisect_right(starts, low) - 1 - _CONTEXT)
    last = min(len(starts), bisect_right(starts, high) + _CONTEXT)
    start = starts[first]
    end = starts[last] if last < len(starts) else len(document.data)
    new = apply_edits(document, edits).data
    grown = len(new) - len(document.data)
    before = _rows(document.data[start:end], document.encoding)
    after = _rows(new[start : end + grown], document.encoding)
    return unified(before, after, name, first)


def unified(before: list[str], after: list[str], name: str, shift: int = 0) -> str:
    """Return the unified diff of two lists of lines; ``shift`` lines stand before them."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    out = [f"--- a/{name}", f"+++ b/{name}"]
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        a, b = group[0], group[-1]
        out.append(
            f"@@ -{_range(a[1] + shift, b[2] + shift)} +{_range(a[3] + shift, b[4] + shift)} @@"
        )
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                out += [" " + line for line in before[i1:i2]]
                continue
            out += ["-" + line for line in before[i1:i2]]
            out += ["+" + line for line in after[j1:j2]]
    return "\n".join(out) + "\n" if len(out) > 2 else ""


def _rows(data: bytes, encoding: str) -> list[str]:
    text = data.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    rows = text.split("\n")
    return rows[:-1] if rows and not rows[-1] else rows


def _range(start: int, end: int) -> str:
    count = end - start
    return f"{start + 1}" if count == 1 else f"{start + 1 if count else start},{count}"
