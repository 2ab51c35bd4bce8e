"""Python text to a syntax tree, quietly.

Not covered: other Pythons than the one that runs ocils; their newer syntax gives None.
"""

from __future__ import annotations

import ast
import warnings


def tree_of(text: str) -> ast.Module | None:
    """Return the tree of ``text``, or None when this Python cannot parse it."""
    try:
        # Code under repair is full of things Python warns about; nobody is to read that.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
