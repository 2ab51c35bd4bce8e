"""Positions worked out character by character, knowing nothing of bytes: what tests compare with."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from ocils.server.convert import Encoding

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}

# What has broken language servers before: astral characters, combining marks, separators that
# str.splitlines takes for line ends, a byte order mark, and every kind of line end.
TEXTS = st.text(alphabet="ab \n\r\t\f\v\x1c\x85\u2028éß漢👩\u0301𝕏\ufeff", max_size=40)


def units(text: str, encoding: Encoding) -> int:
    codec, size = CODEC[encoding]
    return len(text.encode(codec)) // size


def naive_offset(text: str, line: int, character: int, encoding: Encoding) -> int:
    """Return the index in characters."""
    rows = re.split(r"(\r\n|\n|\r)", text)
    if line >= len(rows[::2]):
        return len(text)
    before = "".join(rows[: 2 * line])
    row = rows[2 * line]
    count = max(n for n in range(len(row) + 1) if units(row[:n], encoding) <= character)
    return len(before) + count


def naive_position(text: str, index: int, encoding: Encoding) -> tuple[int, int]:
    rows = re.split(r"(\r\n|\n|\r)", text)
    at = 0
    for number, row in enumerate(rows[::2]):
        end = rows[2 * number + 1] if 2 * number + 1 < len(rows) else ""
        if index < at + len(row) + len(end) or not end:
            return number, units(row[: index - at], encoding)
        at += len(row) + len(end)
    raise AssertionError("unreachable")
