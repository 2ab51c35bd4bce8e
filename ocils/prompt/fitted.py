"""A conversation that fits: the oldest round goes first, then what is shown for reference.

A small model reads 1,000 to 1,500 tokens well, and a prompt's length is paid for in every row, so
the room is that, or less where the model's context is small.

Not covered: the target itself, which is never cut: then there is no conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ocils.domain.model import Chat
from ocils.domain.session import Feedback
from ocils.domain.target import Context, Task
from ocils.prompt import chat

_MOST = 1500
_AROUND = 16  # tokens that a template puts around a message, rather too many than too few


def room_for(context: int, reply: int) -> int:
    """Return how many tokens a prompt may have in a model's ``context``, ``reply`` kept free."""
    return min(_MOST, context - reply)


def render(
    context: Context,
    task: Task,
    failures: str,
    rounds: Sequence[tuple[str, Feedback]],
    count_tokens: Callable[[str], int],
    room: int,
) -> Chat | None:
    """Return the conversation in ``room`` tokens, None when the target alone does not fit.

    The last round is kept longest: it is what the model is to learn from.
    """
    for shown, some in _less(context, tuple(rounds)):
        made = chat.render(shown, task, failures, some)
        if sum(count_tokens(m.content) + _AROUND for m in made.messages) <= room:
            return made
    return None


def _less(
    context: Context, rounds: tuple[tuple[str, Feedback], ...]
) -> Sequence[tuple[Context, tuple[tuple[str, Feedback], ...]]]:
    """Return what may be shown, each time less."""
    found = [(context, rounds)]
    while len(rounds) > 1:
        rounds = rounds[1:]
        found.append((context, rounds))
    while context.excerpts or len(context.tests) > 1 or context.header:
        if context.excerpts:
            context = msgspec.structs.replace(context, excerpts=context.excerpts[:-1], cut=True)
        elif len(context.tests) > 1:
            context = msgspec.structs.replace(context, tests=context.tests[:-1], cut=True)
        else:
            context = msgspec.structs.replace(context, header="", cut=True)
        found.append((context, rounds))
    if rounds:
        found.append((context, ()))
    return [*found, (msgspec.structs.replace(context, tests=(), cut=True), ())]
