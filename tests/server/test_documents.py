"""The server's text stays the editor's, change by change, and so does its tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from ocils.server.convert import Encoding, uri_of
from ocils.server.documents import OpenDocument, OpenDocuments, codec
from ocils.source.target import targets
from ocils.source.tree import SourceTree

from .naive import ENCODINGS, TEXTS, naive_offset


def opened(text: str, encoding: Encoding = "utf-16", name: str = "/w/a.py") -> OpenDocument:
    documents = OpenDocuments()
    documents.encoding = encoding
    found = documents.open(types.TextDocumentItem(uri_of(name), "python", 1, text))
    assert found is not None
    return found


def replace(
    start: tuple[int, int], end: tuple[int, int], text: str
) -> types.TextDocumentContentChangePartial:
    place = types.Range(types.Position(*start), types.Position(*end))
    return types.TextDocumentContentChangePartial(place, text)


PLACES = st.tuples(st.integers(0, 6), st.integers(0, 30))


@given(
    TEXTS,
    st.lists(st.tuples(PLACES, PLACES, TEXTS), max_size=5),
    st.sampled_from(ENCODINGS),
)
def test_any_changes_leave_the_same_text_as_in_the_editor(
    text: str,
    changes: list[tuple[tuple[int, int], tuple[int, int], str]],
    encoding: Encoding,
) -> None:
    document = opened(text, encoding)
    for version, (one, other, new) in enumerate(changes, 2):
        start, end = sorted([one, other])
        a = naive_offset(text, *start, encoding)
        b = naive_offset(text, *end, encoding)
        text = text[:a] + new + text[b:]
        document.change(version, [replace(start, end, new)])
        assert document.document.data.decode() == text
        assert document.document.version == version
    assert document.tree is not None
    assert document.tree.document.data == document.document.data


def test_several_changes_of_one_message_apply_in_order() -> None:
    document = opened("a\nb\nc\n")
    document.change(2, [replace((0, 0), (1, 0), ""), replace((0, 0), (0, 1), "B")])
    assert document.document.data == b"B\nc\n"


def test_a_whole_text_touches_only_what_differs() -> None:
    document = opened("a\nb\nc\n")
    (change,) = document.change(2, [types.TextDocumentContentChangeWholeDocument("a\nX\nY\nc\n")])
    assert (change.first, change.last, change.count) == (1, 1, 2)
    assert document.document.data == b"a\nX\nY\nc\n"


def test_the_tree_follows() -> None:
    document = opened("def a():\n    return 1\n")
    document.change(2, [replace((0, 4), (0, 5), "long_name")])
    assert document.tree is not None
    assert [t.name for t in targets(document.tree)] == ["long_name"]
    fresh = SourceTree.of(document.document)
    assert targets(document.tree) == targets(fresh)


def test_half_a_surrogate_pair_is_one_unit_and_no_crash() -> None:
    document = opened("x = '\ud83d'\n")
    document.change(2, [replace((0, 6), (0, 7), "!")])
    assert document.document.data == b"x = '?!\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("# -*- coding: latin-1 -*-\n", "latin-1"),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n", "cp1252"),
        ("x = 1\n# coding: latin-1\n", "utf-8"),
        ("# coding: utf-8\n", "utf-8"),
        ("# coding: utf-16\n", "utf-8"),
        ("# coding: no-such-codec\n", "utf-8"),
        ("# coding: iso-2022-jp\n", "utf-8"),
        ("", "utf-8"),
    ],
)
def test_the_declared_codec(head: str, expected: str) -> None:
    assert codec(head) == expected


def test_a_latin_1_buffer_has_the_bytes_that_will_be_on_disk() -> None:
    document = opened("# coding: latin-1\nx = 'é'\n")
    assert document.document.data == "# coding: latin-1\nx = 'é'\n".encode("latin-1")
    document.change(2, [replace((1, 6), (1, 6), "ß")])
    assert document.document.data.endswith("'éß'\n".encode("latin-1"))
    # What the codec cannot hold would be lost on saving; positions must stay right all the same.
    document.change(3, [replace((1, 5), (1, 5), "👩")])
    assert document.document.encoding == "utf-8"
    assert document.document.data.decode().endswith("'👩éß'\n")
    document.change(4, [replace((1, 5), (1, 7), "")])
    assert document.document.encoding == "latin-1"
    # Taking the declaration away makes it UTF-8.
    document.change(5, [replace((0, 0), (1, 0), "")])
    assert document.document.data == "x = 'éß'\n".encode()


def test_other_languages_are_followed_without_a_tree() -> None:
    documents = OpenDocuments()
    item = types.TextDocumentItem("file:///w/pyproject.toml", "toml", 1, "# coding: latin-1\né")
    found = documents.open(item)
    assert found is not None
    assert found.tree is None
    assert found.document.data.endswith("é".encode())


def test_documents_without_a_file_are_not_taken() -> None:
    documents = OpenDocuments()
    assert documents.open(types.TextDocumentItem("untitled:1", "python", 1, "x")) is None
    assert documents.find("untitled:1") is None
    documents.close("untitled:1")


def test_two_spellings_are_one_document(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    documents = OpenDocuments()
    documents.open(types.TextDocumentItem(f"file://{tmp_path}/link/a.py", "python", 1, "x"))
    assert documents.find(f"file://{tmp_path}/real/a.py") is not None
    real = os.path.realpath(tmp_path / "real")
    assert [d.path for d in documents.buffers(real)] == [f"{real}/a.py"]
    # The client hears of it as it spelled it itself.
    assert documents.uri(f"{real}/a.py") == f"file://{tmp_path}/link/a.py"


def test_files_that_are_not_open_are_spelled_through_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    documents = OpenDocuments()
    documents.add_folder(f"file://{tmp_path}/link")
    real = os.path.realpath(tmp_path / "real")
    assert documents.folder_of(f"{real}/x/b.py") == real
    assert documents.uri(f"{real}/x/b.py") == f"file://{tmp_path}/link/x/b.py"
    documents.remove_folder(f"file://{tmp_path}/link")
    assert documents.uri(f"{real}/x/b.py") == f"file://{real}/x/b.py"
