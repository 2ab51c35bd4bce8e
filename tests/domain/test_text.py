"""Bytes in, bytes out: edits, snapshots, hashes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocils.domain.errors import OverlappingEdits, StaleTarget
from ocils.domain.text import Document, Edit, Entry, Snapshot, Span, apply_edits, snapshot_hash

PATH = "/w/a.py"


def edit(start: int, end: int, text: str, path: str = PATH) -> Edit:
    return Edit(path, Span(start, end), text)


def test_edits_refer_to_the_text_before_any_of_them() -> None:
    document = Document(PATH, b"abcdef")
    edits = (edit(4, 5, "E!"), edit(0, 1, ""), edit(2, 2, "+"), edit(0, 3, "zzz", "/w/other.py"))
    assert apply_edits(document, edits).data == b"b+cdE!f"


def test_text_is_written_in_the_documents_encoding() -> None:
    document = Document(PATH, b"\xe9", encoding="latin-1")
    assert apply_edits(document, (edit(1, 1, "ü"),)).data == b"\xe9\xfc"


def test_overlaps_and_stale_spans_are_refused() -> None:
    document = Document(PATH, b"abc")
    with pytest.raises(OverlappingEdits):
        apply_edits(document, (edit(0, 2, "x"), edit(1, 3, "y")))
    with pytest.raises(StaleTarget):
        apply_edits(document, (edit(2, 4, "x"),))


@given(st.binary(max_size=40), st.data())
def test_outside_the_spans_every_byte_stays(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    new = apply_edits(Document(PATH, data), (edit(start, end, "é"),)).data
    assert new == data[:start] + "é".encode() + data[end:]


def test_a_snapshot_finds_by_either_path_and_hashes_without_times() -> None:
    entries = (
        Entry("a.py", "file", 0o644, 1, b"x"),
        Entry("b", "folder", 0o755, 1),
        Entry("b/c.py", "file", 0o644, 1, b"y"),
    )
    snapshot = Snapshot("/w", entries, snapshot_hash(entries))
    assert snapshot.document("/w/b/c.py") == snapshot.document("b/c.py")
    assert snapshot.document("b") is None
    assert snapshot.find("nothing") is None
    later = (*entries[:2], Entry("b/c.py", "file", 0o644, 9, b"y"))
    assert snapshot_hash(later) == snapshot.hash
    assert snapshot_hash((*entries[:2], Entry("b/c.py", "file", 0o755, 1, b"y"))) != snapshot.hash


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"x = 1", "utf-8"),
        ("\ufeffx = 'é'".encode(), "utf-8"),
        ("# -*- coding: latin-1 -*-\nx = 'é'".encode("latin-1"), "iso-8859-1"),
        (b"# coding: nonsense\nx = '\xe9'", "utf-8"),
    ],
)
def test_a_document_knows_its_declared_encoding(data: bytes, encoding: str) -> None:
    entries = (Entry("a.py", "file", 0o644, 1, data),)
    document = Snapshot("/w", entries, snapshot_hash(entries)).document("a.py")
    assert document is not None
    assert document.encoding == encoding
    assert document.data == data
