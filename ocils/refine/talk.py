"""The conversation of one search with a model that chats: what failed, what was tried, what people said.

OpenCodeInterpreter's loop: the model's reply, then what came of it. Only two rounds are shown, the
attempt that came furthest and the last one, and of a reply only its code: a small model loses
itself in long talks.

Not covered: wording (``prompt/``), drawing replies.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from ocils.domain.judging import CaseResult, Failed
from ocils.domain.model import Chat, Manifest
from ocils.domain.session import Feedback, Judged, Limits, Session
from ocils.domain.target import Context, Task
from ocils.domain.text import Document
from ocils.prompt import fitted
from ocils.refine import feedback
from ocils.refine.distinct import new_target_text
from ocils.refine.rank import merit
from ocils.refine.resume import said_by_people


def room_of(manifest: Manifest, tokens: int) -> int:
    """Return how many tokens of context are worth gathering; ``tokens`` is the longest reply."""
    if not manifest.chat:
        return manifest.context
    return fitted.room_for(manifest.context, min(tokens, manifest.context // 2))


class Talk:
    """Mutable, used by one task."""

    def __init__(
        self,
        document: Document,
        context: Context,
        task: Task,
        red: Sequence[CaseResult],
        limits: Limits,
    ) -> None:
        self._document = document
        self._context = context
        self._task = task
        self._failures = feedback.failures(tuple(red))
        self._tokens = limits.tokens
        self._replies: dict[str, str] = {}
        self._furthest: tuple[str, Feedback] | None = None
        self._worth = (0, 0.0)
        self._last: tuple[str, Feedback] | None = None

    def reply_tokens(self, manifest: Manifest) -> int:
        """Return how long a reply may be."""
        return min(self._tokens, manifest.context // 2)

    def prompt(self, manifest: Manifest, count_tokens: Callable[[str], int]) -> Chat | None:
        """Return the conversation so far, None when the function is too long for the model."""
        rounds = tuple(
            dict.fromkeys(each for each in (self._furthest, self._last) if each is not None)
        )
        room = fitted.room_for(manifest.context, self.reply_tokens(manifest))
        return fitted.render(self._context, self._task, self._failures, rounds, count_tokens, room)

    def keep(self, candidate: str, code: str) -> None:
        """Remember the code of a reply, for when its verdict is there."""
        self._replies[candidate] = self._fenced(code)

    def learn(self, judged: Judged) -> Feedback | None:
        """Take a turn's best attempt in; return the feedback that the model will read, if any.

        What another strategy tried is taken in as well where it came further than everything before.
        """
        worth = merit(judged.verdict)
        further = isinstance(judged.verdict, Failed) and worth[1] > 0 and worth > self._worth
        said = self._replies.get(judged.candidate.id)
        if said is None and not further:
            return None
        if said is None:
            said = self._fenced(self._text(judged))
        written = feedback.write(judged.verdict)
        self._last = (said, written)
        if further:
            self._worth, self._furthest = worth, self._last
        return written

    def recall(self, session: Session) -> None:
        """Take in what people said of an earlier run: it stays in every later prompt.

        The last attempt that they spoke of is shown as the model's own reply.
        """
        said = [turn.feedback for turn in said_by_people(session) if turn.feedback]
        if not said:
            return
        words = "\n".join(each.text for each in said)
        self._failures = f"{self._failures}\n{words}".lstrip()
        for judged in said_by_people(session)[-1].judged:
            self._last = (self._fenced(self._text(judged)), said[-1])

    def _text(self, judged: Judged) -> str:
        return new_target_text(self._document, self._context.target, judged.candidate.edits)

    def _fenced(self, code: str) -> str:
        return f"```{self._context.language}\n{textwrap.dedent(code)}\n```"
