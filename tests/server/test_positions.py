"""Positions in all three encodings, against a naive implementation that knows nothing of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from ocils.domain.errors import Unsupported
from ocils.domain.text import Document, Edit, Span
from ocils.server.convert import Encoding, Lines, path_of, uri_of, workspace_edit

from .naive import ENCODINGS, TEXTS, naive_offset, naive_position


def lines(text: str, encoding: Encoding) -> Lines:
    return Lines(Document("/t.py", text.encode()), encoding)


@given(TEXTS, st.integers(0, 8), st.integers(0, 50), st.sampled_from(ENCODINGS))
def test_offset_agrees_with_the_naive_one(
    text: str, line: int, character: int, encoding: Encoding
) -> None:
    expected = len(text[: naive_offset(text, line, character, encoding)].encode())
    assert lines(text, encoding).offset(types.Position(line, character)) == expected


@given(TEXTS, st.integers(0, 40), st.sampled_from(ENCODINGS))
def test_position_agrees_with_the_naive_one(text: str, index: int, encoding: Encoding) -> None:
    index = min(index, len(text))
    got = lines(text, encoding).position(len(text[:index].encode()))
    assert (got.line, got.character) == naive_position(text, index, encoding)


@given(TEXTS, st.integers(0, 40), st.sampled_from(ENCODINGS))
def test_there_and_back(text: str, index: int, encoding: Encoding) -> None:
    index = min(index, len(text))
    if text[index - 1 : index + 1] == "\r\n":
        return  # no editor can name the place between the two
    offset = len(text[:index].encode())
    table = lines(text, encoding)
    assert table.offset(table.position(offset)) == offset


@pytest.mark.parametrize(
    ("text", "encoding", "position", "offset"),
    [
        ('x = "👩" + y', "utf-16", (0, 8), 10),
        ('x = "👩" + y', "utf-8", (0, 10), 10),
        ('x = "👩" + y', "utf-32", (0, 7), 10),
        # Inside the surrogate pair means before the character.
        ("👩x", "utf-16", (0, 1), 0),
        ("é\r\nb", "utf-16", (1, 1), 5),
        # A form feed is no line end, though str.splitlines says so.
        ("a\x0cb\nc", "utf-16", (1, 0), 4),
        # The byte order mark is one unit of UTF-16 and three bytes.
        ("\ufeffx", "utf-16", (0, 1), 3),
        ("a", "utf-16", (0, 99), 1),
        ("a\n", "utf-16", (99, 0), 2),
        ("", "utf-8", (0, 0), 0),
    ],
)
def test_table(text: str, encoding: Encoding, position: tuple[int, int], offset: int) -> None:
    assert lines(text, encoding).offset(types.Position(*position)) == offset


def test_other_codecs_count_their_own_bytes() -> None:
    document = Document("/t.py", "é = 'x'".encode("latin-1"), encoding="latin-1")
    assert Lines(document, "utf-16").offset(types.Position(0, 3)) == 3
    assert Lines(document, "utf-8").offset(types.Position(0, 4)) == 3
    assert Lines(document, "utf-8").position(3) == types.Position(0, 4)


def test_a_whole_line_leaves_indentation_and_line_end_out() -> None:
    table = lines("a\n    b👩 \r\nc", "utf-16")
    assert table.whole_line(2) == types.Range(types.Position(1, 4), types.Position(1, 7))
    assert table.whole_line(99).start.line == 2


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", "/a/b.py"),
        ("file://localhost/a/b.py", "/a/b.py"),
        ("file:///a/./c/../b.py", "/a/b.py"),
        ("file:////a//b.py", "/a/b.py"),
        ("file:///a%20b/%C3%A9.py", "/a b/é.py"),
        ("file:///a/what%3F.py", "/a/what?.py"),
        ("file:///a/what?.py", "/a/what?.py"),
        ("file:///a/c%23.py", "/a/c#.py"),
        ("file:///a%2Fb.py", "/a/b.py"),
    ],
)
def test_uris_become_normalised_paths(uri: str, path: str) -> None:
    assert path_of(uri) == path
    assert path_of(uri_of(path)) == path


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("untitled:Untitled-1", "no file yet"),
        ("vscode-notebook-cell:/a/b.ipynb#W0", "notebooks"),
        ("file:///a/b.ipynb", "notebooks"),
        ("git:/a/b.py?x", "'git'"),
        ("file://server/share/a.py", "not supported"),
        ("nonsense", "not supported"),
        ("", "not supported"),
        ("file:relative.py", "names no file"),
    ],
)
def test_what_is_no_file_is_refused_with_a_reason(uri: str, why: str) -> None:
    with pytest.raises(Unsupported, match=why) as caught:
        path_of(uri)
    assert caught.value.mend


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_survives_the_uri(name: str) -> None:
    if name not in {".", ".."} and not name.endswith(".ipynb"):
        assert path_of(uri_of(f"/w/{name}")) == f"/w/{name}"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_edit_carries_the_version_and_counts_as_the_client_does(encoding: Encoding) -> None:
    text = "a = '👩'\r\nb = a > 1\r\n"
    document = Document("/w/a.py", text.encode(), version=7)
    at = document.data.index(b">")
    edit = workspace_edit(
        (Edit("/w/a.py", Span(at, at + 1), ">="),),
        {"/w/a.py": document},
        {"/w/a.py": "file:///w/a.py"},
        encoding=encoding,
    )
    assert edit.changes is None
    assert edit.document_changes is not None
    (change,) = edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 7
    (one,) = change.edits
    assert isinstance(one, types.TextEdit)
    assert one.range == types.Range(types.Position(1, 6), types.Position(1, 7))
    assert one.new_text == ">="
