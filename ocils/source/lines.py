"""Lines of a text: newline style, decoding, dedenting, and the smallest edits between two versions.

Not covered: syntax; ``splice.py`` knows which lines stand inside a string.
"""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Sequence

from ocils.domain.errors import Unsupported
from ocils.domain.text import Document, Edit, Span

_NEWLINE = re.compile(r"\r\n|\n|\r")


def newline_of(document: Document) -> str:
    """Return the newline that most lines end with; ``\\n`` for a text of one line."""
    data = document.data
    pairs = data.count(b"\r\n")
    counts = {"\n": data.count(b"\n") - pairs, "\r\n": pairs, "\r": data.count(b"\r") - pairs}
    best = max(counts, key=lambda newline: counts[newline])
    return best if counts[best] else "\n"


def split(text: str) -> list[str]:
    """Return the lines without their newlines; unlike ``splitlines``, form feeds end no line."""
    return _NEWLINE.split(text)


def codec_of(document: Document) -> str:
    """Return the codec for parts of the text; only the whole of it may start with a mark.

    A codec that Python does not know is taken for UTF-8.
    """
    name = document.encoding.lower().replace("_", "-")
    try:
        codecs.lookup(name)
    except LookupError:
        return "utf-8"
    return "utf-8" if name in ("utf-8-sig", "utf8-sig") else name


def decode(document: Document, span: Span) -> str:
    """Return the text in ``span``; bytes that do not decode become lone surrogates and come back."""
    return document.data[span.start : span.end].decode(codec_of(document), "surrogateescape")


def encodable(document: Document, text: str) -> str:
    """Return ``text`` when the document's encoding has all of its characters; else ``Unsupported``."""
    try:
        text.encode(codec_of(document))
    except UnicodeEncodeError as problem:
        character = text[problem.start : problem.start + 1]
        name = document.path.rpartition("/")[2]
        raise Unsupported(
            f"{name} is encoded in {document.encoding}, which has no {character!r}",
            mend="save the file as UTF-8",
        ) from problem
    return text


def dedent(text: str, indent: str) -> str:
    """Take ``indent`` off the start of each line that has it; newlines become ``\\n``."""
    return "\n".join(
        line.removeprefix(indent) if line.strip() else line.strip(" \t") for line in split(text)
    )


def minimal(document: Document, span: Span, new: str) -> tuple[Edit, ...]:
    """Return the smallest edits that turn the text of ``span`` into ``new``.

    Lines that both have are matched first, then the characters at either end of what differs. An
    old line keeps its own newline when only its newline would change. Raises ``Unsupported`` when
    the encoding lacks a character.
    """
    old = decode(document, span)
    was, now = _lines(old), _lines(new)
    offsets = [span.start]
    for line in was:
        offsets.append(offsets[-1] + len(line.encode(codec_of(document), "surrogateescape")))
    edits = []
    for first, last, from_, to in _hunks([_key(x) for x in was], [_key(x) for x in now]):
        pairs = zip(now[from_:to], was[first:last], strict=False)
        kept = [_newline_of_old(new_line, old_line) for new_line, old_line in pairs]
        text = "".join([*kept, *now[from_ + len(kept) : to]])
        edit = _trim(document, Span(offsets[first], offsets[last]), text)
        if edit is not None:
            edits.append(edit)
    if "\r" in old + new and _plain(_applied(document, span, edits)) != _plain(new):
        # A line feed behind a carriage return that stayed is no line of its own.
        whole = _trim(document, span, new)
        return () if whole is None else (whole,)
    return tuple(edits)


def _applied(document: Document, span: Span, edits: Sequence[Edit]) -> str:
    pieces, at = [], span.start
    for edit in edits:
        pieces += [decode(document, Span(at, edit.span.start)), edit.text]
        at = edit.span.end
    return "".join([*pieces, decode(document, Span(at, span.end))])


def _plain(text: str) -> str:
    """Return what two texts are compared by: any newline is as good as another."""
    return _NEWLINE.sub("\n", text)


def _newline_of_old(new: str, old: str) -> str:
    bare, was = new.rstrip("\r\n"), old.rstrip("\r\n")
    return bare + old[len(was) :] if len(bare) < len(new) and len(was) < len(old) else new


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", text) if line]


def agreement(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _key(line: str) -> str:
    """Return what two lines are compared by: any newline is as good as another, none is not."""
    bare = line.rstrip("\r\n")
    return bare + "\n" if len(bare) < len(line) else bare


def _hunks(was: Sequence[str], now: Sequence[str]) -> list[tuple[int, int, int, int]]:
    head = agreement(was, now)
    tail = 0
    while tail < min(len(was), len(now)) - head and was[-1 - tail] == now[-1 - tail]:
        tail += 1
    middle_was, middle_now = was[head : len(was) - tail], now[head : len(now) - tail]
    if len(middle_was) * len(middle_now) > 250_000:
        return [(head, len(was) - tail, head, len(now) - tail)]
    match = difflib.SequenceMatcher(None, middle_was, middle_now, autojunk=False)
    return [
        (head + a, head + b, head + c, head + d)
        for tag, a, b, c, d in match.get_opcodes()
        if tag != "equal"
    ]


def _trim(document: Document, span: Span, new: str) -> Edit | None:
    old = decode(document, span)
    if old == new:
        return None
    head = agreement(old, new)
    # A carriage return and its line feed stay together.
    while head and old[head - 1] == "\r":
        head -= 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    while tail and old[-tail] == "\n" and "\r" in (old[-tail - 1 : -tail], new[-tail - 1 : -tail]):
        tail -= 1
    codec = codec_of(document)
    start = span.start + len(old[:head].encode(codec, "surrogateescape"))
    end = start + len(old[head : len(old) - tail].encode(codec, "surrogateescape"))
    text = encodable(document, new[head : len(new) - tail])
    return Edit(document.path, Span(start, end), text)
