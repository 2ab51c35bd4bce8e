"""A unified diff in a reply, applied to the target's text; pure.

Models write diffs loosely: counts and line numbers are wrong, spaces at the ends are lost, the target
is indented as in its file. So a hunk is found by its words alone.

Not covered: files that are created, renamed or removed; a hunk whose old lines are not in the text, or
that has none.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

_HEADS = ("--- ", "+++ ", "diff ", "index ", "Index: ", "\\ No newline")


def looks(text: str) -> bool:
    """Tell whether a block is a diff: it adds or removes, and every line fits the form."""
    lines = [line for line in text.split("\n") if line.strip()]
    marked = [line for line in lines if line[0] in "+-" and not line.startswith(_HEADS)]
    return bool(marked) and all(line[0] in "+- @" or line.startswith(_HEADS) for line in lines)


def applied(diff: str, source: str) -> str | None:
    """Return ``source`` with the diff's hunks applied, None where one does not fit."""
    lines = source.split("\n")
    done = False
    for hunk in _hunks(diff):
        old = [line[1:] for line in hunk if line[:1] in ("-", " ", "")]
        new = [line[1:] for line in hunk if line[:1] in ("+", " ", "")]
        if old == new:
            continue
        at, shift = _place(old, lines)
        if at < 0:
            return None
        lines[at : at + len(old)] = [_shifted(line, shift) for line in new]
        done = True
    return "\n".join(lines) if done else None


def written_anew(diff: str) -> str:
    """Return the diff's new side as a text: all of it, where the diff shows a whole function."""
    kept = [line[1:] for hunk in _hunks(diff) for line in hunk if line[:1] in ("+", " ", "")]
    return textwrap.dedent("\n".join(kept))


def _hunks(diff: str) -> list[list[str]]:
    hunks: list[list[str]] = [[]]
    for line in diff.split("\n"):
        if line.startswith("@@"):
            hunks.append([])
        elif not line.startswith(_HEADS):
            hunks[-1].append(line)
    return [_trimmed(hunk) for hunk in hunks if any(line.strip() for line in hunk)]


def _trimmed(hunk: list[str]) -> list[str]:
    """Drop blank lines at both ends, which belong to the reply's layout."""
    while hunk and not hunk[0].strip():
        hunk = hunk[1:]
    while hunk and not hunk[-1].strip():
        hunk = hunk[:-1]
    return hunk


def _place(old: Sequence[str], lines: Sequence[str]) -> tuple[int, int]:
    """Return where ``old`` stands in ``lines``, and by how much further in it is written there."""
    words = [line.strip() for line in old]
    first = next((n for n, word in enumerate(words) if word), None)
    if first is None:
        return -1, 0  # lines that are only added may belong anywhere
    for at in range(len(lines) - len(old) + 1):
        if [line.strip() for line in lines[at : at + len(old)]] == words:
            return at, _indent(lines[at + first]) - _indent(old[first])
    return -1, 0


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shifted(line: str, by: int) -> str:
    if not line.strip():
        return ""
    return " " * by + line if by >= 0 else line[min(-by, _indent(line)) :]
