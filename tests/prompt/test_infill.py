"""Rendering a hole: exact pieces, cuts that keep what is near, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocils.domain.errors import Unsupported
from ocils.domain.model import InfillFormat, Manifest
from ocils.domain.target import Context, EditTarget, Hole
from ocils.domain.text import Span
from ocils.prompt import infill

SOURCE = "def f(a):\n    b = a + 1\n    c = b\n    return c"

LINES = Manifest(
    "m", "llama", "x", 512, False, ("infill",),
    InfillFormat("<pre>", "<suf>", "<mid>", "<end>", "<was>", "lines"),
)  # fmt: skip
TEXT = Manifest(
    "t", "llama", "x", 512, False, ("infill",), InfillFormat("<P>", "<S>", "<M>", "<E>")
)


def context(source: str = SOURCE, first: int = 11) -> Context:
    last = first + source.count("\n")
    span = Span(0, len(source))
    return Context(EditTarget("/w/a.py", "f", "function", span, span, "", first, last, "h"), source)


def words(text: str) -> int:
    return len(text.split())


def test_lines_form_writes_each_line_with_its_newline_first() -> None:
    prompt = infill.render(context(), Hole(12, 12), LINES, words, room=10)
    assert (prompt.prefix, prompt.was, prompt.suffix) == (
        "\ndef f(a):",
        "\n    b = a + 1",
        "\n    c = b\n    return c",
    )


def test_the_old_text_is_left_out_on_request_and_for_an_insertion() -> None:
    assert not infill.render(context(), Hole(12, 12), LINES, words, room=10, show_was=False).was
    inserted = infill.render(context(), Hole(13, 12), LINES, words, room=10)
    assert inserted.was == ""
    assert inserted.prefix.endswith("b = a + 1")
    assert inserted.suffix.startswith("\n    c = b")


def test_text_form_splits_at_line_borders() -> None:
    prompt = infill.render(context(), Hole(12, 13), TEXT, words, room=10)
    assert (prompt.prefix, prompt.suffix) == ("def f(a):\n", "\n    return c")


def test_what_stood_in_the_hole_is_there_for_any_model_to_be_compared_with() -> None:
    """A model that has no token for the old text is not shown it, but an edit's gain is over it."""
    lines = ("    b = a + 1", "    c = b")
    prompt = infill.render(context(), Hole(12, 13), TEXT, words, room=10)
    assert prompt.was == infill.middle(lines, TEXT) == "\n".join(lines)
    assert prompt.prefix + prompt.was + prompt.suffix == SOURCE


@given(
    st.lists(st.sampled_from(["    x = 1", "", "    if x:", "        y = 2"]), max_size=12),
    st.data(),
)
def test_the_pieces_are_the_source(body: list[str], data: st.DataObject) -> None:
    lines = ["def f():", *body, "    return x"]
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first, len(lines) - 1))
    whole = context("\n".join(lines), first=1)
    for manifest in (TEXT, LINES):
        prompt = infill.render(whole, Hole(first + 1, last + 1), manifest, words, room=10)
        joined = prompt.prefix + prompt.was + prompt.suffix
        assert joined.removeprefix("\n") == "\n".join(lines)
        # A blank line at the hole's beginning may be lost: it means nothing.
        kept = [line for line in infill.lines_of(prompt.was) if line]
        assert kept == [line for line in lines[first : last + 1] if line]


def test_a_hole_of_everything_has_nothing_around_it() -> None:
    prompt = infill.render(context(), Hole(11, 14), TEXT, words, room=10)
    assert (prompt.prefix, prompt.suffix) == ("", "")


def test_long_targets_keep_the_def_line_and_what_is_near() -> None:
    body = [f"    x{n} = {n}" for n in range(200)]
    long = context("\n".join(["def f():", *body]), first=1)
    prompt = infill.render(long, Hole(102, 102), LINES, words, room=10, limit=60)
    assert prompt.prefix.startswith("\ndef f():\n    x")
    assert prompt.prefix.endswith("x99 = 99")
    assert prompt.suffix.startswith("\n    x101 = 101")
    assert words(prompt.prefix) + words(prompt.suffix) + words(prompt.was) <= 60 - 10


def test_a_model_without_infill_is_refused_by_name() -> None:
    chatty = Manifest("chatty", "llama", "x", 512, True, ("rewrite",))
    with pytest.raises(Unsupported, match="chatty"):
        infill.render(context(), Hole(12, 12), chatty, words, room=10)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\n    b = 2", ("    b = 2",)),
        ("    b = 2  ", ("    b = 2",)),
        ("\n    if a:\n        b = 2\n\n", ("    if a:", "        b = 2")),
        ("", ()),
        ("\n", ()),
        ("\n    s = 'é𝒳'", ("    s = 'é𝒳'",)),
    ],
)
def test_replies_become_lines(text: str, lines: tuple[str, ...]) -> None:
    assert infill.lines_of(text) == lines


def test_middle_is_what_lines_of_undoes() -> None:
    lines = ("    if a:", "        b = 2")
    assert infill.lines_of(infill.middle(lines, LINES)) == lines
    assert infill.lines_of(infill.middle(lines, TEXT)) == lines
