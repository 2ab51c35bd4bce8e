"""An infill prompt as one text with its control tokens in it, and back. Pure.

So a hole is put to a server that knows nothing but texts. Its tokenizer reads a control token's
text in the user's own code as that token; there it is taken apart by a character of no width.

Not covered: tokens (``tokens.py``), the ``suffix`` field of the completions protocol.
"""

from __future__ import annotations

import re

from ocils.domain.model import Infill, InfillFormat

_NO_WIDTH = "\u200b"


def written(prompt: Infill, form: InfillFormat) -> str:
    """Return the whole prompt as a text; the reply is what follows it."""
    prefix = form.prefix + harmless(prompt.prefix, form)
    suffix = form.suffix + harmless(prompt.suffix, form)
    was = form.was + harmless(prompt.was, form) if form.was else ""
    if form.order == "suffix_first":
        return form.start + suffix + prefix + was + form.middle
    return form.start + prefix + suffix + was + form.middle


def harmless(text: str, form: InfillFormat) -> str:
    """Return ``text`` in which no control token's text stands any more."""
    for control in _controls(form):
        text = text.replace(control, control[:1] + _NO_WIDTH + control[1:])
    return text


def read(text: str, form: InfillFormat) -> tuple[Infill, str] | None:
    """Take apart what ``written`` wrote, and what follows it; None of any other text.

    What follows is as it stands; the pieces are what they were before ``harmless``.
    """
    pieces = [("prefix", form.prefix), ("suffix", form.suffix)]
    if form.order == "suffix_first":
        pieces.reverse()
    if form.was:
        pieces.append(("was", form.was))
    pattern = "".join(f"{re.escape(token)}(?P<{name}>.*?)" for name, token in pieces)
    behind = f"{re.escape(form.middle)}(?P<rest>.*)" if form.middle else ""
    found = re.fullmatch(f"(?:{re.escape(form.start)})?{pattern}{behind}", text, re.DOTALL)
    if found is None:
        return None
    named = {name: plain(value, form) for name, value in found.groupdict().items()}
    rest = found["rest"] if behind else ""
    return Infill(named["prefix"], named["suffix"], named.get("was", "")), rest


def plain(text: str, form: InfillFormat) -> str:
    """Return what ``harmless`` was given."""
    for control in _controls(form):
        text = text.replace(control[:1] + _NO_WIDTH + control[1:], control)
    return text


def _controls(form: InfillFormat) -> tuple[str, ...]:
    every = (form.start, form.prefix, form.suffix, form.was, form.middle, form.end)
    # A token of one character cannot be taken apart; no manifest has one.
    return tuple(each for each in every if len(each) > 1)
