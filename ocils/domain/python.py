"""Python text to a syntax tree, or past the compiler: quietly, and one at a time.

Not covered: other Pythons than the one that runs ocils; their newer syntax is an error here.
"""

from __future__ import annotations

import ast
import threading
import warnings

_ONE = threading.RLock()


def parse_python(text: str | bytes) -> ast.Module:
    """Return the tree of ``text``. Raises ``SyntaxError``, ``ValueError``, ``RecursionError``, ``MemoryError``.

    Before 3.11.8, Python counts how deep all threads' trees are in one place, and one that was parsed
    beside another can fail for it with ``SystemError``; filters of warnings are one place as well.
    """
    # Code under repair is full of things Python warns about; nobody is to read that.
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def compile_python(text: str) -> None:
    """Let Python's compiler read ``text``, which refuses more than its grammar does; errors as above."""
    with _ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(text, "<edited>", "exec", dont_inherit=True)


def tree_of(text: str | bytes) -> ast.Module | None:
    """Return the tree of ``text``, or None when this Python cannot parse it."""
    try:
        return parse_python(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
