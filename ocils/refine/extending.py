"""The turns of *extend*: a head that is kept, put to a model that chats or one that fills holes.

Not covered: which head (``trusted.py``); drawing and judging.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ocils.domain.judging import CaseResult, Failed, TimedOut
from ocils.domain.model import Chat, Infill, Manifest
from ocils.domain.session import Judged
from ocils.domain.target import Context, Hole
from ocils.domain.text import Document
from ocils.languages.manifest import PYTHON
from ocils.prompt import infill
from ocils.prompt.reply import Extracted
from ocils.refine.distinct import dedented, lines_before, new_target_text
from ocils.refine.localize import Suspect
from ocils.refine.rank import merit
from ocils.refine.rewriting import found_in
from ocils.refine.trusted import Extension, doubtful_line, extensions


class Extending:
    """What is left to go on from, in one search. Used by one task."""

    def __init__(
        self,
        document: Document,
        context: Context,
        red: Sequence[CaseResult],
        suspects: tuple[Suspect, ...],
        *,
        empty: bool,
    ) -> None:
        self._document = document
        self._context = context
        self._furthest = (0, 0.0)
        self._left: list[Extension] = []
        # Of a body that is yet to be written nothing is worth keeping; statements are Python's.
        if not empty and context.language == PYTHON:
            lines = context.source.count("\n") + 1
            place = doubtful_line(red, context.target, lines, suspects=suspects)
            self._left = list(extensions(context.source, context.target, place))

    def learn(self, judged: Judged) -> None:
        """Go on from an attempt that came further than everything before it."""
        verdict = judged.verdict
        worth = merit(verdict)
        further = isinstance(verdict, Failed | TimedOut) and worth[1] > 0 and worth > self._furthest
        if not further or judged.suspicious or self._context.language != PYTHON:
            return
        self._furthest = worth
        target, edits = self._context.target, judged.candidate.edits
        text = dedented(new_target_text(self._document, target, edits)).rstrip("\n")
        moved = lines_before(self._document, target, edits)
        place = doubtful_line(verdict.cases, target, text.count("\n") + 1, moved)
        self._left = list(extensions(text, target, place))

    def next(self) -> Extension | None:
        """Return the longest head that was not gone on from, None when all were."""
        return self._left.pop(0) if self._left else None


def chat_prompt(talk: Chat, extension: Extension, language: str) -> Chat:
    """Return the conversation in which the reply has begun with the kept head."""
    opening = f"```{language}\n{extension.head}"
    return msgspec.structs.replace(talk, opening=opening, old_tail=extension.tail)


def infill_prompt(
    context: Context,
    extension: Extension,
    manifest: Manifest,
    count_tokens: Callable[[str], int],
    room: int,
) -> Infill:
    """Return the hole from the kept head to the end. Raises ``Unsupported``."""
    return infill.render(
        msgspec.structs.replace(context, source=extension.text),
        hole_of(context, extension),
        manifest,
        count_tokens,
        room=room,
        show_was=False,
    )


def hole_of(context: Context, extension: Extension) -> Hole:
    """Return which lines are written anew, as if the text stood where the original does."""
    first = context.target.first_line
    return Hole(first + extension.keep, first + extension.text.count("\n"))


def continued(
    prompt: Chat | Infill, extension: Extension, text: str, context: Context
) -> Extracted | None:
    """Return the target that a reply makes of the head, None when it makes none."""
    if isinstance(prompt, Infill):
        lines = infill.lines_of(text)
        return Extracted(extension.head + "\n".join(lines)) if lines else None
    # A model that begins anew instead of going on is taken at its word.
    return found_in(prompt.opening + text, context) or found_in(text, context)
