"""The start of a conversation that every later turn repeats, in tokens.

A turn adds a reply and what came of it; task, target and tests stay as they are. CTranslate2 keeps
the state behind such a start, but only for exactly equal tokens: so it is worked out from the first
messages alone, and is the same whatever follows.

Not covered: how much memory it takes (``native.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from ocils.domain.model import Chat, Message, Prompt


class Steady:
    """The newest conversation's steady start, remembered. Mutable, used by one thread."""

    def __init__(self, encode: Callable[[Chat], list[str]]) -> None:
        self._encode = encode
        self._messages: tuple[Message, ...] = ()
        self._tokens: tuple[str, ...] = ()

    def of(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the tokens that later turns will start with too; () where there are none."""
        if not isinstance(prompt, Chat):
            return ()
        count = len(self._messages)
        if not count or prompt.messages[:count] != self._messages:
            asked = next((n for n, m in enumerate(prompt.messages) if m.role == "user"), -1)
            self._tokens = steady_prefix(prompt, self._encode)
            self._messages = prompt.messages[: asked + 1]
        return self._tokens


def steady_prefix(prompt: Chat, encode: Callable[[Chat], list[str]]) -> tuple[str, ...]:
    """Return the tokens that every turn of this conversation starts with; () when there are none.

    ``encode`` renders and encodes a conversation. What stays when another round follows the first
    question is what a template never changes behind it.
    """
    asked = next((n for n, m in enumerate(prompt.messages) if m.role == "user"), None)
    if asked is None:
        return ()
    head = prompt.messages[: asked + 1]
    more = (*head, Message("assistant", "x"), Message("user", "y"))
    both = zip(encode(Chat(head)), encode(Chat(more)), strict=False)
    same = takewhile(lambda pair: pair[0] == pair[1], both)
    # The next character decides how the last token is split, so that one is not steady by itself.
    return tuple(token for token, _ in same)[:-1]
