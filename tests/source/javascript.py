"""JavaScript as a tree, and one function of it."""

from __future__ import annotations

from ocils.domain.target import EditTarget
from ocils.domain.text import Document
from ocils.source.target import SourceTree, locate_name


def document(text: str, path: str = "/w/src/a.js") -> Document:
    return Document(path, text.encode())


def tree_of(text: str, path: str = "/w/src/a.js") -> SourceTree:
    return SourceTree.of(document(text, path))


def target_in(text: str, name: str) -> tuple[Document, EditTarget]:
    doc = document(text)
    return doc, locate_name(SourceTree.of(doc), name)
