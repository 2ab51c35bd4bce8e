"""The start of a conversation that every later turn repeats, in tokens.

A turn adds a reply and what came of it; task, target and tests stay as they are. CTranslate2 keeps
the state behind such a start, but only for exactly equal tokens: so it is worked out from the first
messages alone, and is the same whatever follows.

Not covered: how much memory it takes (``native.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from ocils.domain.model import Chat, Message


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
