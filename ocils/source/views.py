"""The functions around a line: by the syntax tree, or by indentation where the tree is in doubt.

Not covered: which of them a cursor means (``cursor.py``).
"""

from __future__ import annotations

from typing import Protocol

from tree_sitter import Node

from ocils.domain.base import Value
from ocils.domain.errors import SyntaxBroken
from ocils.domain.target import EditTarget
from ocils.source.functions import around, target_of, target_of_piece, unsound, whole_of
from ocils.source.isolate import enclosing, piece_of
from ocils.source.tree import SourceTree

_SHORT = 100_000
"""Bytes of a text that is parsed within some ten milliseconds."""


class Place(Value, frozen=True):
    """A function's lines, 1-based: the first decorator's, the ``def``'s, and the last."""

    first: int
    define: int
    last: int


class View(Protocol):
    """A way of finding functions."""

    def around(self, line: int) -> list[Place]:
        """Return the functions whose lines, decorators included, hold ``line``, innermost first."""

    def in_string(self, line: int) -> bool:
        """Tell whether a line begins inside a string."""

    def target(self, place: Place) -> EditTarget:
        """Return the edit target; raises ``SyntaxBroken`` when its text does not parse."""


class ByTree:
    """For sound texts."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree

    def around(self, line: int) -> list[Place]:
        """Climb from the line's first character."""
        found: list[Place] = []
        node: Node | None = self._first_node(line)
        while node is not None:
            inner = node if node.type == "function_definition" else None
            if node.type == "decorated_definition":
                inner = node.child_by_field_name("definition")
            if inner is not None and inner.type == "function_definition":
                place = self._place(inner)
                if place not in found:
                    found.append(place)
            node = node.parent
        return found

    def in_string(self, line: int) -> bool:
        """Climb from the line's start."""
        start = self._tree.starts[line - 1]
        node: Node | None = self._tree.root.descendant_for_byte_range(start, start)
        while node is not None:
            if node.type == "string":
                return node.start_byte < start
            node = node.parent
        return False

    def target(self, place: Place) -> EditTarget:
        """Build the target from its node; a sound text has no broken ones."""
        target = self.sound_target(place.define)
        assert target is not None, "a place has a function"
        return target

    def sound_target(self, line: int) -> EditTarget | None:
        """Return the function that ``line`` is in, or None when it is broken or there is none."""
        node = self._first_node(line)
        while node is not None and node.type != "function_definition":
            node = node.parent
        if node is None or unsound(self._tree, node):
            return None
        return target_of(self._tree, node, 0, around(self._tree, node))

    def _first_node(self, line: int) -> Node | None:
        text = self._tree.line_text(line)
        start = self._tree.starts[line - 1] + len(text) - len(text.lstrip())
        return self._tree.root.descendant_for_byte_range(
            start, min(start + 1, len(self._tree.text))
        )

    def _place(self, node: Node) -> Place:
        first = whole_of(node).start_point.row + 1
        last = self._tree.line_of(max(node.start_byte, node.end_byte - 1))
        return Place(first, node.start_point.row + 1, last)


class ByIndentation:
    """For texts that have, or may have, a syntax error somewhere; looks at lines only."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree

    def around(self, line: int) -> list[Place]:
        """Follow the indentation upwards."""
        return [Place(*lines) for lines in enclosing(self._tree, line)]

    def in_string(self, line: int) -> bool:
        """Say no: where strings begin and end is just what may be broken."""
        del line
        return False

    def target(self, place: Place) -> EditTarget:
        """Parse the function's lines on their own."""
        piece = piece_of(self._tree, place.define)
        if piece.error_line:
            # A string over lines at column 0 ends the indentation, but not the function.
            # In a long file the tree is only asked about that: parsing it afresh takes a while.
            if len(self._tree.text) < _SHORT or "triple-quoted" in piece.problem:
                sound = ByTree(self._tree).sound_target(place.define)
                if sound is not None:
                    return sound
            name = self._tree.document.path.rpartition("/")[2]
            problem = piece.problem or "syntax error"
            raise SyntaxBroken(
                f"{name} line {piece.error_line}: {problem}",
                mend="mend the syntax first, then try again",
            )
        return target_of_piece(self._tree, piece)
