"""Functions with a slip in them, and what the small edits make of them."""

from __future__ import annotations

import ast

from ocils.domain.text import Document, apply_edits
from ocils.source.edits import SmallEdit, small_edits
from ocils.source.target import SourceTree, locate_name


def document(text: str, encoding: str = "utf-8") -> Document:
    return Document("/w/pkg/mod.py", text.encode(encoding), 1, encoding=encoding)


def edits_of(
    text: str, lines: list[int], name: str = "f"
) -> tuple[Document, tuple[SmallEdit, ...]]:
    doc = document(text)
    return doc, small_edits(doc, locate_name(SourceTree.of(doc), name), lines)


def trees_after(text: str, lines: list[int], name: str = "f") -> list[str]:
    doc, edits = edits_of(text, lines, name)
    return [ast.dump(ast.parse(apply_edits(doc, e.edits).data)) for e in edits]


CLASS = """\
class A:
    def __init__(self, low, high):
        self.low = low
        self.high = high

    def f(self, low, other):
        if low < self.low:
            return other.high
        return self.low

    def g(self):
        nonsense = self.f(1, 2)
        return nonsense
"""
