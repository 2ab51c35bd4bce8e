"""The task, the edit target, and what the model is shown of the code around it.

Not covered: finding any of it in a text (``source/``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ocils.domain.base import Value
from ocils.domain.text import Span

Task: TypeAlias = Literal["implement", "repair", "refactor", "write_tests"]


class EditTarget(Value, frozen=True):
    """A function or method that may be replaced.

    ``span`` runs from the first byte of its first decorator (or of ``def``/``async``), without the
    indentation before it, to the last byte of its body, without the newline behind it. ``body`` is
    the block's statements, docstring included. ``name`` is qualified as Python does without
    ``<locals>``: ``Class.method``, ``outer.inner``. ``indent`` is the white space before ``span``.
    ``first_line`` and ``last_line`` are 1-based and include the decorators. ``version`` and ``hash``
    (of the target's own bytes) tell whether the text moved since.
    """

    path: str
    name: str
    kind: Literal["function", "method"]
    span: Span
    body: Span
    indent: str
    first_line: int
    last_line: int
    hash: str
    version: int | None = None
    is_async: bool = False
    is_test: bool = False


class Hole(Value, frozen=True):
    """Whole lines of a target to be refilled: 1-based file lines, both included.

    ``last`` = ``first`` - 1 is an empty hole: an insertion before line ``first``.
    """

    first: int
    last: int


class Excerpt(Value, frozen=True):
    """A piece of code shown for reference: where it is from and its text, dedented."""

    path: str
    title: str
    text: str


class Context(Value, frozen=True):
    """What the model is shown, within a token limit.

    ``source`` is the target's own text, dedented. ``header`` holds what stands around it in its
    file: imports, the class's line and attributes. ``excerpts`` are the definitions it calls, most
    useful first; ``tests`` the tests that reach it. ``cut`` says that something had to be left out.
    ``language`` is what it is all written in.
    """

    target: EditTarget
    source: str
    header: str = ""
    excerpts: tuple[Excerpt, ...] = ()
    tests: tuple[Excerpt, ...] = ()
    cut: bool = False
    language: str = "python"
