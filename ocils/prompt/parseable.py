"""The longest run of whole lines of a text that is Python; pure.

Not covered: what the code means; other languages.
"""

from __future__ import annotations

import re
import textwrap

from ocils.domain.python import parse_python

# Where code may begin in a text that is not all code.
_BEGINS = re.compile(r"\s*(?:@|(?:async\s+)?def\b|class\b|import\b|from\b.*\bimport\b|\w+\s*=)")
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_STARTS = 40  # places where code may begin that are tried at most


def longest(text: str) -> str:
    """Return the longest run of lines of ``text`` that parses, at column 0; "" where none does."""
    code = _INDENT.sub(lambda found: found[0].expandtabs(4), text)
    lines = code.split("\n")
    starts = [0, *(n for n, line in enumerate(lines) if n and _BEGINS.match(line))]
    best: list[str] = []
    for start in starts[:_STARTS]:
        # A run within the best one so far could only be shorter.
        if len(lines) - start <= len(best):
            break
        run = _run(lines[start:], len(best))
        best = run or best
    return "\n".join(best).strip("\n")


def _run(lines: list[str], least: int) -> list[str]:
    """Return the longest parseable head of ``lines`` of more than ``least``, at column 0, or []."""
    count = len(lines)
    while count > least:
        head = textwrap.dedent("\n".join(lines[:count]))
        wrong = _wrong_line(head)
        if wrong == 0:
            return head.split("\n")
        # What is wrong in the middle stays wrong however the end is cut, so that is cut first.
        count = min(count - 1, wrong - 1) if wrong > 1 else count - 1
    return []


def _wrong_line(code: str) -> int:
    """Return 0 for code that parses, else the line of the mistake (1 where it is not told)."""
    try:
        parse_python(code)
    except SyntaxError as error:
        # An open bracket or string is told where it began, and may be mended by what follows it.
        return max(1, error.lineno or 1)
    except (ValueError, RecursionError, MemoryError):
        return 1
    return 0
